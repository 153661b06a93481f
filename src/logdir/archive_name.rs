//! The names of archives.

use std::fmt;

use crate::tai64n::Label;

/// The label and the dot and letter behind it.
pub const NAME_BYTES: usize = Label::TEXT_BYTES + 2;

/// The state of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `.s`: complete, processed and on the disk.
    Safe,
    /// `.u`: an outage may have cut it short, or left it unprocessed.
    Unfinished,
}

/// The name of an archive.
///
/// ```
/// use logyard::{logdir::archive_name::{Code, Name}, tai64n::Label};
/// let label = Label::parse(b"@400000003ce2403d3677ea94")?;
/// assert_eq!(Name { label, code: Code::Safe }.to_string(), "@400000003ce2403d3677ea94.s");
/// # Ok::<(), logyard::tai64n::InvalidLabel>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The moment at which the file was finished.
    pub label: Label,
    /// Its state.
    pub code: Code,
}

impl Name {
    /// Reads `@label.s` or `@label.u`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Name> {
        let (label, code) = text.split_at_checked(Label::TEXT_BYTES)?;
        let code = match code {
            b".s" => Code::Safe,
            b".u" => Code::Unfinished,
            _ => return None,
        };
        Label::parse(label).ok().map(|label| Name { label, code })
    }

    /// The archive that a file is, whatever compressed it: `@label.s`, `@label.u`, `@label.s.gz`.
    #[must_use]
    pub fn of_file(name: &[u8]) -> Option<Name> {
        let (archive, ending) = name.split_at_checked(NAME_BYTES)?;
        if matches!(ending, [] | [b'.', ..]) { Name::parse(archive) } else { None }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.code {
            Code::Safe => 's',
            Code::Unfinished => 'u',
        };
        write!(out, "{}.{letter}", self.label)
    }
}

/// Tells whether a name is one of those that are counted and trimmed: `@` and at least 24 bytes more, whatever they are,
/// as 0.76 counts (an archive that somebody compressed is still an archive).
#[must_use]
pub fn is_archive_name(name: &[u8]) -> bool {
    name.len() >= Label::TEXT_BYTES && name[0] == b'@'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_archive_is_the_archive() {
        for name in [&b"@400000003ce2403d3677ea94.s"[..], b"@400000003ce2403d3677ea94.s.gz"] {
            assert!(Name::of_file(name).is_some(), "{}", name.escape_ascii());
        }
        for name in [
            &b"@400000003ce2403d3677ea94"[..],
            b"@400000003ce2403d3677ea94.t",
            b"@400000003ce2403d3677ea94.sx",
            b"@4000000 3ce2403d3677ea94.s",
            b"current",
        ] {
            assert!(Name::of_file(name).is_none(), "{}", name.escape_ascii());
        }
    }
}
