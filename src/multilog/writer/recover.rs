//! Recovery: what is found at start is put right.
//!
//! | found | meaning | done |
//! |---|---|---|
//! | `current` with the owner-execute bit, a plain file without another name | the last writer left in good order | appended to; nothing else is touched |
//! | `processed` with that bit | the processor had finished | `previous` goes, `processed` → `@label.s` |
//! | `previous` | stopped before or while processing | `processed` goes, `previous` → `@label.u` |
//! | neither | no file was being finished | nothing |
//!
//! In the last three cases `current` is looked at:
//!
//! | `current` | done |
//! |---|---|
//! | a journal of this boot says that it is [whole](mod@crate::multilog::journal::replay) | appended to, with the room given back that was taken ahead |
//! | empty, or not there | made anew: an empty file tells nothing, and a logger that dies at each start would push the history out with them |
//! | anything else | `current` → `@label.u` |
//!
//! `state` and `newstate` start anew unless `current` is whole and no file was being finished.
//!
//! The mode of a `current` that is appended to is not touched here: it changes once the journal speaks of the file.

use crate::logdir::archive_name::Code;
use crate::logdir::names::{
    CURRENT, DONE_BIT, MODE_OPEN, MODE_PRIVATE, NEWSTATE, PREVIOUS, PROCESSED, REWRITTEN, STATE,
};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::archive_on;
use crate::multilog::writer::current::make_current;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::multilog::writer::preallocated;
use crate::multilog::writer::trim::Shelf;
use crate::sys::Errno;
use crate::sys::stat::Stat;

/// What the files of a directory say of the writer before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It left in good order.
    Clean,
    /// It was stopped after its processor had finished.
    Processed,
    /// It was stopped before or while processing, or there was none.
    Interrupted,
}

/// Decides what was found, from `current` and `processed`.
#[must_use]
pub fn decide(current: Option<Stat>, processed: Option<Stat>) -> Found {
    let is_done = |stat: Stat| stat.is_plain && stat.mode & DONE_BIT != 0;
    // What has another name is perhaps somebody else's: it is not written to.
    match (current.is_some_and(|stat| is_done(stat) && stat.links == 1), processed.is_some_and(is_done)) {
        (true, _) => Found::Clean,
        (false, true) => Found::Processed,
        (false, false) => Found::Interrupted,
    }
}

/// What is known of `current` beyond what the directory tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// It is whole, although its writer was killed.
    pub is_whole: bool,
    /// Its last line may lack its end, which will not come. The line gets its newline, so that it does not run into the
    /// next, in a file that is shorter than this; one that is full may end within a line.
    pub torn_below_bytes: u64,
}

/// Puts right what is found, and opens `current`. May be called again after a failure.
///
/// Where more archives are too many than can be removed in a moment, `shelf` knows of the rest.
pub fn recover<D: Directory>(
    place: &Place<D>,
    shelf: &mut Shelf,
    known: Known,
    patience: &mut impl Patience,
) -> Result<D::File, Error> {
    let Place { name: shown, directory, .. } = place;
    let current = stat(place, CURRENT)?;
    let processed = stat(place, PROCESSED)?;
    let found = decide(current, processed);
    let is_kept = match found {
        Found::Clean => true,
        Found::Processed | Found::Interrupted => known.is_whole,
    };
    let was_finishing = processed.is_some() || stat(place, PREVIOUS)?.is_some();
    match found {
        Found::Clean => {}
        Found::Interrupted if is_kept && !was_finishing => {}
        Found::Processed => {
            forget(place, [STATE, NEWSTATE, PREVIOUS, REWRITTEN]);
            patience.retry(|patience| archive_on(shelf, place, PROCESSED, Code::Safe, patience))?;
        }
        Found::Interrupted => {
            forget(place, [STATE, NEWSTATE, PROCESSED, REWRITTEN]);
            patience.retry(|patience| archive_on(shelf, place, PREVIOUS, Code::Unfinished, patience))?;
        }
    }
    let unable = |what: &str, errno: Errno| Error::new(format_args!("unable to {what}"), errno);
    if !is_kept && current.is_some_and(|stat| stat.is_plain && stat.size_bytes == 0) {
        forget(place, [CURRENT]);
    } else if let Some(stat) = current {
        if stat.is_plain && stat.links == 1 {
            if preallocated::has_slack(stat) {
                give_back(place);
            }
            if stat.size_bytes < known.torn_below_bytes {
                patience.retry(|_| mend_last_line(place, stat))?;
            }
        }
        if !is_kept {
            patience.retry(|patience| archive_on(shelf, place, CURRENT, Code::Unfinished, patience))?;
        }
    }
    if !is_kept || (found != Found::Clean && was_finishing) {
        directory.replace(STATE, MODE_OPEN).map_err(|errno| unable(&format!("write to {shown}/{STATE}"), errno))?;
    }
    if is_kept {
        return directory
            .append_to(CURRENT, MODE_PRIVATE)
            .map_err(|errno| unable(&format!("append to {shown}/{CURRENT}"), errno));
    }
    make_current(place, "write to", shelf.files_max(), patience).map(|current| current.file)
}

/// Gives back the room that a killed writer took ahead.
fn give_back<D: Directory>(place: &Place<D>) {
    // If that fails the room is free when the file is removed.
    let _ = place.directory.append_to(CURRENT, MODE_PRIVATE).and_then(|file| preallocated::give_back(&file));
}

/// Ends the last line of `current` if nothing does.
fn mend_last_line<D: Directory>(place: &Place<D>, stat: Stat) -> Result<(), Error> {
    let shown = &place.name;
    let mend = || {
        let file = place.directory.append_to(CURRENT, MODE_PRIVATE)?;
        let mut last = [b'\n'];
        if let Some(at) = stat.size_bytes.checked_sub(1) {
            file.read_at(at, &mut last)?;
        }
        if last == [b'\n'] {
            return Ok(());
        }
        file.write(b"\n").map(drop)
    };
    mend().map_err(|errno| Error::new(format_args!("unable to append to {shown}/current"), errno))
}

fn stat<D: Directory>(place: &Place<D>, file: &str) -> Result<Option<Stat>, Error> {
    let shown = &place.name;
    place.directory.stat(file).map_err(|errno| Error::new(format_args!("unable to stat {shown}/{file}"), errno))
}

/// Removes what is of no use any more, as far as that can be done.
fn forget<D: Directory, const N: usize>(place: &Place<D>, files: [&str; N]) {
    for file in files {
        // Whatever stays is in nobody's way: it is replaced when its turn comes.
        let _ = place.directory.unlink(file.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> Option<Stat> {
        Some(Stat { is_plain: true, mode, size_bytes: 1, allocated_bytes: 4096, owner: 0, links: 1, identity: (0, 0) })
    }

    #[test]
    fn the_owner_execute_bit_decides() {
        for (current, processed, found) in [
            (file(0o744), None, Found::Clean),
            (file(0o744), file(0o744), Found::Clean),
            (file(0o644), file(0o744), Found::Processed),
            (None, file(0o744), Found::Processed),
            (file(0o644), file(0o644), Found::Interrupted),
            (file(0o655), None, Found::Interrupted),
            (None, None, Found::Interrupted),
        ] {
            assert_eq!(decide(current, processed), found, "current {current:?}, processed {processed:?}");
        }
    }

    #[test]
    fn a_current_that_is_no_plain_file_or_has_another_name_is_not_appended_to() {
        let clean = file(0o744).unwrap();

        assert_eq!(decide(Some(Stat { is_plain: false, ..clean }), None), Found::Interrupted);
        assert_eq!(decide(Some(Stat { links: 2, ..clean }), None), Found::Interrupted);
    }
}
