//! A batch that is only partly written: finds how much of it every directory has.

use memchr::memchr_iter;

use crate::lines::heads::Heads;
use crate::lines::window::Window;
use crate::logdir::room::Room;
use crate::multilog::batch::Batch;

/// What was planned for a batch, and how much of that every directory has.
#[derive(Debug)]
pub struct PartlyWritten<'w> {
    /// The lines it was planned for.
    pub window: Window<'w>,
    /// What they begin with.
    pub heads: Heads,
    /// How full each `current` was before the batch.
    pub rooms: &'w [Room],
    /// How many bytes of each directory's share are written: whole lines, or any part of a line whose beginning was
    /// written before.
    pub written: &'w [u64],
    /// How many bytes are on standard output; `None` if they do not count.
    pub printed: Option<usize>,
}

impl PartlyWritten<'_> {
    /// Finds how many of the window's first bytes are written everywhere. Leaves `batch` planned for just these.
    pub fn fitting_bytes(&self, batch: &mut Batch) -> usize {
        let Window { bytes, .. } = self.window;
        let ends: Vec<usize> = if batch.open_lines()[0].is_open {
            (1..=bytes.len()).collect()
        } else {
            memchr_iter(b'\n', bytes).map(|newline| newline + 1).collect()
        };
        // The output of a longer part begins with that of a shorter one, so a binary search works.
        match ends.partition_point(|&end| self.fits(end, batch)).checked_sub(1) {
            Some(last) => {
                self.fits(ends[last], batch);
                ends[last]
            }
            None => 0,
        }
    }

    /// Plans the batch for the bytes before `end`, and tells whether all of their output is written.
    fn fits(&self, end: usize, batch: &mut Batch) -> bool {
        let bytes = &self.window.bytes[..end];
        let part = Window { bytes, is_open: bytes[end - 1] != b'\n' };
        batch.plan(part, &self.heads, self.rooms.iter().copied());
        batch.input_bytes() == end
            && self.printed.is_none_or(|printed| batch.copies().len() <= printed)
            && self
                .written
                .iter()
                .enumerate()
                .all(|(number, &written)| batch.output(number, part).len() as u64 <= written)
    }
}
