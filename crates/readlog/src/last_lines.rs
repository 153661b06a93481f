//! `-n` and `-r`: the last lines of some directories.

use std::collections::VecDeque;

use crate::arguments::Request;
use crate::backward::{Backward, OwnedGroup};
use crate::error::Error;
use crate::merge::MergeBackward;
use crate::output::{View, Writer};
use crate::surroundings::{Selection, Surroundings, Verdict};

/// A group and the number of its directory; or a place where lines are missing.
type Item = Option<(usize, OwnedGroup)>;

/// Prints the last lines of some directories, at most `lines_max`, and the lines around them that are wanted.
pub(crate) fn print_last(
    request: &Request,
    writer: &mut Writer,
    directories: Vec<Backward>,
    lines_max: usize,
) -> Result<(), Error> {
    let paths: Vec<Vec<u8>> = directories.iter().map(|directory| directory.path().to_vec()).collect();
    let mut merge = MergeBackward::new(directories, request.read_filter());
    // From the end on, what is before a match comes after it.
    let Surroundings { before, after } = request.surroundings;
    let mut selection = Selection::new(Surroundings { before: after, after: before });
    let mut left = lines_max;
    let mut items: Vec<Item> = Vec::new();
    let mut end = End::default();
    while left > 0 || selection.is_open() || end.wants_more(before) {
        let Some((i, mut found)) = merge.next() else { break };
        let is_match = left > 0 && request.selects(&found);
        if is_match {
            found = last_lines(found, &mut left);
        }
        end.note(is_match, before, || writer.printed(&view(&found, i, &paths[i])));
        let mut found_now = Vec::new();
        match selection.judge(is_match) {
            Verdict::Drop => {}
            Verdict::Keep => selection.keep((i, found)),
            Verdict::Print { earlier, is_apart } => {
                found_now.extend(is_apart.then_some(None));
                found_now.extend(earlier.into_iter().map(Some));
                found_now.push(Some((i, found)));
            }
        }
        if request.is_reversed {
            found_now.iter().try_for_each(|item| print(writer, item, &paths))?;
        } else {
            items.extend(found_now);
        }
    }
    items.iter().rev().try_for_each(|item| print(writer, item, &paths))?;
    if let Some(distance) = end.distance {
        end.lines.truncate(distance.saturating_sub(after));
    }
    writer.continue_around(end.lines.into_iter().rev(), end.distance);
    // With a cursor, they are sent together with the positions behind them.
    if writer.has_cursor() { Ok(()) } else { writer.flush() }
}

/// The lines at the very end. Those behind them, which a reader that follows will see, may make them wanted.
#[derive(Debug, Default)]
struct End {
    /// How many lines are behind the last match, if there is one.
    distance: Option<usize>,
    /// The last lines, the last first, as they are printed.
    lines: VecDeque<Vec<u8>>,
    seen: usize,
}

impl End {
    /// Tells whether lines are still to be read, though no match is wanted.
    fn wants_more(&self, before: usize) -> bool {
        self.distance.is_none() && self.lines.len() < before && self.seen < before
    }

    fn note(&mut self, is_match: bool, before: usize, printed: impl FnOnce() -> Vec<u8>) {
        if self.distance.is_some() {
            return;
        }
        if is_match {
            self.distance = Some(self.seen);
        } else if self.lines.len() < before {
            self.lines.push_back(printed());
        }
        self.seen += 1;
    }
}

fn print(writer: &mut Writer, item: &Item, paths: &[Vec<u8>]) -> Result<(), Error> {
    match item {
        Some((i, found)) => writer.print(&view(found, *i, &paths[*i])),
        None => {
            writer.print_gap();
            Ok(())
        }
    }
}

fn view<'a>(found: &'a OwnedGroup, source: usize, directory: &'a [u8]) -> View<'a> {
    View { bytes: &found.bytes, stamp: found.stamp, label: found.label, source, directory, file: &found.log_file.name }
}

/// The last lines of a group, at most `left`, which is reduced by their number.
fn last_lines(mut found: OwnedGroup, left: &mut usize) -> OwnedGroup {
    let lines = memchr::memchr_iter(b'\n', &found.bytes).count().max(1);
    if lines > *left {
        let surplus = lines - *left;
        let cut = memchr::memchr_iter(b'\n', &found.bytes).nth(surplus - 1).map_or(0, |newline| newline + 1);
        found.bytes.drain(..cut);
        found.stamp = None;
    }
    *left = left.saturating_sub(lines);
    found
}
