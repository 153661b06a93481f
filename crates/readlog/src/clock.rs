//! Local times, fast enough for one a line.
//!
//! The time zone is queried once for each stretch of time without a change of its offset. Within the stretch, a date is
//! arithmetic; within one second, it is a copy.
//!
//! tai64nlocal and splogger ask [`Zone`] instead. They show the time of logging, which rarely changes its second from
//! line to line, and a year of any number of digits. readlog shows lines of several directories in turn, in columns of
//! a fixed width, and leaves a label of another year as it is.

use std::cell::Cell;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use jiff::{SignedDuration, Timestamp};
use logyard::tai64n::Zone;

/// The length of `YYYY-MM-DD HH:MM:SS`.
pub(super) const SECOND_BYTES: usize = 19;

const DAY_SECONDS: i64 = 86_400;

/// A stretch of time in which the offset from UTC does not change.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: i64,
    /// The first second that is no part of it.
    to: i64,
    offset: i64,
}

/// The local time of a time zone.
#[derive(Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
    stretch: Cell<Stretch>,
    /// The second that was shown last, and how.
    shown: Cell<(i64, [u8; SECOND_BYTES])>,
}

impl LocalClock {
    /// A clock in a time zone.
    pub(super) fn new(zone: TimeZone) -> LocalClock {
        let nowhere = Stretch { from: 0, to: 0, offset: 0 };
        LocalClock { zone, stretch: Cell::new(nowhere), shown: Cell::new((i64::MIN, [0; SECOND_BYTES])) }
    }

    /// The clock of `TZ` or the system.
    pub(super) fn system() -> LocalClock {
        LocalClock::new(Zone::local().map_or(TimeZone::UTC, TimeZone::from))
    }

    /// A clock in UTC.
    pub(super) fn utc() -> LocalClock {
        LocalClock::new(TimeZone::UTC)
    }

    /// The clock's zone.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The Unix seconds of a moment on this clock; a moment that comes twice means its first time.
    pub(super) fn unix_seconds(&self, moment: DateTime) -> Option<i64> {
        let as_utc = jiff::tz::Offset::UTC.to_timestamp(moment).ok()?.as_second();
        let stretch = self.stretch.get();
        let guess = as_utc - stretch.offset;
        // Far from any change of the offset, the result is unambiguous.
        if guess - DAY_SECONDS >= stretch.from && guess < stretch.to.saturating_sub(DAY_SECONDS) {
            return Some(guess);
        }
        let seconds = self.zone.to_timestamp(moment).ok()?.as_second();
        self.offset(seconds);
        Some(seconds)
    }

    /// How far the clock is ahead of UTC at a moment, in seconds; `None` for years that have more than four digits.
    pub(super) fn offset(&self, unix_seconds: i64) -> Option<i64> {
        let stretch = self.stretch.get();
        if (stretch.from..stretch.to).contains(&unix_seconds) {
            return Some(stretch.offset);
        }
        let moment = Timestamp::from_second(unix_seconds).ok()?;
        let offset = i64::from(self.zone.to_offset(moment).seconds());
        // Moments before and after this one between which the offset cannot be a different one.
        let from = self.zone.preceding(moment.checked_add(SignedDuration::from_secs(1)).ok()?).next();
        let to = self.zone.following(moment).next();
        self.stretch.set(Stretch {
            from: from.map_or(Timestamp::MIN.as_second() + DAY_SECONDS, |change| change.timestamp().as_second()),
            to: to.map_or(Timestamp::MAX.as_second() - DAY_SECONDS, |change| change.timestamp().as_second()),
            offset,
        });
        // At the ends of the calendar, nothing is cached.
        Some(offset)
    }

    /// `YYYY-MM-DD HH:MM:SS`, or `None` for years that have more than four digits.
    pub(super) fn show(&self, unix_seconds: i64) -> Option<[u8; SECOND_BYTES]> {
        let (second, text) = self.shown.get();
        if second == unix_seconds {
            return Some(text);
        }
        let local = unix_seconds.checked_add(self.offset(unix_seconds)?)?;
        let day_second = local.rem_euclid(DAY_SECONDS);
        let is_same_day = second != i64::MIN
            && self.offset(second) == Some(local - unix_seconds)
            && (second + local - unix_seconds).div_euclid(DAY_SECONDS) == local.div_euclid(DAY_SECONDS);
        let mut new = text;
        if !is_same_day {
            let (year, month, day) = civil_date(local.div_euclid(DAY_SECONDS));
            if !(0..=9999).contains(&year) {
                return None;
            }
            new = *b"0000-00-00 00:00:00";
            put_digits(&mut new[..4], year);
            put_digits(&mut new[5..7], month);
            put_digits(&mut new[8..10], day);
        }
        put_digits(&mut new[11..13], day_second / 3600);
        put_digits(&mut new[14..16], day_second / 60 % 60);
        put_digits(&mut new[17..19], day_second % 60);
        self.shown.set((unix_seconds, new));
        Some(new)
    }
}

/// Writes a number, that is not too long for its place, with leading zeros.
pub(super) fn put_digits(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The date of a day, counted from 1970-01-01. Years begin in March here, so that the leap day is their last.
fn civil_date(day: i64) -> (i64, i64, i64) {
    // From 0000-03-01, in eras of 400 years.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(zone: &str, seconds: &[i64]) {
        let zone = TimeZone::get(zone).expect("the system knows the zone");
        let clock = LocalClock::new(zone.clone());
        for &second in seconds {
            let moment = Timestamp::from_second(second).expect("within the calendar").to_zoned(zone.clone());
            let expected = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();

            assert_eq!(clock.show(second).map(|text| text.to_vec()), Some(expected.into_bytes()), "{second}");
        }
    }

    #[test]
    fn changes_of_the_offset_are_met_to_the_second() {
        // Berlin goes to summer time at 2026-03-29 01:00 UTC and back at 2026-10-25 01:00 UTC.
        for change in [1_774_746_000, 1_792_890_000] {
            check("Europe/Berlin", &[change - 1, change, change + 1, change - 1, change - 3600, change + 3600]);
        }
    }

    #[test]
    fn a_moment_on_the_wall_is_found_again() {
        let clock = LocalClock::new(TimeZone::get("America/New_York").expect("the system knows the zone"));
        for day in 0..3000 {
            let second = 1_700_000_000 + day * 50_000;
            let moment = Timestamp::from_second(second).expect("within the calendar");
            let wall = moment.to_zoned(clock.zone().clone()).datetime();
            let first = clock.zone().to_timestamp(wall).expect("within the calendar").as_second();

            assert_eq!(clock.unix_seconds(wall), Some(first));
        }
    }

    proptest! {
        #[test]
        fn the_arithmetic_agrees_with_the_library(seconds in proptest::collection::vec(-62_000_000_000_i64..250_000_000_000, 1..20)) {
            check("UTC", &seconds);
            check("Europe/Berlin", &seconds);
            check("Asia/Kathmandu", &seconds);
        }

        #[test]
        fn no_second_panics(second in any::<i64>()) {
            let _ = LocalClock::utc().show(second);
            let _ = LocalClock::system().show(second);
        }
    }
}
