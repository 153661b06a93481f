//! The timetable: when `current` becomes an archive although it is not full.
//!
//! Nothing is due while `current` is empty, so an idle logger is not woken.
//!
//! The wall clock may be set at any time. What is due at a local hour or midnight is therefore compared with the wall clock
//! at least once a minute, each boundary counts once, and if the clock is set back by more than a period, the next boundary is
//! found anew.

use std::time::{Duration, Instant};

use crate::logdir::destination::RotationTimes;
use crate::sys::clock::UnixTime;
use crate::sys::file::Times;
use crate::tai64n::{Boundary, Label, Zone};

/// A clock that was set is noticed after this time.
const CLOCK_CHECK: Duration = Duration::from_secs(60);
/// If the file before is not finished yet, a rotation is tried again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// When `current` becomes an archive although it is not full.
#[derive(Debug)]
pub(super) struct Timetable {
    age_max: Option<Duration>,
    clock: Option<Clock>,
    /// The first write to `current`; `None` while it is empty.
    began: Option<Instant>,
    /// A rotation is due and is tried again then.
    retry_at: Option<Instant>,
}

/// The local clock.
#[derive(Debug)]
struct Clock {
    boundary: Boundary,
    zone: Zone,
    /// The next boundary that counts, in Unix seconds.
    next: i64,
}

impl Timetable {
    /// A timetable; `None` if nothing is to be rotated by time. `found` tells when a `current` that is not empty was made and
    /// written to.
    pub(super) fn new(
        times: RotationTimes,
        found: Option<Times>,
        now: impl FnOnce() -> Label,
        zone: impl FnOnce() -> Zone,
    ) -> Option<Timetable> {
        let RotationTimes { age_max, boundary } = times;
        if age_max.is_none() && boundary.is_none() {
            return None;
        }
        let now = now();
        let began = found.map(|times| {
            let start = Instant::now();
            // A file of the future is new.
            let age = times.made.map_or(Duration::ZERO, |made| since(made, now));
            start.checked_sub(age).unwrap_or(start)
        });
        let clock = boundary.map(|boundary| {
            let zone = zone();
            let last = found.map_or(i64::MAX, |times| times.written.seconds).min(now.unix_seconds());
            Clock { boundary, next: boundary.after(last, &zone), zone }
        });
        Some(Timetable { age_max, clock, began, retry_at: None })
    }

    /// Something was written to `current`.
    pub(super) fn note_write(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    /// `current` is new.
    pub(super) fn note_rotation(&mut self) {
        self.began = None;
        self.retry_at = None;
    }

    /// Tells whether a rotation is due before lines of this moment are written. The answer counts a boundary only once: the
    /// caller rotates, or postpones.
    pub(super) fn take_due(&mut self, moment: Label) -> bool {
        let is_boundary = self.clock.as_mut().is_some_and(|clock| clock.passes(moment.unix_seconds()));
        let Some(began) = self.began else { return false };
        match self.retry_at {
            Some(retry_at) => Instant::now() >= retry_at,
            None => is_boundary || self.age_max.is_some_and(|age_max| began.elapsed() >= age_max),
        }
    }

    /// The file before is not finished yet: the rotation is tried again.
    pub(super) fn postpone(&mut self) {
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// How long until [`Timetable::take_due`] wants to be asked; `None` if nothing will be due until the next write.
    pub(super) fn due_in(&self, now: Label) -> Option<Duration> {
        let began = self.began?;
        if let Some(retry_at) = self.retry_at {
            return Some(retry_at.saturating_duration_since(Instant::now()));
        }
        let age = self.age_max.map(|age_max| age_max.saturating_sub(began.elapsed()));
        let clock = self.clock.as_ref().map(|clock| clock.due_in(now));
        age.into_iter().chain(clock).min()
    }
}

impl Clock {
    /// Tells whether a moment has reached the next boundary, and finds the one after it.
    fn passes(&mut self, now: i64) -> bool {
        let has_passed = now >= self.next;
        if has_passed || self.is_set_back(now) {
            self.next = self.boundary.after(now, &self.zone);
        }
        has_passed
    }

    /// Tells whether the clock was set back so far that boundaries would be missed. If it was set back less, the boundary that
    /// comes again has been counted.
    fn is_set_back(&self, now: i64) -> bool {
        self.next.saturating_sub(now) > 2 * self.boundary.period_seconds_max()
    }

    fn due_in(&self, now: Label) -> Duration {
        let seconds = now.unix_seconds();
        if self.is_set_back(seconds) {
            return Duration::ZERO;
        }
        let left = Duration::from_secs(u64::try_from(self.next.saturating_sub(seconds)).unwrap_or(0));
        left.saturating_sub(Duration::from_nanos(now.nanoseconds().into())).min(CLOCK_CHECK)
    }
}

/// How long ago a moment was; zero for one that is to come.
fn since(moment: UnixTime, now: Label) -> Duration {
    Duration::from_secs(u64::try_from(now.unix_seconds().saturating_sub(moment.seconds)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tai64n::posix;

    const HOUR: i64 = 60 * 60;
    /// 2026-10-24 12:00:00 UTC, the day before the night in which Europe sets its clocks back.
    const NOON: i64 = 1_792_843_200;

    fn label(seconds: i64) -> Label {
        Label::from(UnixTime { seconds, nanoseconds: 0 })
    }

    fn berlin() -> Zone {
        Zone::from(posix::zone(b"CET-1CEST,M3.5.0,M10.5.0/3").unwrap().unwrap())
    }

    fn new_york() -> Zone {
        Zone::from(posix::zone(b"EST5EDT,M3.2.0,M11.1.0").unwrap().unwrap())
    }

    fn timetable(boundary: Boundary, zone: Zone, now: i64) -> Timetable {
        let times = RotationTimes { age_max: None, boundary: Some(boundary) };
        Timetable::new(times, None, || label(now), || zone).unwrap()
    }

    /// Writes a line every ten minutes, and says before which of them a file ended, in minutes from the start.
    fn cuts(table: &mut Timetable, start: i64, hours: i64) -> Vec<i64> {
        (0..hours * 6)
            .map(|tenth| tenth * 10)
            .filter(|minutes| {
                let is_due = table.take_due(label(start + minutes * 60));
                if is_due {
                    table.note_rotation();
                }
                table.note_write();
                is_due
            })
            .collect()
    }

    #[test]
    fn a_night_in_which_the_clock_is_set_has_its_hours_and_one_midnight() {
        // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC in Berlin; 2026-03-08 07:00 and 2026-11-01 06:00 UTC in New York.
        for (zone, night) in [
            (berlin(), 1_774_746_000),
            (berlin(), 1_792_890_000),
            (new_york(), 1_772_953_200),
            (new_york(), 1_793_512_800),
        ] {
            let start = night - 12 * HOUR - 600;
            let mut hourly = timetable(Boundary::Hour, zone.clone(), start);
            let hours = cuts(&mut hourly, start, 24);
            let expected: Vec<i64> = (0..24).map(|hour| 10 + 60 * hour).collect();
            assert_eq!(hours, expected);

            let mut daily = timetable(Boundary::Midnight, zone.clone(), start);
            let days = cuts(&mut daily, start, 24);
            assert_eq!(days.len(), 1, "{days:?}");
            let midnight = start + days[0] * 60;
            assert_eq!(Boundary::Midnight.after(midnight - 1, &zone), midnight);
        }
    }

    #[test]
    fn an_empty_file_is_never_due() {
        let mut table = timetable(Boundary::Hour, berlin(), NOON);
        assert!(!table.take_due(label(NOON + 2 * HOUR)));
        assert_eq!(table.due_in(label(NOON)), None);

        table.note_write();

        assert!(!table.take_due(label(NOON + 2 * HOUR + 1)), "the boundary was before the line");
        assert!(table.take_due(label(NOON + 3 * HOUR)));
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_makes_no_second_cut() {
        let mut table = timetable(Boundary::Midnight, berlin(), NOON);
        table.note_write();
        let midnight = NOON + 10 * HOUR;
        assert!(table.take_due(label(midnight)));
        table.note_rotation();
        table.note_write();

        assert!(!table.take_due(label(midnight - 5)));
        assert!(!table.take_due(label(midnight + 1)), "midnight was counted");
        assert!(table.take_due(label(midnight + 25 * HOUR)));
    }

    #[test]
    fn a_clock_that_is_set_back_a_year_goes_on_from_there() {
        let mut table = timetable(Boundary::Hour, berlin(), NOON);
        table.note_write();
        let before = NOON - 365 * 24 * HOUR;

        assert_eq!(table.due_in(label(before)), Some(Duration::ZERO));
        assert!(!table.take_due(label(before)));
        assert!(table.take_due(label(before + HOUR)));
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_one_cut() {
        let mut table = timetable(Boundary::Hour, berlin(), NOON);
        table.note_write();

        assert!(table.take_due(label(NOON + 1000 * HOUR)));
        table.note_rotation();
        table.note_write();
        assert!(!table.take_due(label(NOON + 1000 * HOUR + 1)));
    }

    #[test]
    fn the_wait_ends_at_the_boundary_and_the_clock_is_compared_each_minute() {
        let mut table = timetable(Boundary::Hour, berlin(), NOON);
        table.note_write();

        assert_eq!(table.due_in(label(NOON)), Some(CLOCK_CHECK));
        let close = Label::from(UnixTime { seconds: NOON + HOUR - 1, nanoseconds: 250_000_000 });
        assert_eq!(table.due_in(close), Some(Duration::from_millis(750)));
        assert_eq!(table.due_in(label(NOON + HOUR)), Some(Duration::ZERO));
    }

    #[test]
    fn a_file_that_was_last_written_before_a_boundary_is_due_at_the_start() {
        let times = RotationTimes { age_max: None, boundary: Some(Boundary::Midnight) };
        let found = |seconds| Times { made: None, written: UnixTime { seconds, nanoseconds: 0 } };
        let mut old = Timetable::new(times, Some(found(NOON - 20 * HOUR)), || label(NOON), berlin).unwrap();
        assert!(old.take_due(label(NOON)));

        let mut new = Timetable::new(times, Some(found(NOON - HOUR)), || label(NOON), berlin).unwrap();
        assert!(!new.take_due(label(NOON)));
    }

    #[test]
    fn the_age_of_a_file_that_is_found_counts_from_when_it_was_made() {
        let times = RotationTimes { age_max: Some(Duration::from_secs(100)), boundary: None };
        let made = |seconds| {
            let made = UnixTime { seconds, nanoseconds: 0 };
            Times { made: Some(made), written: made }
        };
        // An uptime of some minutes is needed for the old one; without it, the file counts as new.
        let mut old = Timetable::new(times, Some(made(NOON - 100)), || label(NOON), berlin).unwrap();
        let mut future = Timetable::new(times, Some(made(NOON + HOUR)), || label(NOON), berlin).unwrap();
        let mut empty = Timetable::new(times, None, || label(NOON), berlin).unwrap();

        assert!(old.take_due(label(NOON)));
        assert!(!future.take_due(label(NOON)) && !empty.take_due(label(NOON)));
    }

    #[test]
    fn what_is_postponed_is_tried_again() {
        let mut table = timetable(Boundary::Hour, berlin(), NOON);
        table.note_write();
        assert!(table.take_due(label(NOON + HOUR)));

        table.postpone();

        assert!(!table.take_due(label(NOON + HOUR)));
        assert!(table.due_in(label(NOON + HOUR)).is_some_and(|left| left <= RETRY));
        std::thread::sleep(RETRY);
        assert!(table.take_due(label(NOON + HOUR)));
    }

    #[test]
    fn without_times_there_is_no_timetable() {
        let times = RotationTimes { age_max: None, boundary: None };
        assert!(Timetable::new(times, None, || label(NOON), || unreachable!("no zone is needed")).is_none());
    }
}
