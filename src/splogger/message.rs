//! A message in the format of `/dev/log`: `<22>Apr 12 19:38:02 qmail: 1018607882.966157 status: exiting`.
//!
//! That is RFC 3164 without the host's name, which the receiver adds, as the C library's `syslog` writes it.

use crate::splogger::facility::Facility;
use crate::splogger::fold::Message;
use crate::sys::clock::UnixTime;
use crate::tai64n::Zone;

/// A tag longer than this is cut: no daemon takes messages of any length.
const TAG_MAX_BYTES: usize = 1000;

/// Writes messages of one tag and facility.
#[derive(Debug)]
pub struct Writer {
    tag: Vec<u8>,
    facility: Facility,
    zone: Zone,
    /// The second that was shown last, and how: most messages come in the second of the one before.
    shown: (i64, Vec<u8>),
}

impl Writer {
    /// A writer in the local time zone; control characters in the tag become `?`.
    #[must_use]
    pub fn new(tag: &[u8], facility: Facility) -> Writer {
        Writer::with_zone(tag, facility, Zone::local().unwrap_or_else(|_| Zone::utc()))
    }

    fn with_zone(tag: &[u8], facility: Facility, zone: Zone) -> Writer {
        let printable = |&byte: &u8| if byte.is_ascii_control() { b'?' } else { byte };
        let tag = tag.iter().take(TAG_MAX_BYTES).map(printable).collect();
        Writer { tag, facility, zone, shown: (i64::MIN, Vec::new()) }
    }

    /// Writes a message: priority, local time, tag, and behind the line's moment in seconds its text.
    pub fn write(&mut self, message: &Message<'_>) -> Vec<u8> {
        let UnixTime { seconds, nanoseconds } = message.moment;
        if self.shown.0 != seconds {
            let mut shown = Vec::new();
            self.zone.show_for_syslog(seconds, &mut shown);
            self.shown = (seconds, shown);
        }
        let priority = self.facility.priority(message.severity as u8);
        let mark = if message.goes_on { '+' } else { ' ' };
        let moment = format!("{seconds}.{:06}{mark}", nanoseconds / 1000);
        [format!("<{priority}>").as_bytes(), &self.shown.1, b" ", &self.tag, b": ", moment.as_bytes(), message.text]
            .concat()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::*;
    use crate::splogger::fold::Severity;

    #[test]
    fn a_message_is_written_as_the_article_shows_it() {
        let zone = Zone::from(TimeZone::fixed(offset(9)));
        let moment = UnixTime { seconds: 1_018_607_882, nanoseconds: 966_157_000 };
        let mut writer = Writer::with_zone(b"qmail", Facility::MAIL, zone);

        let first = Message { severity: Severity::Info, moment, goes_on: false, text: b"status: exiting" };
        assert_eq!(writer.write(&first), b"<22>Apr 12 19:38:02 qmail: 1018607882.966157 status: exiting");

        let next = Message { severity: Severity::Alert, moment, goes_on: true, text: b"and so on" };
        assert_eq!(writer.write(&next), b"<17>Apr 12 19:38:02 qmail: 1018607882.966157+and so on");
    }

    #[test]
    fn days_below_ten_have_a_blank_and_microseconds_have_zeros() {
        let moment = UnixTime { seconds: 86_400, nanoseconds: 42_999 };
        let mut writer = Writer::with_zone(b"a\nb", Facility::USER, Zone::utc());

        let message = Message { severity: Severity::Warning, moment, goes_on: false, text: b"x" };

        assert_eq!(writer.write(&message), b"<12>Jan  2 00:00:00 a?b: 86400.000042 x");
    }
}
