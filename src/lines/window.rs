//! A window of lines that a reader has at hand, and their stamps.

use crate::tai64n::Stamp;

/// What is at the front of the input: whole lines, or the first piece of a line that is longer than the buffer.
#[derive(Clone, Copy, Debug)]
pub struct Window<'w> {
    /// Not empty.
    pub bytes: &'w [u8],
    /// No newline is in sight, and the line goes on beyond the window.
    pub is_open: bool,
}

/// The stamps of the lines of a window: the first line may have begun in an earlier read.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Of the first line.
    pub first: Stamp,
    /// Of all others.
    pub rest: Stamp,
}
