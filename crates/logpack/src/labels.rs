//! The labels of the lines in a frame.

use memchr::memchr_iter;

use crate::index::{Flags, Labels};
use logyard::sys::newlines::{BLOCK_BYTES, newlines_in};
use logyard::tai64n::Label;

/// Finds the first and the last label of a frame's lines. `begins_in_line` tells that the frame begins within a line.
pub(crate) fn find(text: &[u8], begins_in_line: bool) -> Labels {
    let mut finder = Finder::default();
    if begins_in_line {
        finder.labels.flags.add(Flags::BEGINS_IN_LINE);
    } else {
        finder.note(text);
    }
    let (blocks, rest) = text.as_chunks::<BLOCK_BYTES>();
    for (number, block) in blocks.iter().enumerate() {
        let mut newlines = newlines_in(block);
        while newlines != 0 {
            let newline = number * BLOCK_BYTES + newlines.trailing_zeros() as usize;
            finder.note(&text[newline + 1..]);
            newlines &= newlines - 1;
        }
    }
    memchr_iter(b'\n', rest).for_each(|newline| finder.note(&rest[newline + 1..]));
    finder.labels()
}

/// What is known of the lines so far.
#[derive(Default)]
struct Finder<'t> {
    labels: Labels,
    last: LastLabel<'t>,
}

impl<'t> Finder<'t> {
    /// Notes what the beginning of the next line tells. What stands behind the line does not matter.
    #[inline]
    fn note(&mut self, line: &'t [u8]) {
        match line.first() {
            // Lines that came together have the same label.
            Some(b'@') if self.last.is_that_of(line) => {}
            Some(b'@') => self.note_label(line),
            Some(b'0'..=b'9') if may_be_time(line) => self.labels.flags.add(Flags::OTHER_STAMPS),
            _ => {}
        }
    }

    fn note_label(&mut self, line: &'t [u8]) {
        if let Some(nanoseconds) = self.last.nanoseconds_of_same_second(line) {
            if nanoseconds < self.last.nanoseconds {
                self.labels.flags.add(Flags::OUT_OF_ORDER);
            }
            self.last = LastLabel { line, nanoseconds };
        } else if let Some(label) = label(line) {
            if self.last.label().is_some_and(|last| label < last) {
                self.labels.flags.add(Flags::OUT_OF_ORDER);
            }
            self.labels.ends = self.labels.ends.or(Some((label, label)));
            self.last = LastLabel { line, nanoseconds: label.nanoseconds() };
        }
    }

    fn labels(mut self) -> Labels {
        if let (Some((_, end)), Some(last)) = (&mut self.labels.ends, self.last.label()) {
            *end = last;
        }
        self.labels
    }
}

/// The label seen last: the next one is often of the same second, and then the nanoseconds tell which is later.
#[derive(Default)]
struct LastLabel<'t> {
    /// Begins with the label; empty if there was none.
    line: &'t [u8],
    nanoseconds: u32,
}

impl LastLabel<'_> {
    fn label(&self) -> Option<Label> {
        label(self.line)
    }

    /// Tells whether a line has this label.
    fn is_that_of(&self, line: &[u8]) -> bool {
        let text = line.first_chunk::<{ Label::TEXT_BYTES }>();
        text.is_some() && text == self.line.first_chunk() && !is_followed_by_digit(line)
    }

    /// The nanoseconds of the label of a line, if it has a label of the same second.
    fn nanoseconds_of_same_second(&self, line: &[u8]) -> Option<u32> {
        let text = line.first_chunk()?;
        let is_same = self.line.get(..Label::SECOND_BYTES) == Some(&text[..Label::SECOND_BYTES]);
        if is_same && !is_followed_by_digit(line) { Label::parse_nanoseconds(text) } else { None }
    }
}

/// The label of a line. More than 24 digits are none.
fn label(line: &[u8]) -> Option<Label> {
    if is_followed_by_digit(line) {
        return None;
    }
    Label::parse(line.get(..Label::TEXT_BYTES)?).ok()
}

/// Tells whether a label of a line would have more than 24 digits.
fn is_followed_by_digit(line: &[u8]) -> bool {
    matches!(line.get(Label::TEXT_BYTES), Some(b'0'..=b'9' | b'a'..=b'f'))
}

/// Tells whether a line may begin with a time that is no label: a date (`2026-11-22`), or the seconds since 1970 with a fraction.
/// Readers may recognise more of them than this program.
fn may_be_time(line: &[u8]) -> bool {
    let is_date = |date: &[u8; 10]| {
        date.iter()
            .zip(b"dddd-dd-dd")
            .all(|(byte, shape)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape })
    };
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    line.first_chunk().is_some_and(is_date) || (digits >= 9 && line.get(digits) == Some(&b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> String {
        format!("@{:016x}00000000", (1_u64 << 62) + second)
    }

    #[test]
    fn the_first_and_the_last_label_are_found() {
        let text = format!("trace\n{} a\n b\n{}\n@foo\n{}0 too long\n", at(5), at(7), at(9));

        let labels = find(text.as_bytes(), false);

        let ends = labels.ends.map(|(first, last)| (first.to_string(), last.to_string()));
        assert_eq!((ends, labels.flags), (Some((at(5), at(7))), Flags::default()));
    }

    #[test]
    fn what_the_labels_do_not_tell_is_flagged() {
        let flags = |text: &str| find(text.as_bytes(), false).flags;

        assert!(flags(&format!("{} a\n{} b\n", at(5), at(4))).has(Flags::OUT_OF_ORDER));
        assert!(flags("2026-11-22_11:06:00.54536 a\n").has(Flags::OTHER_STAMPS));
        assert!(flags("1790000000.123456 a\n").has(Flags::OTHER_STAMPS));
        assert_eq!(flags("250 ok\n12: frame\n404-not\n20-11-22\n2026-11 half\n"), Flags::default());
    }

    #[test]
    fn labels_of_one_second_are_told_apart_by_their_nanoseconds() {
        let at = |nanoseconds: &str| format!("{}{nanoseconds}", &at(5)[..Label::SECOND_BYTES]);
        let found = |nanoseconds: [&str; 3]| {
            let labels = find(nanoseconds.map(|text| at(text) + " line\n").concat().as_bytes(), false);
            let (first, last) = labels.ends.expect("there are labels");
            (first.to_string(), last.to_string(), labels.flags.has(Flags::OUT_OF_ORDER))
        };

        assert_eq!(found(["00000001", "00000002", "0000000a"]), (at("00000001"), at("0000000a"), false));
        assert_eq!(found(["00000001", "00000003", "00000002"]), (at("00000001"), at("00000002"), true));
        // No labels: too many nanoseconds, a capital, a digit too many.
        for none in ["3b9aca00", "0000000A", "000000030"] {
            assert_eq!(found(["00000001", "00000002", none]), (at("00000001"), at("00000002"), false), "{none}");
        }
    }

    #[test]
    fn the_rest_of_a_line_has_no_label() {
        let text = format!("{} is the rest\n{} a\n", at(5), at(7));

        let labels = find(text.as_bytes(), true);

        assert_eq!(labels.ends.map(|(first, _)| first.to_string()), Some(at(7)));
        assert!(labels.flags.has(Flags::BEGINS_IN_LINE));
        assert_eq!(find(b"no end", true).ends, None);
    }
}
