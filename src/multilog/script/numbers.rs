//! The numbers of the actions, with their units.

use std::ffi::CStr;
use std::time::Duration;

use crate::logdir::destination::RotationTimes;
use crate::logdir::limits::{ARCHIVES_LEFT_DEFAULT, Amount, FreeSpace};
use crate::logdir::restraint::Rate;
use crate::multilog::script::expression::{EXAMINED_BYTES_LEAST, EXAMINED_BYTES_MOST};
use crate::tai64n::Boundary;

/// Reads leading decimal digits; none are 0, and what is too large to count is the largest that can be counted.
pub(super) fn parse_number(text: &[u8]) -> (u64, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[..digits]
        .iter()
        .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    (number, &text[digits..])
}

/// Reads a number of bytes with an optional k, M or G for powers of 1024.
pub(super) fn parse_size(text: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = parse_number(text);
    let power = match rest.first() {
        Some(b'k' | b'K') => 1,
        Some(b'm' | b'M') => 2,
        Some(b'g' | b'G') => 3,
        _ => return (number, rest),
    };
    (number.saturating_mul(1024_u64.pow(power)), &rest[1..])
}

/// Reads how many bytes of a line are to be examined, and nothing else: the number that is given, and the one that counts.
pub(super) fn parse_examined(text: &[u8]) -> Option<(u64, usize)> {
    let (given, rest) = parse_size(text);
    let counts = given.clamp(EXAMINED_BYTES_LEAST as u64, EXAMINED_BYTES_MOST as u64);
    (begins_with_digit(text) && rest.is_empty()).then_some((given, counts as usize))
}

/// Reads a number of seconds, an equals sign and a path; the number is at most that of a day.
pub(super) fn parse_interval(argument: &'static CStr) -> Option<(Duration, &'static CStr)> {
    let text = argument.to_bytes_with_nul();
    let (seconds @ 1.., rest) = parse_number(text.get(1..)?) else { return None };
    let path = CStr::from_bytes_with_nul(rest.strip_prefix(b"=")?).ok()?;
    let is_file = !path.is_empty() && !path.to_bytes().ends_with(b"/");
    is_file.then_some((Duration::from_secs(seconds.min(24 * 60 * 60)), path))
}

/// Reads a size and nothing else; 0 is no limit.
pub(super) fn parse_total(text: &[u8]) -> Option<Option<u64>> {
    let (size, rest) = parse_size(text);
    (begins_with_digit(text) && rest.is_empty()).then_some((size > 0).then_some(size))
}

/// Reads a time in seconds, or with m, h, d or w in minutes, hours, days or weeks, and nothing else; 0 is no limit.
pub(super) fn parse_time(text: &[u8]) -> Option<Option<Duration>> {
    let (number, rest) = parse_number(text);
    let unit_seconds = match rest {
        b"" | b"s" => 1,
        b"m" => 60,
        b"h" => 60 * 60,
        b"d" => 24 * 60 * 60,
        b"w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let seconds = number.saturating_mul(unit_seconds);
    begins_with_digit(text).then_some((seconds > 0).then_some(Duration::from_secs(seconds)))
}

/// Adds to what is in force a time, or a boundary of the local clock as `@hour`; 0 takes both away.
pub(super) fn parse_rotation(text: &[u8], before: RotationTimes) -> Option<RotationTimes> {
    let boundary = match text {
        b"@hour" => Boundary::Hour,
        b"@midnight" => Boundary::Midnight,
        _ => {
            let Some(age) = parse_time(text)? else { return Some(RotationTimes::default()) };
            return Some(RotationTimes { age_max: Some(age), ..before });
        }
    };
    Some(RotationTimes { boundary: Some(boundary), ..before })
}

/// Reads a part of a file system, as `10%` or `2G`, with an optional number of archives behind a colon, and nothing else;
/// 0 is no limit.
pub(super) fn parse_free(text: &[u8]) -> Option<Option<FreeSpace>> {
    let (amount, floor) = match text.iter().position(|&byte| byte == b':') {
        Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
        None => (text, None),
    };
    let archives_left = match floor.map(|floor| (parse_number(floor), floor)) {
        None => ARCHIVES_LEFT_DEFAULT,
        Some(((number @ 1.., b""), _)) => number,
        Some(_) => return None,
    };
    let least = match amount.strip_suffix(b"%").map(parse_number) {
        Some((0..=100, rest)) if rest.is_empty() && begins_with_digit(amount) => {
            Amount::Percent(parse_number(amount).0)
        }
        Some(_) => return None,
        None => Amount::Bytes(parse_total(amount)?.unwrap_or(0)),
    };
    let is_none = matches!(least, Amount::Bytes(0) | Amount::Percent(0));
    Some((!is_none).then_some(FreeSpace { least, archives_left }))
}

/// Reads a number of lines per second, with an optional number of lines at once behind a colon, and nothing else; 0 is no
/// limit.
pub(super) fn parse_rate(text: &[u8]) -> Option<Option<Rate>> {
    let (lines, rest) = parse_number(text);
    let lines = lines.min(Rate::LINES_MAX);
    let burst = match rest.strip_prefix(b":") {
        None if rest.is_empty() => lines,
        None => return None,
        Some(burst) => match parse_number(burst) {
            (number @ 1.., b"") => number.min(Rate::LINES_MAX),
            _ => return None,
        },
    };
    begins_with_digit(text).then_some((lines > 0).then_some(Rate { lines, burst }))
}

/// Tells whether an argument can have been meant as a letter with a number.
pub(super) fn begins_with_digit(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_a_size_and_nothing_else() {
        assert_eq!(parse_total(b"2G"), Some(Some(2 << 30)));
        assert_eq!(parse_total(b"0"), Some(None));
        for bad in [&b""[..], b"G", b"10q", b"10MB", b"-1", b" 1"] {
            assert_eq!(parse_total(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [(&b"90"[..], 90), (b"90s", 90), (b"2m", 120), (b"3h", 10_800), (b"30d", 2_592_000)] {
            assert_eq!(parse_time(text), Some(Some(Duration::from_secs(seconds))), "{text:?}");
        }
        assert_eq!(parse_time(b"2w"), Some(Some(Duration::from_secs(1_209_600))));
        assert_eq!(parse_time(b"0"), Some(None));
        assert_eq!(parse_time(b"99999999999999999999d"), Some(Some(Duration::from_secs(u64::MAX))));
        for bad in [&b""[..], b"d", b"30x", b"30dd", b"ddress"] {
            assert_eq!(parse_time(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_rate_may_name_a_burst() {
        let rate = |lines, burst| Some(Some(Rate { lines, burst }));
        assert_eq!(parse_rate(b"100"), rate(100, 100));
        assert_eq!(parse_rate(b"100:500"), rate(100, 500));
        assert_eq!(parse_rate(b"100:5"), rate(100, 5));
        assert_eq!(parse_rate(b"99999999999999999999:99999999999999999999"), rate(Rate::LINES_MAX, Rate::LINES_MAX));
        assert_eq!(parse_rate(b"0"), Some(None));
        for bad in [&b""[..], b":5", b"100:", b"100:0", b"100:x", b"100:5x", b"100x", b"100/s", b"-1"] {
            assert_eq!(parse_rate(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn free_space_is_a_percentage_or_a_size_and_may_name_how_many_archives_stay() {
        let free = |least, archives_left| Some(Some(FreeSpace { least, archives_left }));
        assert_eq!(parse_free(b"10%"), free(Amount::Percent(10), 2));
        assert_eq!(parse_free(b"10%:5"), free(Amount::Percent(10), 5));
        assert_eq!(parse_free(b"2G:1"), free(Amount::Bytes(2 << 30), 1));
        assert_eq!(parse_free(b"0"), Some(None));
        assert_eq!(parse_free(b"0%"), Some(None));
        for bad in [&b""[..], b"%", b"101%", b"10%%", b"10%:", b"10%:0", b"10%:x", b"10%:2x", b"10x", b":3"] {
            assert_eq!(parse_free(bad), None, "{bad:?}");
        }
    }
}
