//! Status files: the latest selected line, always 1001 bytes.
//!
//! The file is overwritten in place, as in 0.76, and not replaced: the logger may be unable to create another file in
//! its directory. Of several lines in one batch, only the last is written.

use std::ffi::CStr;

use crate::cli::Shown;
use crate::logdir::names::MODE_PRIVATE;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::script::SEEN_BYTES;
use crate::sys::fd;
use crate::sys::file::File;

/// The length of a status file: what selectors see of a line, and newlines to the end.
const RECORD_BYTES: usize = SEEN_BYTES + 1;

/// Makes the record for a line, of which `seen` and the stamp are what selectors see.
pub fn set(record: &mut Vec<u8>, stamp: &[u8], seen: &[u8]) {
    record.clear();
    record.extend_from_slice(stamp);
    record.extend_from_slice(seen);
    record.resize(RECORD_BYTES, b'\n');
}

/// A status file that is open.
#[derive(Debug)]
pub struct StatusFile {
    name: String,
    file: File,
    /// The last record could not be written, and this has been reported.
    is_failing: bool,
}

impl StatusFile {
    /// Opens the file, and creates it if it does not exist.
    pub fn open(path: &CStr) -> Result<StatusFile, Error> {
        let name = Shown(path.to_bytes()).to_string();
        let file = File::open_or_create(path, MODE_PRIVATE).or_unable(format_args!("create {name}"))?;
        Ok(StatusFile { name, file, is_failing: false })
    }

    /// Replaces the record. Returns only the first of several errors in a row. A status file that cannot be written
    /// does not stop the logging.
    pub fn replace(&mut self, record: &[u8]) -> Result<(), Error> {
        let name = &self.name;
        let answer = fd::rewind(&self.file)
            .or_unable(format_args!("move to beginning of {name}"))
            .and_then(|()| fd::write_all(&self.file, record).or_unable(format_args!("write {name}")));
        match std::mem::replace(&mut self.is_failing, answer.is_err()) {
            true => Ok(()),
            false => answer,
        }
    }
}
