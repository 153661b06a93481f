//! Binary search for a moment in a file whose labels are in order.

use logyard::sys::file::File;
use logyard::sys::{Errno, Result};
use logyard::tai64n::Label;

use crate::ranges::probe::Probe;

/// The search ends when it has come this near: so much is read at once anyway.
const NEAR_BYTES: u64 = 1 << 14;

/// How much is read in a step of the search.
const STEP_BYTES: usize = 1 << 12;

/// A plain file in which labels are expected to be in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderedFile<'f> {
    pub(super) file: &'f File,
    /// The label of its first line.
    pub(super) first: Label,
    /// The time at which it was finished; `None` if it is being written.
    pub(super) finished: Option<Label>,
}

/// Two places in a file between which the first line at or after a moment lies. At each begins a line, or the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// A line before the moment, or the beginning of the file.
    pub(super) before: u64,
    /// The earliest line that was found not to be before the moment; `None` if none was found.
    pub(super) after: Option<u64>,
}

impl Bounds {
    /// The file from its beginning to its end.
    pub(super) const WHOLE: Bounds = Bounds { before: 0, after: None };
}

impl Probe<'_> {
    /// Searches for a moment. Fails with `EDOM` if a label is out of order.
    pub(super) fn bisect(self, ordered: OrderedFile<'_>, moment: Label) -> Result<Bounds> {
        let OrderedFile { file, first, finished } = ordered;
        let mut bounds = Bounds::WHOLE;
        let (mut low, mut high) = (first, finished);
        let mut end = file.stat()?.size_bytes;
        while end.saturating_sub(bounds.before) > NEAR_BYTES {
            let middle = bounds.before + (end - bounds.before) / 2;
            let Some(line) = self.next_label(file, middle..end, STEP_BYTES)? else {
                end = middle;
                continue;
            };
            if line.label < low || high.is_some_and(|high| line.label > high) {
                return Err(Errno::EDOM);
            }
            if line.label < moment {
                (bounds.before, low) = (line.at, line.label);
            } else {
                (bounds.after, high) = (Some(line.at), Some(line.label));
                end = middle;
            }
        }
        Ok(bounds)
    }
}
