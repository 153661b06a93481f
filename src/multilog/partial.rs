//! A batch that is only partly written: how much of it every directory has.

use memchr::memchr_iter;

use crate::lines::window::{Stamps, Window};
use crate::logdir::room::Room;
use crate::multilog::batch::Batch;
use crate::multilog::script::Script;

/// Finds how many of the window's first bytes are written everywhere, where of each directory's share `written` bytes
/// are: whole lines, or any part of a line whose beginning was written before. Leaves `batch` planned for just these.
pub fn fitting_bytes(
    batch: &mut Batch,
    script: &Script,
    window: Window<'_>,
    stamps: &Stamps,
    rooms: &[Room],
    written: &[u64],
) -> usize {
    let ends: Vec<usize> = if batch.open_lines()[0].is_open {
        (1..=window.bytes.len()).collect()
    } else {
        memchr_iter(b'\n', window.bytes).map(|newline| newline + 1).collect()
    };
    let mut fits = |end: usize| {
        let part = Window { bytes: &window.bytes[..end], is_open: window.bytes[end - 1] != b'\n' };
        batch.plan(script, part, stamps, rooms.iter().copied());
        batch.input_bytes() == end
            && written.iter().enumerate().all(|(number, &bytes)| batch.output(number, part).len() as u64 <= bytes)
    };
    // What a longer part writes contains what a shorter one does, so the parts that fit come first.
    match ends.partition_point(|&end| fits(end)).checked_sub(1) {
        Some(last) => {
            fits(ends[last]);
            ends[last]
        }
        None => 0,
    }
}
