//! A log directory in use: appending, rotating, sealing.

use std::ffi::CString;
use std::sync::Arc;

use crate::multilog::logdir::archive::{Code, archive};
use crate::multilog::logdir::finisher::Finisher;
use crate::multilog::logdir::{
    CURRENT, Directory, LogFile, MODE_DONE, MODE_OPEN, MODE_PRIVATE, PREVIOUS, Patience, Place, SharedPlace, Trouble,
};
use crate::sys::Errno;

/// How near the largest size a file may end at a newline.
const NEWLINE_ZONE_BYTES: u64 = 2000;

/// How much of the largest size of `current` is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The bytes that are in `current`.
    pub filled_bytes: u64,
    /// The bytes that may be.
    pub size_max_bytes: u64,
}

impl Room {
    /// What may still be appended.
    #[must_use]
    pub fn left_bytes(self) -> u64 {
        self.size_max_bytes.saturating_sub(self.filled_bytes)
    }

    /// Tells whether the file may end here, when its last byte is a newline: in the last 2000 bytes.
    #[must_use]
    pub fn may_end_after_line(self) -> bool {
        self.filled_bytes >= self.size_max_bytes.saturating_sub(NEWLINE_ZONE_BYTES)
    }

    /// Tells whether the file is to be rotated: it is full, or it ends in a newline near its largest size.
    #[must_use]
    pub fn is_used_up(self, ends_in_newline: bool) -> bool {
        self.left_bytes() == 0 || (ends_in_newline && self.may_end_after_line())
    }

    /// The same file with `bytes` more in it.
    #[must_use]
    pub fn with(self, bytes: usize) -> Room {
        Room { filled_bytes: self.filled_bytes + bytes as u64, ..self }
    }
}

/// What remains to be done of a rotation before `current` can be appended to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No rotation is going on.
    Appending,
    /// `current` becomes `previous`.
    Rename,
    /// A new `current` is made.
    Create,
}

/// A log directory that is locked, put right, and open for appending.
#[derive(Debug)]
pub struct LogDir<D: Directory> {
    place: SharedPlace<D>,
    _lock: D::Lock,
    current: D::File,
    room: Room,
    step: Step,
    files_max: u64,
    finisher: Finisher<D>,
}

impl<D: Directory> LogDir<D> {
    /// A log directory whose `current` has been recovered.
    pub(super) fn new(
        place: Place<D>,
        lock: D::Lock,
        current: D::File,
        room: Room,
        files_max: u64,
        processor: Option<CString>,
    ) -> LogDir<D> {
        let place = Arc::new(place);
        let finisher = Finisher::new(Arc::clone(&place), files_max, processor);
        LogDir { place, _lock: lock, current, room, step: Step::Appending, files_max, finisher }
    }

    /// How full `current` is.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// Appends some of `bytes` to `current`, and says how many. The caller keeps to the [`Room`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        let unable = |errno| Trouble::new(format_args!("unable to write to {}/current", self.place.name), errno);
        match self.current.write(bytes).map_err(unable)? {
            0 => Err(unable(Errno::ENOSPC)),
            written => {
                self.room = self.room.with(written);
                Ok(written)
            }
        }
    }

    /// Makes an archive of `current`, and a new one. After a failure, called again, it goes on with the step that failed.
    pub fn rotate(&mut self, patience: &mut impl Patience) -> Result<(), Trouble> {
        if self.step == Step::Appending {
            self.step = Step::Rename;
        }
        if self.step == Step::Rename {
            self.finisher.finish(patience)?;
            self.rename_current(patience)?;
            self.step = Step::Create;
        }
        if self.step == Step::Create {
            let current = self.create_current()?;
            self.finisher.accept(std::mem::replace(&mut self.current, current));
            self.room.filled_bytes = 0;
            self.step = Step::Appending;
        }
        self.finisher.finish(patience)
    }

    fn rename_current(&self, patience: &mut impl Patience) -> Result<(), Trouble> {
        let Place { name, directory } = &*self.place;
        match directory.rename_to_new(CURRENT, PREVIOUS) {
            // A previous that is not ours to overwrite: left by a stranger beside a clean current.
            Err(Errno::EEXIST) => {
                archive(&self.place, PREVIOUS, Code::Unfinished, self.files_max, patience)?;
                directory.rename_to_new(CURRENT, PREVIOUS)
            }
            // A file system that knows only the plain call.
            Err(Errno::EINVAL | Errno::ENOSYS) => directory.rename(CURRENT, PREVIOUS),
            answer => answer,
        }
        .map_err(|errno| Trouble::new(format_args!("unable to rename current to previous in directory {name}"), errno))
    }

    fn create_current(&self) -> Result<D::File, Trouble> {
        let Place { name, directory } = &*self.place;
        let current = directory
            .append_to(CURRENT, MODE_PRIVATE)
            .map_err(|errno| Trouble::new(format_args!("unable to create {name}/current"), errno))?;
        current
            .set_mode(MODE_OPEN)
            .map_err(|errno| Trouble::new(format_args!("unable to set mode of {name}/current"), errno))?;
        Ok(current)
    }

    /// Brings `current` to the disk and marks it as left in good order. After a failure it may be called again.
    ///
    /// What the disk refused is not marked: after an fsync that failed the next one proves nothing. It will become an
    /// unfinished archive at the next start.
    pub fn seal(&mut self, patience: &mut impl Patience) -> Result<(), Trouble> {
        if self.step != Step::Appending {
            self.rotate(patience)?;
        }
        self.finisher.finish(patience)?;
        let name = &self.place.name;
        if let Err(errno) = self.current.sync() {
            patience.complain(&Trouble::new(format_args!("unable to write {name}/current to disk"), errno));
            return Ok(());
        }
        self.current
            .set_mode(MODE_DONE)
            .map_err(|errno| Trouble::new(format_args!("unable to set mode of {name}/current"), errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_used_up_when_full_or_when_a_line_ends_near_the_end() {
        let room = |filled_bytes| Room { filled_bytes, size_max_bytes: 4096 };

        assert!(!room(2095).is_used_up(true));
        assert!(room(2096).is_used_up(true));
        assert!(!room(4095).is_used_up(false));
        assert!(room(4096).is_used_up(false));
        assert!(room(5000).is_used_up(false), "taken over from a writer with a larger size");
    }
}
