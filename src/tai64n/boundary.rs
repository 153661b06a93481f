//! The moments at which the local clock begins a new hour or a new day.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::tai64n::Zone;

const HOUR_SECONDS: i64 = 60 * 60;
/// The longest local day is this long, but for zones that moved across the date line.
const DAY_SECONDS_MAX: i64 = 25 * HOUR_SECONDS;

/// Where a local period begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The first moment of each hour. Where the clock is set back an hour, the hour that comes twice begins twice.
    Hour,
    /// The first moment of each day, once a day, whether or not the clock shows midnight then.
    Midnight,
}

impl Boundary {
    /// The first boundary after a moment, in Unix seconds.
    #[must_use]
    pub fn after(self, unix_seconds: i64, zone: &Zone) -> i64 {
        let next = || {
            let zone = TimeZone::from(zone.clone());
            let moment = Timestamp::from_second(unix_seconds).ok()?;
            match self {
                Boundary::Hour => next_hour(moment, &zone),
                Boundary::Midnight => next_midnight(moment, &zone),
            }
        };
        // Beyond all calendars.
        next().unwrap_or(i64::MAX)
    }

    /// How far apart two boundaries are at most.
    #[must_use]
    pub fn period_seconds_max(self) -> i64 {
        match self {
            Boundary::Hour => HOUR_SECONDS,
            Boundary::Midnight => DAY_SECONDS_MAX,
        }
    }
}

fn next_hour(moment: Timestamp, zone: &TimeZone) -> Option<i64> {
    let local = zone.to_datetime(moment);
    let into_hour = i64::from(local.minute()) * 60 + i64::from(local.second());
    let next = moment.as_second() + HOUR_SECONDS - into_hour;
    // A zone that is set by half an hour (Lord Howe) begins its hours elsewhere from then on.
    let shifted = zone.following(moment).next().and_then(|change| {
        let shift = i64::from(change.offset().seconds() - zone.to_offset(moment).seconds());
        (shift % HOUR_SECONDS != 0).then(|| change.timestamp().as_second())
    });
    Some(shifted.map_or(next, |changed| changed.min(next)))
}

fn next_midnight(moment: Timestamp, zone: &TimeZone) -> Option<i64> {
    let mut day = zone.to_datetime(moment).date();
    loop {
        day = day.tomorrow().ok()?;
        let start = day.to_zoned(zone.clone()).and_then(|start| start.start_of_day()).ok()?;
        // A clock that is set back across midnight shows yesterday once more: today has begun already.
        if start.timestamp() > moment {
            return Some(start.timestamp().as_second());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tai64n::posix;

    /// A zone by its rule, so that no zone files are needed.
    fn zone(rule: &str) -> Zone {
        Zone::from(posix::zone(rule.as_bytes()).unwrap().unwrap())
    }

    fn berlin() -> Zone {
        zone("CET-1CEST,M3.5.0,M10.5.0/3")
    }

    fn new_york() -> Zone {
        zone("EST5EDT,M3.2.0,M11.1.0")
    }

    /// All boundaries from one moment to another, as local times.
    fn all(boundary: Boundary, zone: &Zone, from: &str, to: &str) -> Vec<String> {
        let [mut now, end] = [from, to].map(|text| text.parse::<Timestamp>().unwrap().as_second());
        let mut found = Vec::new();
        loop {
            let next = boundary.after(now, zone);
            assert!(next > now, "{next} is not after {now}");
            if next > end {
                return found;
            }
            let moment = Timestamp::from_second(next).unwrap();
            let zone = TimeZone::from(zone.clone());
            found.push(moment.to_zoned(zone).strftime("%d %H:%M%:z").to_string());
            now = next;
        }
    }

    #[test]
    fn hours_in_a_night_in_which_the_clock_is_set_forward() {
        assert_eq!(
            all(Boundary::Hour, &berlin(), "2026-03-28T22:59:59Z", "2026-03-29T02:30:00Z"),
            ["29 00:00+01:00", "29 01:00+01:00", "29 03:00+02:00", "29 04:00+02:00"]
        );
        assert_eq!(
            all(Boundary::Hour, &new_york(), "2026-03-08T05:30:00Z", "2026-03-08T08:30:00Z"),
            ["08 01:00-05:00", "08 03:00-04:00", "08 04:00-04:00"]
        );
    }

    #[test]
    fn hours_in_a_night_in_which_the_clock_is_set_back() {
        assert_eq!(
            all(Boundary::Hour, &berlin(), "2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z"),
            ["25 02:00+02:00", "25 02:00+01:00", "25 03:00+01:00"]
        );
        assert_eq!(
            all(Boundary::Hour, &new_york(), "2026-11-01T04:30:00Z", "2026-11-01T07:30:00Z"),
            ["01 01:00-04:00", "01 01:00-05:00", "01 02:00-05:00"]
        );
    }

    #[test]
    fn each_day_begins_once_whatever_its_length() {
        for (zone, from, to) in [
            (berlin(), "2026-03-27T12:00:00Z", "2026-03-31T12:00:00Z"),
            (berlin(), "2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z"),
            (new_york(), "2026-03-06T12:00:00Z", "2026-03-10T12:00:00Z"),
            (new_york(), "2026-10-30T12:00:00Z", "2026-11-03T12:00:00Z"),
        ] {
            let found = all(Boundary::Midnight, &zone, from, to);
            assert_eq!(found.len(), 4, "{found:?}");
            assert!(found.iter().all(|time| time.contains(" 00:00")), "{found:?}");
        }
    }

    #[test]
    fn a_day_without_a_midnight_and_one_with_two_begin_once() {
        // The clock is set forward from 00:00 to 01:00, and back from 00:00 to 23:00.
        let zone = zone("AAA4BBB,M9.1.0/0,M4.1.0/0");
        assert_eq!(
            all(Boundary::Midnight, &zone, "2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z"),
            ["06 01:00-03:00", "07 00:00-03:00"]
        );
        assert_eq!(
            all(Boundary::Midnight, &zone, "2026-04-03T12:00:00Z", "2026-04-06T12:00:00Z"),
            ["04 00:00-03:00", "05 00:00-04:00", "06 00:00-04:00"]
        );
    }

    #[test]
    fn half_hours_begin_at_the_local_hour() {
        assert_eq!(
            all(Boundary::Hour, &zone("XXX-5:30"), "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"),
            ["01 06:00+05:30", "01 07:00+05:30"]
        );
        // Lord Howe: half an hour, at 02:00.
        assert_eq!(
            all(
                Boundary::Hour,
                &zone("LHST-10:30LHDT-11,M10.1.0,M4.1.0"),
                "2026-10-03T15:00:00Z",
                "2026-10-03T17:00:00Z"
            ),
            ["04 02:30+11:00", "04 03:00+11:00", "04 04:00+11:00"]
        );
    }

    #[test]
    fn a_moment_beyond_all_calendars_has_no_next() {
        assert_eq!(Boundary::Hour.after(i64::MAX, &berlin()), i64::MAX);
        assert_eq!(Boundary::Midnight.after(i64::MIN, &berlin()), i64::MAX);
    }
}
