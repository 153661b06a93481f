//! The script file: the actions of a logger, one a line, in the place of the action `f=FILE` among its arguments.
//!
//! Blanks before an action do not count, and all that follows them is the action: nothing is quoted. A line without an action,
//! and one that begins with `#`, is a comment.

use crate::sys::dir::Dir;
use crate::sys::{Errno, Result};

/// More than a script can need: a file that is longer is another file.
pub const BYTES_MAX: usize = 256 * 1024;

/// Why a script file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The system refused a call.
    Refused(Errno),
    /// It is a FIFO, a directory or a device.
    NotPlain,
    /// It is longer than [`BYTES_MAX`].
    TooLong,
    /// A line, counted from 1, holds a byte that cannot be in an argument, or ends as on another system.
    BadLine(usize),
}

impl From<Errno> for Unusable {
    fn from(errno: Errno) -> Unusable {
        Unusable::Refused(errno)
    }
}

/// The path of the script file that an argument of a logger names; `None` if it names none.
#[must_use]
pub fn named_by(argument: &[u8]) -> Option<&[u8]> {
    argument.strip_prefix(b"f=").filter(|path| !path.is_empty())
}

/// Reads a script file. `path` may lead through links; one that is not absolute begins in `working`.
pub fn read(working: &Dir, path: &[u8]) -> std::result::Result<Vec<u8>, Unusable> {
    // Opened without waiting: a FIFO may have no writer.
    let file = working.open_to_read_through_links(path)?;
    let stat = file.stat()?;
    if !stat.is_plain {
        return Err(Unusable::NotPlain);
    }
    let size = usize::try_from(stat.size_bytes).unwrap_or(usize::MAX);
    if size > BYTES_MAX {
        return Err(Unusable::TooLong);
    }
    let mut text = vec![0; size + 1];
    let mut length = 0;
    while length < text.len() {
        match file.read_at(length as u64, &mut text[length..])? {
            0 => break,
            count => length += count,
        }
    }
    if length > size {
        // Somebody is writing it.
        return Err(Unusable::Refused(Errno::EAGAIN));
    }
    text.truncate(length);
    Ok(text)
}

/// The actions in the text of a script file.
pub fn actions(text: &[u8]) -> std::result::Result<Vec<&[u8]>, Unusable> {
    let mut actions = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let blanks = line.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        let action = &line[blanks..];
        if action.is_empty() || action[0] == b'#' {
            continue;
        }
        if action.contains(&0) || action.ends_with(b"\r") {
            return Err(Unusable::BadLine(number + 1));
        }
        actions.push(action);
    }
    Ok(actions)
}

/// The arguments of a logger with the actions of its script file in their place, for programs that look at it; the arguments
/// as they are if they name no file, or it cannot be read.
#[must_use]
pub fn with_actions(arguments: Vec<Vec<u8>>, working: impl FnOnce() -> Result<Dir>) -> Vec<Vec<u8>> {
    let Some(at) = arguments.iter().position(|argument| named_by(argument).is_some()) else { return arguments };
    let (Some(path), Ok(working)) = (named_by(&arguments[at]), working()) else { return arguments };
    let Ok(text) = read(&working, path) else { return arguments };
    let Ok(actions) = actions(&text) else { return arguments };
    let actions = actions.into_iter().map(<[u8]>::to_vec);
    arguments[..at].iter().cloned().chain(actions).chain(arguments[at + 1..].iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_action_and_nothing_is_quoted() {
        let text = b"# head\n\nt\n  -*\n\t+* \"a b\": * \n  # not an action\n!gzip -9 | cat # all of it\n./main";

        let actions = actions(text).unwrap();

        let expected: [&[u8]; 5] = [b"t", b"-*", b"+* \"a b\": * ", b"!gzip -9 | cat # all of it", b"./main"];
        assert_eq!(actions, expected);
    }

    #[test]
    fn what_no_argument_can_hold_is_refused_by_its_line() {
        assert_eq!(actions(b"t\n./ma\0in\n"), Err(Unusable::BadLine(2)));
        assert_eq!(actions(b"t\r\n./main\r\n"), Err(Unusable::BadLine(1)));
        assert_eq!(actions(b"# a comment may end so\r\n"), Ok(vec![]));
    }

    #[test]
    fn only_a_path_behind_the_letter_names_a_file() {
        assert_eq!(named_by(b"f=./script"), Some(&b"./script"[..]));
        for other in [&b"f="[..], b"f", b"file", b"F=x", b"", b"./f=x"] {
            assert_eq!(named_by(other), None, "{other:?}");
        }
    }
}
