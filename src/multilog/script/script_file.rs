//! The script file of this logger: `f=FILE` among its arguments stands for the actions in the file.

use std::ffi::{CStr, CString};

use crate::cli::Shown;
use crate::logdir::script_file::{BYTES_MAX, Unusable, actions, named_by, read};
use crate::multilog::error::Error;
use crate::sys::dir::Dir;
use crate::sys::program::Arguments;

/// A script file, and the arguments that it stands among.
#[derive(Debug)]
pub struct ScriptFile {
    arguments: Vec<&'static CStr>,
    /// Which of the arguments names the file.
    at: usize,
    path: &'static [u8],
    /// Every action that the file has had. What a script is made of lives as long as the process; a logger whose script is
    /// often changed back and forth takes no more memory for that.
    kept: Vec<&'static CStr>,
}

impl ScriptFile {
    /// Finds out which argument names a script file; `None` if none does. The first one counts.
    #[must_use]
    pub fn find(arguments: &Arguments) -> Option<ScriptFile> {
        let named = |argument: &&'static CStr| named_by(argument.to_bytes());
        let (at, path) = arguments.iter().enumerate().find_map(|(at, argument)| Some((at, named(argument)?)))?;
        Some(ScriptFile { arguments: arguments.to_vec(), at, path, kept: Vec::new() })
    }

    /// The arguments that are not from the file.
    #[must_use]
    pub fn own_arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Reads the file, and returns the arguments with its actions among them.
    pub fn read(&mut self) -> Result<Vec<&'static CStr>, Error> {
        let unusable = |why| {
            let name = Shown(self.path);
            let to_do = format_args!("read script {name}");
            match why {
                Unusable::Refused(errno) => Error::unable(to_do, errno),
                Unusable::NotPlain => Error::unexplained(format_args!("unable to {to_do}: not a plain file")),
                Unusable::TooLong => Error::unexplained(format_args!("unable to {to_do}: more than {BYTES_MAX} bytes")),
                Unusable::BadLine(number) => {
                    Error::unexplained(format_args!("unable to {to_do}: NUL or carriage return in line {number}"))
                }
            }
        };
        let text = Dir::reach(".").map_err(Unusable::Refused).and_then(|here| read(&here, self.path));
        let text = text.map_err(unusable)?;
        let actions = actions(&text).map_err(unusable)?;
        let mut all = self.arguments[..self.at].to_vec();
        for action in actions {
            all.push(self.keep(action));
        }
        all.extend(&self.arguments[self.at + 1..]);
        Ok(all)
    }

    fn keep(&mut self, action: &[u8]) -> &'static CStr {
        if let Some(known) = self.kept.iter().find(|known| known.to_bytes() == action) {
            return known;
        }
        let action = CString::new(action).expect("an action holds no NUL");
        let action: &'static CStr = Box::leak(action.into_boxed_c_str());
        self.kept.push(action);
        action
    }
}
