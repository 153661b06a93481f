//! The stamp at the beginning of a line, in each of the forms that multilog, svlogd and s6-log write.
//!
//! | form | written by | meaning |
//! |---|---|---|
//! | `@400000003ce2403d3677ea94 ` | multilog `t`, svlogd `-t`, s6-log `t`, tai64n | a label |
//! | `2026-11-22_11:06:00.54536 ` | svlogd `-tt` | UTC |
//! | `2026-11-22T11:06:00.55364 ` | svlogd `-ttt` | UTC |
//! | `2026-11-22 11:06:00.604673253  ` | multilog `T`, s6-log `T` (two spaces) | local time of the logger |
//! | `2026-11-22T12:06:00.604673253+01:00 ` | multilog `T@local` | local time, with its offset from UTC |
//! | `2026-11-22T11:06:00.604673253Z ` | multilog `T@utc` | UTC |
//! | `1795345560.604673253 ` | multilog `T@epoch` | seconds since 1970-01-01 00:00:00 UTC |
//!
//! A line with anything else has no stamp: half a label, upper-case digits, more than 24 digits.

use jiff::civil;

use crate::clock::LocalClock;
use crate::time_scale::TimeScale;
use logyard::sys::clock::UnixTime;
use logyard::tai64n::Label;

/// The stamp of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The moment.
    pub(super) label: Label,
    /// Where the stamp's text ends.
    pub(super) text_bytes: usize,
    /// Where the message begins, behind the space.
    pub(super) bytes: usize,
    /// Whether the text is the label itself.
    pub(super) is_label: bool,
}

/// The longest stamp: local time with its offset. These bytes of a line are enough to tell whether it has a stamp.
pub(super) const STAMP_BYTES_MAX: usize = 36;

/// Each byte's value as a hexadecimal digit; the high bit is set where it is none. Capitals are none.
const DIGIT: [u8; 256] = {
    let mut table = [0x80; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    table
};

/// Recognises the stamp of a line.
pub(super) fn recognise(line: &[u8], scale: TimeScale, clock: &LocalClock) -> Option<Stamp> {
    match line.first() {
        Some(b'@') => recognise_label(line),
        Some(b'0'..=b'9') if line.get(4) == Some(&b'-') => recognise_date(line, scale, clock),
        Some(b'0'..=b'9') => recognise_epoch(line, scale),
        _ => None,
    }
}

fn recognise_label(line: &[u8]) -> Option<Stamp> {
    let digits = line.get(1..Label::TEXT_BYTES)?;
    let (mut bytes, mut seen) = ([0; 12], 0);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let (high, low) = (DIGIT[usize::from(pair[0])], DIGIT[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    let message = match line.get(Label::TEXT_BYTES) {
        Some(b' ') => Label::TEXT_BYTES + 1,
        Some(&byte) if DIGIT[usize::from(byte)] & 0x80 == 0 => return None,
        _ => Label::TEXT_BYTES,
    };
    if seen & 0x80 != 0 {
        return None;
    }
    let label = Label::from_bytes(bytes).ok()?;
    Some(Stamp { label, text_bytes: Label::TEXT_BYTES, bytes: message, is_label: true })
}

/// `YYYY-MM-DD?HH:MM:SS.` and the fraction.
fn recognise_date(line: &[u8], scale: TimeScale, clock: &LocalClock) -> Option<Stamp> {
    const SHAPE: &[u8; 20] = b"dddd-dd-dd?dd:dd:dd.";
    let head: &[u8; 20] = line.first_chunk()?;
    let fits = head.iter().zip(SHAPE).all(|(&byte, &shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'?' => matches!(byte, b'_' | b'T' | b' '),
        _ => byte == shape,
    });
    if !fits {
        return None;
    }
    let rest = &line[head.len()..];
    let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, behind) = rest.split_at(digits);
    // Where local time stands, and how many bytes say so behind the fraction.
    let (zone, zone_bytes, separator): (Zone, usize, &[u8]) = match (head[10], digits, behind) {
        (b' ', 9, _) => (Zone::OfLogger, 0, b"  "),
        (b'_' | b'T', 5, _) => (Zone::Ahead { seconds: 0 }, 0, b" "),
        (b'T', 9, [b'Z', ..]) => (Zone::Ahead { seconds: 0 }, 1, b" "),
        (b'T', 9, [sign @ (b'+' | b'-'), offset @ ..]) => {
            (Zone::Ahead { seconds: parse_offset(*sign, offset)? }, 6, b" ")
        }
        _ => return None,
    };
    if !behind[zone_bytes..].starts_with(separator) {
        return None;
    }
    let small = |digits: &[u8]| i8::try_from(number(digits)).ok();
    let date = civil::Date::new(i16::try_from(number(&head[..4])).ok()?, small(&head[5..7])?, small(&head[8..10])?);
    let time = civil::Time::new(small(&head[11..13])?, small(&head[14..16])?, small(&head[17..19])?, 0);
    let moment = date.ok()?.to_datetime(time.ok()?);
    let seconds = match zone {
        Zone::OfLogger => clock.unix_seconds(moment)?,
        Zone::Ahead { seconds } => clock_utc(moment)?.checked_sub(seconds)?,
    };
    let nanoseconds = number(fraction) * if digits == 5 { 10_000 } else { 1 };
    let text_bytes = head.len() + digits + zone_bytes;
    Some(Stamp {
        label: scale.label(UnixTime { seconds, nanoseconds }),
        text_bytes,
        bytes: text_bytes + separator.len(),
        is_label: false,
    })
}

/// Whose local time it is.
enum Zone {
    /// The zone of the logger, which the line does not tell.
    OfLogger,
    /// So far ahead of UTC.
    Ahead { seconds: i64 },
}

/// The number that digits make.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

/// `HH:MM` behind a sign, as seconds.
fn parse_offset(sign: u8, text: &[u8]) -> Option<i64> {
    let &[h1, h2, b':', m1, m2, ..] = text else { return None };
    let digits = [h1, h2, m1, m2];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (hours, minutes) = (number(&digits[..2]), number(&digits[2..]));
    let seconds = i64::from(hours * 3600 + minutes * 60);
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
}

/// Ten digits, a point and nine digits: no year before 2001, and none after 2286.
fn recognise_epoch(line: &[u8], scale: TimeScale) -> Option<Stamp> {
    const TEXT_BYTES: usize = 20;
    let text: &[u8; TEXT_BYTES] = line.first_chunk()?;
    let (seconds, fraction) = (&text[..10], &text[11..]);
    let are_digits = seconds.iter().chain(fraction).all(u8::is_ascii_digit);
    if !are_digits || text[10] != b'.' || line.get(TEXT_BYTES) != Some(&b' ') {
        return None;
    }
    let seconds = seconds.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(Stamp {
        label: scale.label(UnixTime { seconds, nanoseconds: number(fraction) }),
        text_bytes: TEXT_BYTES,
        bytes: TEXT_BYTES + 1,
        is_label: false,
    })
}

fn clock_utc(moment: civil::DateTime) -> Option<i64> {
    jiff::tz::Offset::UTC.to_timestamp(moment).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(line: &[u8]) -> Option<Stamp> {
        recognise(line, TimeScale::Djb, &LocalClock::utc())
    }

    #[test]
    fn each_form_is_read() {
        let second = UnixTime { seconds: 1_795_345_560, nanoseconds: 0 };
        for (line, nanoseconds, message) in [
            (&b"2026-11-22_11:06:00.54536 hello"[..], 545_360_000, &b"hello"[..]),
            (b"2026-11-22T11:06:00.55364 hello", 553_640_000, b"hello"),
            (b"2026-11-22 11:06:00.604673253  hello", 604_673_253, b"hello"),
            (b"2026-11-22 11:06:00.604673253  ", 604_673_253, b""),
            (b"2026-11-22T11:06:00.604673253Z hello", 604_673_253, b"hello"),
            (b"2026-11-22T12:06:00.604673253+01:00 hello", 604_673_253, b"hello"),
            (b"2026-11-22T07:36:00.604673253-03:30 ", 604_673_253, b""),
            (b"1795345560.604673253 hello", 604_673_253, b"hello"),
        ] {
            let found = stamp(line).expect("a stamp");

            assert_eq!(found.label, Label::from(UnixTime { nanoseconds, ..second }), "{}", line.escape_ascii());
            assert_eq!(&line[found.bytes..], message);
        }
        let line = b"@400000003ce2403d3677ea94 two  words";
        assert_eq!(&line[stamp(line).expect("a stamp").bytes..], b"two  words");
    }

    #[test]
    fn what_is_half_a_stamp_is_none() {
        for line in [
            &b""[..],
            b"@",
            b"@foo",
            b"@400000003ce2403d3677ea9",
            b"@400000003ce2403d3677ea9 ",
            b"@400000003ce2403d3677ea944 too long",
            b"@400000003CE2403D3677EA94 capitals",
            b"@400000003ce2403d3b9aca00 more than a second",
            b"2026-11-22 11:06:00 no fraction",
            b"2026-11-22 11:06:00.123 three digits",
            b"2026-11-22 11:06:00.604673253 one space",
            b"2026-13-22_11:06:00.54536 thirteenth month",
            b"2026-11-22_25:06:00.54536 25 o'clock",
            b"2026-11-22T11:06:00.604673253 no zone",
            b"2026-11-22T11:06:00.604673253Z",
            b"2026-11-22T11:06:00.604673253+1:00 one digit",
            b"2026-11-22T11:06:00.604673253+24:00 a day",
            b"2026-11-22T11:06:00.604673253+01:60 sixty minutes",
            b"2026-11-22_11:06:00.604673253Z underline",
            b"2026-11-22T11:06:00.6046732531Z ten digits",
            b"1795345560.604673253",
            b"1795345560.604 three digits",
            b"179534556.604673253 nine digits",
            b"17953455600.604673253 eleven digits",
        ] {
            assert_eq!(stamp(line), None, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn labels_are_read_as_the_label_type_reads_them(
            seconds in any::<u64>(), nanoseconds in 0..2_000_000_000_u32, tail in "( .*)?",
        ) {
            let mut line = format!("@{seconds:016x}{nanoseconds:08x}{tail}").into_bytes();
            prop_assert_eq!(stamp(&line).map(|stamp| stamp.label), Label::parse(&line[..25]).ok());
            line.truncate(24);
            prop_assert_eq!(stamp(&line), None);
        }

        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = stamp(&line);
        }

        #[test]
        fn no_date_panics(line in "[0-9]{4}-[0-9]{2}-[0-9]{2}[_T ][0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{0,9}(Z|[+-][0-9]{0,2}:[0-9]{0,2})? {0,3}x?") {
            let _ = stamp(line.as_bytes());
        }
    }
}
