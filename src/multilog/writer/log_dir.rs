//! A log directory in use: appends to `current`, rotates it, and seals it at the end.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::logdir::destination::Destination;
use crate::logdir::names::{MODE_DONE, MODE_OPEN};
use crate::logdir::room::Room;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::finishing::Finishing;
use crate::multilog::writer::open_log::{CurrentCheck, OpenLog};
use crate::multilog::writer::place::Place;
use crate::multilog::writer::reserve::Reserve;
use crate::multilog::writer::rotation::{RotationStep, rename_to_previous};
use crate::multilog::writer::schedule::Schedule;
use crate::multilog::writer::trim::Shelf;
use crate::multilog::writer::worker::UnderWay;
use crate::sys::Errno;

/// A log directory that is locked, put right, and open for appending.
#[derive(Debug)]
pub struct LogDir<D: Directory> {
    log: OpenLog<D>,
    room: Room,
    step: RotationStep,
    finishing: Finishing<D>,
    schedule: Schedule,
    reserve: Reserve<D>,
    /// An fsync of `current` failed: whatever the next one says, the disk may lack some of it.
    is_doubtful: bool,
}

impl<D: Directory> LogDir<D> {
    /// A log directory whose `current` has been recovered.
    pub(super) fn new(log: OpenLog<D>, room: Room, destination: &Destination) -> LogDir<D> {
        let finisher = Finisher::new(Arc::clone(&log.place), destination.processor.clone());
        LogDir {
            room,
            step: RotationStep::Appending,
            finishing: Finishing::Here(finisher),
            schedule: Schedule::new(destination.sync_interval),
            reserve: Reserve::new(Arc::clone(&log.place), room.size_max_bytes),
            is_doubtful: false,
            log,
        }
    }

    /// The directory.
    #[must_use]
    pub fn place(&self) -> &Place<D> {
        &self.log.place
    }

    /// How full `current` is.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// What a batch does to the directory that adds so much to what was in `current` before.
    #[must_use]
    pub fn extent(&self, offset_bytes: u64, output_bytes: u64) -> Extent {
        let OpenLog { home, current, .. } = &self.log;
        let is_doubtful = self.is_doubtful;
        Extent { directory: *home, current: current.identity, offset_bytes, output_bytes, is_doubtful }
    }

    /// Tells whether an fsync of `current` has failed.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Tells whether [`LogDir::keep_up`] is about to fsync `current`.
    #[must_use]
    pub fn is_sync_due(&self, now: Instant) -> bool {
        self.schedule.is_sync_due(now)
    }

    /// Marks `current` as a file that is being written.
    pub fn mark_open(&self) -> Result<(), Error> {
        self.log.current.file.set_mode(MODE_OPEN).or_unable(format_args!("set mode of {}/current", self.place().name))
    }

    /// Appends some of `bytes` to `current`, and says how many. The caller keeps to the [`Room`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let answer = self.log.current.file.write(bytes).and_then(|written| match written {
            0 => Err(Errno::ENOSPC),
            written => Ok(written),
        });
        let written = answer.or_unable(format_args!("write to {}/current", self.place().name))?;
        self.room = self.room.with(written);
        self.schedule.note_write();
        Ok(written)
    }

    /// Takes back what was appended last, down to a length: it stays in the input.
    pub fn take_back(&mut self, length_bytes: u64) -> Result<(), Error> {
        let answer = self.log.current.file.truncate(length_bytes);
        answer.or_unable(format_args!("shorten {}/current", self.place().name))?;
        self.room.filled_bytes = length_bytes;
        Ok(())
    }

    /// Makes an archive of `current`, and a new one. Called again after a failure, it resumes at the step that failed.
    /// Nothing may be under way: see [`LogDir::under_way`].
    pub fn rotate(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        if self.step == RotationStep::Appending {
            self.step = RotationStep::Rename;
        }
        if self.step == RotationStep::Rename {
            self.finish_here(patience)?;
            // Looked at first, so that nobody else's file becomes ours.
            self.find_current(patience)?;
            self.reserve.end_file(&self.log.current.file, self.room.filled_bytes);
            rename_to_previous(&self.log.place, self.finishing.has_left_file(), patience)?;
            self.step = RotationStep::Create;
        }
        if self.step == RotationStep::Create {
            let current = self.reserve.make_current(&self.log.place, patience)?;
            let file = std::mem::replace(&mut self.log.current, current).file;
            let filled_bytes = std::mem::take(&mut self.room.filled_bytes);
            self.step = RotationStep::Finish;
            self.reserve.note_rotation(filled_bytes);
            let is_doubtful = std::mem::take(&mut self.is_doubtful);
            self.finishing.accept(Previous { file, is_doubtful }, self.reserve.next());
            self.schedule.note_rotation();
            if self.reserve.is_any(self.room.filled_bytes) {
                // If nothing more is written, it is given back after a while.
                self.schedule.note_write();
            }
        }
        // A failure here must not rotate the new file when it is tried again.
        self.finish_here(patience)?;
        self.step = RotationStep::Appending;
        Ok(())
    }

    /// The file in hand; `None` if none is.
    pub fn under_way(&mut self) -> Option<UnderWay<'_>> {
        self.finishing.under_way()
    }

    /// The logger exits: gives up what takes long.
    pub fn hurry(&self) {
        self.finishing.hurry();
    }

    /// What becomes readable when no archive is left that has to be removed; `None` if none is. Where there is no thread
    /// some are removed now.
    pub fn trimming(&mut self, patience: &mut impl Patience) -> Option<BorrowedFd<'_>> {
        self.finishing.trimming(patience)
    }

    /// Begins to remove the archives that a predecessor left and that are too many.
    pub(super) fn trim(&mut self, shelf: Shelf) {
        self.finishing.trim(shelf, self.reserve.next());
    }

    fn finish_here(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        self.finishing.finish_here(self.reserve.next(), patience)
    }

    /// When [`LogDir::keep_up`] wants to be called; `None` if nothing has been written since it was.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        self.schedule.due_at()
    }

    /// Does what is due: fsyncs `current`, and checks that it is still the file that its name stands for.
    pub fn keep_up(&mut self, now: Instant, patience: &mut impl Patience) -> Result<(), Error> {
        if self.schedule.is_sync_due(now) {
            self.sync(patience);
            self.schedule.note_sync();
        }
        if self.schedule.is_check_due(now) {
            self.find_current(patience)?;
            self.schedule.note_check();
            self.give_back();
        }
        Ok(())
    }

    /// Waits until `current` is on the disk. A failure is announced and remembered.
    fn sync(&mut self, patience: &mut impl Patience) {
        if let Err(errno) = self.log.current.file.sync() {
            self.is_doubtful = true;
            patience.complain(&Error::unable(format_args!("write {}/current to disk", self.place().name), errno));
        }
    }

    /// Makes sure that `current` in the directory is the file that is written to: see [`OpenLog::find_current`].
    fn find_current(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        let LogDir { log, room, reserve, .. } = self;
        let end_file = |file: &D::File| {
            reserve.end_file(file, room.filled_bytes);
        };
        self.room.filled_bytes = match log.find_current(patience, end_file)? {
            CurrentCheck::Unchanged { size_bytes } => self.room.filled_bytes.min(size_bytes),
            CurrentCheck::Replaced { size_bytes } => size_bytes,
        };
        Ok(())
    }

    /// Gives back what was taken ahead: the next file, and what `current` has not filled. Tells whether that was anything.
    pub fn give_back(&mut self) -> bool {
        self.reserve.give_back(&self.log.current.file, self.room.filled_bytes)
    }

    /// Fsyncs `current` and marks it as complete. May be called again after a failure. Nothing may be under way.
    ///
    /// What the disk refused is not marked: after an fsync that failed the next one proves nothing. Nor is a directory in
    /// which a file was left unfinished. The answer is then false, and the next start puts it right.
    pub fn seal(&mut self, patience: &mut impl Patience) -> Result<bool, Error> {
        self.finish_here(patience)?;
        if self.step == RotationStep::Finish {
            self.step = RotationStep::Appending;
        }
        if self.step != RotationStep::Appending || self.finishing.has_unfinished_file() {
            return Ok(false);
        }
        self.find_current(patience)?;
        self.give_back();
        if !self.is_doubtful {
            self.sync(patience);
        }
        if self.is_doubtful {
            return Ok(false);
        }
        let answer = self.log.current.file.set_mode(MODE_DONE);
        answer.map(|()| true).or_unable(format_args!("set mode of {}/current", self.place().name))
    }
}
