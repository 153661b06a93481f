//! A tally of lines that are not in the log, and the line that says so.

use std::io::Write;

use crate::tai64n::{Label, StampForm};

/// How many lines, how long they are with their newlines, and when the first and the last of them came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub lines: u64,
    /// How long they are together.
    pub bytes: u64,
    /// When the first came, and the last; `None` if there are none.
    pub came: Option<[Label; 2]>,
}

/// The length of an encoded tally.
pub const TALLY_BYTES: usize = 8 + 8 + 1 + 12 + 12;

impl Tally {
    /// Tells whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0 && self.bytes == 0
    }

    /// Counts lines that came at a moment; no lines and some bytes for more of a line.
    pub fn add(&mut self, lines: u64, bytes: usize, came: Label) {
        self.merge(&Tally { lines, bytes: bytes as u64, came: Some([came, came]) });
    }

    /// Counts what another tally counts.
    pub fn merge(&mut self, other: &Tally) {
        self.lines = self.lines.saturating_add(other.lines);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.came = match (self.came, other.came) {
            (Some(one), Some(two)) => Some([one[0].min(two[0]), one[1].max(two[1])]),
            (before, after) => before.or(after),
        };
    }

    /// Appends a line that says what is counted, if anything is: `what` and ` 12 lines` or ` 12 times`, and so on.
    pub fn report(&self, head: &[u8], what: &str, unit: &str, text: &mut Vec<u8>) {
        let Some([first, last]) = self.came.filter(|_| !self.is_empty()) else { return };
        text.extend_from_slice(head);
        // A vector takes whatever is written to it.
        let _ = write!(text, "multilog: {what} {} {unit}, {} bytes, from ", self.lines, self.bytes);
        StampForm::Utc.write(first, 0, text);
        text.extend_from_slice(b"to ");
        StampForm::Utc.write(last, 0, text);
        // Each of the two times has a space behind it.
        text.pop();
        text.push(b'\n');
    }

    /// Writes it to the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.lines.to_le_bytes());
        bytes.extend(self.bytes.to_le_bytes());
        bytes.push(u8::from(self.came.is_some()));
        for index in 0..2 {
            bytes.extend(self.came.map_or([0; 12], |came| came[index].to_bytes()));
        }
    }

    /// Reads what [`Tally::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8; TALLY_BYTES]) -> Option<Tally> {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("these are eight"));
        let label = |at: usize| Label::from_bytes(bytes[at..at + 12].try_into().expect("these are twelve")).ok();
        let came = if bytes[16] == 0 { None } else { Some([label(17)?, label(29)?]) };
        Some(Tally { lines: number(0), bytes: number(8), came })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_says_how_many_and_when() {
        let [first, last] =
            [b"@400000003ce2403d3677ea94", b"@400000003ce24054307e7f54"].map(|text| Label::parse(text).unwrap());
        let mut tally = Tally::default();
        let mut text = Vec::new();
        tally.report(b"head ", "suppressed", "lines", &mut text);
        assert!(text.is_empty());

        tally.add(1, 10, first);
        tally.add(0, 5, first);
        tally.add(2, 20, last);
        tally.report(b"head ", "suppressed", "lines", &mut text);

        assert_eq!(
            String::from_utf8(text).unwrap(),
            "head multilog: suppressed 3 lines, 35 bytes, from 2002-05-15T11:02:11.913828500Z to \
             2002-05-15T11:02:34.813596500Z\n"
        );
        let mut bytes = Vec::new();
        tally.encode(&mut bytes);
        assert_eq!(Tally::decode(bytes[..].try_into().unwrap()), Some(tally));
    }
}
