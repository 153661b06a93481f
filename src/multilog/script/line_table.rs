//! The automaton of regular expressions as a table, for whole lines that are side by side.
//!
//! In an automaton each byte waits for the one before: some two nanoseconds. A table is small enough to follow several lines at
//! once, which takes a third of the time. So it serves expressions without a literal that could be looked for. Not every automaton
//! is small: there is no table for one with too many states.

use std::collections::HashMap;

use memchr::memchr;
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;

use crate::multilog::script::lazy_automaton::LazyAutomaton;

/// Where the row of a state begins in the table.
type Row = u16;
/// A row has a place for each byte.
const ROW_BITS: u32 = u8::BITS;
const NEWLINE: Row = b'\n' as Row;
/// The beginning of a line: behind one that did not match, and behind one that did. Both lead to the same.
const BEGINNING: Row = 0;
const BEHIND_MATCH: Row = 1 << ROW_BITS;
/// The rest of the line does not matter.
const MATCHED: Row = 2 << ROW_BITS;
const FAILED: Row = 3 << ROW_BITS;
/// What comes before the rows of the automaton's own states.
const OTHER_ROWS: usize = 4;

const PLACES: usize = 1 << Row::BITS;
const ROWS_MAX: usize = PLACES >> ROW_BITS;
/// The expressions have so many states at most, times the places that are filled: some thirty milliseconds, where each place is a
/// new state of the automaton.
const STEPS_MAX: usize = 100_000;

/// How many lines are followed at the same time.
const LANES: usize = 4;
/// A byte of a line that is followed alone takes this many times as long.
const ALONE_TIMES: usize = 3;
/// How many lines are followed first, to see after how many bytes they are decided.
const SAMPLE_LINES: usize = 32;

/// For each state and byte the state that comes next.
#[derive(Debug)]
pub(super) struct LineTable {
    rows: Box<[Row; PLACES]>,
    /// Where lines end that match, in each lane.
    ends: [Vec<usize>; LANES],
}

impl LineTable {
    /// The table of an automaton; `None` if it has too many states.
    pub(super) fn new(lazy: &mut LazyAutomaton) -> Option<LineTable> {
        let LazyAutomaton { automaton, states } = lazy;
        let mut rows = vec![BEGINNING; PLACES].into_boxed_slice();
        rows[usize::from(MATCHED)..][..1 << ROW_BITS].fill(MATCHED);
        rows[usize::from(MATCHED | NEWLINE)] = BEHIND_MATCH;
        rows[usize::from(FAILED)..][..1 << ROW_BITS].fill(FAILED);
        rows[usize::from(FAILED | NEWLINE)] = BEGINNING;

        let clear_count = states.clear_count();
        let first = automaton.start_state_forward(states, &Input::new(b"")).ok()?;
        let mut made = Made { states: vec![first], rows: HashMap::from([(first, row(OTHER_ROWS)?)]) };
        let mut steps = 0;
        let mut number = 0;
        while let Some(&state) = made.states.get(number) {
            let row = usize::from(row(OTHER_ROWS + number)?);
            let mut by_class = [None; ROWS_MAX];
            for byte in 0..=u8::MAX {
                let class = &mut by_class[usize::from(automaton.byte_classes().get(byte))];
                let next = match *class {
                    _ if byte == b'\n' => {
                        let end = automaton.next_eoi_state(states, state).ok()?;
                        if end.is_match() { BEHIND_MATCH } else { BEGINNING }
                    }
                    Some(next) => next,
                    None => {
                        steps += automaton.get_nfa().states().len();
                        if steps > STEPS_MAX {
                            return None;
                        }
                        let next = made.row(automaton.next_state(states, state, byte).ok()?)?;
                        *class = Some(next);
                        next
                    }
                };
                rows[row | usize::from(byte)] = next;
            }
            // States that were forgotten have other names now.
            if states.clear_count() > clear_count {
                return None;
            }
            number += 1;
        }
        for beginning in [BEGINNING, BEHIND_MATCH] {
            let first = usize::from(row(OTHER_ROWS)?);
            rows.copy_within(first..first + (1 << ROW_BITS), usize::from(beginning));
        }
        Some(LineTable { rows: rows.try_into().ok()?, ends: Default::default() })
    }

    /// Where the lines end that match, in their order: at which newlines. `lines` are whole lines.
    pub(super) fn find_ends(&mut self, lines: &[u8]) -> impl Iterator<Item = usize> {
        self.ends.iter_mut().for_each(Vec::clear);
        if self.is_decided_early(lines) {
            self.follow_one_by_one(lines);
        } else {
            self.follow_lanes(lines);
        }
        self.ends.iter().flatten().copied()
    }

    /// Tells whether most of a line does not matter.
    fn is_decided_early(&self, lines: &[u8]) -> bool {
        let sample = lines.split_inclusive(|&byte| byte == b'\n').take(SAMPLE_LINES);
        let (followed, all) =
            sample.fold((0, 0), |(followed, all), line| (followed + self.follow(line).1, all + line.len()));
        followed * ALONE_TIMES < all
    }

    /// Follows a line, with its newline, until it is decided: tells whether it matches, and after how many bytes that is known.
    fn follow(&self, line: &[u8]) -> (bool, usize) {
        let mut state = BEGINNING;
        for (at, &byte) in line.iter().enumerate() {
            state = self.next(state, byte);
            if state == MATCHED || state == FAILED {
                return (state == MATCHED, at + 1);
            }
        }
        (state == BEHIND_MATCH, line.len())
    }

    fn follow_one_by_one(&mut self, lines: &[u8]) {
        let mut start = 0;
        while let Some(length) = memchr(b'\n', &lines[start..]) {
            let end = start + length;
            if self.follow(&lines[start..=end]).0 {
                self.ends[0].push(end);
            }
            start = end + 1;
        }
    }

    fn follow_lanes(&mut self, lines: &[u8]) {
        let mut begins = [0; LANES];
        let mut lanes = [lines; LANES];
        for number in (1..LANES).rev() {
            let (before, lane) = cut(lanes[0], number);
            (lanes[0], lanes[number], begins[number]) = (before, lane, before.len());
        }
        let mut states = [BEGINNING; LANES];
        let shortest = lanes.iter().map(|lane| lane.len()).min().unwrap_or(0);
        let mut at = 0;
        while at < shortest {
            (at, states) = self.to_match(lanes.map(|lane| &lane[at..shortest]), states, at);
            for lane in 0..LANES {
                self.note(states[lane], lane, begins[lane] + at - 1);
            }
        }
        for lane in 0..LANES {
            for (at, &byte) in lanes[lane].iter().enumerate().skip(shortest) {
                states[lane] = self.next(states[lane], byte);
                self.note(states[lane], lane, begins[lane] + at);
            }
        }
    }

    /// Follows lanes of the same length, which begin at `at`, to the end of the next line that matches in one of them, or to theirs.
    /// Returns where that is, and the states behind it.
    fn to_match(&self, lanes: [&[u8]; LANES], states: [Row; LANES], at: usize) -> (usize, [Row; LANES]) {
        // One name each: they stay in registers.
        let [first, second, third, fourth] = lanes;
        let [mut a, mut b, mut c, mut d] = states;
        for (passed, (((&first, &second), &third), &fourth)) in
            first.iter().zip(second).zip(third).zip(fourth).enumerate()
        {
            a = self.next(a, first);
            b = self.next(b, second);
            c = self.next(c, third);
            d = self.next(d, fourth);
            if a == BEHIND_MATCH || b == BEHIND_MATCH || c == BEHIND_MATCH || d == BEHIND_MATCH {
                return (at + passed + 1, [a, b, c, d]);
            }
        }
        (at + first.len(), [a, b, c, d])
    }

    /// Notes the end of a line that matches.
    fn note(&mut self, state: Row, lane: usize, end: usize) {
        if state == BEHIND_MATCH {
            self.ends[lane].push(end);
        }
    }

    fn next(&self, state: Row, byte: u8) -> Row {
        self.rows[usize::from(state | Row::from(byte))]
    }
}

/// Cuts lines at the beginning of one, so that the others are one part of `number` and one.
fn cut(lines: &[u8], number: usize) -> (&[u8], &[u8]) {
    let at = lines.len() / (number + 1) * number;
    let length = memchr(b'\n', &lines[at..]).map_or(0, |newline| newline + 1);
    lines.split_at(at + length)
}

/// The states that have been found, in the order of their rows.
struct Made {
    states: Vec<LazyStateID>,
    rows: HashMap<LazyStateID, Row>,
}

impl Made {
    /// The row of a state; `None` if there is no room for it.
    fn row(&mut self, state: LazyStateID) -> Option<Row> {
        if state.is_match() {
            return Some(MATCHED);
        }
        if state.is_dead() {
            return Some(FAILED);
        }
        if let Some(&row) = self.rows.get(&state) {
            return Some(row);
        }
        let row = row(OTHER_ROWS + self.states.len())?;
        self.states.push(state);
        self.rows.insert(state, row);
        Some(row)
    }
}

/// The row with a number; `None` if there are not so many.
fn row(number: usize) -> Option<Row> {
    Row::try_from(number << ROW_BITS).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;
    use crate::multilog::script::lazy_automaton::compiler;

    const TEXTS: [&str; 14] = [
        "[ab]{2}",
        "^a",
        "^$",
        "b$",
        "^[ab]*$",
        "a.b|c",
        "\\bb",
        "a\\B",
        "[^a]c",
        "",
        "(?m:^b)",
        "\\xff",
        "(ab|bc)+$",
        "\\n",
    ];

    fn table(text: &str) -> LineTable {
        let nfa = compiler().build(text).expect("an expression");
        LineTable::new(&mut LazyAutomaton::new(nfa)).expect("a small one")
    }

    #[test]
    fn lines_that_are_decided_early_are_followed_one_by_one() {
        let lines = b"aaaaaaaaaaaab\n".repeat(100);
        assert!(table("^a").is_decided_early(&lines) && table("^b").is_decided_early(&lines));
        assert!(!table("ab").is_decided_early(&lines) && !table("b$").is_decided_early(&lines));
    }

    proptest! {
        #[test]
        fn each_way_finds_the_lines_that_match(
            lines in prop::collection::vec("[abc\\xff]{0,9}", 0..40),
            text in prop::sample::select(&TEXTS[..]),
        ) {
            let regex = RegexBuilder::new(text).unicode(false).build().unwrap();
            let (mut joined, mut expected) = (Vec::new(), Vec::new());
            for line in &lines {
                joined.extend_from_slice(line.as_bytes());
                if regex.is_match(line.as_bytes()) {
                    expected.push(joined.len());
                }
                joined.push(b'\n');
            }
            let found = |follow: fn(&mut LineTable, &[u8])| {
                let mut table = table(text);
                follow(&mut table, &joined);
                table.ends.concat()
            };

            prop_assert_eq!(&found(LineTable::follow_one_by_one), &expected, "{}", text);
            prop_assert_eq!(&found(LineTable::follow_lanes), &expected, "{}", text);
        }
    }
}
