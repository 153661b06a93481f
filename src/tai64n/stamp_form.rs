//! The forms in which a line's time can be written, beside the label.

use std::io::Write;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::tai64n::Label;

/// A form of timestamp. [`StampForm::write`] says what each looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampForm {
    /// A label.
    Label,
    /// Local time, as s6-log writes it.
    Local,
    /// Local time with its offset from UTC, as RFC 3339 has it.
    LocalWithOffset,
    /// UTC, as RFC 3339 has it.
    Utc,
    /// Seconds since 1970-01-01 00:00:00 UTC, with a fraction.
    Epoch,
}

impl StampForm {
    /// Tells whether local time is needed.
    #[must_use]
    pub fn is_local(self) -> bool {
        matches!(self, StampForm::Local | StampForm::LocalWithOffset)
    }

    /// Appends a moment and what separates it from the line: a space, or two in s6-log's form. `offset_seconds` is how far
    /// local time is ahead of UTC then. A moment beyond the calendar (its year has four digits) is written as a label.
    ///
    /// ```
    /// use logyard::tai64n::{Label, StampForm};
    /// let label = Label::parse(b"@400000003ce2403d3677ea94")?;
    /// let text = |form: StampForm| {
    ///     let mut text = Vec::new();
    ///     form.write(label, 7200, &mut text);
    ///     String::from_utf8(text).unwrap()
    /// };
    /// assert_eq!(text(StampForm::Label), "@400000003ce2403d3677ea94 ");
    /// assert_eq!(text(StampForm::Local), "2002-05-15 13:02:11.913828500  ");
    /// assert_eq!(text(StampForm::LocalWithOffset), "2002-05-15T13:02:11.913828500+02:00 ");
    /// assert_eq!(text(StampForm::Utc), "2002-05-15T11:02:11.913828500Z ");
    /// assert_eq!(text(StampForm::Epoch), "1021460531.913828500 ");
    /// # Ok::<(), logyard::tai64n::InvalidLabel>(())
    /// ```
    pub fn write(self, label: Label, offset_seconds: i32, text: &mut Vec<u8>) {
        let (seconds, nanoseconds) = (label.unix_seconds(), label.nanoseconds());
        // An offset of RFC 3339 has minutes: that of a zone in the past may have seconds.
        let offset_seconds = match self {
            StampForm::Local => offset_seconds,
            StampForm::LocalWithOffset => offset_seconds / 60 * 60,
            StampForm::Label | StampForm::Utc | StampForm::Epoch => 0,
        };
        let date = match self {
            StampForm::Label => None,
            _ => civil(seconds, offset_seconds),
        };
        let Some(date) = date else {
            text.extend(label.to_text());
            text.push(b' ');
            return;
        };
        // What is appended to a list of bytes never fails.
        let _ = match self {
            StampForm::Label => Ok(()),
            StampForm::Local => {
                write_date(date, ' ', text);
                write!(text, ".{nanoseconds:09}  ")
            }
            StampForm::LocalWithOffset => {
                write_date(date, 'T', text);
                let sign = if offset_seconds < 0 { '-' } else { '+' };
                let minutes = offset_seconds.abs() / 60;
                write!(text, ".{nanoseconds:09}{sign}{:02}:{:02} ", minutes / 60, minutes % 60)
            }
            StampForm::Utc => {
                write_date(date, 'T', text);
                write!(text, ".{nanoseconds:09}Z ")
            }
            StampForm::Epoch => write!(text, "{seconds}.{nanoseconds:09} "),
        };
    }
}

/// The date and time at a moment, in a zone with this offset from UTC; `None` before 1970 and after the year 9999.
fn civil(unix_seconds: i64, offset_seconds: i32) -> Option<DateTime> {
    let moment = Timestamp::from_second(unix_seconds).ok()?;
    let moment = moment.checked_add(SignedDuration::from_secs(offset_seconds.into())).ok()?;
    let date = Offset::UTC.to_datetime(moment);
    (unix_seconds >= 0 && (1969..=9999).contains(&date.year())).then_some(date)
}

fn write_date(date: DateTime, separator: char, text: &mut Vec<u8>) {
    // What is appended to a list of bytes never fails.
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sys::clock::UnixTime;

    fn written(form: StampForm, seconds: i64, offset_seconds: i32) -> String {
        let mut text = Vec::new();
        form.write(Label::from(UnixTime { seconds, nanoseconds: 5 }), offset_seconds, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn offsets_west_of_greenwich_and_of_half_an_hour_are_written() {
        let text = |offset| written(StampForm::LocalWithOffset, 86400, offset);
        assert_eq!(text(-12_600), "1970-01-01T20:30:00.000000005-03:30 ");
        assert_eq!(text(45_900), "1970-01-02T12:45:00.000000005+12:45 ");
        assert_eq!(text(-1_800), "1970-01-01T23:30:00.000000005-00:30 ");
        assert_eq!(text(0), "1970-01-02T00:00:00.000000005+00:00 ");
    }

    #[test]
    fn a_moment_beyond_the_calendar_is_a_label() {
        for form in [StampForm::Local, StampForm::LocalWithOffset, StampForm::Utc, StampForm::Epoch] {
            assert!(written(form, -1, 0).starts_with('@'), "{form:?}");
            assert!(written(form, 253_402_207_201, 0).starts_with('@'), "{form:?}");
            assert!(written(form, i64::MAX, 0).starts_with('@'), "{form:?}");
            assert!(written(form, 253_402_207_200, 0).starts_with(['9', '2']), "{form:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_with_its_offset_is_read_back_as_the_same_moment(
            seconds in 0..253_402_200_000_i64, quarters in -56..=56_i32,
        ) {
            for form in [StampForm::LocalWithOffset, StampForm::Utc] {
                let text = written(form, seconds, quarters * 900);
                let moment: Timestamp = text.trim_end().parse().unwrap();
                prop_assert_eq!((moment.as_second(), moment.subsec_nanosecond()), (seconds, 5));
            }
        }
    }
}
