//! `-n` and `-r`: the last lines of some directories.

use crate::arguments::Request;
use crate::backward::{Backward, OwnedGroup};
use crate::error::Error;
use crate::merge::MergeBackward;
use crate::output::{View, Writer};

/// Prints the last lines of some directories, at most `lines_max`.
pub(crate) fn print_last(
    request: &Request,
    writer: &mut Writer,
    directories: Vec<Backward>,
    lines_max: usize,
) -> Result<(), Error> {
    let paths: Vec<Vec<u8>> = directories.iter().map(|directory| directory.path().to_vec()).collect();
    let mut merge = MergeBackward::new(directories, request.filter.clone());
    let mut left = lines_max;
    let mut groups = Vec::new();
    while left > 0 {
        let Some((i, found)) = merge.next() else { break };
        let found = last_lines(found, &mut left);
        if request.is_reversed {
            writer.print(&view(&found, i, &paths[i]))?;
        } else {
            groups.push((i, found));
        }
    }
    for (i, found) in groups.iter().rev() {
        writer.print(&view(found, *i, &paths[*i]))?;
    }
    writer.flush()
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
