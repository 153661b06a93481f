//! `multilog-regex`: the same logger with the code for regular expressions.

use std::ffi::{CStr, CString};

use crate::cli::{Exit, Shown, cause};
use crate::multilog::name::PROGRAM;
use crate::sys::process::exec::Successor;
use crate::sys::program::{Arguments, own_path};
use crate::sys::signal;

/// The program's file, in the directory of `multilog`.
const FILE: &str = "multilog-regex";

/// Executes it with the same arguments; returns only if that fails. The batch of another logger stays in the pipe, and locks
/// are released.
pub fn execute(arguments: &Arguments) -> Exit {
    let file: &'static CStr = Box::leak(beside(own_path()).into_boxed_c_str());
    let mut command = vec![file];
    command.extend(arguments.iter().skip(1));
    // It must find what this process found: what it ignores itself, its processors do not.
    let _ = signal::stop_ignoring();
    let errno = Successor::new(&command).expect("it has a first word").run();
    let _ = signal::ignore_again();
    PROGRAM.fatal(format_args!("unable to run {}: {}", Shown(file.to_bytes()), cause(errno)))
}

/// The path of the program, beside another one; looked for by the `PATH` if it is not known where that is.
fn beside(path: Option<Vec<u8>>) -> CString {
    let mut path = path.unwrap_or_default();
    path.truncate(path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1));
    path.extend(FILE.as_bytes());
    CString::new(path).expect("a path has no NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beside_multilog() {
        assert_eq!(beside(Some(b"/opt/bin/multilog".to_vec())).to_bytes(), b"/opt/bin/multilog-regex");
        assert_eq!(beside(None).to_bytes(), b"multilog-regex");
    }
}
