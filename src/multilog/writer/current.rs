//! Making `current`, also where somebody was quicker.
//!
//! Between the moment at which `current` becomes `previous` and that at which a new one is made the name is free, and
//! whoever may write to the directory can put something there. A plain file of the directory's owner is taken over, as
//! 0.76 does. Anything else, say a FIFO whose reader would get the lines, becomes an archive, as it does at the start.

use crate::logdir::archive_name::Code;
use crate::logdir::names::{CURRENT, MODE_OPEN, MODE_PRIVATE};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::archive;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::sys::Errno;

/// How often somebody may be quicker before that is announced as trouble.
const TRIES: u32 = 8;

/// `current`, open.
#[derive(Debug)]
pub(super) struct Current<F> {
    /// The file.
    pub file: F,
    /// The file system and number of the file.
    pub identity: (u64, u64),
}

impl<F: LogFile> Current<F> {
    /// Takes a file that has the name.
    pub(super) fn of<D>(place: &Place<D>, file: F) -> Result<Current<F>, Error> {
        let shown = &place.name;
        let stat = file.stat().map_err(|errno| Error::new(format_args!("unable to stat {shown}/current"), errno))?;
        Ok(Current { file, identity: stat.identity })
    }
}

/// Makes `current`, or takes over what stands there if that may be written to. May be called again after a failure, which
/// says that it was unable `to_do` that.
pub(super) fn make_current<D: Directory>(
    place: &Place<D>,
    to_do: &str,
    files_max: u64,
    patience: &mut impl Patience,
) -> Result<Current<D::File>, Error> {
    let Place { name, directory, .. } = place;
    let unable = |what: &str, errno| Error::new(format_args!("unable to {what} {name}/current"), errno);
    for _ in 0..TRIES {
        match directory.create(CURRENT, MODE_PRIVATE) {
            Ok(file) => return Current::of(place, file).and_then(|current| set_open(place, current)),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(unable(to_do, errno)),
        }
        let Some(stat) = directory.stat(CURRENT).map_err(|errno| unable("stat", errno))? else { continue };
        if !directory.may_take_over(stat) {
            archive(place, CURRENT, Code::Unfinished, files_max, patience)?;
            continue;
        }
        let file = directory.append_to(CURRENT, MODE_PRIVATE).map_err(|errno| unable(to_do, errno))?;
        let current = Current::of(place, file)?;
        if current.identity == stat.identity {
            return set_open(place, current);
        }
    }
    Err(unable(to_do, Errno::EEXIST))
}

/// Marks `current` as being written to.
fn set_open<D: Directory>(place: &Place<D>, current: Current<D::File>) -> Result<Current<D::File>, Error> {
    let shown = &place.name;
    let unable = |errno| Error::new(format_args!("unable to set mode of {shown}/current"), errno);
    current.file.set_mode(MODE_OPEN).map_err(unable)?;
    Ok(current)
}
