//! Whether what a logger left is right: the end of what was expected, line for line behind the stamps.

use std::path::{Path, PathBuf};

use memchr::memchr;

use crate::logbench::compare::stop::Stop;
use crate::logbench::compare::task::{Expected, STAMP_BYTES};
use crate::tai64n::Label;

/// How far ahead a line is looked for among those that may have been lost.
const REACH_LINES: usize = 50_000;
/// How many lines must agree before the search is over.
const AGREEING_LINES: usize = 4;
/// How many searches may fail before the rest is no longer searched for.
const SEARCHES_MAX: usize = 200;
/// What filters may put before a line in the place of a label: another label, or a local time.
const HEADS_BYTES: [usize; 2] = [26, 30];

/// What came of a comparison with the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Lines that must be there and are not.
    pub(super) lost: u64,
    /// Lines that are there and should not be: doubled, torn, or nobody's.
    pub(super) surplus: u64,
}

impl Difference {
    /// Whether nothing is wrong.
    pub(super) fn is_none(self) -> bool {
        self == Difference::default()
    }
}

/// Compares what a log directory holds with what was expected.
pub(super) fn check_log(directory: &Path, expected: &Expected<'_>) -> Result<Difference, Stop> {
    let log = read_log(directory)?;
    let lines = lines(&log);
    // Stamps are the logger's own only where the input has none.
    let has_stamp = |line: &[u8]| line.get(..Label::TEXT_BYTES).is_some_and(|head| Label::parse(head).is_ok());
    let is_stamped = lines.first().is_some_and(|line| has_stamp(line))
        && !expected.lines.first().is_some_and(|line| has_stamp(line));
    let left: Vec<&[u8]> = if is_stamped { lines.iter().map(|line| unstamped(line)).collect() } else { lines };
    Ok(compare(&left, &expected.lines, expected.first_kept))
}

/// Compares what a filter wrote with its input: each line must end as the input's does behind its label.
pub(super) fn check_filtered(output: &Path, expected: &Expected<'_>) -> Result<Difference, Stop> {
    let output = std::fs::read(output).map_err(|error| Stop::file("read", output, &error))?;
    let is_labelled = |line: &[u8]| line.first() == Some(&b'@');
    let wanted: Vec<&[u8]> =
        expected.lines.iter().map(|line| if is_labelled(line) { unstamped(line) } else { line }).collect();
    let lines = lines(&output);
    let strip = |head_bytes: usize| -> Vec<&[u8]> {
        lines.iter().map(|line| line.get(head_bytes..).unwrap_or_default()).collect()
    };
    let agrees = |head_bytes: &&usize| {
        lines.first().and_then(|line| line.get(**head_bytes..)).is_some_and(|line| wanted.first() == Some(&line))
    };
    let left = HEADS_BYTES.iter().find(agrees).map_or_else(|| lines.clone(), |&bytes| strip(bytes));
    Ok(compare(&left, &wanted, 0))
}

/// The bytes of all files of a log directory, oldest first.
fn read_log(directory: &Path) -> Result<Vec<u8>, Stop> {
    let mut log = Vec::new();
    for path in log_files(directory)? {
        log.extend(std::fs::read(&path).map_err(|error| Stop::file("read", &path, &error))?);
    }
    Ok(log)
}

/// The archives, by their names, and current.
pub(super) fn log_files(directory: &Path) -> Result<Vec<PathBuf>, Stop> {
    let entries = std::fs::read_dir(directory).map_err(|error| Stop::file("read directory", directory, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"@")))
        .collect();
    files.sort();
    files.extend(Some(directory.join("current")).filter(|current| current.exists()));
    Ok(files)
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(newline) = memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(newline + 1);
        lines.push(line);
        rest = behind;
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
    lines
}

fn unstamped(line: &[u8]) -> &[u8] {
    usize::try_from(STAMP_BYTES).ok().and_then(|bytes| line.get(bytes..)).unwrap_or_default()
}

/// Walks through both from their ends. Where they differ, what was expected is searched for the next lines that are
/// there: all in between is lost.
fn compare(left: &[&[u8]], expected: &[&[u8]], first_kept: usize) -> Difference {
    let mut difference = Difference::default();
    let (mut at, mut wanted) = (left.len(), expected.len());
    let mut searches = SEARCHES_MAX;
    while at > 0 {
        if wanted > 0 && left[at - 1] == expected[wanted - 1] {
            (at, wanted) = (at - 1, wanted - 1);
            continue;
        }
        let agrees = |skipped: &usize| {
            let end = wanted - skipped;
            let count = AGREEING_LINES.min(at).min(end);
            count > 0 && left[at - count..at] == expected[end - count..end]
        };
        match (1..=wanted.min(REACH_LINES)).find(agrees).filter(|_| searches > 0) {
            Some(skipped) => {
                difference.lost += skipped as u64;
                wanted -= skipped;
            }
            None => {
                searches = searches.saturating_sub(1);
                difference.surplus += 1;
                at -= 1;
            }
        }
    }
    difference.lost += wanted.saturating_sub(first_kept) as u64;
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares lists of words.
    fn compared(left: &str, expected: &str, first_kept: usize) -> (u64, u64) {
        let words = |text: &'static str| -> Vec<&'static [u8]> { text.split(' ').map(str::as_bytes).collect() };
        let (left, expected) = (words(left.to_owned().leak()), words(expected.to_owned().leak()));
        let difference = compare(&left, &expected, first_kept);
        (difference.lost, difference.surplus)
    }

    #[test]
    fn the_end_of_the_input_is_right_if_it_is_long_enough() {
        assert_eq!(compared("a b c", "a b c", 0), (0, 0));
        assert_eq!(compared("b c", "a b c", 1), (0, 0));
        assert_eq!(compared("a b c", "a b c", 1), (0, 0));
        assert_eq!(compared("c", "a b c", 1), (1, 0));
    }

    #[test]
    fn what_is_lost_and_what_is_surplus_is_counted() {
        assert_eq!(compared("a b e f", "a b c d e f", 0), (2, 0));
        assert_eq!(compared("a b c d", "a b c d e f", 0), (2, 0));
        assert_eq!(compared("a b c c d", "a b c d", 0), (0, 1));
        assert_eq!(compared("a x b", "a b", 0), (0, 1));
        assert_eq!(compared("a", "x y", 0), (2, 1));
    }
}
