//! Claiming a directory: opened and locked, before anything in it is touched.

use crate::cli::Shown;
use crate::multilog::logdir::append::Current;
use crate::multilog::logdir::recover::recover;
use crate::multilog::logdir::{
    Directory, LOCK, LogDir, LogFile, MODE_DIRECTORY, MODE_PRIVATE, Patience, Place, Room, Trouble,
};
use crate::multilog::script::Destination;
use crate::sys::dir::Dir;
use crate::sys::{Errno, file};

/// A directory that is open and locked, and not yet touched otherwise.
#[derive(Debug)]
pub struct Claim<D: Directory> {
    place: Place<D>,
    lock: D::Lock,
    destination: Destination,
}

impl Claim<Dir> {
    /// Makes the directory if it is not there, opens and locks it.
    pub fn new(destination: &Destination) -> Result<Claim<Dir>, Trouble> {
        // 0.76 tries and does not look: that it is there now is what counts.
        let _ = Dir::create(destination.path, MODE_DIRECTORY);
        let name = Shown(destination.path.to_bytes()).to_string();
        let directory = Dir::open(destination.path)
            .map_err(|errno| Trouble::new(format_args!("unable to open directory {name}"), errno))?;
        Claim::lock(Place { name, directory }, destination.clone())
    }
}

impl<D: Directory> Claim<D> {
    /// Locks a directory that is open.
    pub fn lock(place: Place<D>, destination: Destination) -> Result<Claim<D>, Trouble> {
        match place.directory.lock(LOCK, MODE_PRIVATE) {
            Ok(lock) => Ok(Claim { place, lock, destination }),
            Err(errno) => {
                let trouble = Trouble::new(format_args!("unable to lock directory {}", place.name), errno);
                let holder = match errno {
                    Errno::EAGAIN => place.directory.stat(LOCK).ok().flatten().and_then(file::lock_holder),
                    _ => None,
                };
                Err(match holder {
                    Some(process) => trouble.with_remark(format_args!("held by pid {process}")),
                    None => trouble,
                })
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn place(&self) -> &Place<D> {
        &self.place
    }

    /// What the script says of it.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Puts right what is found in the directory, and opens it for appending. `goes_on` tells that the last line of
    /// `current` will be continued.
    pub fn open(self, goes_on: bool, patience: &mut impl Patience) -> Result<LogDir<D>, Trouble> {
        let Claim { place, lock, destination } = self;
        let Destination { size_max_bytes, files_max, processor, .. } = destination;
        let torn_below_bytes = if goes_on { 0 } else { size_max_bytes };
        let current = recover(&place, files_max, torn_below_bytes, patience)?;
        let stat = current
            .stat()
            .map_err(|errno| Trouble::new(format_args!("unable to stat {}/current", place.name), errno))?;
        let room = Room { filled_bytes: stat.size_bytes, size_max_bytes };
        Ok(LogDir::new(place, lock, Current { file: current, identity: stat.identity }, room, files_max, processor))
    }
}
