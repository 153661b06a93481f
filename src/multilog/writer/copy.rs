//! Copies a file that has lost its name, or that could not be fsynced.

use crate::logdir::names::MODE_OPEN;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, Result};

/// How much is copied at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Creates `name` with the contents of `source`. A file that had the name is removed.
pub(super) fn copy<D: Directory>(place: &Place<D>, source: &D::File, name: &str) -> Result<D::File> {
    let directory = &place.directory;
    place.remove(name)?;
    let target = directory.create(name, MODE_OPEN)?;
    directory.set_mode(&target, MODE_OPEN)?;
    let mut room = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let length = source.read_at(offset, &mut room)?;
        if length == 0 {
            return Ok(target);
        }
        let mut rest = &room[..length];
        while !rest.is_empty() {
            match target.write(rest)? {
                0 => return Err(Errno::ENOSPC),
                written => rest = &rest[written..],
            }
        }
        offset += length as u64;
    }
}
