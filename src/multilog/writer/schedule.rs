//! The schedule: when `current` is fsynced and checked after a write.
//!
//! Nothing is due while nothing is written, so an idle logger is never woken, unless the script limits more than the number
//! of archives: then they are checked now and then.

use std::time::{Duration, Instant};

/// How long it may take to notice that another file has the name `current`.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Where there is no thread, the input has so much time between two pieces of archives that are removed.
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// When each task is due.
#[derive(Debug)]
pub struct Schedule {
    sync_interval: Option<Duration>,
    /// The first write since the last sync.
    unsynced_since: Option<Instant>,
    /// The first write since the last check, or what else there is to check on.
    unchecked_since: Option<Instant>,
    /// How often the limits on archives are checked, and when the next time is.
    limits: Option<(Duration, Instant)>,
}

impl Schedule {
    /// For a directory that has just been opened. With `sync_interval`, a line is on the disk at most that long after
    /// it was written.
    /// Every `limits_interval` the limits on archives are checked, and at once.
    #[must_use]
    pub fn new(sync_interval: Option<Duration>, limits_interval: Option<Duration>) -> Schedule {
        // A tenth of the time is left for the disk.
        let sync_interval = sync_interval.map(|interval| interval - interval / 10);
        let limits = limits_interval.map(|interval| (interval, Instant::now()));
        Schedule { sync_interval, unsynced_since: None, unchecked_since: None, limits }
    }

    /// Something was written.
    pub fn note_write(&mut self) {
        if self.unchecked_since.is_none() || (self.unsynced_since.is_none() && self.sync_interval.is_some()) {
            let now = Instant::now();
            self.unsynced_since.get_or_insert(now);
            self.unchecked_since.get_or_insert(now);
        }
    }

    /// Something else was done that is to be checked on.
    pub fn want_check(&mut self) {
        self.unchecked_since.get_or_insert_with(Instant::now);
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
        // Each rotation checks them too.
        self.note_limits_check(false);
    }

    /// The limits on archives have been checked. If `has_excess`, archives remain to be removed.
    pub fn note_limits_check(&mut self, has_excess: bool) {
        if let Some((interval, next)) = &mut self.limits {
            *next = Instant::now() + if has_excess { BETWEEN_PIECES } else { *interval };
        }
    }

    /// Tells whether it is time to check the limits on archives.
    #[must_use]
    pub fn is_limits_check_due(&self, now: Instant) -> bool {
        self.limits.is_some_and(|(_, next)| now >= next)
    }

    /// When something is due; `None` if nothing will be until the next write.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        let sync = self.sync_interval.and_then(|interval| Some(self.unsynced_since? + interval));
        let check = self.unchecked_since.map(|since| since + CHECK_INTERVAL);
        sync.into_iter().chain(check).chain(self.limits.map(|(_, next)| next)).min()
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
        let mut upkeep = Schedule::new(Some(Duration::from_secs(1)), None);
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
        let mut upkeep = Schedule::new(None, None);
        upkeep.note_write();

        let later = Instant::now() + Duration::from_secs(1000);
        assert!(!upkeep.is_sync_due(later) && upkeep.is_check_due(later));
    }
    #[test]
    fn limits_are_checked_at_once_and_then_at_their_interval() {
        let minute = Duration::from_secs(60);
        let mut upkeep = Schedule::new(None, Some(minute));
        let start = Instant::now();
        assert!(upkeep.is_limits_check_due(start));

        upkeep.note_limits_check(false);

        assert!(!upkeep.is_limits_check_due(start) && upkeep.is_limits_check_due(Instant::now() + minute));
        upkeep.note_limits_check(true);
        assert!(upkeep.is_limits_check_due(Instant::now() + BETWEEN_PIECES));
    }
}
