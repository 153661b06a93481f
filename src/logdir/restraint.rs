//! The limits on what a log directory gets, as the script gives them: a rate of lines, and repeated lines.

use std::time::Duration;

/// Which lines a log directory does not get. What it does not get is counted in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restraint {
    /// How many lines it gets.
    pub rate: Option<Rate>,
    /// Whether a line is left out that is the same as the line before it, and how long such lines are counted before
    /// the log says how many.
    pub repeats: Option<Duration>,
}

impl Restraint {
    /// Tells whether the directory gets every line.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Restraint::default()
    }
}

/// A rate of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Lines per second, 1 to [`Rate::LINES_MAX`].
    pub lines: u64,
    /// How many lines may come at once after a quiet time, 1 to [`Rate::LINES_MAX`].
    pub burst: u64,
}

impl Rate {
    /// More than any logger can write.
    pub const LINES_MAX: u64 = 1_000_000_000;
}
