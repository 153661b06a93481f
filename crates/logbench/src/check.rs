//! Verifies a log: it must be the end of the expected lines, line for line behind the stamps.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memchr::memchr;

use crate::error::Error;
use crate::stamps::StampRule;
use crate::task::{Expected, STAMP_BYTES};
use logyard::tai64n::Label;

/// How many lines must agree before a search is over.
const AGREEING_LINES: usize = 4;
/// How many lines are compared in searches before no more searches are made: a log that is so wrong need not be counted
/// exactly.
const LOOKS_MAX: usize = 50_000_000;
/// What filters may put before a line or in the place of its label: nothing, another label, or a local time.
const HEADS_BYTES: [usize; 3] = [0, 26, 30];

/// The difference between a log and the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Required lines that are missing.
    pub(crate) lost: u64,
    /// Lines that should not be there: duplicated, torn, or not from the input.
    pub(crate) surplus: u64,
    /// Lines whose stamp is missing or cannot be true.
    pub(crate) badly_stamped: u64,
}

impl Difference {
    /// Whether nothing is wrong.
    pub(crate) fn is_none(self) -> bool {
        self == Difference::default()
    }
}

/// Compares what a log directory holds with what was expected. With `stamps`, each line must have a true stamp.
pub(crate) fn check_log(
    directory: &Path,
    expected: &Expected<'_>,
    stamps: Option<&StampRule>,
) -> Result<Difference, Error> {
    let log = read_log(directory)?;
    let lines = lines(&log);
    // Where the script asks for no stamps, a label is the logger's own only if the input has none.
    let has_stamp = |line: &[u8]| line.get(..Label::TEXT_BYTES).is_some_and(|head| Label::parse(head).is_ok());
    // What was cut to fit into files may be the end of a line, without its stamp.
    let is_stamped = stamps.is_some()
        || (lines.iter().any(|line| has_stamp(line)) && !expected.lines.first().is_some_and(|line| has_stamp(line)));
    let left: Vec<&[u8]> =
        lines.iter().map(|line| if is_stamped && has_stamp(line) { unstamped(line) } else { line }).collect();
    let badly_stamped = stamps.map_or(0, |rule| rule.count_bad(&lines));
    Ok(Difference { badly_stamped, ..compare(&left, &expected.lines, &expected.optional, expected.first_kept) })
}

/// Compares what a filter wrote with its input: each line must end as the input's does, whole or behind its label.
pub(crate) fn check_filtered(output: &Path, expected: &Expected<'_>) -> Result<Difference, Error> {
    let output = std::fs::read(output).map_err(|error| Error::file("read", output, &error))?;
    let lines = lines(&output);
    let whole = &expected.lines;
    let bare: Vec<&[u8]> = whole.iter().map(|line| unstamped(line)).collect();
    // The first line tells what the filter does to all of them.
    for wanted in [whole, &bare] {
        for head_bytes in HEADS_BYTES {
            let first = lines.first().and_then(|line| line.get(head_bytes..)).filter(|line| !line.is_empty());
            if first.is_some() && first == wanted.first().copied() {
                let left: Vec<&[u8]> = lines.iter().map(|line| line.get(head_bytes..).unwrap_or_default()).collect();
                return Ok(compare(&left, wanted, &expected.optional, 0));
            }
        }
    }
    Ok(compare(&lines, whole, &expected.optional, 0))
}

/// The bytes of all files of a log directory, oldest first.
fn read_log(directory: &Path) -> Result<Vec<u8>, Error> {
    let mut log = Vec::new();
    for path in log_files(directory)? {
        log.extend(std::fs::read(&path).map_err(|error| Error::file("read", &path, &error))?);
    }
    Ok(log)
}

/// The archives, by their names, and current.
pub(crate) fn log_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(directory).map_err(|error| Error::file("read directory", directory, &error))?;
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
fn compare(left: &[&[u8]], expected: &[&[u8]], optional: &BTreeSet<usize>, first_kept: usize) -> Difference {
    let mut difference = Difference::default();
    let (mut at, mut wanted) = (left.len(), expected.len());
    let mut looks = LOOKS_MAX;
    let required = |missing: Range<usize>| missing.filter(|number| !optional.contains(number)).count() as u64;
    while at > 0 {
        let is_same = wanted > 0 && left[at - 1] == expected[wanted - 1];
        // A line too long for one file is cut, and its beginning may have been removed since.
        if is_same || (at == 1 && wanted > 0 && wanted <= first_kept && expected[wanted - 1].ends_with(left[0])) {
            (at, wanted) = (at - 1, wanted - 1);
            continue;
        }
        if wanted > 0 && optional.contains(&(wanted - 1)) {
            wanted -= 1;
            continue;
        }
        let agrees = |skipped: &usize| {
            let mut end = wanted - skipped;
            if end == 0 || expected[end - 1] != left[at - 1] {
                return false;
            }
            for line in left[..at].iter().rev().take(AGREEING_LINES) {
                while end > 0 && expected[end - 1] != *line && optional.contains(&(end - 1)) {
                    end -= 1;
                }
                if end == 0 {
                    return true;
                }
                if expected[end - 1] != *line {
                    return false;
                }
                end -= 1;
            }
            true
        };
        let found = (1..=wanted.min(looks)).find(agrees);
        looks = looks.saturating_sub(found.unwrap_or(wanted));
        match found {
            Some(skipped) => {
                difference.lost += required(first_kept.max(wanted - skipped)..wanted);
                wanted -= skipped;
            }
            None => {
                difference.surplus += 1;
                at -= 1;
            }
        }
    }
    difference.lost += required(first_kept..wanted);
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares lists of words; those with a question mark may be missing.
    fn compared(left: &str, expected: &str, first_kept: usize) -> (u64, u64) {
        let words = |text: &'static str| -> Vec<&'static [u8]> { text.split(' ').map(str::as_bytes).collect() };
        let (left, expected) = (words(left.to_owned().leak()), words(expected.to_owned().leak()));
        let optional = expected.iter().enumerate().filter(|(_, word)| word.starts_with(b"?")).map(|(number, _)| number);
        let expected: Vec<&[u8]> = expected.iter().map(|word| word.strip_prefix(b"?").unwrap_or(word)).collect();
        let difference = compare(&left, &expected, &optional.collect(), first_kept);
        (difference.lost, difference.surplus)
    }

    #[test]
    fn the_end_of_the_input_is_right_if_it_is_long_enough() {
        assert_eq!(compared("a b c", "a b c", 0), (0, 0));
        assert_eq!(compared("b c", "a b c", 1), (0, 0));
        assert_eq!(compared("a b c", "a b c", 1), (0, 0));
        assert_eq!(compared("c", "a b c", 1), (1, 0));
        assert_eq!(compared("le b c", "apple b c", 1), (0, 0));
        assert_eq!(compared("le b c", "apple b c", 0), (1, 1));
    }

    #[test]
    fn what_may_be_missing_is_not_lost() {
        assert_eq!(compared("a b d", "a b ?c d", 0), (0, 0));
        assert_eq!(compared("a b c d", "a b ?c d", 0), (0, 0));
        assert_eq!(compared("b", "?a b ?c ?d", 0), (0, 0));
        assert_eq!(compared("a d", "a b ?c d", 0), (1, 0));
        assert_eq!(compared("a", "a ?b c d", 0), (2, 0));
    }

    #[test]
    fn what_is_lost_and_what_is_surplus_is_counted() {
        assert_eq!(compared("a b e f", "a b c d e f", 0), (2, 0));
        assert_eq!(compared("a b c d", "a b c d e f", 0), (2, 0));
        assert_eq!(compared("a b c c d", "a b c d", 0), (0, 1));
        // Where something may be missing, what is lost elsewhere is still found.
        assert_eq!(compared("a b c d z", "a ?x b ?y c d t u z", 0), (2, 0));
        assert_eq!(compared("a b c z", "?w a ?x b c ?y t z", 0), (1, 0));
        assert_eq!(compared("a x b", "a b", 0), (0, 1));
        assert_eq!(compared("a", "x y", 0), (2, 1));
        assert_eq!(compared("a b", "a b c d e f", 4), (2, 0));
    }
}
