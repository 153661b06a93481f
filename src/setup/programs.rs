//! The programs to copy: those beside this one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cli::{Shown, cause};
use crate::setup::resource::{Content, Resource};
use crate::sys::Errno;
use crate::sys::program::{Arguments, own_path};

/// The directory that they are in.
#[derive(Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// Finds the directory of the program that runs.
    pub fn beside(arguments: &Arguments) -> Result<Programs, String> {
        let called = arguments.first().map(|name| name.to_bytes().to_vec());
        let path = own_path().or(called).filter(|path| path.contains(&b'/'));
        let path = path.ok_or("unable to find the programs: without /proc, call logyard-setup by its path")?;
        let directory = Path::new(OsStr::from_bytes(&path)).parent();
        Ok(Programs(directory.expect("there is a slash in it").to_owned()))
    }

    /// Whether there is a program of that name.
    pub fn has(&self, command: &str) -> bool {
        self.0.join(command).exists()
    }

    /// The contents of a resource; empty if it is not a file.
    pub fn bytes(&self, thing: &Resource) -> Result<Vec<u8>, String> {
        match thing {
            Resource::File { content: Content::Text(text), .. } => Ok(text.as_bytes().to_vec()),
            Resource::File { content: Content::Program(name), .. } => {
                let path = self.0.join(name);
                std::fs::read(&path).map_err(|error| {
                    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
                    format!("unable to read {}: {}", Shown(path.as_os_str().as_bytes()), cause(errno))
                })
            }
            _ => Ok(Vec::new()),
        }
    }
}
