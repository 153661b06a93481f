//! The open `current`, the lock and the directory. If another process removes or replaces one of them, the writer finds out
//! here and makes it again.

use crate::logdir::names::CURRENT;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{Candidate, archive};
use crate::multilog::writer::copy::copy;
use crate::multilog::writer::current::{Current, make_current};
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::lock::lock_place;
use crate::multilog::writer::place::{Place, SharedPlace};
use crate::sys::stat::FileId;

/// A locked directory and its open `current`.
#[derive(Debug)]
pub(super) struct OpenLog<D: Directory> {
    /// The directory.
    pub place: SharedPlace<D>,
    /// `None` while a directory that was made anew is not locked yet.
    pub lock: Option<D::Lock>,
    /// Which directory it is.
    pub home: FileId,
    /// The file that is appended to.
    pub current: Current<D::File>,
}

/// The file with the name `current` in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CurrentCheck {
    /// The file that is appended to; somebody may have truncated it.
    Unchanged { size_bytes: u64 },
    /// The name was gone or another file's: `current` is a new file now.
    Replaced { size_bytes: u64 },
}

impl<D: Directory> OpenLog<D> {
    /// Makes sure that `current` in the directory is the file that is written to. If it was removed or replaced, or the
    /// directory with it, the contents of the open file are copied to a new one. A file of another process becomes an
    /// archive.
    ///
    /// `end_file` is called on the old file before a new one takes its place.
    pub(super) fn find_current(
        &mut self,
        patience: &mut impl Patience,
        end_file: impl FnOnce(&D::File),
    ) -> Result<CurrentCheck, Error> {
        let Place { name, directory, .. } = &*self.place;
        if directory.is_removed().or_unable(format_args!("stat {name}"))? {
            self.lock = None;
            directory.restore().or_unable(format_args!("open directory {name}"))?;
        }
        if self.lock.is_none() {
            self.home = directory.identity().or_unable(format_args!("stat {name}"))?;
            self.lock = Some(lock_place(&self.place)?);
        }
        match directory.stat(CURRENT).or_unable(format_args!("stat {name}/current"))? {
            Some(stat) if stat.identity == self.current.identity => {
                return Ok(CurrentCheck::Unchanged { size_bytes: stat.size_bytes });
            }
            Some(_) => archive(&self.place, Candidate::unfinished(CURRENT), patience)?,
            None => {}
        }
        let lives_on = self.current.file.stat().is_ok_and(|stat| stat.links > 0);
        let current = if lives_on {
            // It was renamed, so its contents are not lost.
            make_current(&self.place, "create", patience)?
        } else {
            let file =
                copy(&self.place, &self.current.file, CURRENT).or_unable(format_args!("create {name}/current"))?;
            Current::of(&self.place, file)?
        };
        let stat = current.file.stat().or_unable(format_args!("stat {name}/current"))?;
        end_file(&self.current.file);
        self.current = current;
        Ok(CurrentCheck::Replaced { size_bytes: stat.size_bytes })
    }
}
