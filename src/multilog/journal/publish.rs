//! Creates the journal's file in the first log directory under another name, and publishes it with a rename.
//!
//! This is not `sys::replace`: the file is mapped before it gets its name, and all calls go through [`Directory`], so
//! that the simulated disk can let each of them fail.
//!
//! Without a journal, a kill loses no line, but up to one batch may be logged twice.

use crate::logdir::names::{JOURNAL, NEWJOURNAL};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::journal::journal_file::Journal;
use crate::multilog::journal::layout::{BYTES_MAX, file_bytes, read};
use crate::multilog::journal::record::{Heading, Record};
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, Result};

/// Creates a journal under its temporary name.
pub fn reserve<D: Directory>(place: &Place<D>, heading: &Heading) -> std::result::Result<Journal<D::Memory>, Error> {
    let reserve = || {
        // Another user's file is not replaced.
        place.directory.load(JOURNAL, 0)?;
        discard_unfinished(place)?;
        place.directory.memory(NEWJOURNAL, file_bytes(heading)).inspect_err(|_| {
            let _ = discard_unfinished(place);
        })
    };
    let memory = reserve().or_unable(format_args!("keep {}/{JOURNAL}", place.name))?;
    Ok(Journal::new(memory, heading))
}

/// Replaces the previous journal, with a first record.
pub fn publish<D: Directory>(
    mut journal: Journal<D::Memory>,
    place: &Place<D>,
    first: &Record,
) -> std::result::Result<Journal<D::Memory>, Error> {
    journal.begin(first);
    let published = place.directory.rename(NEWJOURNAL, JOURNAL).inspect_err(|_| {
        let _ = discard_unfinished(place);
    });
    published.or_unable(format_args!("keep {}/{JOURNAL}", place.name))?;
    Ok(journal)
}

/// Removes a journal that was created and not published.
pub fn discard_unfinished<D: Directory>(place: &Place<D>) -> Result<()> {
    place.remove(NEWJOURNAL)
}

/// Tells whether a successor would find the journal with this heading, and could read it.
pub fn is_in<D: Directory>(place: &Place<D>, heading: &Heading) -> bool {
    match place.directory.load(JOURNAL, BYTES_MAX) {
        Ok(file) => file.and_then(|file| read(&file)).is_some_and(|contents| contents.heading == *heading),
        // EPERM: the file belongs to another user. Other errors prove nothing.
        Err(errno) => errno != Errno::EPERM,
    }
}
