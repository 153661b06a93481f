//! The stamp that stands before a line: a label and a space.

use crate::tai64n::Label;

/// The 26 bytes `@` + 24 hexadecimal digits + space.
///
/// ```
/// use logyard::tai64n::{Label, Stamp};
/// let stamp = Stamp::from(Label::parse(b"@400000003ce2403d3677ea94")?);
/// assert_eq!(stamp.as_bytes(), b"@400000003ce2403d3677ea94 ");
/// # Ok::<(), logyard::tai64n::InvalidLabel>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([u8; Stamp::BYTES]);

impl Stamp {
    /// The length of a stamp.
    pub const BYTES: usize = Label::TEXT_BYTES + 1;

    /// The stamp as it is written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Stamp::BYTES] {
        &self.0
    }
}

impl From<Label> for Stamp {
    fn from(label: Label) -> Stamp {
        let mut bytes = [b' '; Stamp::BYTES];
        bytes[..Label::TEXT_BYTES].copy_from_slice(&label.to_text());
        Stamp(bytes)
    }
}
