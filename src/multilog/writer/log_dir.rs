//! A log directory in use: appends to `current`, rotates it, and seals it at the end.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::cli::Messages;
use crate::logdir::destination::Destination;
use crate::logdir::names::{CURRENT, MODE_DONE, MODE_OPEN};
use crate::logdir::room::Room;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::local_zone::local_zone;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::finishing::Finishing;
use crate::multilog::writer::open_log::{CurrentCheck, OpenLog};
use crate::multilog::writer::place::{FileRules, Place};
use crate::multilog::writer::reserve::Reserve;
use crate::multilog::writer::rotation::{RotationStep, rename_to_previous};
use crate::multilog::writer::schedule::Schedule;
use crate::multilog::writer::shipping;
use crate::multilog::writer::timetable::Timetable;
use crate::multilog::writer::trim::Trimmer;
use crate::multilog::writer::worker::UnderWay;
use crate::sys::Errno;
use crate::tai64n::Label;

/// A log directory that is locked, repaired, and open for appending.
#[derive(Debug)]
pub struct LogDir<D: Directory> {
    log: OpenLog<D>,
    room: Room,
    step: RotationStep,
    finishing: Finishing<D>,
    schedule: Schedule,
    /// `None` if nothing is rotated by time.
    timetable: Option<Timetable>,
    reserve: Reserve<D>,
    /// An fsync of `current` failed: even if the next one succeeds, some bytes may not be on the disk.
    is_doubtful: bool,
}

impl<D: Directory> LogDir<D> {
    /// A log directory whose `current` has been recovered.
    pub(super) fn new(
        log: OpenLog<D>,
        room: Room,
        destination: &Destination,
        timetable: Option<Timetable>,
    ) -> LogDir<D> {
        log.place.set_rules(rules_of(destination));
        let finisher = Finisher::new(Arc::clone(&log.place));
        LogDir {
            room,
            step: RotationStep::Appending,
            finishing: Finishing::InEngine(finisher),
            schedule: Schedule::new(destination.sync_interval, destination.limits.check_interval()),
            timetable,
            reserve: Reserve::new(Arc::clone(&log.place), room.size_max_bytes),
            is_doubtful: false,
            log,
        }
    }

    /// Goes on by the settings of a new script. `before` are those that it has had. What is being finished is finished by
    /// the new ones, but a processor that runs is left alone.
    pub fn change(&mut self, before: &Destination, now: &Destination, patience: &mut impl Patience) {
        self.room.size_max_bytes = now.size_max_bytes;
        self.log.place.set_rules(rules_of(now));
        if before.size_max_bytes != now.size_max_bytes {
            self.give_back();
            self.reserve.change_size(now.size_max_bytes);
        }
        if before.sync_interval != now.sync_interval || before.limits != now.limits {
            self.schedule = Schedule::new(now.sync_interval, now.limits.check_interval());
            // Lines that were written before may have to reach the disk sooner than they had to.
            self.schedule.note_write();
        }
        if before.rotation != now.rotation {
            let directory = &self.log.place.directory;
            let times = directory.times(CURRENT).unwrap_or_default().filter(|_| self.room.filled_bytes > 0);
            let zone = || local_zone(patience.messages());
            self.timetable = Timetable::new(now.rotation, times, || directory.now(), zone);
        }
        if before.group != now.group {
            self.log.place.share_with(now.group, patience.messages());
            if let Err(error) = self.mark_open() {
                patience.complain(&error);
            }
        }
        if before.limits != now.limits {
            self.check_limits(patience);
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

    /// What a batch adds to the directory: `output_bytes`, after the `offset_bytes` that were in `current` before.
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
        let place = self.place();
        let answer = place.directory.set_mode(&self.log.current.file, MODE_OPEN);
        answer.or_unable(format_args!("set mode of {}/current", place.name))
    }

    /// Appends some of `bytes` to `current`, and returns how many. The caller must not exceed the [`Room`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let answer = self.log.current.file.write(bytes).and_then(|written| match written {
            0 => Err(Errno::ENOSPC),
            written => Ok(written),
        });
        let written = answer.or_unable(format_args!("write to {}/current", self.place().name))?;
        self.room = self.room.with(written);
        self.schedule.note_write();
        if let Some(timetable) = &mut self.timetable {
            timetable.note_write();
        }
        Ok(written)
    }

    /// Truncates `current` to remove what was appended last; those bytes stay in the input.
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
            // Checked first, so that another process's file is not renamed.
            self.find_current(patience)?;
            self.reserve.end_file(&self.log.current.file, self.room.filled_bytes);
            rename_to_previous(&self.log.place, self.finishing.has_given_up_file(), patience)?;
            self.step = RotationStep::Create;
        }
        if self.step == RotationStep::Create {
            let current = self.reserve.make_current(&self.log.place, patience)?;
            let file = std::mem::replace(&mut self.log.current, current).file;
            let filled_bytes = std::mem::take(&mut self.room.filled_bytes);
            self.step = RotationStep::Finish;
            self.reserve.note_rotation(filled_bytes);
            let is_doubtful = std::mem::take(&mut self.is_doubtful);
            self.finishing.accept(Previous { file, is_doubtful }, self.reserve.next(), patience.messages());
            if patience.is_exiting() {
                // A thread that has just been started was not told.
                self.finishing.exit_soon();
            }
            self.schedule.note_rotation();
            if let Some(timetable) = &mut self.timetable {
                timetable.note_rotation();
            }
            // Schedules the check that releases the space, and ends the thread, if nothing more is written.
            self.schedule.want_check();
        }
        // If this fails, the retry must not rotate the new file.
        self.finish_here(patience)?;
        self.step = RotationStep::Appending;
        Ok(())
    }

    /// The file that is being finished; `None` if there is none.
    pub fn under_way(&mut self) -> Option<UnderWay<'_>> {
        self.finishing.under_way()
    }

    /// The logger exits: gives up whatever takes long.
    pub fn exit_soon(&self) {
        self.finishing.exit_soon();
    }

    /// Becomes readable when no surplus archive is left; `None` if none is. Without a thread, this call removes some.
    pub fn trimming(&mut self, patience: &mut impl Patience) -> Option<BorrowedFd<'_>> {
        self.finishing.trimming(patience)
    }

    /// Begins to remove the surplus archives of a predecessor.
    pub(super) fn trim(&mut self, trimmer: Trimmer, messages: Messages) {
        self.finishing.trim(trimmer, self.reserve.next(), messages);
        self.schedule.want_check();
    }

    fn finish_here(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        self.finishing.finish_here(self.reserve.next(), patience)
    }

    /// When [`LogDir::keep_up`] is due; `None` if nothing has been written since it was called last.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        let rotation = self.timetable.as_ref().and_then(|timetable| {
            let left = timetable.due_in(self.place().directory.now())?;
            Some(Instant::now() + left)
        });
        self.schedule.due_at().into_iter().chain(rotation).min()
    }

    /// Tells whether it is time to rotate before lines of this moment are written, or now. Each time counts once. If the
    /// file before is not finished yet, the rotation is postponed: the input does not wait for it.
    pub fn take_rotation_due(&mut self, moment: Option<Label>) -> bool {
        let Some(timetable) = &mut self.timetable else { return false };
        let moment = moment.unwrap_or_else(|| self.log.place.directory.now());
        let is_due = timetable.take_due(moment) && self.room.filled_bytes > 0;
        if is_due && self.finishing.under_way().is_some() {
            timetable.postpone();
            return false;
        }
        is_due
    }

    /// Does what is due: fsyncs `current`, checks that its name still leads to this file, ends a thread that has nothing to
    /// do, and checks the limits on archives.
    pub fn keep_up(&mut self, now: Instant, patience: &mut impl Patience) -> Result<(), Error> {
        if self.schedule.is_sync_due(now) {
            self.sync(patience);
            self.schedule.note_sync();
        }
        if self.schedule.is_check_due(now) {
            self.find_current(patience)?;
            self.schedule.note_check();
            self.give_back();
            if !self.finishing.end_idle_thread() {
                self.schedule.want_check();
            }
        }
        if self.schedule.is_limits_check_due(now) {
            self.check_limits(patience);
        }
        Ok(())
    }

    /// Looks whether a limit on archives is exceeded although nothing is rotated.
    fn check_limits(&mut self, patience: &mut impl Patience) {
        let has_excess = self.finishing.check_limits(self.reserve.next(), patience);
        self.schedule.note_limits_check(has_excess);
        self.schedule.want_check();
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
        if let Some(timetable) = self.timetable.as_mut().filter(|_| self.room.filled_bytes == 0) {
            // Somebody has emptied the file. Its time would come again and again, as an empty file is not rotated.
            timetable.note_rotation();
        }
        Ok(())
    }

    /// Releases preallocated space: the next file, and the unused end of `current`. Returns whether there was any.
    pub fn give_back(&mut self) -> bool {
        self.reserve.give_back(&self.log.current.file, self.room.filled_bytes)
    }

    /// Waits for the space of a removed archive, which is freed a moment later than its name goes; returns whether there was any.
    pub fn wait_until_freed(&self) -> bool {
        self.log.place.freeing.wait()
    }

    /// Fsyncs `current` and marks it as complete. May be called again after a failure. Nothing may be under way.
    ///
    /// If an fsync failed, `current` is not marked, as a later fsync that succeeds proves nothing. It is not marked
    /// either if a file is left unfinished. The answer is then false, and the next start repairs the directory.
    pub fn seal(&mut self, patience: &mut impl Patience) -> Result<bool, Error> {
        if self.place().rules().limits.held_bytes_max.is_some() {
            shipping::say(self.place(), true, patience);
        }
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
        let answer = self.place().directory.set_mode(&self.log.current.file, MODE_DONE);
        answer.map(|()| true).or_unable(format_args!("set mode of {}/current", self.place().name))
    }
}

/// What becomes of the files of a directory, once they are finished.
fn rules_of(destination: &Destination) -> FileRules {
    FileRules {
        limits: destination.limits,
        processor: destination.processor.clone(),
        has_sync_interval: destination.sync_interval.is_some(),
    }
}
