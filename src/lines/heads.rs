//! What the lines of a window begin with: nothing, a stamp, or any other short text.

use crate::lines::prefix::{HEAD_BYTES_MAX, Head};
use crate::lines::window::Stamps;

/// A short text that a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadText {
    bytes: [u8; HEAD_BYTES_MAX],
    /// How many of them are the text.
    length: usize,
}

impl HeadText {
    /// A text of at most [`HEAD_BYTES_MAX`] bytes; what is longer is cut.
    #[must_use]
    pub fn new(text: &[u8]) -> HeadText {
        let length = text.len().min(HEAD_BYTES_MAX);
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes[..length].copy_from_slice(&text[..length]);
        HeadText { bytes, length }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The beginnings of the lines of a window: the first line may have begun in an earlier read.
#[derive(Clone, Copy, Debug)]
pub enum Heads {
    /// None.
    None,
    /// Stamps.
    Stamps(Stamps),
    /// Other texts: of the first line, and of all others.
    Texts([HeadText; 2]),
}

impl Heads {
    /// The beginning of the first line.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        match self {
            Heads::None => b"",
            Heads::Stamps(stamps) => stamps.first.as_bytes(),
            Heads::Texts([first, _]) => first.as_bytes(),
        }
    }

    /// The beginning of all others.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        match self {
            Heads::None => b"",
            Heads::Stamps(stamps) => stamps.rest.as_bytes(),
            Heads::Texts([_, rest]) => rest.as_bytes(),
        }
    }

    /// The beginnings of lines none of which is the first.
    #[must_use]
    pub fn without_first(&self) -> Heads {
        match self {
            Heads::None => Heads::None,
            Heads::Stamps(stamps) => Heads::Stamps(Stamps { first: stamps.rest, ..*stamps }),
            Heads::Texts([_, rest]) => Heads::Texts([*rest; 2]),
        }
    }
}

impl Head for &[HeadText; 2] {
    fn put(&mut self, is_first: bool, _line: &[u8], place: &mut [u8]) -> (usize, usize) {
        let [first, rest] = self;
        let HeadText { bytes, length } = if is_first { first } else { rest };
        // All of them, for a copy of fixed length is fast.
        place[..HEAD_BYTES_MAX].copy_from_slice(bytes);
        (0, *length)
    }
}
