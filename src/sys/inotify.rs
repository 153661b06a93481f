//! Watches directories: what happens in them, name by name and in order.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use nix::NixPath;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::sys::{Errno, Result, uninterrupted};

pub use nix::sys::inotify::WatchDescriptor as Watch;

/// Something that happened to a name in a watched directory, or to the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A name came: made, linked, or renamed to.
    Came(Vec<u8>),
    /// A name went: its file was given another.
    Went(Vec<u8>),
    /// A name was removed.
    Removed(Vec<u8>),
    /// The file that has the name was written to, or its attributes changed.
    Changed(Vec<u8>),
    /// The attributes of the directory itself changed, or it is no longer watched.
    Itself,
    /// The directory itself is gone or has another name.
    Lost,
}

impl Event {
    /// The name that it happened to; `None`: the directory itself.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Event::Came(name) | Event::Went(name) | Event::Removed(name) | Event::Changed(name) => Some(name),
            Event::Itself | Event::Lost => None,
        }
    }
}

/// What happened, and where; more than the queue holds is [`Notification::Overflow`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// It happened in the directory of this watch.
    Of(Watch, Event),
    /// Events were dropped: nothing is known of what happened since.
    Overflow,
}

/// How often one call reads: somebody whose files are watched can make events as fast as they are read. Each read returns at
/// least one event, and this is the kernel's default for the length of the queue.
const READS_MAX: usize = 16_384;

/// A queue of what happens in several directories.
#[derive(Debug)]
pub struct Notifier(Inotify);

impl Notifier {
    /// An empty queue that watches nothing.
    pub fn new() -> Result<Notifier> {
        Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).map(Notifier)
    }

    /// Watches a directory: its names, and what is written to its files.
    pub fn watch<P: NixPath + ?Sized>(&self, directory: &P) -> Result<Watch> {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        self.0.add_watch(directory, what)
    }

    /// Watches a directory for names that come and go, and for no more than that unless it is watched for more already.
    pub fn watch_names<P: NixPath + ?Sized>(&self, directory: &P) -> Result<Watch> {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::from_bits_retain(nix::libc::IN_MASK_ADD)
            | AddWatchFlags::IN_ONLYDIR;
        self.0.add_watch(directory, what)
    }

    /// Watches a directory for names that come, and for its own end or move.
    pub fn watch_arrivals<P: NixPath + ?Sized>(&self, directory: &P) -> Result<Watch> {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        self.0.add_watch(directory, what)
    }

    /// Watches a directory: its names, files that are closed after writing, and attributes, its own too.
    pub fn watch_attributes<P: NixPath + ?Sized>(&self, directory: &P) -> Result<Watch> {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ONLYDIR;
        self.0.add_watch(directory, what)
    }

    /// Watches a directory no longer. One that is gone has taken its watch with it.
    pub fn forget(&self, watch: Watch) {
        let _ = self.0.rm_watch(watch);
    }

    /// Takes what has happened, oldest first, without waiting. What happens meanwhile may be left for the next call.
    pub fn take(&self) -> Result<Vec<Notification>> {
        let mut all = Vec::new();
        for _ in 0..READS_MAX {
            let events = match uninterrupted(|| self.0.read_events()) {
                Ok(events) => events,
                Err(Errno::EAGAIN) => break,
                Err(errno) if all.is_empty() => return Err(errno),
                Err(_) => break,
            };
            for event in events {
                let mask = event.mask;
                let name = event.name.map(OsStringExt::into_vec);
                if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    all.push(Notification::Overflow);
                } else if mask.intersects(AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF) {
                    all.push(Notification::Of(event.wd, Event::Lost));
                } else if let Some(name) = name {
                    let event_of_name = if mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
                        Event::Came(name)
                    } else if mask.contains(AddWatchFlags::IN_MOVED_FROM) {
                        Event::Went(name)
                    } else if mask.contains(AddWatchFlags::IN_DELETE) {
                        Event::Removed(name)
                    } else {
                        Event::Changed(name)
                    };
                    all.push(Notification::Of(event.wd, event_of_name));
                } else {
                    all.push(Notification::Of(event.wd, Event::Itself));
                }
            }
        }
        Ok(all)
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
