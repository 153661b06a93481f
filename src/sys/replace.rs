//! Replaces a file in one step: a reader sees the old bytes or the new ones.

use crate::sys::dir::Dir;
use crate::sys::{Errno, fd};

/// How a file is replaced.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// Follows the file's name in the name of the new file, until that is complete.
    pub suffix: &'static [u8],
    /// The permission bits of the new file.
    pub mode: u32,
    /// Whether the new file has exactly these bits, whatever the umask.
    pub overrides_umask: bool,
    /// Whether the call waits until the new file and its name are on the disk.
    pub is_durable: bool,
}

/// The steps of replacing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceStep {
    /// Opening the new file.
    Open,
    /// Writing it.
    Write,
    /// Giving it its name.
    Rename,
}

impl Replacement {
    /// Makes or replaces a file. On failure returns the step that failed.
    pub fn carry_out(&self, dir: &Dir, name: &[u8], bytes: &[u8]) -> Result<(), (ReplaceStep, Errno)> {
        let new = [name, self.suffix].concat();
        let file = match dir.open_new(&new, self.mode) {
            // Left behind by a process that was killed, or planted: its name goes, what it may lead to stays.
            Err(Errno::EEXIST) => dir.unlink(&new).and_then(|()| dir.open_new(&new, self.mode)),
            answer => answer,
        }
        .map_err(|errno| (ReplaceStep::Open, errno))?;
        let opened = if self.overrides_umask { file.set_mode(self.mode) } else { Ok(()) };
        opened.map_err(|errno| (ReplaceStep::Open, errno))?;
        let written = fd::write_all(&file, bytes).and_then(|()| if self.is_durable { file.sync() } else { Ok(()) });
        written.map_err(|errno| (ReplaceStep::Write, errno))?;
        let renamed = dir.rename(&new, name).and_then(|()| if self.is_durable { dir.sync() } else { Ok(()) });
        renamed.map_err(|errno| (ReplaceStep::Rename, errno))
    }
}
