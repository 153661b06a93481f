//! What `logship` and the logger tell each other about archives that are shipped.
//!
//! `logship` keeps the file `shipped`. Its first line is a label: all archives up to this one are shipped. The logger keeps the
//! file `lost`: a total of the archives that it had to remove before that.

use std::fmt::Write;

use crate::logdir::archive_name::NAME_BYTES;
use crate::tai64n::Label;

/// More than the first line of `shipped`, and more than all of `lost`.
pub const READ_BYTES: usize = 256;

/// Reads the label in `shipped`; `None` if it has another form.
#[must_use]
pub fn parse_shipped(text: &[u8]) -> Option<Label> {
    let (label, rest) = text.split_at_checked(Label::TEXT_BYTES)?;
    if rest.first() == Some(&b'\n') { Label::parse(label).ok() } else { None }
}

/// What was removed before it was shipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many archives.
    pub archives: u64,
    /// How many lines they had. Those of archives that are compressed or cannot be read are not known.
    pub lines: u64,
    /// How many bytes they had on the disk.
    pub bytes: u64,
    /// The name of the last one. A logger that was killed before it could remove the archive does not count it twice.
    pub last: Vec<u8>,
}

impl Lost {
    /// Reads `lost`; `None` if it has another form.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Lost> {
        let mut words = text.split(|byte| matches!(byte, b' ' | b'\n'));
        let mut number = |name: &[u8]| {
            let number = std::str::from_utf8(words.next().filter(|_| words.next() == Some(name))?);
            number.ok()?.parse().ok()
        };
        let (archives, lines, bytes) = (number(b"archives")?, number(b"lines")?, number(b"bytes")?);
        let last = words.next()?;
        Some(Lost { archives, lines, bytes, last: last.to_vec() })
    }

    /// The text of `lost`.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let Lost { archives, lines, bytes, last } = self;
        let mut text = String::new();
        // A String takes whatever is written to it.
        let _ = write!(text, "{archives} archives\n{lines} lines\n{bytes} bytes\n");
        [text.as_bytes(), last, b"\n"].concat()
    }

    /// Counts an archive that is about to be removed; `lines` is `None` if they are not known. The answer is false if it is the
    /// last one that was counted.
    pub fn add(&mut self, name: &[u8], lines: Option<u64>, bytes: u64) -> bool {
        // Behind these bytes, a name may have any. An archive that is being compressed has two files.
        let name = &name[..NAME_BYTES.min(name.len())];
        if self.last == name {
            return false;
        }
        self.archives = self.archives.saturating_add(1);
        self.lines = self.lines.saturating_add(lines.unwrap_or(0));
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = name.to_vec();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_survives_its_text() {
        let mut lost = Lost::default();
        assert_eq!(Lost::parse(&lost.to_text()), Some(lost.clone()));

        assert!(lost.add(b"@400000003ce2403d3677ea94.s", Some(7), 100));
        assert!(!lost.add(b"@400000003ce2403d3677ea94.s.gz", None, 10), "it was counted before");
        assert!(lost.add(b"@400000003ce2403d3677ea95.s.\ngz", None, 10));

        let expected = Lost { archives: 2, lines: 7, bytes: 110, last: b"@400000003ce2403d3677ea95.s".to_vec() };
        assert_eq!(lost, expected);
        assert_eq!(Lost::parse(&lost.to_text()), Some(lost));
    }

    #[test]
    fn a_forged_total_does_not_overflow() {
        let max = u64::MAX;
        let mut lost = Lost::parse(format!("{max} archives\n{max} lines\n{max} bytes\n\n").as_bytes()).unwrap();

        assert!(lost.add(b"@400000003ce2403d3677ea94.s", Some(7), 100));

        assert_eq!((lost.archives, lost.lines, lost.bytes), (max, max, max));
    }

    #[test]
    fn another_text_is_no_total() {
        for text in ["", "7", "7 archives\n", "x archives\n1 lines\n1 bytes\n\n", "-1 archives\n1 lines\n1 bytes\n\n"] {
            assert_eq!(Lost::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_mark_begins_with_a_label_in_a_line() {
        let label = Label::parse(b"@400000003ce2403d3677ea94").unwrap();
        assert_eq!(parse_shipped(b"@400000003ce2403d3677ea94\nas h1 mail\n"), Some(label));
        for text in [&b""[..], b"@400000003ce2403d3677ea94", b"@400000003ce2403d3677ea94.s\n", b"\n"] {
            assert_eq!(parse_shipped(text), None, "{text:?}");
        }
    }
}
