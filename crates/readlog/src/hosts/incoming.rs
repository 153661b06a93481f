//! The bytes that come from one host, as groups: each line with a label, and the lines without one behind it.

use memchr::memchr;

use crate::context::Context;
use crate::stamp::Stamp;
use crate::stream::{GROUP_BYTES_MAX, LINE_BYTES_MAX};
use crate::time_scale;
use logyard::tai64n::Label;

/// The first bytes of a line that tell whether it has a label.
const HEAD_BYTES: usize = Label::TEXT_BYTES + 1;

/// The lines that have come and have not been taken.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    /// What has been taken of the buffer.
    start: usize,
    /// The last label that was taken.
    last: Option<Label>,
    head: Option<Head>,
}

/// The next group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) label: Option<Label>,
    /// Where the group stands among those of other hosts.
    pub(crate) key: Label,
}

/// Whether more bytes may belong to the last lines that have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// More bytes come at once.
    Coming,
    /// What comes next is not written yet.
    Later,
    /// Nothing comes any more.
    Nothing,
}

impl Incoming {
    /// Adds bytes that have come.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
        // Lines may have come that belong to the group.
        self.head = None;
    }

    /// How many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next group, if it is complete.
    pub(super) fn head(&mut self, rest: Rest, context: &Context) -> Option<Head> {
        if self.head.is_none() {
            self.head = self.find(rest, context);
        }
        self.head
    }

    /// Tells whether a group is known to be complete.
    pub(super) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// The bytes of the head.
    pub(super) fn bytes(&self, head: Head) -> &[u8] {
        &self.buffer[self.start..self.start + head.length]
    }

    /// Takes the head away.
    pub(super) fn take(&mut self, head: Head) {
        self.start += head.length;
        self.last = head.label.or(self.last);
        self.head = None;
    }

    fn find(&self, rest: Rest, context: &Context) -> Option<Head> {
        let bytes = &self.buffer[self.start..];
        let mut length = line_end(bytes, 0, rest)?;
        let stamp = label_at(bytes, context);
        let next = loop {
            let behind = &bytes[length..];
            let is_too_short = behind.len() < HEAD_BYTES && memchr(b'\n', behind).is_none();
            if length >= GROUP_BYTES_MAX {
                break None;
            }
            // Enough must have come to tell whether the next line has a label.
            if behind.is_empty() || (behind[0] == b'@' && is_too_short) {
                match rest {
                    Rest::Coming => return None,
                    Rest::Later | Rest::Nothing => break None,
                }
            }
            if let Some(stamp) = label_at(behind, context) {
                break Some(stamp.label);
            }
            match line_end(bytes, length, rest) {
                Some(end) => length = end,
                None if rest == Rest::Coming => return None,
                None => break None,
            }
        };
        let label = stamp.map(|stamp| stamp.label).or(self.last);
        // Lines before the first label stand directly before it.
        Some(Head { length, stamp, label, key: label.or(next).unwrap_or_else(time_scale::latest) })
    }
}

/// The label that a line begins with. What is no label here was none at the other end.
fn label_at(line: &[u8], context: &Context) -> Option<Stamp> {
    context.recognise(line).filter(|stamp| stamp.is_label)
}

/// Where the line ends that begins at `from`. If nothing comes any more, the last one needs no newline; and a longer line is
/// shown in parts.
fn line_end(bytes: &[u8], from: usize, rest: Rest) -> Option<usize> {
    match memchr(b'\n', &bytes[from..]) {
        Some(newline) => Some(from + newline + 1),
        None => ((rest == Rest::Nothing && from < bytes.len()) || bytes.len() - from >= LINE_BYTES_MAX)
            .then_some(bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::LocalClock;
    use crate::prefetch::Workers;
    use crate::time_scale::TimeScale;
    use crate::warnings::Warnings;

    const A: &str = "@400000003ce2403d00000000";
    const B: &str = "@400000003ce2403e00000000";

    fn context() -> Context {
        Context {
            scale: TimeScale::Djb,
            clock: LocalClock::utc(),
            warnings: Warnings::new(logyard::cli::Messages::DROPPED),
            announcements: logyard::cli::Messages::DROPPED,
            workers: Workers::new(None),
            survey_bytes_max: 0,
        }
    }

    /// The groups that can be taken, with their labels in short.
    fn groups(incoming: &mut Incoming, rest: Rest) -> Vec<(String, char)> {
        let mut groups = Vec::new();
        while let Some(head) = incoming.head(rest, &context()) {
            let key = head.key.to_string();
            let key = if key == A {
                'a'
            } else if key == B {
                'b'
            } else {
                '?'
            };
            groups.push((String::from_utf8_lossy(incoming.bytes(head)).replace(A, "A").replace(B, "B"), key));
            incoming.take(head);
        }
        groups
    }

    #[test]
    fn a_group_is_complete_once_the_next_has_begun() {
        let mut incoming = Incoming::default();
        let text = format!("cut\n{A} x\n trace\n{B} y\n");
        let mut found = Vec::new();
        for byte in text.as_bytes() {
            incoming.add(&[*byte]);
            found.extend(groups(&mut incoming, Rest::Coming));
        }

        assert_eq!(found, [("cut\n".to_owned(), 'a'), ("A x\n trace\n".to_owned(), 'a')]);
        assert_eq!(groups(&mut incoming, Rest::Coming), []);
        assert_eq!(groups(&mut incoming, Rest::Later), [("B y\n".to_owned(), 'b')]);
    }

    #[test]
    fn what_is_written_later_is_not_waited_for() {
        let mut incoming = Incoming::default();
        incoming.add(format!("{A} x\n trace\n@4000").as_bytes());

        assert_eq!(groups(&mut incoming, Rest::Coming), []);
        assert_eq!(groups(&mut incoming, Rest::Later), [("A x\n trace\n".to_owned(), 'a')]);
        incoming.add(b"\n more\nrest");
        assert_eq!(groups(&mut incoming, Rest::Later), [("@4000\n more\n".to_owned(), 'a')]);
        assert_eq!(groups(&mut incoming, Rest::Nothing), [("rest".to_owned(), 'a')]);
    }

    #[test]
    fn a_log_without_labels_comes_last() {
        let mut incoming = Incoming::default();
        incoming.add(b"x\ny\n");

        assert_eq!(groups(&mut incoming, Rest::Nothing), [("x\ny\n".to_owned(), '?')]);
    }
}
