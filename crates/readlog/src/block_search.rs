//! Searches blocks of a file for a pattern, and keeps the groups that are wanted: a line with a stamp, and the lines without
//! one that follow it.
//!
//! The finder searches a block at once, and only where it finds something are the ends of lines and the stamps looked for. A
//! search begins behind a stamp. So what is found in the same line is in its message, and if the pattern depends on nothing
//! before the message, it need not be matched again.

use std::ops::Range;

use memchr::{memchr, memrchr};

use crate::clock::LocalClock;
use crate::filter::Pattern;
use crate::stamp::recognise;
use crate::time_scale::TimeScale;
use logyard::tai64n::Label;

/// What is searched for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// What a group must match.
    pub(super) pattern: Pattern,
    /// How labels count.
    pub(super) scale: TimeScale,
}

/// Searches blocks.
#[derive(Debug)]
pub(super) struct BlockSearch {
    pattern: Pattern,
    stamps: Stamps,
}

impl BlockSearch {
    /// Searches for a pattern.
    pub(super) fn new(search: &Search) -> BlockSearch {
        let stamps = Stamps {
            scale: search.scale,
            clock: LocalClock::system(),
            second: [0; Label::SECOND_BYTES],
            are_labels: true,
        };
        BlockSearch { pattern: search.pattern.clone(), stamps }
    }

    /// Begins another file.
    pub(super) fn begin_file(&mut self) {
        self.stamps.are_labels = true;
    }

    /// Tells whether all stamps that were seen in the file are labels.
    pub(super) fn saw_only_labels(&self) -> bool {
        self.stamps.are_labels
    }

    /// Where the first group begins in whole lines.
    pub(super) fn first_group(&mut self, lines: &[u8]) -> Option<usize> {
        let mut line = 0;
        while line < lines.len() {
            if self.stamps.bytes(&lines[line..]) > 0 {
                return Some(line);
            }
            line = line_end(lines, line);
        }
        None
    }

    /// Where the last group begins in whole lines, if it is not the first.
    pub(super) fn last_group(&mut self, lines: &[u8]) -> Option<usize> {
        let mut line = lines.len();
        while line > 0 {
            line = line_start(lines, line - 1);
            if line > 0 && self.stamps.bytes(&lines[line..]) > 0 {
                return Some(line);
            }
        }
        None
    }

    /// Appends the wanted groups of a block to `kept`. The block begins with a group, and its last group is whole.
    pub(super) fn keep_wanted(&mut self, block: &[u8], kept: &mut Vec<u8>) {
        let kept_before = kept.len();
        let mut wanted = Wanted { block, kept: &mut *kept, is_inverted: self.pattern.is_inverted(), matched: 0..0 };
        // The group that the search begins with, and its message.
        let (mut group, mut message) = (0, self.stamps.bytes(block));
        while group < block.len() {
            let Some(finder) = self.pattern.finder() else {
                let end = self.group_end(block, message);
                if self.pattern.matches(&block[message..end]) {
                    wanted.push(group..end);
                }
                (group, message) = (end, end + self.stamps.bytes(&block[end..]));
                continue;
            };
            let Some(found) = finder.find(&block[message..]).map(|found| message + found) else { break };
            let (proves_match, bytes_max) = (finder.proves_match(), finder.match_bytes_max());
            let line = line_start(block, found);
            if line == block.len() {
                // Nothing, behind the last line.
                break;
            }
            if line > group {
                let stamp = self.stamps.bytes(&block[line..]);
                group = if stamp > 0 { line } else { self.group_start(block, group, line) };
                message = group + self.stamps.bytes(&block[group..]);
                // The stamp may be a part of what was found: this line is searched again without it.
                if stamp > 0 && proves_match && bytes_max.is_none_or(|most| found < message + most) {
                    continue;
                }
            }
            let end = self.group_end(block, found.max(message));
            if proves_match || self.pattern.matches_at(&block[message..end], found.saturating_sub(message)) {
                wanted.push(group..end);
            } else if let Some(finder) = self.pattern.finder() {
                finder.miss();
            }
            (group, message) = (end, end + self.stamps.bytes(&block[end..]));
        }
        wanted.finish();
        if self.pattern.is_inverted() {
            // No stamp was looked at where nothing was found.
            self.note_other_stamps(&kept[kept_before..]);
        }
    }

    /// Notes stamps that are no labels.
    fn note_other_stamps(&mut self, lines: &[u8]) {
        let mut line = 0;
        while self.stamps.are_labels && line < lines.len() {
            if lines[line].is_ascii_digit() {
                self.stamps.bytes(&lines[line..]);
            }
            line = line_end(lines, line);
        }
    }

    /// Where the group ends that a place is in.
    fn group_end(&mut self, block: &[u8], place: usize) -> usize {
        let mut line = line_end(block, place);
        while line < block.len() && self.stamps.bytes(&block[line..]) == 0 {
            line = line_end(block, line);
        }
        line
    }

    /// Where the group begins that a line is in; a group begins at `first`.
    fn group_start(&mut self, block: &[u8], first: usize, mut line: usize) -> usize {
        while line > first && self.stamps.bytes(&block[line..]) == 0 {
            line = line_start(block, line - 1);
        }
        line
    }
}

/// Collects groups.
struct Wanted<'b> {
    block: &'b [u8],
    kept: &'b mut Vec<u8>,
    /// Whether those are wanted that do not match.
    is_inverted: bool,
    /// The last groups that match, which follow each other. Everything before them is done.
    matched: Range<usize>,
}

impl Wanted<'_> {
    /// Notes a group that matches.
    fn push(&mut self, group: Range<usize>) {
        if group.start != self.matched.end {
            let between = self.matched.end..group.start;
            self.keep(between);
            self.matched.start = group.start;
        }
        self.matched.end = group.end;
    }

    /// Keeps what was noted last, and the groups between that and those that match next.
    fn keep(&mut self, between: Range<usize>) {
        let kept = if self.is_inverted { between } else { self.matched.clone() };
        self.kept.extend_from_slice(&self.block[kept]);
    }

    fn finish(&mut self) {
        let between = self.matched.end..self.block.len();
        self.keep(between);
    }
}

/// Recognises stamps: quickly, if the second is that of the one before.
#[derive(Debug)]
struct Stamps {
    scale: TimeScale,
    clock: LocalClock,
    /// The second recognised last, as labels have it; no label begins with a NUL.
    second: [u8; Label::SECOND_BYTES],
    /// Whether all were labels.
    are_labels: bool,
}

impl Stamps {
    /// How long the stamp of a line is; 0 if it has none.
    #[inline]
    fn bytes(&mut self, line: &[u8]) -> usize {
        if let Some(label) = line.first_chunk::<{ Label::TEXT_BYTES }>()
            && label[..Label::SECOND_BYTES] == self.second
            && line.get(Label::TEXT_BYTES) == Some(&b' ')
            && Label::parse_nanoseconds(label).is_some()
        {
            return Label::TEXT_BYTES + 1;
        }
        match line.first() {
            Some(b'@' | b'0'..=b'9') => self.other_bytes(line),
            _ => 0,
        }
    }

    fn other_bytes(&mut self, line: &[u8]) -> usize {
        let Some(stamp) = recognise(line, self.scale, &self.clock) else { return 0 };
        if stamp.is_label {
            self.second.copy_from_slice(&line[..Label::SECOND_BYTES]);
        }
        self.are_labels &= stamp.is_label;
        stamp.bytes
    }
}

/// Where the line begins that a place is in.
fn line_start(block: &[u8], place: usize) -> usize {
    memrchr(b'\n', &block[..place]).map_or(0, |newline| newline + 1)
}

/// Where the line ends that a place is in, newline included.
fn line_end(block: &[u8], place: usize) -> usize {
    memchr(b'\n', &block[place..]).map_or(block.len(), |newline| place + newline + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::Case;

    /// Patterns of words, classes and what looks around, one within the other.
    fn pattern() -> impl Strategy<Value = String> {
        const WORDS: [&str; 9] =
            ["error", "fail", "rror", "4000", "a4 er", "é", "(?:err|errorfail)", "(?:rror|errorfail)", "(?:fail|lfa)"];
        const PLACES: [&str; 8] = ["$", "(?m:$)", "\\z", "^", "\\b", "\\B", "(?m:^)", "()"];
        const CLASSES: [&str; 11] =
            [".", "[^e]", "\\w", "[0-9]", "(?i:err)", "(?s:.)", "\\s", "\\n", "[é-ü]", "(?-u:[^e])", "(?-u:\\xc3)"];
        let part = prop_oneof![
            5 => prop::sample::select(&WORDS[..]),
            1 => prop::sample::select(&PLACES[..]),
            4 => prop::sample::select(&CLASSES[..]),
        ];
        part.prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                6 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
                2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                3 => (inner, prop::sample::select(&["*", "+", "?", "{2}", "{1,3}", "{0}", "+?"][..]))
                    .prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        })
    }

    /// Lines with labels, with other stamps, and without.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        const STAMPS: [&str; 5] =
            ["@400000006b02cca2200ccfa4 ", "@400000006b02cca2200ccfa5 ", "2026-11-22_11:06:00.54536 ", "", " "];
        const PARTS: [&[u8]; 12] =
            [b"error", b"fail", b"err", b"or", b" ", b"e", "é".as_bytes(), b"\xc3", b"\xff", b"\r", b"4000", b"a4 "];
        let parts = prop::collection::vec(prop::sample::select(&PARTS[..]), 0..8);
        (prop::sample::select(&STAMPS[..]), parts)
            .prop_map(|(stamp, parts)| [stamp.as_bytes(), &parts.concat(), b"\n"].concat())
    }

    proptest! {
        #[test]
        fn those_groups_are_kept_that_match_one_by_one(
            text in pattern(),
            lines in prop::collection::vec(line(), 1..10),
            is_inverted in any::<bool>(),
            is_cut in any::<bool>(),
            ignores_case in prop::bool::weighted(0.2),
        ) {
            let case = if ignores_case { Case::Ignored } else { Case::Regarded };
            let Ok(pattern) = Pattern::new(&text, case, is_inverted) else { return Ok(()) };
            let mut block = lines.concat();
            block.truncate(block.len() - usize::from(is_cut));
            let search = Search { pattern: pattern.clone(), scale: TimeScale::Djb };

            let mut kept = Vec::new();
            BlockSearch::new(&search).keep_wanted(&block, &mut kept);

            let mut stamps = BlockSearch::new(&search).stamps;
            let mut groups: Vec<(Vec<u8>, usize)> = Vec::new();
            for line in block.split_inclusive(|byte| *byte == b'\n') {
                match (groups.last_mut(), stamps.bytes(line)) {
                    (Some((group, _)), 0) => group.extend_from_slice(line),
                    (_, stamp_bytes) => groups.push((line.to_vec(), stamp_bytes)),
                }
            }
            groups.retain(|(group, stamp_bytes)| pattern.selects(&group[*stamp_bytes..]));
            let expected: Vec<u8> = groups.into_iter().flat_map(|(group, _)| group).collect();
            prop_assert_eq!(kept.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{:?}", text);
        }
    }
}
