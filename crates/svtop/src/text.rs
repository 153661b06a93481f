//! How bytes, rates and times are shown.

use logyard::cli::visible;

/// Text from outside: nothing in it is obeyed by a terminal.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    visible::print(&mut out, bytes);
    String::from_utf8_lossy(&out).replace('\t', " ")
}

/// A number in at most five characters; each unit is `base` times the one before.
pub(crate) fn brief(number: f64, base: f64) -> String {
    let mut units = ["", "k", "M", "G", "T", "P", "E"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    let mut number = number.max(0.0);
    while number >= 999.5
        && let Some(next) = units.next()
    {
        number /= base;
        unit = next;
    }
    // One decimal where there is room, and none behind a whole number of bytes.
    let is_whole = unit.is_empty() && number.fract() == 0.0;
    if number < 99.95 && !is_whole { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

/// A number of bytes, in units of 1024.
pub(crate) fn brief_bytes(bytes: u64) -> String {
    brief(bytes as f64, 1024.0)
}

/// How long something lasts, in at most five characters.
pub(crate) fn brief_time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m"),
        3600..36_000 => format!("{hours}h{:02}", minutes % 60),
        36_000..86_400 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}

/// What part of a whole something is: `13%`.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    (whole > 0).then(|| format!("{}%", (u128::from(part) * 100 + u128::from(whole) / 2) / u128::from(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brief() {
        for (number, text) in [
            (0.0, "0"),
            (0.2, "0.2"),
            (7.04, "7.0"),
            (7.0, "7"),
            (99.9, "99.9"),
            (123.4, "123"),
            (999.4, "999"),
            (999.6, "1.0k"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.0M"),
        ] {
            assert_eq!(brief(number, 1000.0), text);
        }
        assert_eq!(brief_bytes(1023), "1.0k");
        assert_eq!(brief_bytes(65_536), "64.0k");
        assert_eq!(brief_bytes(u64::MAX), "16.0E");
    }

    #[test]
    fn times_are_brief() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3661, "1h01"), (86_399, "23h"), (86_400, "1d")]
        {
            assert_eq!(brief_time(seconds), text);
        }
    }

    #[test]
    fn parts_are_percents() {
        assert_eq!(percent(1, 3).as_deref(), Some("33%"));
        assert_eq!(percent(u64::MAX, u64::MAX).as_deref(), Some("100%"));
        assert_eq!(percent(1, 0), None);
    }

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(shown(b"a\tb\x1b[2J\xff\r\n"), "a b\\x1b[2J\\xff\\x0d\\x0a");
    }
}
