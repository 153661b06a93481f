//! Creates `current`, even if another process has put something in its place.
//!
//! When `current` has become `previous` and there is no new `current` yet, the name is free, and anyone who may write
//! to the directory can create something there. A plain file of the directory's owner is taken over, as 0.76 does.
//! Anything else, say a FIFO whose reader would get the lines, becomes an archive, as it does at the start.

use crate::logdir::names::{CURRENT, MODE_OPEN, MODE_PRIVATE};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{Candidate, archive};
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::sys::Errno;
use crate::sys::stat::FileId;

/// How many times another process may take the name first before that is an error.
const TRIES: u32 = 8;

/// `current`, open.
#[derive(Debug)]
pub(super) struct Current<F> {
    /// The file.
    pub file: F,
    /// Which file it is.
    pub identity: FileId,
}

impl<F: LogFile> Current<F> {
    /// Takes a file that has the name.
    pub(super) fn of<D>(place: &Place<D>, file: F) -> Result<Current<F>, Error> {
        let stat = file.stat().or_unable(format_args!("stat {}/current", place.name))?;
        Ok(Current { file, identity: stat.identity })
    }
}

/// Creates `current`, or takes over the file that has the name if it may be written to. May be called again after a
/// failure. The error says "unable to" and `to_do`.
pub(super) fn make_current<D: Directory>(
    place: &Place<D>,
    to_do: &str,
    patience: &mut impl Patience,
) -> Result<Current<D::File>, Error> {
    let Place { name, directory, .. } = place;
    for _ in 0..TRIES {
        match directory.create(CURRENT, MODE_PRIVATE) {
            Ok(file) => return Current::of(place, file).and_then(|current| set_open(place, current)),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Error::unable(format_args!("{to_do} {name}/current"), errno)),
        }
        let Some(stat) = directory.stat(CURRENT).or_unable(format_args!("stat {name}/current"))? else { continue };
        if !directory.may_take_over(stat) {
            archive(place, Candidate::unfinished(CURRENT), patience)?;
            continue;
        }
        let file = directory.append_to(CURRENT, MODE_PRIVATE).or_unable(format_args!("{to_do} {name}/current"))?;
        let current = Current::of(place, file)?;
        if current.identity == stat.identity {
            return set_open(place, current);
        }
    }
    Err(Error::unable(format_args!("{to_do} {name}/current"), Errno::EEXIST))
}

/// Marks `current` as being written to.
fn set_open<D: Directory>(place: &Place<D>, current: Current<D::File>) -> Result<Current<D::File>, Error> {
    place.directory.set_mode(&current.file, MODE_OPEN).or_unable(format_args!("set mode of {}/current", place.name))?;
    Ok(current)
}
