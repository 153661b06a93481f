//! Parses the command line of logyard-setup.

use std::ffi::{CStr, CString};

use crate::setup::boot::Method;
use crate::sys::program::Arguments;

/// The usage line.
pub const SYNOPSIS: &str = "logyard-setup [--root dir] [--boot systemd|openrc|inittab|rc.local|none] [--syslog] [--replace] \
                            [--now] [--dry-run] [--remove]";

/// The options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The root directory of the system to prepare.
    pub root: CString,
    /// What starts svscan at boot; `None`: detect it.
    pub boot: Option<Method>,
    /// Installs the syslog service too.
    pub syslog: bool,
    /// Moves aside files that are in the way.
    pub replace: bool,
    /// Starts or stops svscan now.
    pub now: bool,
    /// Only prints what would be done.
    pub dry_run: bool,
    /// Removes what an earlier run installed.
    pub remove: bool,
}

impl Options {
    /// Reads the arguments, the program's name left out; `None` if they are invalid.
    #[must_use]
    pub fn parse(arguments: &Arguments) -> Option<Options> {
        let root = c"/".to_owned();
        let mut options =
            Options { root, boot: None, syslog: false, replace: false, now: false, dry_run: false, remove: false };
        let mut arguments = arguments.iter().map(|argument| argument.to_bytes());
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.iter().position(|&byte| byte == b'=') {
                Some(at) => (&argument[..at], Some(&argument[at + 1..])),
                None => (argument, None),
            };
            match (name, value) {
                (b"--root", _) => options.root = CString::new(value.or_else(|| arguments.next())?).ok()?,
                (b"--boot", _) => options.boot = Some(Method::parse(value.or_else(|| arguments.next())?)?),
                (b"--syslog", None) => options.syslog = true,
                (b"--replace", None) => options.replace = true,
                (b"--now", None) => options.now = true,
                (b"--dry-run", None) => options.dry_run = true,
                (b"--remove", None) => options.remove = true,
                _ => return None,
            }
        }
        // The init of an image does not run.
        let is_image = options.root.as_c_str() != c"/" as &CStr;
        let makes_sense =
            !options.root.is_empty() && (!options.now || !is_image) && (!options.syslog || !options.remove);
        makes_sense.then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_their_option_or_an_equals_sign() {
        let parsed = Options::parse(&[c"--root", c"/image", c"--boot=inittab", c"--dry-run"]).expect("good");

        assert_eq!(parsed.root.as_c_str(), c"/image");
        assert_eq!((parsed.boot, parsed.dry_run, parsed.remove), (Some(Method::Inittab), true, false));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let lines: [&Arguments; 8] = [
            &[c"--root"],
            &[c"--boot", c"upstart"],
            &[c"image"],
            &[c"-n"],
            &[c"--remove=yes"],
            &[c"--root="],
            &[c"--root=/image", c"--now"],
            &[c"--remove", c"--syslog"],
        ];
        for line in lines {
            assert_eq!(Options::parse(line), None, "{line:?}");
        }
    }
}
