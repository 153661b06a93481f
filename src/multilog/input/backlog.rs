//! The backlog: bytes of the pipe that wait in memory because the disk does not take them, and what was dropped of them.
//!
//! ```text
//! 0 ........ handed_bytes ........ the first newline ........ bytes.len()
//!   handed on, not   the rest of a line   whole lines, which
//!   written yet      that is handed on    may be dropped
//! ```
//!
//! Only whole lines are dropped, and none of which a part is handed on. Where lines are dropped there is a gap, which is
//! handed on as such, in its place.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr};

use crate::multilog::script::buffer::{Buffer, Victims};
use crate::multilog::withheld::tally::Tally;
use crate::tai64n::Label;

/// The oldest lines are dropped in portions of this part of the memory, because each portion costs a search.
const OLDEST_PORTION: usize = 64;
/// Once new lines are dropped, that goes on until this part of the memory is free: so there are few gaps.
const NEWEST_PORTION: usize = 8;

/// Bytes in memory. Places are counted from the first byte that was ever in it.
#[derive(Debug)]
pub struct Backlog {
    buffer: Buffer,
    bytes: VecDeque<u8>,
    /// The place of the first byte in memory.
    start: u64,
    /// How many bytes are handed on and not consumed.
    handed_bytes: usize,
    /// The first byte in memory is not the first of its line.
    begins_within_line: bool,
    /// From which place on bytes came at a moment.
    marks: VecDeque<(u64, Label)>,
    /// Before which place lines were dropped, in order.
    gaps: VecDeque<(u64, Tally)>,
    /// What comes next belongs to a line that was dropped.
    is_within_dropped: bool,
    /// New lines are being dropped.
    is_full: bool,
    /// All that was ever dropped.
    dropped: Tally,
}

impl Backlog {
    /// An empty backlog, with its memory.
    #[must_use]
    pub fn new(buffer: Buffer) -> Backlog {
        Backlog {
            buffer,
            bytes: VecDeque::with_capacity(buffer.bytes_max),
            start: 0,
            handed_bytes: 0,
            begins_within_line: false,
            marks: VecDeque::new(),
            gaps: VecDeque::new(),
            is_within_dropped: false,
            is_full: false,
            dropped: Tally::default(),
        }
    }

    /// Tells whether the next bytes of the pipe can be handed on from there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.gaps.is_empty() && !self.is_within_dropped
    }

    /// Tells whether there is something that is not handed on.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.bytes.len() > self.handed_bytes || !self.gaps.is_empty()
    }

    /// How many more bytes have room without dropping any.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        if self.is_full { 0 } else { self.buffer.bytes_max.saturating_sub(self.bytes.len()) }
    }

    /// Lines and bytes in memory. An incomplete line counts, unless its beginning is written.
    #[must_use]
    pub fn waiting(&self) -> Tally {
        let has_open_end = self.bytes.back().is_some_and(|&last| last != b'\n');
        let lines = self.newlines(0, self.bytes.len()) + u64::from(has_open_end);
        Tally { lines, bytes: self.bytes.len() as u64, came: None }
    }

    /// All that was ever dropped.
    #[must_use]
    pub fn dropped(&self) -> Tally {
        self.dropped
    }

    /// What was dropped and not handed on.
    #[must_use]
    pub fn untold(&self) -> Tally {
        let mut all = Tally::default();
        self.gaps.iter().for_each(|(_, tally)| all.merge(tally));
        all
    }

    /// Continues with the sums of a predecessor.
    pub fn continue_sums(&mut self, dropped: Tally) {
        self.dropped = Tally { came: None, ..dropped };
    }

    /// What was dropped and not handed on: nothing more is.
    pub fn take_gaps(&mut self) -> Tally {
        let all = self.untold();
        self.gaps.clear();
        all
    }

    /// Says whether the next bytes continue a line. Nothing is in memory.
    pub fn begin(&mut self, is_within_line: bool) {
        self.begins_within_line = is_within_line;
    }

    /// Takes bytes that are handed on already. Nothing is in memory.
    pub fn push_handed(&mut self, bytes: &[u8], came: Label) {
        self.append(bytes, came);
        self.handed_bytes = self.bytes.len();
    }

    /// How many of the next `bytes` bytes [`Backlog::push`] may be given. All of them, except while a single line fills the
    /// memory and its beginning has been handed on: that line cannot be dropped any more.
    #[must_use]
    pub fn acceptable_bytes(&self, bytes: usize) -> usize {
        let room_bytes = self.buffer.bytes_max.saturating_sub(self.bytes.len());
        let may_drop = match self.buffer.victims {
            _ if bytes <= room_bytes => true,
            Victims::Oldest => self.first_victim().is_some_and(|first| self.bytes.len() - first >= bytes - room_bytes),
            Victims::Newest => {
                self.is_within_dropped || self.first_victim().is_some_and(|first| first <= self.open_line())
            }
        };
        if may_drop { bytes } else { bytes.min(room_bytes) }
    }

    /// Takes bytes that came at a moment. If there is no room, drops other lines, or these.
    pub fn push(&mut self, bytes: &[u8], came: Label) {
        debug_assert_eq!(self.acceptable_bytes(bytes.len()), bytes.len(), "somebody has asked before");
        let mut rest = self.skip_dropped(bytes, came);
        let lack_bytes = (self.bytes.len() + rest.len()).saturating_sub(self.buffer.bytes_max);
        match self.buffer.victims {
            Victims::Oldest if lack_bytes > 0 => {
                self.drop_oldest(lack_bytes);
                rest = self.skip_dropped(rest, came);
            }
            Victims::Newest if lack_bytes > 0 || self.is_full => rest = self.drop_newest(rest, came),
            Victims::Oldest | Victims::Newest => {}
        }
        self.append(rest, came);
    }

    /// Hands on what follows the first `held_bytes` bytes, and says how many bytes that are and when they came. It is not
    /// more than came at one moment, and nothing behind a gap.
    pub fn take(&mut self, held_bytes: usize, room: &mut [u8]) -> Option<(usize, Label)> {
        self.handed_bytes = held_bytes.min(self.bytes.len());
        let begin = self.start + self.handed_bytes as u64;
        let next_mark = self.marks.partition_point(|&(place, _)| place <= begin);
        let came = self.marks.get(next_mark.checked_sub(1)?)?.1;
        let most = [self.marks.get(next_mark).map(|&(place, _)| place), self.gaps.front().map(|&(place, _)| place)]
            .into_iter()
            .flatten()
            .map(|place| usize::try_from(place.saturating_sub(begin)).unwrap_or(usize::MAX))
            .fold(room.len(), usize::min);
        let count = most.min(self.bytes.len() - self.handed_bytes);
        let mut filled = 0;
        for part in self.parts(self.handed_bytes, self.handed_bytes + count) {
            room[filled..][..part.len()].copy_from_slice(part);
            filled += part.len();
        }
        self.handed_bytes += count;
        Some((count, came))
    }

    /// What was dropped before the first byte in memory. Nothing is handed on and not consumed.
    pub fn take_gap(&mut self) -> Option<Tally> {
        let is_here = self.gaps.front().is_some_and(|(place, _)| *place == self.start);
        if is_here { self.gaps.pop_front().map(|(_, tally)| tally) } else { None }
    }

    /// Removes bytes that are handed on and logged.
    pub fn consume(&mut self, count: usize) {
        // Another reader of the pipe may have taken some of them.
        let count = count.min(self.bytes.len());
        if count == 0 {
            return;
        }
        self.begins_within_line = self.bytes[count - 1] != b'\n';
        self.bytes.drain(..count);
        self.start += count as u64;
        self.handed_bytes = self.handed_bytes.saturating_sub(count);
        while self.marks.get(1).is_some_and(|&(place, _)| place <= self.start) {
            self.marks.pop_front();
        }
        if self.bytes.is_empty() {
            // The pages that were used go back to the system.
            self.bytes = VecDeque::new();
            self.bytes = VecDeque::with_capacity(self.buffer.bytes_max);
        }
    }

    /// The place behind the last byte.
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn append(&mut self, bytes: &[u8], came: Label) {
        if bytes.is_empty() {
            return;
        }
        let end = self.end();
        if self.marks.back().is_some_and(|(place, _)| *place >= end) {
            self.marks.pop_back();
        }
        self.marks.push_back((end, came));
        self.bytes.extend(bytes);
    }

    /// Bytes `from` to `to`, in at most two parts.
    fn parts(&self, from: usize, to: usize) -> [&[u8]; 2] {
        let (front, back) = self.bytes.as_slices();
        let split = front.len();
        [&front[from.min(split)..to.min(split)], &back[from.saturating_sub(split)..to.saturating_sub(split)]]
    }

    fn newlines(&self, from: usize, to: usize) -> u64 {
        self.parts(from, to).into_iter().map(|part| memchr_iter(b'\n', part).count() as u64).sum()
    }

    /// Behind the first newline from a byte on; `None` if there is none.
    fn line_end(&self, from: usize) -> Option<usize> {
        let [front, back] = self.parts(from, self.bytes.len());
        let in_back = || memchr(b'\n', back).map(|newline| front.len() + newline);
        memchr(b'\n', front).or_else(in_back).map(|newline| from + newline + 1)
    }

    /// Where the last line begins if its end has not come; nothing if it has.
    fn open_line(&self) -> usize {
        let (front, back) = self.bytes.as_slices();
        let in_back = memrchr(b'\n', back).map(|newline| front.len() + newline + 1);
        in_back.or_else(|| memrchr(b'\n', front).map(|newline| newline + 1)).unwrap_or(0)
    }

    /// The first byte that may be dropped; `None` if none may.
    fn first_victim(&self) -> Option<usize> {
        let is_within_line = match self.handed_bytes.checked_sub(1) {
            Some(last) => self.bytes[last] != b'\n',
            None => self.begins_within_line,
        };
        if is_within_line { self.line_end(self.handed_bytes) } else { Some(self.handed_bytes) }
    }

    /// Drops the oldest lines until at least `lack_bytes` bytes are free, or none is left that may be dropped.
    fn drop_oldest(&mut self, lack_bytes: usize) {
        let Some(from) = self.first_victim().filter(|&first| first < self.bytes.len()) else { return };
        let portion = lack_bytes.max(self.buffer.bytes_max / OLDEST_PORTION).min(self.bytes.len() - from);
        let to = self.line_end(from + portion - 1).unwrap_or(self.bytes.len());
        self.is_within_dropped = self.bytes[to - 1] != b'\n';
        let lines = self.newlines(from, to) + u64::from(self.is_within_dropped);
        let (first, last) = (self.came(from), self.came(to - 1));
        self.bytes.drain(from..to);
        // What was before the dropped lines moves up to what was behind them.
        let [from_place, to_place] = [from, to].map(|at| self.start + at as u64);
        let shift = to_place - from_place;
        self.start += shift;
        let before = self.marks.partition_point(|&(place, _)| place < from_place);
        let behind = self.marks.partition_point(|&(place, _)| place <= to_place);
        self.marks.range_mut(..before).for_each(|(place, _)| *place += shift);
        if behind > before {
            self.marks[behind - 1].0 = to_place;
            self.marks.drain(before..behind - 1);
        } else if to_place < self.end() {
            self.marks.insert(before, (to_place, last));
        }
        self.note_dropped([from_place, to_place], lines, to - from, [first, last]);
    }

    /// Drops lines that come, and says what of them has room.
    fn drop_newest<'b>(&mut self, bytes: &'b [u8], came: Label) -> &'b [u8] {
        let room_bytes = self.buffer.bytes_max - self.bytes.len();
        if self.is_full && room_bytes < self.buffer.bytes_max / NEWEST_PORTION {
            return self.drop_new(bytes, came);
        }
        self.is_full = room_bytes < bytes.len();
        if !self.is_full {
            return bytes;
        }
        let newline = memrchr(b'\n', &bytes[..room_bytes]);
        let open = self.open_line();
        if let Some(newline) = newline {
            self.append(&bytes[..=newline], came);
        } else if open < self.bytes.len() {
            // The beginning of the line that goes on in these bytes.
            let (first, last, count) = (self.came(open), self.came(self.bytes.len() - 1), self.bytes.len() - open);
            self.bytes.truncate(open);
            let end = self.end();
            self.marks.retain(|&(place, _)| place < end);
            self.is_within_dropped = true;
            self.note_dropped([end; 2], 1, count, [first, last]);
        }
        self.drop_new(&bytes[newline.map_or(0, |newline| newline + 1)..], came)
    }

    /// Drops all of some bytes that come.
    fn drop_new<'b>(&mut self, bytes: &'b [u8], came: Label) -> &'b [u8] {
        let rest = self.skip_dropped(bytes, came);
        if let Some(last) = rest.last() {
            self.is_within_dropped = *last != b'\n';
            let lines = memchr_iter(b'\n', rest).count() as u64 + u64::from(self.is_within_dropped);
            self.note_dropped([self.end(); 2], lines, rest.len(), [came; 2]);
        }
        b""
    }

    /// Drops the rest of the line that was dropped last, and returns what follows it.
    fn skip_dropped<'b>(&mut self, bytes: &'b [u8], came: Label) -> &'b [u8] {
        if !self.is_within_dropped || bytes.is_empty() {
            return bytes;
        }
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
        self.is_within_dropped = bytes[end - 1] != b'\n';
        self.note_dropped([self.end(); 2], 0, end, [came; 2]);
        &bytes[end..]
    }

    /// When a byte came.
    fn came(&self, at: usize) -> Label {
        let behind = self.marks.partition_point(|&(place, _)| place <= self.start + at as u64);
        self.marks[behind - 1].1
    }

    /// Lines are missing before a place, and back to another: what was missing there before is missing here.
    fn note_dropped(&mut self, [from, place]: [u64; 2], lines: u64, bytes: usize, came: [Label; 2]) {
        let tally = Tally { lines, bytes: bytes as u64, came: Some(came) };
        self.dropped.merge(&tally);
        let first = self.gaps.partition_point(|&(other, _)| other < from);
        let behind = self.gaps.partition_point(|&(other, _)| other <= place);
        let mut all = tally;
        self.gaps.drain(first..behind).for_each(|(_, before)| all.merge(&before));
        self.gaps.insert(first, (place, all));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sys::clock::UnixTime;

    fn at(seconds: i64) -> Label {
        Label::from(UnixTime { seconds, nanoseconds: 0 })
    }

    fn backlog(bytes_max: usize, victims: Victims) -> Backlog {
        Backlog::new(Buffer { bytes_max, victims })
    }

    /// Takes all that there is, and writes gaps as `[lines bytes]`.
    fn rest(backlog: &mut Backlog) -> String {
        let mut text = String::new();
        let mut room = [0; 7];
        loop {
            if let Some(gap) = backlog.take_gap() {
                text += &format!("[{} {}]", gap.lines, gap.bytes);
            }
            match backlog.take(0, &mut room) {
                Some((count @ 1.., _)) => {
                    text += std::str::from_utf8(&room[..count]).unwrap();
                    backlog.consume(count);
                }
                _ => return text,
            }
        }
    }

    #[test]
    fn the_oldest_lines_are_dropped_where_they_were() {
        let mut backlog = backlog(12, Victims::Oldest);
        for line in ["a1\n", "a2\n", "a3\n", "a4\n", "a5\n"] {
            backlog.push(line.as_bytes(), at(0));
        }
        assert_eq!(rest(&mut backlog), "[1 3]a2\na3\na4\na5\n");
        assert!(backlog.is_empty());
    }

    #[test]
    fn the_newest_lines_are_dropped_where_they_come() {
        let mut backlog = backlog(12, Victims::Newest);
        backlog.push(b"a1\na2\na3\na4\na5\na", at(0));
        backlog.push(b"6\na7\n", at(1));
        assert_eq!(backlog.dropped().lines, 3);
        let mut room = [0; 100];
        assert_eq!(backlog.take(0, &mut room), Some((12, at(0))));
        backlog.consume(6);
        backlog.push(b"a8\n", at(2));
        assert_eq!(rest(&mut backlog), "a3\na4\n[3 9]a8\n");
    }

    #[test]
    fn what_is_handed_on_and_the_rest_of_its_line_stay() {
        let mut backlog = backlog(12, Victims::Oldest);
        backlog.push_handed(b"on", at(0));
        backlog.push(b"e\ntwo\n", at(1));
        backlog.push(b"three\n", at(2));
        assert_eq!(rest(&mut backlog), "one\n[1 4]three\n");
    }

    #[test]
    fn a_line_that_is_handed_on_in_part_and_fills_the_memory_waits() {
        for victims in [Victims::Oldest, Victims::Newest] {
            let mut backlog = backlog(8, victims);
            backlog.push_handed(b"abc", at(0));
            backlog.push(b"defgh", at(1));
            assert_eq!(backlog.acceptable_bytes(1), 0);
            assert_eq!(rest(&mut backlog), "abcdefgh");
            backlog.push(b"i\n", at(1));
            assert_eq!(rest(&mut backlog), "i\n");
        }
    }

    #[test]
    fn a_line_that_is_longer_than_the_memory_is_dropped_whole() {
        for victims in [Victims::Oldest, Victims::Newest] {
            let mut backlog = backlog(8, victims);
            for piece in ["1\nabcd", "efghi", "jklmn", "o\n2\n"] {
                backlog.push(piece.as_bytes(), at(0));
            }
            let (lines, bytes) = (backlog.dropped().lines, backlog.dropped().bytes);
            let text = rest(&mut backlog);
            match victims {
                Victims::Oldest => assert_eq!(text, "[2 18]2\n"),
                Victims::Newest => assert_eq!((text.as_str(), lines, bytes), ("1\n[1 16]2\n", 1, 16)),
            }
        }
    }

    #[test]
    fn each_part_says_when_it_came() {
        let mut backlog = backlog(100, Victims::Oldest);
        backlog.push_handed(b"a\n", at(1));
        backlog.push(b"b\nc\n", at(2));
        backlog.push(b"d\n", at(3));
        let mut room = [0; 100];
        assert_eq!(backlog.take(0, &mut room), Some((2, at(1))));
        backlog.consume(2);
        assert_eq!(backlog.take(0, &mut room), Some((4, at(2))));
        assert_eq!(backlog.take(4, &mut room), Some((2, at(3))));
    }

    /// A step of the one who fills the backlog, or of the one who empties it.
    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Take(usize),
        Consume(usize),
        /// Takes again what was handed on.
        Forget,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1..60_usize).prop_map(Step::Push),
            2 => (1..60_usize).prop_map(Step::Take),
            2 => (1..60_usize).prop_map(Step::Consume),
            1 => Just(Step::Forget),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn every_line_is_handed_on_whole_or_is_counted(
            steps in steps(),
            lengths in prop::collection::vec(prop_oneof![8 => 1..12_usize, 1 => 30..200_usize], 50..300),
            is_oldest in any::<bool>(),
            handed_bytes in 0..20_usize,
        ) {
            let text: String = lengths.iter().enumerate().map(|(number, &length)| format!("{number:03}{}\n", "x".repeat(length))).collect();
            let victims = if is_oldest { Victims::Oldest } else { Victims::Newest };
            let mut backlog = backlog(64, victims);
            backlog.push_handed(&text.as_bytes()[..handed_bytes], at(0));
            let mut sent = handed_bytes;
            let mut held = text.as_bytes()[..handed_bytes].to_vec();
            let mut got = Vec::new();
            let mut counted = Tally::default();
            let mut clock = 0;
            for step in steps {
                clock += 1;
                match step {
                    Step::Push(count) => {
                        let count = backlog.acceptable_bytes(count.min(text.len() - sent));
                        if count > 0 {
                            backlog.push(&text.as_bytes()[sent..sent + count], at(clock));
                            sent += count;
                        }
                    }
                    Step::Take(count) => {
                        if held.is_empty() && let Some(gap) = backlog.take_gap() {
                            prop_assert!(got.is_empty() || got.ends_with(b"\n"), "a gap within a line");
                            counted.merge(&gap);
                        }
                        let mut room = vec![0; count];
                        if let Some((count, _)) = backlog.take(held.len(), &mut room) {
                            held.extend(&room[..count]);
                        }
                    }
                    Step::Consume(count) => {
                        let count = count.min(held.len());
                        if count > 0 {
                            backlog.consume(count);
                            got.extend(held.drain(..count));
                        }
                    }
                    Step::Forget => {
                        held.clear();
                        backlog.take(0, &mut []);
                    }
                }
                prop_assert!(backlog.bytes.len() <= 64);
                prop_assert!(backlog.marks.iter().is_sorted_by(|a, b| a.0 < b.0), "{:?}", backlog.marks);
            }
            // The rest of a line that was dropped in part comes.
            while backlog.is_within_dropped && sent < text.len() {
                backlog.push(&text.as_bytes()[sent..=sent], at(clock));
                sent += 1;
            }
            backlog.take(0, &mut []);
            loop {
                if let Some(gap) = backlog.take_gap() {
                    counted.merge(&gap);
                }
                let mut room = [0; 30];
                match backlog.take(0, &mut room) {
                    Some((count @ 1.., _)) => {
                        got.extend(&room[..count]);
                        backlog.consume(count);
                    }
                    _ => break,
                }
            }
            prop_assert_eq!(got.len() as u64 + counted.bytes, sent as u64);
            prop_assert_eq!(counted.bytes, backlog.dropped().bytes);
            let lines = |bytes: &[u8]| memchr_iter(b'\n', bytes).count() as u64;
            let is_open = backlog.is_within_dropped;
            prop_assert_eq!(lines(&got) + counted.lines, lines(&text.as_bytes()[..sent]) + u64::from(is_open));
            let mut left = text.split_inclusive('\n');
            for line in std::str::from_utf8(&got).unwrap().split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                prop_assert!(left.any(|sent| sent == line), "torn: {:?}", line);
            }
        }
    }
}
