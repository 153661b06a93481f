//! A time in TAI64N: 12 bytes, or `@` and 24 hexadecimal digits.

use std::fmt;

use tai64::{Tai64, Tai64N};

use crate::sys::clock::{self, UnixTime};

/// The label of 1970-01-01 00:00:00 UTC, as 0.76 counts: 2^62 + 10.
const UNIX_EPOCH_SECONDS: u64 = (1 << 62) + 10;

/// The hexadecimal digits of labels.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The largest nanosecond within a second.
const NANOSECOND_MAX: u32 = 999_999_999;

/// A moment, in the time scale of daemontools. Later labels are greater.
///
/// ```
/// use logyard::tai64n::Label;
/// let label = Label::parse(b"@400000003ce2403d3677ea94")?;
/// assert_eq!((label.unix_seconds(), label.nanoseconds()), (1_021_460_531, 913_828_500));
/// assert_eq!(label.to_string(), "@400000003ce2403d3677ea94");
/// # Ok::<(), logyard::tai64n::InvalidLabel>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(Tai64N);

impl Label {
    /// The length of a label as text, `@` included.
    pub const TEXT_BYTES: usize = 25;
    /// How much of the text tells the second: `@` and 16 digits.
    pub const SECOND_BYTES: usize = 17;

    /// The moment that is now.
    #[must_use]
    pub fn now() -> Label {
        Label::from(clock::now())
    }

    /// Reads a label from its text: `@` and exactly 24 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Result<Label, InvalidLabel> {
        let (b'@', digits) = text.split_first().ok_or(InvalidLabel)? else { return Err(InvalidLabel) };
        let digits: &[u8; 24] = digits.try_into().map_err(|_| InvalidLabel)?;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&u64::to_be_bytes(parse_hex(&digits[..16])?));
        bytes[8..].copy_from_slice(&u64::to_be_bytes(parse_hex(&digits[16..])?)[4..]);
        Label::from_bytes(bytes)
    }

    /// Reads a label from its 12 bytes; nanoseconds of a second or more make no label.
    pub fn from_bytes(bytes: [u8; 12]) -> Result<Label, InvalidLabel> {
        Tai64N::try_from(bytes).map(Label).map_err(|_| InvalidLabel)
    }

    /// The nanoseconds in a label's text; `None` if these 8 bytes are not lower-case hexadecimal, or are 1,000,000,000 or more.
    /// The other bytes are not looked at: a reader that has just seen the same second need not [`parse`](Label::parse) it again.
    #[inline]
    #[must_use]
    pub fn parse_nanoseconds(text: &[u8; Label::TEXT_BYTES]) -> Option<u32> {
        let (mut nanoseconds, mut seen) = (0_u32, 0);
        for &byte in &text[Label::SECOND_BYTES..] {
            let digit = NIBBLES[usize::from(byte)];
            seen |= digit;
            nanoseconds = nanoseconds << 4 | u32::from(digit & 15);
        }
        (seen & NOT_HEX == 0 && nanoseconds <= NANOSECOND_MAX).then_some(nanoseconds)
    }

    /// The label's 12 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 12] {
        self.0.into()
    }

    /// The label's text.
    #[must_use]
    pub fn to_text(self) -> [u8; Label::TEXT_BYTES] {
        let mut text = [b'@'; Label::TEXT_BYTES];
        for (pair, byte) in text[1..].chunks_exact_mut(2).zip(self.to_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// Seconds since 1970-01-01 00:00:00 UTC, negative before.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        unix_seconds(self.0.0.0)
    }

    /// Nanoseconds into the second, below 1,000,000,000.
    #[must_use]
    pub fn nanoseconds(self) -> u32 {
        self.0.1
    }

    /// The next moment, one nanosecond later. There is none after the last label.
    #[must_use]
    pub fn next(self) -> Option<Label> {
        let Tai64N(Tai64(seconds), nanoseconds) = self.0;
        if nanoseconds < NANOSECOND_MAX {
            return Some(Label(Tai64N(Tai64(seconds), nanoseconds + 1)));
        }
        Some(Label(Tai64N(Tai64(seconds.checked_add(1)?), 0)))
    }
}

impl From<UnixTime> for Label {
    fn from(time: UnixTime) -> Label {
        let seconds = UNIX_EPOCH_SECONDS.wrapping_add_signed(time.seconds);
        Label(Tai64N(Tai64(seconds), time.nanoseconds))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.to_text()).expect("labels are ASCII"))
    }
}

/// What the first 8 bytes of a label say, in Unix seconds.
pub(crate) fn unix_seconds(label_seconds: u64) -> i64 {
    label_seconds.wrapping_sub(UNIX_EPOCH_SECONDS).cast_signed()
}

/// Reads up to 16 lower-case hexadecimal digits.
pub(crate) fn parse_hex(digits: &[u8]) -> Result<u64, InvalidLabel> {
    let mut value = 0;
    // Every digit is looked up, good or bad, and the bad ones are found in one test at the end.
    let mut seen = 0;
    for &digit in digits {
        let nibble = NIBBLES[usize::from(digit)];
        seen |= nibble;
        value = value << 4 | u64::from(nibble & 15);
    }
    if seen & NOT_HEX != 0 { Err(InvalidLabel) } else { Ok(value) }
}

/// What no nibble has.
const NOT_HEX: u8 = 0x80;

/// The value of each lower-case hexadecimal digit.
const NIBBLES: [u8; 256] = {
    let mut table = [NOT_HEX; 256];
    let mut value = 0;
    while value < 16 {
        table[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    table
};

/// The bytes are no label: too short, too long, not lower-case hexadecimal, or with too many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLabel;

impl fmt::Display for InvalidLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a TAI64N label")
    }
}

impl std::error::Error for InvalidLabel {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_epoch_is_that_of_daemontools() {
        let epoch = Label::from(UnixTime { seconds: 0, nanoseconds: 0 });

        assert_eq!(epoch.to_string(), "@400000000000000a00000000");
    }

    #[test]
    fn the_crate_has_not_changed_what_we_rely_on() {
        // tai64 4.0 and 4.1 disagree about their own epoch; the fields and the byte order are what we use.
        let bytes: [u8; 12] = Tai64N(Tai64(0x4000_0000_3ce2_403d), 0x3677_ea94).into();

        assert_eq!(bytes, [0x40, 0, 0, 0, 0x3c, 0xe2, 0x40, 0x3d, 0x36, 0x77, 0xea, 0x94]);
    }

    #[test]
    fn what_is_no_label_is_refused() {
        for text in [
            &b""[..],
            b"@",
            b"@foo",
            b"400000003ce2403d3677ea94",
            b"@400000003ce2403d3677ea9",
            b"@400000003ce2403d3677ea944",
            b"@400000003CE2403D3677EA94",
            b"@400000003ce2403d3b9aca00",
        ] {
            assert_eq!(Label::parse(text), Err(InvalidLabel), "{}", text.escape_ascii());
        }
        for text in [b"@400000003ce2403d3b9aca00", b"@400000003ce2403d3677EA94", b"@400000003ce2403d3677ea9 "] {
            assert_eq!(Label::parse_nanoseconds(text), None, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn a_label_survives_its_text(seconds in -(1_i64 << 61)..1_i64 << 61, nanoseconds in 0..=NANOSECOND_MAX) {
            let label = Label::from(UnixTime { seconds, nanoseconds });

            prop_assert_eq!(Label::parse(&label.to_text()), Ok(label));
            prop_assert_eq!(Label::parse_nanoseconds(&label.to_text()), Some(nanoseconds));
            prop_assert_eq!((label.unix_seconds(), label.nanoseconds()), (seconds, nanoseconds));
        }

        #[test]
        fn the_next_label_is_the_least_greater_one(seconds in 0..1_i64 << 61, nanoseconds in 0..=NANOSECOND_MAX) {
            let label = Label::from(UnixTime { seconds, nanoseconds });
            let next = label.next().expect("these are far from the last label");

            prop_assert!(next > label);
            prop_assert!(next.to_text() > label.to_text());
        }
    }
}
