//! Cuts lines into messages that every syslog daemon accepts.
//!
//! The rules are those of qmail's program. A byte that is not printable ASCII becomes `?`. A line of more than 799 bytes
//! goes on in further messages, which repeat its moment and are marked with `+`; all of them have the priority that the
//! beginning of the line asks for. Empty lines are not logged. Where qmail's program drops what follows the last newline,
//! this one logs it.

use crate::sys::clock::UnixTime;

/// The most bytes of a line that one message holds.
pub const MESSAGE_MAX_BYTES: usize = 799;

/// How much a message matters: syslog's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The line begins with `alert:`.
    Alert = 1,
    /// The line begins with `warning:`.
    Warning = 4,
    /// Any other line.
    Info = 6,
}

/// A line, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// How much the line matters.
    pub severity: Severity,
    /// When the line came.
    pub moment: UnixTime,
    /// Whether it is not the line's first part.
    pub goes_on: bool,
    /// At most [`MESSAGE_MAX_BYTES`], all printable.
    pub text: &'a [u8],
}

/// Cuts what it is fed into messages.
#[derive(Debug, Default)]
pub struct Folder {
    /// The part of the line that has come and is not sent: at most [`MESSAGE_MAX_BYTES`].
    part: Vec<u8>,
    /// What the line's first message had, if it was sent.
    begun: Option<(Severity, UnixTime)>,
}

impl Folder {
    /// Takes bytes that came at `moment`, and hands on each message that is complete.
    pub fn feed(&mut self, bytes: &[u8], moment: UnixTime, mut sink: impl FnMut(Message<'_>)) {
        for &byte in bytes {
            if byte == b'\n' {
                self.flush(moment, &mut sink);
                self.begun = None;
                continue;
            }
            if self.part.len() == MESSAGE_MAX_BYTES {
                self.flush(moment, &mut sink);
            }
            self.part.push(if matches!(byte, b' '..=b'~') { byte } else { b'?' });
        }
    }

    /// What is left when there is no more to come.
    pub fn end(&mut self, moment: UnixTime) -> Option<Message<'_>> {
        let (severity, moment) = self.begun.unwrap_or((severity(&self.part), moment));
        let goes_on = self.begun.is_some();
        (!self.part.is_empty()).then_some(Message { severity, moment, goes_on, text: &self.part })
    }

    fn flush(&mut self, moment: UnixTime, sink: &mut impl FnMut(Message<'_>)) {
        let Some(message) = self.end(moment) else { return };
        let begun = (message.severity, message.moment);
        sink(message);
        self.begun = Some(begun);
        self.part.clear();
    }
}

fn severity(text: &[u8]) -> Severity {
    if text.starts_with(b"alert:") {
        Severity::Alert
    } else if text.starts_with(b"warning:") {
        Severity::Warning
    } else {
        Severity::Info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime { seconds: 1_018_607_882, nanoseconds: 966_157_000 };

    /// What becomes of some input: severity, whether a part goes on, text.
    fn folded(input: &[u8]) -> Vec<(Severity, bool, String)> {
        let mut folder = Folder::default();
        let mut messages = Vec::new();
        let mut keep = |message: Message<'_>| {
            messages.push((message.severity, message.goes_on, String::from_utf8_lossy(message.text).into_owned()));
        };
        folder.feed(input, NOW, &mut keep);
        if let Some(message) = folder.end(NOW) {
            keep(message);
        }
        messages
    }

    #[test]
    fn the_beginning_of_a_line_says_how_much_it_matters() {
        use Severity::{Alert, Info, Warning};
        let lines = b"status: exiting\nalert: cannot start\nwarning: unable\nan alert: no\nAlert: no\nalert\n";

        let severities: Vec<Severity> = folded(lines).iter().map(|message| message.0).collect();

        assert_eq!(severities, [Info, Alert, Warning, Info, Info, Info]);
    }

    #[test]
    fn what_is_not_printable_becomes_a_question_mark() {
        assert_eq!(folded(b"a\tb\0c\x7fd\xc3\xa9\r\n")[0].2, "a?b?c?d???");
    }

    #[test]
    fn empty_lines_are_not_logged_and_the_last_line_needs_no_newline() {
        let texts: Vec<String> = folded(b"\n\none\n\ntwo").into_iter().map(|message| message.2).collect();

        assert_eq!(texts, ["one", "two"]);
    }

    #[test]
    fn a_long_line_goes_on_with_the_priority_of_its_beginning() {
        for (length, parts) in
            [(799, vec![799]), (800, vec![799, 1]), (1598, vec![799, 799]), (2000, vec![799, 799, 402])]
        {
            let line = [b"warning:".to_vec(), vec![b'x'; length - 8], b"\n".to_vec()].concat();

            let messages = folded(&line);

            assert_eq!(messages.iter().map(|message| message.2.len()).collect::<Vec<_>>(), parts);
            assert!(messages.iter().all(|message| message.0 == Severity::Warning));
            assert!(messages.iter().enumerate().all(|(at, message)| message.1 == (at > 0)));
        }
    }

    #[test]
    fn a_line_has_one_moment_however_it_comes() {
        let mut folder = Folder::default();
        let later = UnixTime { seconds: NOW.seconds + 1, nanoseconds: 0 };
        let mut moments = Vec::new();

        folder.feed(&[b'x'; 800], NOW, |message| moments.push(message.moment));
        folder.feed(b"x\n", later, |message| moments.push(message.moment));
        folder.feed(b"y\n", later, |message| moments.push(message.moment));

        assert_eq!(moments, [NOW, NOW, later]);
    }
}
