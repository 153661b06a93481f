//! An object that waits to be created: its bytes are in a file without a name, which no kill can leave behind.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use logyard::sys::Errno;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;

use crate::facts::Facts;

/// An object that waits to be created.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    pub(crate) facts: Facts,
}

impl Object {
    /// The same object with another handle of its file.
    pub(crate) fn again(&self) -> io::Result<Object> {
        let file = File::from(std::os::fd::OwnedFd::from(handle(&self.file)?));
        Ok(Object { file, bytes: self.bytes, facts: self.facts.clone() })
    }
}

/// Where files without a name are made, if `TMPDIR` names no place.
const TEMPORARY: [&str; 2] = ["/var/tmp", "/tmp"];

/// Makes a file for an object: in a temporary directory, or else in `fallback`.
pub(crate) fn spool(fallback: &Dir) -> logyard::sys::Result<File> {
    let chosen = std::env::var_os("TMPDIR").filter(|path| !path.is_empty());
    let chosen = chosen.as_deref().and_then(std::ffi::OsStr::to_str);
    for path in chosen.into_iter().chain(TEMPORARY) {
        if let Ok(file) = Dir::open(path).and_then(|dir| dir.make_nameless(0o600)) {
            return Ok(file);
        }
    }
    fallback.make_nameless(0o600)
}

/// Another handle of a file, for code that writes to or reads from the library's own type.
pub(crate) fn handle(file: &File) -> io::Result<fs::File> {
    file.as_fd().try_clone_to_owned().map(fs::File::from)
}

/// The cause of an error, as the system gives it.
pub(crate) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// The cause that the system gave, wherever it is in an error.
pub(crate) fn errno_in(error: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.raw_os_error().is_some()
        {
            return Some(errno(error));
        }
        cause = error.source();
    }
    None
}
