//! Recovery: repairs a directory at the start, before `current` is appended to.
//!
//! | found | meaning | done |
//! |---|---|---|
//! | `current` with the owner-execute bit, a plain file without another name | the last writer exited cleanly | appended to; nothing else is touched |
//! | `processed` with that bit | the processor had finished | `previous` goes, `processed` → `@label.s` |
//! | `previous` | stopped before or while processing | `processed` goes, `previous` → `@label.u` |
//! | neither | no file was being finished | nothing |
//!
//! In the last three cases `current` is checked:
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

use crate::logdir::names::{
    CURRENT, DONE_BIT, MODE_OPEN, MODE_PRIVATE, NEWSTATE, PREVIOUS, PROCESSED, REWRITTEN, STATE,
};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{Candidate, archive_on};
use crate::multilog::writer::current::make_current;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::multilog::writer::preallocated;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::stat::Stat;

/// How the writer before this one ended, as the files of the directory show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// It exited cleanly.
    Clean,
    /// It was stopped after its processor had finished.
    Processed,
    /// It was stopped before or while processing, or there was none.
    Interrupted,
}

/// Tells from `current` and `processed` how the last writer ended.
#[must_use]
pub fn decide(current: Option<Stat>, processed: Option<Stat>) -> Shutdown {
    let is_done = |stat: Stat| stat.is_plain && stat.mode & DONE_BIT != 0;
    // What has another name is perhaps somebody else's: it is not written to.
    match (current.is_some_and(|stat| is_done(stat) && stat.links == 1), processed.is_some_and(is_done)) {
        (true, _) => Shutdown::Clean,
        (false, true) => Shutdown::Processed,
        (false, false) => Shutdown::Interrupted,
    }
}

/// What is known of `current` beyond what the directory tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// It is whole, although its writer was killed.
    pub is_whole: bool,
    /// Its last line may lack its end, which will not come. The line gets its newline, so that it does not run into the
    /// next, in a file that is shorter than this; one that is full may end within a line.
    pub torn_below_bytes: u64,
}

/// Repairs the directory, and opens `current`. May be called again after a failure.
///
/// If there are more surplus archives than can be removed quickly, `trimmer` knows the rest.
pub fn recover<D: Directory>(
    place: &Place<D>,
    trimmer: &mut Trimmer,
    evidence: Evidence,
    patience: &mut impl Patience,
) -> Result<D::File, Error> {
    let Place { name: shown, directory, .. } = place;
    let current = stat(place, CURRENT)?;
    let processed = stat(place, PROCESSED)?;
    let shutdown = decide(current, processed);
    let is_kept = match shutdown {
        Shutdown::Clean => true,
        Shutdown::Processed | Shutdown::Interrupted => evidence.is_whole,
    };
    let was_finishing = processed.is_some() || stat(place, PREVIOUS)?.is_some();
    match shutdown {
        Shutdown::Clean => {}
        Shutdown::Interrupted if is_kept && !was_finishing => {}
        Shutdown::Processed => {
            forget(place, [STATE, NEWSTATE, PREVIOUS, REWRITTEN]);
            patience.retry(|patience| archive_on(trimmer, place, Candidate::safe(PROCESSED), patience))?;
        }
        Shutdown::Interrupted => {
            forget(place, [STATE, NEWSTATE, PROCESSED, REWRITTEN]);
            patience.retry(|patience| archive_on(trimmer, place, Candidate::unfinished(PREVIOUS), patience))?;
        }
    }
    if !is_kept && current.is_some_and(|stat| stat.is_plain && stat.size_bytes == 0) {
        forget(place, [CURRENT]);
    } else if let Some(stat) = current {
        if stat.is_plain && stat.links == 1 {
            if preallocated::has_slack(stat) {
                give_back(place);
            }
            if stat.size_bytes < evidence.torn_below_bytes {
                patience.retry(|_| mend_last_line(place, stat))?;
            }
        }
        if !is_kept {
            patience.retry(|patience| archive_on(trimmer, place, Candidate::unfinished(CURRENT), patience))?;
        }
    }
    if !is_kept || (shutdown != Shutdown::Clean && was_finishing) {
        directory.replace(STATE, MODE_OPEN).or_unable(format_args!("write to {shown}/{STATE}"))?;
    }
    if is_kept {
        return directory.append_to(CURRENT, MODE_PRIVATE).or_unable(format_args!("append to {shown}/{CURRENT}"));
    }
    make_current(place, "write to", patience).map(|current| current.file)
}

/// Releases the space that a killed writer preallocated.
fn give_back<D: Directory>(place: &Place<D>) {
    // If that fails the room is free when the file is removed.
    let _ = place.directory.append_to(CURRENT, MODE_PRIVATE).and_then(|file| preallocated::give_back(&file));
}

/// Appends a newline to `current` if its last line has none.
fn mend_last_line<D: Directory>(place: &Place<D>, stat: Stat) -> Result<(), Error> {
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
    mend().or_unable(format_args!("append to {}/current", place.name))
}

fn stat<D: Directory>(place: &Place<D>, file: &str) -> Result<Option<Stat>, Error> {
    place.directory.stat(file).or_unable(format_args!("stat {}/{file}", place.name))
}

/// Removes files that are no longer needed, if possible.
fn forget<D: Directory, const N: usize>(place: &Place<D>, files: [&str; N]) {
    for file in files {
        // A file that stays does no harm: it is replaced when it is needed.
        let _ = place.directory.unlink(file.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::stat::FileId;

    fn file(mode: u32) -> Option<Stat> {
        Some(Stat {
            is_plain: true,
            mode,
            size_bytes: 1,
            allocated_bytes: 4096,
            owner: 0,
            links: 1,
            identity: FileId::default(),
        })
    }

    #[test]
    fn the_owner_execute_bit_decides() {
        for (current, processed, shutdown) in [
            (file(0o744), None, Shutdown::Clean),
            (file(0o744), file(0o744), Shutdown::Clean),
            (file(0o644), file(0o744), Shutdown::Processed),
            (None, file(0o744), Shutdown::Processed),
            (file(0o644), file(0o644), Shutdown::Interrupted),
            (file(0o655), None, Shutdown::Interrupted),
            (None, None, Shutdown::Interrupted),
        ] {
            assert_eq!(decide(current, processed), shutdown, "current {current:?}, processed {processed:?}");
        }
    }

    #[test]
    fn a_current_that_is_no_plain_file_or_has_another_name_is_not_appended_to() {
        let clean = file(0o744).unwrap();

        assert_eq!(decide(Some(Stat { is_plain: false, ..clean }), None), Shutdown::Interrupted);
        assert_eq!(decide(Some(Stat { links: 2, ..clean }), None), Shutdown::Interrupted);
    }
}
