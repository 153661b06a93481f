//! A directory that is opened and locked, before anything in it is touched.

use std::sync::Arc;

use crate::cli::{Messages, Shown};
use crate::logdir::destination::Destination;
use crate::logdir::names::CURRENT;
use crate::logdir::room::Room;
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::local_zone::local_zone;
use crate::multilog::patience::Patience;
use crate::multilog::writer::current::Current;
use crate::multilog::writer::directory::{Directory, LogFile, PathDir};
use crate::multilog::writer::lock::lock_place;
use crate::multilog::writer::log_dir::LogDir;
use crate::multilog::writer::open_log::OpenLog;
use crate::multilog::writer::place::Place;
use crate::multilog::writer::recover::{Evidence, recover};
use crate::multilog::writer::timetable::Timetable;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::file::Times;

/// A directory that is open and locked, and not yet touched otherwise.
#[derive(Debug)]
pub struct LockedDirectory<D: Directory> {
    place: Place<D>,
    lock: D::Lock,
    destination: Destination,
    /// When `current` was made and written to, if files end by time: before a batch of a killed logger is completed in it.
    times: Option<Times>,
}

impl LockedDirectory<PathDir> {
    /// Creates the directory if it does not exist, opens it and locks it.
    pub fn new(destination: &Destination) -> Result<LockedDirectory<PathDir>, Error> {
        let name = Shown(destination.path.to_bytes()).to_string();
        let directory = PathDir::open(destination.path).or_unable(format_args!("open directory {name}"))?;
        LockedDirectory::lock(Place::new(name, directory, destination.limits), destination.clone())
    }
}

impl<D: Directory> LockedDirectory<D> {
    /// Locks a directory that is open.
    pub fn lock(place: Place<D>, destination: Destination) -> Result<LockedDirectory<D>, Error> {
        let lock = lock_place(&place)?;
        let times = match destination.rotation.is_never() {
            true => None,
            // Without them the file counts as new.
            false => place.directory.times(CURRENT).unwrap_or_default(),
        };
        Ok(LockedDirectory { place, lock, destination, times })
    }

    /// The directory.
    #[must_use]
    pub fn place(&self) -> &Place<D> {
        &self.place
    }

    /// Lets the group of the script read the directory, if there is one; after all directories are locked.
    pub fn share(&self, messages: Messages) {
        if self.destination.group.is_some() {
            self.place.share_with(self.destination.group, messages);
        }
    }

    /// The settings of the script for it.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Repairs the directory and opens it for appending. `is_torn` is true if the last line of `current` may lack its
    /// end, which will not come.
    pub fn open(self, is_torn: bool, patience: &mut impl Patience) -> Result<LogDir<D>, Error> {
        let log = self.prepare(false, is_torn, patience)?;
        log.mark_open()?;
        Ok(log)
    }

    /// The same, but the caller must call [`LogDir::mark_open`] before it appends anything. `is_whole` is true if
    /// `current` may be appended to although its writer was killed.
    pub fn prepare(self, is_whole: bool, is_torn: bool, patience: &mut impl Patience) -> Result<LogDir<D>, Error> {
        let LockedDirectory { place, lock, destination, times } = self;
        let Destination { size_max_bytes, .. } = destination;
        let evidence = Evidence { is_whole, torn_below_bytes: if is_torn { size_max_bytes } else { 0 } };
        let mut trimmer = Trimmer::default();
        let file = recover(&place, &mut trimmer, evidence, patience)?;
        let stat = file.stat().or_unable(format_args!("stat {}/current", place.name))?;
        let home = place.directory.identity().or_unable(format_args!("stat {}", place.name))?;
        let room = Room { filled_bytes: stat.size_bytes, size_max_bytes };
        let current = Current { file, identity: stat.identity };
        let log = OpenLog { place: Arc::new(place), lock: Some(lock), home, current };
        let times = times.filter(|_| room.filled_bytes > 0);
        let timetable = Timetable::new(
            destination.rotation,
            times,
            || log.place.directory.now(),
            || local_zone(patience.messages()),
        );
        let mut directory = LogDir::new(log, room, &destination, timetable);
        if trimmer.has_excess() {
            directory.trim(trimmer, patience.messages());
        }
        Ok(directory)
    }
}
