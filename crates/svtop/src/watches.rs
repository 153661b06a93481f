//! Which `supervise` directories have changed: a supervisor replaces its files there whenever it has something new to say.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd};

use logyard::supervise::files::Files;
use logyard::sys::inotify::{Notification, Notifier, Watch};

/// All directories that are watched. A directory that is removed takes its watch with it.
#[derive(Debug)]
pub(crate) struct Watches {
    /// `None` if the system refuses it.
    notifier: Option<Notifier>,
    changed: HashSet<Watch>,
    /// More happened than the system could tell.
    have_all_changed: bool,
}

impl Watches {
    /// Nothing is watched yet.
    pub(crate) fn new() -> Watches {
        Watches { notifier: Notifier::new().ok(), changed: HashSet::new(), have_all_changed: false }
    }

    /// Watches a directory; `None` if the system refuses it, or has no watch left.
    pub(crate) fn add(&self, supervise: &Files) -> Option<Watch> {
        let path = format!("/proc/self/fd/{}", supervise.dir().as_fd().as_raw_fd());
        self.notifier.as_ref()?.watch_names(path.as_str()).ok()
    }

    /// Collects what has changed since the last time.
    pub(crate) fn collect(&mut self) {
        self.changed.clear();
        let Some(notifier) = &self.notifier else { return };
        let notifications = notifier.take();
        self.have_all_changed = notifications.is_err();
        for notification in notifications.unwrap_or_default() {
            match notification {
                Notification::Of(watch, _) => drop(self.changed.insert(watch)),
                Notification::Overflow => self.have_all_changed = true,
            }
        }
    }

    /// Tells whether a directory has changed.
    pub(crate) fn has_changed(&self, watch: Watch) -> bool {
        self.have_all_changed || self.changed.contains(&watch)
    }
}
