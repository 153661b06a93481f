//! A log directory in use: appending, rotating, sealing.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::logdir::archive_name::Code;
use crate::logdir::destination::Destination;
use crate::logdir::names::{CURRENT, DONE_BIT, MODE_DONE, MODE_OPEN, PREVIOUS, PROCESSED};
use crate::logdir::room::Room;
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::archive;
use crate::multilog::writer::copy::copy;
use crate::multilog::writer::current::{Current, make_current};
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::lock::lock_place;
use crate::multilog::writer::place::{Place, SharedPlace};
use crate::multilog::writer::preallocated::{self, Preallocated};
use crate::multilog::writer::schedule::Schedule;
use crate::multilog::writer::trim::Shelf;
use crate::multilog::writer::worker::Worker;
use crate::sys::stat::Stat;
use crate::sys::{Errno, memory};

/// What remains to be done of a rotation before `current` can be appended to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No rotation is going on.
    Appending,
    /// `current` becomes `previous`.
    Rename,
    /// A new `current` is made.
    Create,
    /// Where there is no thread: what was `current` is finished.
    Finish,
}

/// Who finishes the files that `current` was.
#[derive(Debug)]
enum Finishing<D: Directory> {
    /// The engine.
    Here(Finisher<D>),
    /// A thread.
    Aside(Worker<D::File>),
    /// For the moment in which one becomes the other.
    Nobody,
}

/// A log directory that is locked, put right, and open for appending.
#[derive(Debug)]
pub struct LogDir<D: Directory> {
    place: SharedPlace<D>,
    /// `None` while a directory that was made anew is not locked yet.
    lock: Option<D::Lock>,
    /// The file system and number of the directory.
    home: (u64, u64),
    current: Current<D::File>,
    room: Room,
    step: Step,
    files_max: u64,
    finishing: Finishing<D>,
    upkeep: Schedule,
    spare: Arc<Preallocated<D>>,
    /// The room that `current` had from the beginning, as it was a spare.
    reserved_bytes: u64,
    /// When the last rotation was, or the start.
    filling_since: Instant,
    /// An fsync of `current` failed: whatever the next one says, the disk may lack some of it.
    is_doubtful: bool,
}

impl<D: Directory> LogDir<D> {
    /// A log directory whose `current` has been recovered.
    pub(super) fn new(
        place: Place<D>,
        lock: D::Lock,
        home: (u64, u64),
        current: Current<D::File>,
        room: Room,
        destination: &Destination,
    ) -> LogDir<D> {
        let place = Arc::new(place);
        let &Destination { files_max, sync_interval, .. } = destination;
        let spare = Arc::new(Preallocated::new(Arc::clone(&place), room.size_max_bytes));
        let finisher = Finisher::new(Arc::clone(&place), files_max, destination.processor.clone());
        LogDir {
            place,
            lock: Some(lock),
            home,
            current,
            room,
            step: Step::Appending,
            files_max,
            finishing: Finishing::Here(finisher),
            upkeep: Schedule::new(sync_interval),
            spare,
            reserved_bytes: 0,
            filling_since: Instant::now(),
            is_doubtful: false,
        }
    }

    /// The directory.
    #[must_use]
    pub fn place(&self) -> &Place<D> {
        &self.place
    }

    /// How full `current` is.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// What a batch does to the directory that adds so much to what was in `current` before.
    #[must_use]
    pub fn extent(&self, offset_bytes: u64, output_bytes: u64) -> Extent {
        let &LogDir { home: directory, is_doubtful, .. } = self;
        Extent { directory, current: self.current.identity, offset_bytes, output_bytes, is_doubtful }
    }

    /// Tells whether an fsync of `current` has failed.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Tells whether [`LogDir::keep_up`] is about to bring `current` to the disk.
    #[must_use]
    pub fn is_sync_due(&self, now: Instant) -> bool {
        self.upkeep.is_sync_due(now)
    }

    /// Marks `current` as a file that is being written.
    pub fn mark_open(&self) -> Result<(), Error> {
        let unable = |errno| Error::new(format_args!("unable to set mode of {}/current", self.place.name), errno);
        self.current.file.set_mode(MODE_OPEN).map_err(unable)
    }

    /// Appends some of `bytes` to `current`, and says how many. The caller keeps to the [`Room`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let unable = |errno| Error::new(format_args!("unable to write to {}/current", self.place.name), errno);
        match self.current.file.write(bytes).map_err(unable)? {
            0 => Err(unable(Errno::ENOSPC)),
            written => {
                self.room = self.room.with(written);
                self.upkeep.note_write();
                Ok(written)
            }
        }
    }

    /// Takes back what was appended last, down to a length: it stays in the input.
    pub fn take_back(&mut self, length_bytes: u64) -> Result<(), Error> {
        let unable = |errno| Error::new(format_args!("unable to shorten {}/current", self.place.name), errno);
        self.current.file.truncate(length_bytes).map_err(unable)?;
        self.room.filled_bytes = length_bytes;
        Ok(())
    }

    /// Makes an archive of `current`, and a new one. After a failure, called again, it goes on with the step that failed.
    /// Nothing may be under way: see [`LogDir::under_way`].
    pub fn rotate(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        if self.step == Step::Appending {
            self.step = Step::Rename;
        }
        if self.step == Step::Rename {
            self.finish_here(patience)?;
            self.rename_current(patience)?;
            self.step = Step::Create;
        }
        if self.step == Step::Create {
            let current = self.create_current(patience)?;
            let file = std::mem::replace(&mut self.current, current).file;
            let was_full = self.room.filled_bytes >= self.spare.room_bytes();
            self.room.filled_bytes = 0;
            self.step = Step::Finish;
            if was_full && self.filling_since.elapsed() < preallocated::FILLING_TIME {
                self.spare.want();
            }
            self.filling_since = Instant::now();
            let is_doubtful = std::mem::take(&mut self.is_doubtful);
            self.hand_over(Previous { file, is_doubtful });
            self.upkeep.note_rotation();
            if self.has_reserved() {
                // Should nothing more be written, it is given back after a while.
                self.upkeep.note_write();
            }
        }
        // A failure here must not rotate the new file when it is tried again.
        self.finish_here(patience)?;
        self.step = Step::Appending;
        Ok(())
    }

    /// What becomes readable when the file in hand is finished; `None` if none is in hand.
    pub fn under_way(&mut self) -> Option<BorrowedFd<'_>> {
        match &mut self.finishing {
            Finishing::Aside(worker) => worker.done(),
            Finishing::Here(_) | Finishing::Nobody => None,
        }
    }

    /// The logger leaves: what takes long is given up.
    pub fn hurry(&self) {
        if let Finishing::Aside(worker) = &self.finishing {
            worker.hurry();
        }
    }

    /// What becomes readable when no archive is left that has to be removed; `None` if none is. Where there is no thread
    /// some are removed now.
    pub fn trimming(&mut self, patience: &mut impl Patience) -> Option<BorrowedFd<'_>> {
        match &mut self.finishing {
            Finishing::Aside(worker) => worker.settled(),
            Finishing::Here(finisher) => {
                while finisher.has_excess() && !patience.is_interrupted() {
                    match finisher.trim(patience) {
                        Ok(()) => {}
                        Err(trouble) if trouble.is_interruption() => break,
                        Err(trouble) => {
                            patience.complain(&trouble);
                            break;
                        }
                    }
                }
                None
            }
            Finishing::Nobody => None,
        }
    }

    /// Begins to remove the archives that a predecessor left and that are too many.
    pub(super) fn trim(&mut self, shelf: Shelf) {
        self.set_aside();
        match &mut self.finishing {
            Finishing::Here(finisher) => finisher.take_over(shelf),
            Finishing::Aside(worker) => worker.trim(shelf),
            Finishing::Nobody => {}
        }
    }

    /// Starts the thread that finishes files, if there is to be one.
    fn set_aside(&mut self) {
        self.finishing = match std::mem::replace(&mut self.finishing, Finishing::Nobody) {
            Finishing::Here(finisher) if D::FINISHES_ASIDE && !memory::is_scarce() => {
                match Worker::start(finisher, Arc::clone(&self.spare)) {
                    Ok(worker) => Finishing::Aside(worker),
                    Err(finisher) => Finishing::Here(*finisher),
                }
            }
            other => other,
        };
    }

    fn hand_over(&mut self, previous: Previous<D::File>) {
        self.set_aside();
        match &mut self.finishing {
            Finishing::Here(finisher) => finisher.accept(previous),
            Finishing::Aside(worker) => worker.accept(previous),
            Finishing::Nobody => unreachable!("there is always somebody"),
        }
    }

    fn finish_here(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        match &mut self.finishing {
            Finishing::Here(finisher) => {
                let had_excess = finisher.has_excess();
                finisher.finish(patience)?;
                if had_excess && finisher.has_excess() && !patience.is_hurried() {
                    // Some of what was left the last time.
                    finisher.trim(patience)?;
                }
                self.spare.prepare();
                Ok(())
            }
            Finishing::Aside(_) | Finishing::Nobody => Ok(()),
        }
    }

    /// When [`LogDir::keep_up`] wants to be called; `None` if nothing has been written since it was.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        self.upkeep.due_at()
    }

    /// Does what is due: brings `current` to the disk, and looks whether it is still what its name stands for.
    pub fn keep_up(&mut self, now: Instant, patience: &mut impl Patience) -> Result<(), Error> {
        if self.upkeep.is_sync_due(now) {
            if let Err(errno) = self.current.file.sync() {
                self.is_doubtful = true;
                let what = format_args!("unable to write {}/current to disk", self.place.name);
                patience.complain(&Error::new(what, errno));
            }
            self.upkeep.note_sync();
        }
        if self.upkeep.is_check_due(now) {
            self.find_current(patience)?;
            self.upkeep.note_check();
            self.give_back();
        }
        Ok(())
    }

    /// Makes sure that `current` in the directory is the file that is written to. Where it was removed or replaced, or the
    /// directory with it, what the descriptor still reaches is written anew; a stranger's file is kept as an archive.
    fn find_current(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        let Place { name, directory, .. } = &*self.place;
        let unable = |what: &str, errno| Error::new(format_args!("unable to {what}"), errno);
        if directory.is_removed().map_err(|errno| unable(&format!("stat {name}"), errno))? {
            self.lock = None;
            directory.restore().map_err(|errno| unable(&format!("open directory {name}"), errno))?;
        }
        if self.lock.is_none() {
            self.home = directory.identity().map_err(|errno| unable(&format!("stat {name}"), errno))?;
            self.lock = Some(lock_place(&self.place)?);
        }
        let found = directory.stat(CURRENT).map_err(|errno| unable(&format!("stat {name}/current"), errno))?;
        match found {
            Some(stat) if stat.identity == self.current.identity => {
                // Somebody may have truncated it in place.
                self.room.filled_bytes = self.room.filled_bytes.min(stat.size_bytes);
                return Ok(());
            }
            Some(_) => archive(&self.place, CURRENT, Code::Unfinished, self.files_max, patience)?,
            None => {}
        }
        let unable_to_make = |errno| unable(&format!("create {name}/current"), errno);
        let lives_on = self.current.file.stat().is_ok_and(|stat| stat.links > 0);
        let current = if lives_on {
            // Somebody gave it another name, and has what is in it.
            make_current(&self.place, "create", self.files_max, patience)?
        } else {
            Current::of(&self.place, copy(&self.place, &self.current.file, CURRENT).map_err(unable_to_make)?)?
        };
        let stat = current.file.stat().map_err(|errno| unable(&format!("stat {name}/current"), errno))?;
        self.end_reserve();
        self.current = current;
        self.room.filled_bytes = stat.size_bytes;
        Ok(())
    }

    fn rename_current(&mut self, patience: &mut impl Patience) -> Result<(), Error> {
        // Looked at first, so that nobody else's file becomes ours.
        self.find_current(patience)?;
        self.end_reserve();
        let Place { name, directory, .. } = &*self.place;
        let unable = |what: &str, errno| Error::new(format_args!("unable to {what}"), errno);
        let stat = |file| directory.stat(file).map_err(|errno| unable(&format!("stat {name}/{file}"), errno));
        let is_left = matches!(&self.finishing, Finishing::Aside(worker) if worker.has_left_file());
        let is_done = |stat: Stat| stat.is_plain && stat.mode & DONE_BIT != 0;
        if is_left && stat(PREVIOUS)?.is_none() && stat(PROCESSED)?.is_some_and(is_done) {
            // All that is left of a file that the finisher gave up when the logger began to leave.
            archive(&self.place, PROCESSED, Code::Safe, self.files_max, patience)?;
        }
        match directory.rename_to_new(CURRENT, PREVIOUS) {
            Err(Errno::EEXIST) => {
                // A previous that is not ours to overwrite: left by a stranger beside a clean current, or by the finisher
                // when the logger began to leave. What a processor has made of it is not to become an archive too.
                match directory.unlink(PROCESSED.as_bytes()) {
                    Ok(()) | Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(unable(&format!("remove {name}/processed"), errno)),
                }
                archive(&self.place, PREVIOUS, Code::Unfinished, self.files_max, patience)?;
                directory.rename_to_new(CURRENT, PREVIOUS)
            }
            answer => answer,
        }
        .map_err(|errno| unable(&format!("rename current to previous in directory {name}"), errno))
    }

    /// Makes a new `current`, of the spare if there is one.
    fn create_current(&mut self, patience: &mut impl Patience) -> Result<Current<D::File>, Error> {
        let mut spare_identity = None;
        if let Some(file) = self.spare.take() {
            match self.place.directory.give_name(&file, CURRENT) {
                Ok(()) => {
                    self.reserved_bytes = self.spare.room_bytes();
                    spare_identity = file.stat().ok().map(|stat| stat.identity);
                }
                // Somebody else's file, or a disk that is full.
                Err(Errno::EEXIST | Errno::ENOSPC | Errno::EDQUOT) => {}
                Err(_) => self.spare.give_up(),
            }
        }
        // Opened by its name in any case: what was opened without one is shown as a file that is removed.
        let current = make_current(&self.place, "create", self.files_max, patience)?;
        if spare_identity.is_some_and(|identity| identity != current.identity) {
            // Somebody put another file in its place.
            self.reserved_bytes = 0;
        }
        Ok(current)
    }

    fn has_reserved(&self) -> bool {
        self.reserved_bytes > self.room.filled_bytes || self.spare.is_wanted()
    }

    /// Gives back what was taken ahead: the spare, and what `current` has not filled. Says whether that was anything.
    pub fn give_back(&mut self) -> bool {
        let had_spare = self.spare.forget();
        self.end_reserve() || had_spare
    }

    /// Nothing more is going to be written to `current` soon: what it has not filled of its room is given back.
    fn end_reserve(&mut self) -> bool {
        let has_reserve = std::mem::take(&mut self.reserved_bytes) > self.room.filled_bytes;
        if has_reserve {
            // If that fails the room is free when the file is removed.
            let _ = preallocated::give_back(&self.current.file);
        }
        has_reserve
    }

    /// Brings `current` to the disk and marks it as left in good order. After a failure it may be called again. Nothing
    /// may be under way.
    ///
    /// What the disk refused is not marked: after an fsync that failed the next one proves nothing. Nor is a directory in
    /// which a file was left unfinished. The answer is then false, and the next start puts it right.
    pub fn seal(&mut self, patience: &mut impl Patience) -> Result<bool, Error> {
        self.finish_here(patience)?;
        if self.step == Step::Finish {
            self.step = Step::Appending;
        }
        let is_whole = match &self.finishing {
            Finishing::Here(finisher) => !finisher.is_busy(),
            Finishing::Aside(worker) => !worker.has_left_file(),
            Finishing::Nobody => true,
        };
        if self.step != Step::Appending || !is_whole {
            return Ok(false);
        }
        self.find_current(patience)?;
        self.give_back();
        let name = &self.place.name;
        if self.is_doubtful {
            return Ok(false);
        }
        if let Err(errno) = self.current.file.sync() {
            self.is_doubtful = true;
            patience.complain(&Error::new(format_args!("unable to write {name}/current to disk"), errno));
            return Ok(false);
        }
        self.current
            .file
            .set_mode(MODE_DONE)
            .map(|()| true)
            .map_err(|errno| Error::new(format_args!("unable to set mode of {name}/current"), errno))
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
