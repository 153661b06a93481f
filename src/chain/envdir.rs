//! `envdir dir child`: runs a program with variables from the files of a directory, a file for each variable.
//!
//! The file's first line, without the blanks at its end, is the value, with null bytes as newlines. An empty file takes
//! the variable away, and so does a symbolic link that leads nowhere. A name with `=` in it assigns what it says:
//! scripts may live with that. Names that begin with a dot are left alone.
//!
//! The directory is held and not entered: that works from a working directory that the process may not read, as after
//! `setuidgid`.

use std::ffi::{CStr, CString};

use crate::cli::{Exit, Program, Shown, cause};
use crate::sys::dir::Dir;
use crate::sys::process::exec::Environment;
use crate::sys::program::Arguments;
use crate::sys::{Errno, fd};

use super::next::Next;

const PROGRAM: Program = Program("envdir");

/// How much of a file is read at a time.
const READ_BYTES: usize = 1024;

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let [_, dir, command @ ..] = arguments else {
        return usage();
    };
    let Some(next) = Next::new(command) else {
        return usage();
    };
    let mut environment = Environment::inherited();
    if let Err(exit) = apply(dir, &mut environment) {
        return exit;
    }
    next.with_environment(&environment).run(PROGRAM)
}

/// Alone in the family, this one answers a wrong call with 111.
fn usage() -> Exit {
    let _ = PROGRAM.usage("envdir dir child");
    Exit::TROUBLE
}

/// Carries out what the files of a directory say.
fn apply(path: &CStr, environment: &mut Environment) -> Result<(), Exit> {
    let shown = Shown(path.to_bytes());
    let dir = Dir::enter(path)
        .map_err(|errno| PROGRAM.fatal(format_args!("unable to switch to directory {shown}: {}", cause(errno))))?;
    let names = dir
        .names()
        .map_err(|errno| PROGRAM.fatal(format_args!("unable to read directory {shown}: {}", cause(errno))))?;
    for name in names.iter().map(|(name, _)| name).filter(|name| !name.starts_with(b".")) {
        let content = first_line(&dir, name)
            .map_err(|errno| PROGRAM.fatal(format_args!("unable to read {shown}/{}: {}", Shown(name), cause(errno))))?;
        environment.put(assignment(name, content));
    }
    Ok(())
}

/// Reads a file up to its first newline, if it has one; `None` for an empty file, and for none.
fn first_line(dir: &Dir, name: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let file = match dir.open_to_read_through_links(name) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut line = Vec::new();
    loop {
        let mut room = [0; READ_BYTES];
        let length = fd::read(&file, &mut room)?;
        let read = &room[..length];
        match memchr::memchr(b'\n', read) {
            Some(newline) => {
                line.extend_from_slice(&read[..newline]);
                return Ok(Some(line));
            }
            None if read.is_empty() => return Ok((!line.is_empty()).then_some(line)),
            None => line.extend_from_slice(read),
        }
    }
}

/// What a file says, as `NAME=value`, or as `NAME` when the variable is to go.
fn assignment(name: &[u8], line: Option<Vec<u8>>) -> CString {
    let mut assignment = name.to_vec();
    if let Some(mut line) = line {
        let end = line.iter().rposition(|&byte| byte != b' ' && byte != b'\t').map_or(0, |last| last + 1);
        line.truncate(end);
        line.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'\n');
        assignment.push(b'=');
        assignment.append(&mut line);
    }
    CString::new(assignment).expect("file names hold no null byte, and the value's have been replaced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_loses_the_blanks_at_its_end_and_keeps_null_bytes_as_newlines() {
        let said = |line: &[u8]| assignment(b"N", Some(line.to_vec()));

        assert_eq!(said(b" a b \t "), *c"N= a b");
        assert_eq!(said(b"a\0b\0"), *c"N=a\nb\n");
        assert_eq!(said(b" \t"), *c"N=");
        assert_eq!(assignment(b"N", None), *c"N");
    }
}
