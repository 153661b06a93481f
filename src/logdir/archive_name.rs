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
