//! Rules that `TZ` may say instead of a name, as POSIX has them and as the C library reads them: `EST5`,
//! `EST5EDT,M3.2.0,M11.1.0`, `<+0330>-3:30`.
//!
//! POSIX lets a rule without the days of the changes mean anything; in the C library it means those of the United States.
//! A file `posixrules` is not looked at: it would tell other days for years before 2007.

use std::fmt::Write;

use jiff::tz::TimeZone;

/// The changes where none are named, as the C library has them: those of the United States since 2007.
const CHANGES: [&str; 2] = ["M3.2.0", "M11.1.0"];
/// When a change happens where no time is named.
const CHANGE_SECONDS: i32 = 2 * 3600;
/// The largest time of a change, a day's or a week's away, that is understood.
const CHANGE_HOURS_MAX: i32 = 167;

/// A rule that begins as one and goes on as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRule;

/// Reads a rule; `None` if the text does not begin as one.
pub fn zone(text: &[u8]) -> Result<Option<TimeZone>, BadRule> {
    let Some((standard, rest)) = name(text).and_then(offset) else { return Ok(None) };
    let rule = match rest {
        [] => format!("AAA{}", Offset(standard)),
        rest => with_summer(standard, rest).ok_or(BadRule)?,
    };
    TimeZone::posix(&rule).map(Some).map_err(|_| BadRule)
}

/// Seconds west of Greenwich.
struct Offset(i32);

impl std::fmt::Display for Offset {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let seconds = self.0.abs();
        write!(out, "{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// The rule with its second half, the names in it replaced: they are never shown.
fn with_summer(standard: i32, text: &[u8]) -> Option<String> {
    let rest = name(text)?;
    let (summer, mut rest) = offset(rest).unwrap_or((standard - 3600, rest));
    if rest == b"," {
        rest = b"";
    }
    let mut rule = format!("AAA{}BBB{}", Offset(standard), Offset(summer));
    for default in CHANGES {
        let (day, seconds, after) = change(rest, default)?;
        // Writing to a string cannot fail.
        let _ = write!(rule, ",{day}/{}", Offset(seconds));
        rest = after;
    }
    // The C library does not look at what follows.
    Some(rule)
}

/// Passes over a name of letters, or of letters, digits and signs in angle brackets.
fn name(text: &[u8]) -> Option<&[u8]> {
    let count = |text: &[u8], belongs: fn(&u8) -> bool| text.iter().take_while(|byte| belongs(byte)).count();
    let letters = count(text, u8::is_ascii_alphabetic);
    if letters >= 3 {
        return Some(&text[letters..]);
    }
    let quoted = text.strip_prefix(b"<")?;
    let length = count(quoted, |byte| byte.is_ascii_alphanumeric() || b"+-".contains(byte));
    quoted[length..].strip_prefix(b">").filter(|_| length >= 3)
}

/// Reads an offset; larger numbers than an offset has are taken for the largest, as the C library does.
fn offset(text: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, text) = sign(text);
    let ([hours, minutes, seconds], rest) = clock(text)?;
    Some((sign * (hours.min(24) * 3600 + minutes.min(59) * 60 + seconds.min(59)), rest))
}

/// Reads the day and time of a change, and returns them with what follows.
fn change<'t>(text: &'t [u8], default: &str) -> Option<(String, i32, &'t [u8])> {
    let text = text.strip_prefix(b",").unwrap_or(text);
    let (day, rest) = match text {
        [] => (default.to_owned(), text),
        [b'M', rest @ ..] => {
            let (month, rest) = number(rest)?;
            let (week, rest) = number(rest.strip_prefix(b".")?)?;
            let (weekday, rest) = number(rest.strip_prefix(b".")?)?;
            let is_day = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
            is_day.then(|| (format!("M{month}.{week}.{weekday}"), rest))?
        }
        [b'J', rest @ ..] => {
            let (day, rest) = number(rest)?;
            (1..=365).contains(&day).then(|| (format!("J{day}"), rest))?
        }
        _ => {
            let (day, rest) = number(text)?;
            (day <= 365).then(|| (day.to_string(), rest))?
        }
    };
    let (seconds, rest) = match rest {
        [] | [b',', ..] => (CHANGE_SECONDS, rest),
        [b'/', time @ ..] => {
            let (sign, time) = sign(time);
            let ([hours, minutes, seconds], rest) = clock(time)?;
            let is_time = hours <= CHANGE_HOURS_MAX && minutes <= 59 && seconds <= 59;
            is_time.then_some((sign * (hours * 3600 + minutes * 60 + seconds), rest))?
        }
        _ => return None,
    };
    Some((day, seconds, rest))
}

fn sign(text: &[u8]) -> (i32, &[u8]) {
    match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    }
}

/// Reads `hours`, `hours:minutes` or `hours:minutes:seconds`.
fn clock(text: &[u8]) -> Option<([i32; 3], &[u8])> {
    let (hours, mut rest) = number(text)?;
    let mut parts = [hours, 0, 0];
    for part in &mut parts[1..] {
        let Some((value, after)) = rest.strip_prefix(b":").and_then(number) else { break };
        *part = value;
        rest = after;
    }
    Some((parts, rest))
}

/// Reads digits, of which there are few.
fn number(text: &[u8]) -> Option<(i32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&text[..digits]).ok()?.parse::<u16>().ok()?;
    Some((i32::from(value), &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_has_defaults() {
        let zone = |text: &str| zone(text.as_bytes()).expect("a rule").expect("of a zone");
        let full = zone("EST5EDT4,M3.2.0/2,M11.1.0/2");

        for short in ["EST5EDT", "EST5EDT4", "EST5EDT,", "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,M11.1.0"] {
            assert_eq!(zone(short), full, "{short}");
        }
    }

    #[test]
    fn what_does_not_begin_as_a_rule_is_none_and_what_goes_on_as_none_is_bad() {
        for text in ["", "UTC", "No/Such_Zone", "AB4", "<AB>4", "/etc/passwd", "\u{e9}4"] {
            assert_eq!(zone(text.as_bytes()), Ok(None), "{text:?}");
        }
        for text in ["ABC4 ", "ABC4x", "ABC4XYZ,foo", "ABC4XYZ,M13.1.0", "ABC4XYZ,J0", "ABC4XYZ,0/168", "ABC4XYZ,366"] {
            assert_eq!(zone(text.as_bytes()), Err(BadRule), "{text:?}");
        }
    }
}
