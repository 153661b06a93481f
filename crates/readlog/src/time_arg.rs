//! The times that `--since` and `--until` accept.
//!
//! | text | moment |
//! |---|---|
//! | `@400000003ce2403d3677ea94`, `@400000003ce2403d` | a label, as the directory has it |
//! | `@1795325774` | Unix seconds |
//! | `now`, `today`, `yesterday`, `tomorrow` | the days begin at midnight, local time |
//! | `10 min ago`, `-10min`, `-1h30m`, `2 days ago` | before now |
//! | `2026-11-22`, `2026-11-22 10:30`, `2026-11-22T10:30:00.5` | local time |
//! | `10:30`, `10:30:15` | today, local time |
//! | `2026-11-22T10:30:00Z`, `2026-11-22T10:30:00+01:00` | RFC 3339 |

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, Zoned};

use crate::time_scale::TimeScale;
use logyard::sys::clock::UnixTime;
use logyard::tai64n::Label;

/// Reads a time. `now` is the present in the local time zone.
pub fn parse(text: &str, now: &Zoned, scale: TimeScale) -> Result<Label, String> {
    let text = text.trim();
    if let Some(label) = parse_label(text, scale) {
        return Ok(label);
    }
    let moment = parse_moment(text, now).ok_or_else(|| format!("unable to understand the time '{text}'"))?;
    let nanoseconds = moment.as_nanosecond();
    let second = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(|error| error.to_string())?;
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).expect("below 1,000,000,000");
    Ok(scale.label(UnixTime { seconds: second, nanoseconds: rest }))
}

/// `@` and 24 or 16 hexadecimal digits, or fewer decimal ones.
fn parse_label(text: &str, scale: TimeScale) -> Option<Label> {
    let digits = text.strip_prefix('@')?;
    match digits.len() {
        24 => Label::parse(text.as_bytes()).ok(),
        16 => Label::parse(format!("{text}00000000").as_bytes()).ok(),
        _ => digits.parse().ok().map(|seconds| scale.label(UnixTime { seconds, nanoseconds: 0 })),
    }
}

fn parse_moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let midnight = |days: i64| {
        let date = now.date().checked_add(Span::new().try_days(days).ok()?).ok()?;
        Some(date.to_zoned(now.time_zone().clone()).ok()?.timestamp())
    };
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return midnight(0),
        "yesterday" => return midnight(-1),
        "tomorrow" => return midnight(1),
        _ => {}
    }
    // With an offset, as RFC 3339 has it.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let on_the_wall = |moment: DateTime| moment.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    if text.contains('-') && text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        if let Ok(moment) = text.parse::<DateTime>() {
            return on_the_wall(moment);
        }
        if let Ok(date) = text.parse::<Date>() {
            return on_the_wall(date.to_datetime(Time::midnight()));
        }
    }
    if text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        return on_the_wall(now.date().to_datetime(time));
    }
    // Only the past and an explicit sign: a bare "10 min" leaves open which way it is meant.
    if !text.ends_with("ago") && !text.starts_with(['-', '+']) {
        return None;
    }
    let span: Span = text.parse().ok()?;
    Some(now.checked_add(span).ok()?.timestamp())
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
        for text in ["", "foo", "10 min", "2026-13-01", "25:00", "@", "@xyz", "2026-11-22 25:00"] {
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
