//! How a program begins: with its command line, or with `--version`.
//!
//! 0.76 has no such option. `--version` asks for the version only if it is all of the command line, where 0.76 would have little
//! use for it: a script without a directory, or a service of that name. Beside other arguments it means what it means to 0.76: a
//! selector of multilog, the name of a service or of a program.

use crate::cli::{Exit, Program, cause};
use crate::sys::fd;
use crate::sys::program::Arguments;

/// Defines the `main` of a program: `logyard::program!(logyard::multilog::program::run);`. It prints the version if
/// `--version` is its only argument. `logyard::program!(title: …)` defines a program that shows its argument in the process list; it
/// has no `--version`.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[doc(hidden)]
        fn run(arguments: &$crate::sys::program::Arguments) -> $crate::cli::Exit {
            const NAME: &str = env!("CARGO_BIN_NAME");
            const VERSION: &str = concat!(env!("CARGO_BIN_NAME"), " ", env!("CARGO_PKG_VERSION"), " (logyard)\n");
            $crate::cli::entry::version(arguments, NAME, VERSION).unwrap_or_else(|| $run(arguments))
        }
        $crate::c_main!(run, $crate::sys::program::enter);
    };
    (title: $run:path) => {
        $crate::c_main!($run, $crate::sys::process::proctitle::enter);
    };
}

/// Prints the version if nothing else is asked for; `None` if the program is to run.
///
/// Not inlined: a supervisor would hold the stack that this needs as long as it runs.
#[doc(hidden)]
#[inline(never)]
#[must_use]
pub fn version(arguments: &Arguments, program: &'static str, text: &str) -> Option<Exit> {
    let [_, argument] = arguments else { return None };
    if argument.to_bytes() != b"--version" {
        return None;
    }
    Some(match fd::write_all(fd::stdout(), text.as_bytes()) {
        Ok(()) => Exit::OK,
        Err(errno) => Program(program).fatal(format_args!("unable to write output: {}", cause(errno))),
    })
}
