//! The times that `--since` and `--until` accept: those of journalctl, labels, and RFC 3339.
//!
//! | text | moment |
//! |---|---|
//! | `@400000003ce2403d3677ea94`, `@400000003ce2403d` | a label, as the directory has it |
//! | `@1795325774`, `@1795325774.25` | Unix seconds |
//! | `now`, `today`, `yesterday`, `tomorrow` | the days begin at midnight, local time |
//! | `10 min ago`, `-10min`, `-1h30m`, `2 days ago`, `+5s` | before or after now |
//! | `2026-11-22`, `2026-11-22 10:30`, `2026-11-22T10:30:00.5`, `26-11-22` | local time |
//! | `10:30`, `10:30:15` | today, local time |
//! | `Sun 2026-11-22 10:30` | the same; the day of the week must be right |
//! | `2026-11-22 10:30 UTC`, `today Asia/Tokyo` | in that time zone |
//! | `2026-11-22T10:30:00Z`, `2026-11-22T10:30:00+01:00` | RFC 3339 |

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::time_scale::TimeScale;
use logyard::sys::clock::UnixTime;
use logyard::tai64n::Label;

/// The days of the week, Monday first.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// A year of two digits is in the 21st century below this, and in the 20th from there on.
const CENTURY: i16 = 69;

/// Reads a time. `now` is the present in the local time zone.
pub fn parse(text: &str, now: &Zoned, scale: TimeScale) -> Result<Label, String> {
    let text = text.trim();
    if let Some(label) = parse_label(text) {
        return Ok(label);
    }
    let moment = parse_moment(text, now).ok_or_else(|| format!("unable to understand the time '{text}'"))?;
    let nanoseconds = moment.as_nanosecond();
    let second = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(|error| error.to_string())?;
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).expect("below 1,000,000,000");
    Ok(scale.label(UnixTime { seconds: second, nanoseconds: rest }))
}

/// `@` and 24 or 16 hexadecimal digits.
fn parse_label(text: &str) -> Option<Label> {
    match text.strip_prefix('@')?.len() {
        24 => Label::parse(text.as_bytes()).ok(),
        16 => Label::parse(format!("{text}00000000").as_bytes()).ok(),
        _ => None,
    }
}

fn parse_moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return parse_unix(seconds);
    }
    // With an offset, as RFC 3339 has it.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Some(moment) = parse_relative(text, now) {
        return Some(moment);
    }
    if let Some(moment) = parse_local(text, now) {
        return Some(moment);
    }
    // With a time zone behind it.
    let (text, zone) = text.rsplit_once(' ')?;
    let zone = match zone {
        "UTC" => TimeZone::UTC,
        zone => TimeZone::get(zone).ok()?,
    };
    parse_local(text.trim_end(), &now.with_time_zone(zone))
}

/// Unix seconds, perhaps with a fraction.
fn parse_unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    let sign = if seconds.starts_with('-') { -1 } else { 1 };
    Timestamp::new(seconds.parse().ok()?, sign * nanoseconds).ok()
}

/// A time before or after now. An explicit sign or `ago` is needed: a bare `10 min` leaves open which way it is meant.
fn parse_relative(text: &str, now: &Zoned) -> Option<Timestamp> {
    if text == "now" {
        return Some(now.timestamp());
    }
    if !text.ends_with("ago") && !text.starts_with(['-', '+']) {
        return None;
    }
    // journalctl has M for months.
    let text = text.strip_suffix('M').map_or_else(|| text.replace("M ", "mo "), |rest| format!("{rest}mo"));
    let span: Span = text.parse().ok()?;
    Some(now.checked_add(span).ok()?.timestamp())
}

/// A time on the clock of a time zone, that of `now`.
fn parse_local(text: &str, now: &Zoned) -> Option<Timestamp> {
    let on_the_wall = |moment: DateTime| moment.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    let midnight = |days: i64| {
        let date = now.date().checked_add(Span::new().try_days(days).ok()?).ok()?;
        on_the_wall(date.to_datetime(Time::midnight()))
    };
    match text {
        "today" => return midnight(0),
        "yesterday" => return midnight(-1),
        "tomorrow" => return midnight(1),
        _ => {}
    }
    let (weekday, text) = match text.split_once(' ') {
        Some((day, rest)) if parse_weekday(day).is_some() => (parse_weekday(day), rest.trim_start()),
        _ => (None, text),
    };
    if text.contains('-') && text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        let moment = parse_date_and_time(&with_century(text))?;
        return if weekday.is_none_or(|weekday| weekday == moment.weekday()) { on_the_wall(moment) } else { None };
    }
    if weekday.is_none()
        && text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        return on_the_wall(now.date().to_datetime(time));
    }
    None
}

fn parse_date_and_time(text: &str) -> Option<DateTime> {
    if let Ok(moment) = text.parse::<DateTime>() {
        return Some(moment);
    }
    text.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()))
}

/// A day of the week, or its first three letters.
fn parse_weekday(text: &str) -> Option<Weekday> {
    let text = text.to_ascii_lowercase();
    let day = WEEKDAYS.iter().position(|day| *day == text || day[..3] == text)?;
    Weekday::from_monday_zero_offset(i8::try_from(day).ok()?).ok()
}

/// Writes out a year of two digits.
fn with_century(text: &str) -> String {
    match text.split_once('-') {
        Some((year, _)) if year.len() == 2 => match year.parse::<i16>() {
            Ok(year) if year < CENTURY => format!("20{text}"),
            Ok(_) => format!("19{text}"),
            Err(_) => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Zoned {
        "2026-11-22T10:30:00[Europe/Berlin]".parse().expect("a moment")
    }

    #[test]
    fn each_form_means_its_moment() {
        for (text, moment) in [
            ("now", "2026-11-22T09:30:00Z"),
            ("today", "2026-11-21T23:00:00Z"),
            ("yesterday", "2026-11-20T23:00:00Z"),
            ("tomorrow", "2026-11-22T23:00:00Z"),
            ("10 min ago", "2026-11-22T09:20:00Z"),
            ("10 minutes ago", "2026-11-22T09:20:00Z"),
            ("2 days ago", "2026-11-20T09:30:00Z"),
            ("1h30m ago", "2026-11-22T08:00:00Z"),
            ("-10min", "2026-11-22T09:20:00Z"),
            ("-1h", "2026-11-22T08:30:00Z"),
            ("2026-11-22", "2026-11-21T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-11-22 08:15", "2026-11-22T07:15:00Z"),
            ("2026-11-22 08:15:30", "2026-11-22T07:15:30Z"),
            ("2026-11-22T08:15:30.25", "2026-11-22T07:15:30.25Z"),
            ("2026-11-22T08:15:30Z", "2026-11-22T08:15:30Z"),
            ("2026-11-22T08:15:30+05:30", "2026-11-22T02:45:30Z"),
            ("08:15", "2026-11-22T07:15:00Z"),
            ("08:15:30", "2026-11-22T07:15:30Z"),
            ("@1795325774", "2026-11-22T05:36:14Z"),
            ("@1795325774.25", "2026-11-22T05:36:14.25Z"),
            ("@0", "1970-01-01T00:00:00Z"),
            ("@-1", "1969-12-31T23:59:59Z"),
            ("-5min", "2026-11-22T09:25:00Z"),
            ("+5min", "2026-11-22T09:35:00Z"),
            ("-5 minutes", "2026-11-22T09:25:00Z"),
            ("-1h 30min", "2026-11-22T08:00:00Z"),
            ("5min 20s ago", "2026-11-22T09:24:40Z"),
            ("1 week ago", "2026-11-15T09:30:00Z"),
            ("-1M", "2026-10-22T08:30:00Z"),
            ("-1y", "2025-11-22T09:30:00Z"),
            ("-300ms", "2026-11-22T09:29:59.7Z"),
            ("26-11-22", "2026-11-21T23:00:00Z"),
            ("69-11-22 10:00 UTC", "1969-11-22T10:00:00Z"),
            ("Sun 2026-11-22 08:15", "2026-11-22T07:15:00Z"),
            ("sunday 2026-11-22", "2026-11-21T23:00:00Z"),
            ("2026-11-22 08:15 UTC", "2026-11-22T08:15:00Z"),
            ("2026-11-22 08:15:30 UTC", "2026-11-22T08:15:30Z"),
            ("Sun 2026-11-22 08:15:30 UTC", "2026-11-22T08:15:30Z"),
            ("2026-11-22 UTC", "2026-11-22T00:00:00Z"),
            ("08:15 UTC", "2026-11-22T08:15:00Z"),
            ("today UTC", "2026-11-22T00:00:00Z"),
            ("yesterday Asia/Tokyo", "2026-11-20T15:00:00Z"),
            ("2026-11-22 08:15 America/New_York", "2026-11-22T13:15:00Z"),
            ("@400000003ce2403d", "2002-05-15T11:02:11Z"),
            ("@400000003ce2403d3677ea94", "2002-05-15T11:02:11.9138285Z"),
        ] {
            let moment: Timestamp = moment.parse().expect("a moment");
            let expected = Label::from(UnixTime {
                seconds: moment.as_second(),
                nanoseconds: moment.subsec_nanosecond().unsigned_abs(),
            });

            assert_eq!(parse(text, &now(), TimeScale::Djb), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "foo",
            "10 min",
            "2026-13-01",
            "25:00",
            "@",
            "@xyz",
            "@1.",
            "@1.x",
            "@.5",
            "2026-11-22 25:00",
            "Mon 2026-11-22",
            "Sun 08:15",
            "2026-11-22 Nowhere/Land",
            "UTC",
            "foo UTC",
            "1 ago ago",
        ] {
            assert!(parse(text, &now(), TimeScale::Djb).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text, &Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC), TimeScale::Real);
        }
    }
}
