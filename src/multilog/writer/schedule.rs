//! The schedule: when `current` is fsynced and checked after a write.
//!
//! Nothing is due while nothing is written, so an idle logger is never woken.

use std::time::{Duration, Instant};

/// How long it may take to notice that another file has the name `current`.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// When each task is due.
#[derive(Debug)]
pub struct Schedule {
    sync_interval: Option<Duration>,
    /// The first write since the last sync.
    unsynced_since: Option<Instant>,
    /// The first write since the last check.
    unchecked_since: Option<Instant>,
}

impl Schedule {
    /// For a directory that has just been opened. With `sync_interval`, a line is on the disk at most that long after
    /// it was written.
    #[must_use]
    pub fn new(sync_interval: Option<Duration>) -> Schedule {
        // A tenth of the time is left for the disk.
        let sync_interval = sync_interval.map(|interval| interval.mul_f64(0.9));
        Schedule { sync_interval, unsynced_since: None, unchecked_since: None }
    }

    /// Something was written.
    pub fn note_write(&mut self) {
        if self.unchecked_since.is_none() || (self.unsynced_since.is_none() && self.sync_interval.is_some()) {
            let now = Instant::now();
            self.unsynced_since.get_or_insert(now);
            self.unchecked_since.get_or_insert(now);
        }
    }

    /// An fsync has been tried.
    pub fn note_sync(&mut self) {
        self.unsynced_since = None;
    }

    /// The file has been checked.
    pub fn note_check(&mut self) {
        self.unchecked_since = None;
    }

    /// There is a new `current`, and the finisher has the old one.
    pub fn note_rotation(&mut self) {
        self.note_sync();
        self.note_check();
    }

    /// When something is due; `None` if nothing will be until the next write.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        let sync = self.sync_interval.and_then(|interval| Some(self.unsynced_since? + interval));
        let check = self.unchecked_since.map(|since| since + CHECK_INTERVAL);
        sync.into_iter().chain(check).min()
    }

    /// Tells whether it is time to fsync the file.
    #[must_use]
    pub fn is_sync_due(&self, now: Instant) -> bool {
        self.sync_interval.is_some_and(|interval| self.unsynced_since.is_some_and(|since| now >= since + interval))
    }

    /// Tells whether it is time to check the file.
    #[must_use]
    pub fn is_check_due(&self, now: Instant) -> bool {
        self.unchecked_since.is_some_and(|since| now >= since + CHECK_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_until_something_is_written() {
        let mut upkeep = Schedule::new(Some(Duration::from_secs(1)));
        assert_eq!(upkeep.due_at(), None);

        upkeep.note_write();

        let due = upkeep.due_at().unwrap();
        assert!(upkeep.is_sync_due(due) && !upkeep.is_check_due(due));
        upkeep.note_sync();
        let due = upkeep.due_at().unwrap();
        assert!(upkeep.is_check_due(due) && !upkeep.is_sync_due(due));
        upkeep.note_check();
        assert_eq!(upkeep.due_at(), None);
    }

    #[test]
    fn without_an_interval_no_sync_is_due() {
        let mut upkeep = Schedule::new(None);
        upkeep.note_write();

        let later = Instant::now() + Duration::from_secs(1000);
        assert!(!upkeep.is_sync_due(later) && upkeep.is_check_due(later));
    }
}
