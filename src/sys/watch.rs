//! Being told of changes in directories.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use nix::NixPath;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::sys::{Result, uninterrupted};

pub use nix::sys::inotify::WatchDescriptor as Watch;

/// Something has changed in a directory that is watched.
#[derive(Debug)]
pub struct Change {
    /// Where; `None`: more has happened than could be told.
    pub watch: Option<Watch>,
    /// The name that it happened to; `None`: the directory itself.
    pub name: Option<Vec<u8>>,
}

/// Changes of names and attributes in the directories that are watched.
#[derive(Debug)]
pub struct Changes(Inotify);

impl Changes {
    /// Watches nothing yet.
    pub fn new() -> Result<Changes> {
        Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).map(Changes)
    }

    /// Watches a directory: names that come and go, files that are closed after writing, attributes that change.
    pub fn watch<P: NixPath + ?Sized>(&self, dir: &P) -> Result<Watch> {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ONLYDIR;
        self.0.add_watch(dir, what)
    }

    /// Watches a directory no longer.
    pub fn forget(&self, watch: Watch) {
        // The watch has gone by itself when its directory has.
        let _ = self.0.rm_watch(watch);
    }

    /// Takes what has happened, without waiting.
    #[must_use]
    pub fn take(&self) -> Vec<Change> {
        let events = uninterrupted(|| self.0.read_events()).unwrap_or_default();
        events
            .into_iter()
            .map(|event| Change {
                watch: (!event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)).then_some(event.wd),
                name: event.name.map(OsStringExt::into_vec),
            })
            .collect()
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
