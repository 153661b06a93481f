//! The matcher: applies all selectors of the script to a line in one pass.
//!
//! A state of the matcher records how far each selector has matched. A state is made when a line first leads to it; the
//! lines that follow find it in a table. So a byte costs one table lookup, however many selectors there are. Two
//! things shorten the pass:
//!
//! - Selectors that cannot make a difference are removed from the state: a pattern that has failed, which most do after a
//!   few bytes, as a star never backtracks; and a pattern whose match would be overruled or would change nothing.
//! - Once the verdict is known, the rest of the line is skipped. When all remaining selectors are at a star, the
//!   matcher skips to the next byte that one of them seeks.
//!
//! Regular expressions are matched first, in an automaton of their own. Which of them match decides in which state the star
//! patterns begin.
//!
//! States and verdicts take at most [`MEMORY_BYTES`]. A line that needs more is matched one selector after the other; after
//! many such lines all states are forgotten.
//!
//! # Why this is not the lazy DFA of `regex-automata`
//!
//! Star patterns were also tried as anchored regular expressions in one hybrid DFA of `regex-automata` 0.4, on the qmail
//! log of the bench and in turns with this code. Fed byte by byte it reaches 0.36 of this speed (0.1 where selectors seek a
//! rare byte). With the same skips by `memchr` it reaches 0.87 to 1.04 (medians) with 20 and 200 selectors that never
//! match, but 0.34 to 0.44 where many lines match, and 0.04 to 0.17 with 200 selectors that overlap (`+*delivery N*`): its
//! states take twice the memory, so that [`MEMORY_BYTES`] do not hold them. A DFA cannot strike out a selector that a later
//! one overrules, which is where this code gains. It would also add 100 kB to an idle logger. Selectors that are regular
//! expressions use it.

use std::collections::BTreeMap;

use memchr::{memchr, memchr2, memchr3};

use crate::multilog::script::expression::{self, Expression, Expressions, MatchRun};
use crate::multilog::script::pattern::Pattern;
use crate::multilog::script::selector::{Progress, Selector};
use crate::multilog::script::{Action, SEEN_BYTES, Script};

/// What the automaton may take.
pub const MEMORY_BYTES: usize = 1024 * 1024;
/// After this many lines without a state, a full table is cleared, because the lines may have changed.
const PLAIN_LINES_MAX: usize = 10_000;

/// The number of a verdict that is not stored because the memory is full; it is valid for one line.
pub const UNKEPT: usize = 0;

/// The verdict on a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The directories that it goes to.
    pub directories: Vec<usize>,
    /// The status files that note it.
    pub statuses: Vec<usize>,
    /// How many alerts it gives.
    pub alert_count: usize,
    /// The copy that it gives, by the number of its prefix.
    pub copy: Option<usize>,
}

impl Verdict {
    /// Tells whether it is nothing but directories.
    fn is_silent(&self) -> bool {
        self.statuses.is_empty() && self.alert_count == 0 && self.copy.is_none()
    }
}

/// A selector with its place in the script.
#[derive(Debug)]
struct Clause {
    test: Test,
    /// Whether a line that matches is selected or deselected.
    selects: bool,
    /// The selectors between two actions are a run; the runs are counted from 0.
    run: usize,
}

/// What a clause looks for.
#[derive(Debug)]
enum Test {
    Star(Selector),
    /// The regular expression with this number.
    Expression(usize),
}

impl Clause {
    /// How far it has matched after the first bytes of a line; `None` for a regular expression.
    fn start(&self, first: &[u8]) -> Option<Progress> {
        match &self.test {
            Test::Star(selector) => Some(selector.start(first)),
            Test::Expression(_) => None,
        }
    }

    /// A regular expression that is pending has matched.
    fn go_on(&self, progress: Progress, next: &[u8]) -> Progress {
        match &self.test {
            Test::Star(selector) => selector.go_on(progress, next),
            Test::Expression(_) => progress,
        }
    }

    fn finish(&self, progress: Progress, rest: &[u8]) -> bool {
        match &self.test {
            Test::Star(selector) => selector.finish(progress, rest),
            Test::Expression(_) => progress == Progress::MATCHED,
        }
    }

    fn sought(&self, progress: Progress) -> Option<u8> {
        match &self.test {
            Test::Star(selector) => selector.sought(progress),
            Test::Expression(_) => None,
        }
    }
}

/// The regular expressions of a script.
#[derive(Debug)]
struct ExpressionSet {
    expressions: Box<dyn Expressions>,
    /// So much of a line is examined.
    examined_bytes: usize,
    starts: Starts,
    /// Runs of the lines that come next, the last one first.
    runs: Vec<MatchRun>,
}

/// In which state the star patterns begin, by the regular expressions that match.
#[derive(Debug, Default)]
struct Starts {
    /// By the bits of those that match.
    rows: BTreeMap<Box<[u64]>, Row>,
    /// Those that matched last: none of them, and some.
    latest: [Option<(Box<[u64]>, Row)>; 2],
}

impl ExpressionSet {
    fn new(expressions: &[&Expression], examined_bytes: usize) -> Box<ExpressionSet> {
        let expressions = expression::compile(expressions);
        Box::new(ExpressionSet { expressions, examined_bytes, starts: Starts::default(), runs: Vec::new() })
    }

    /// The states are others now.
    fn forget_starts(&mut self) {
        self.starts = Starts::default();
    }
}

/// The clauses that can still make a difference, and where they are in their patterns.
type Pending = Vec<(usize, Progress)>;

/// What is known of a state.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The rest of the line does not matter.
    Decided(usize),
    /// All other bytes lead back to the state.
    Seeking([u8; 3]),
    /// An ordinary state.
    Plain,
}

#[derive(Debug)]
struct State {
    pending: Pending,
    kind: Kind,
    /// The verdict on a line that ends here.
    at_end: usize,
}

/// A place in the table: the beginning of a state's row; with [`SPECIAL`] if the state is not plain.
type Row = u32;
const SPECIAL: Row = 1 << 31;
const UNKNOWN: Row = Row::MAX;

/// The state in which a line begins: after what stands in front of it, and with the regular expressions that match it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begun(Row);

/// Whole lines, side by side, whose regular expressions have been matched.
#[derive(Clone, Copy, Debug, Default)]
pub struct BegunLines {
    /// Their bytes, with their newlines.
    pub bytes: usize,
    /// Whether it is one line.
    pub is_one: bool,
    /// Where each is judged from.
    pub begun: Begun,
    /// The verdict on each, if that is known already, and is nothing but directories.
    pub verdict: Option<usize>,
}

/// Judges lines.
#[derive(Debug)]
pub struct Matcher {
    clauses: Vec<Clause>,
    /// For each run, and first for no run, what a selected line meets behind it.
    actions: Vec<Verdict>,
    /// Bytes that no pattern tells apart have the same class.
    classes: [u8; 256],
    /// The number of bits for a class: a row of the table has a place for each.
    row_bits: u32,
    /// Where each clause is after what stands in front of the line; `None` for regular expressions.
    started: Vec<Option<Progress>>,
    /// How many bytes of the line star patterns see.
    seen_bytes: usize,
    /// What is pending there, without the regular expressions.
    beginning: Pending,
    /// The state for that; with regular expressions there are more of them.
    beginning_row: Row,
    /// `None` if the script has none.
    expression_set: Option<Box<ExpressionSet>>,
    states: Vec<State>,
    /// For each state a row, for each class the row that comes next.
    table: Vec<Row>,
    rows: BTreeMap<Pending, Row>,
    memory_bytes: usize,
    memory_max_bytes: usize,
    plain_lines: usize,
    verdicts: Vec<Verdict>,
    /// The verdicts, by the runs after which the line is selected.
    numbers: BTreeMap<Vec<bool>, usize>,
}

impl Matcher {
    /// A matcher for the lines of a script. Lines have no stamp until [`Matcher::begin`] sets another beginning.
    #[must_use]
    pub fn new(script: &Script) -> Matcher {
        Matcher::with_memory(script, MEMORY_BYTES)
    }

    fn with_memory(script: &Script, memory_max_bytes: usize) -> Matcher {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut expressions: Vec<&Expression> = Vec::new();
        let mut actions = vec![Verdict::default()];
        let mut is_in_run = false;
        for action in &script.actions {
            let (pattern, selects) = match action {
                Action::Select(pattern) => (pattern, true),
                Action::Deselect(pattern) => (pattern, false),
                Action::Examine(_) => continue,
                _ => {
                    is_in_run = false;
                    let met = actions.last_mut().expect("there is one for no run");
                    match action {
                        Action::Alert => met.alert_count += 1,
                        Action::Copy(copy) => met.copy = met.copy.or(Some(*copy)),
                        Action::Status(file) => met.statuses.push(*file),
                        Action::Log(directory) => met.directories.push(*directory),
                        Action::Select(_) | Action::Deselect(_) | Action::Examine(_) => {}
                    }
                    continue;
                }
            };
            if !is_in_run {
                actions.push(Verdict::default());
                is_in_run = true;
            }
            let test = match pattern {
                Pattern::Star(selector) => Test::Star(selector.clone()),
                Pattern::Expression(expression) => {
                    expressions.push(expression);
                    Test::Expression(expressions.len() - 1)
                }
            };
            clauses.push(Clause { test, selects, run: actions.len() - 1 });
        }
        // Selectors with no action behind them have no effect.
        if actions.last() == Some(&Verdict::default()) {
            clauses.retain(|clause| clause.run != actions.len() - 1);
        }
        let mut classes = [0; 256];
        let mut class_count = 1;
        let selectors = clauses.iter().filter_map(|clause| match &clause.test {
            Test::Star(selector) => Some(selector),
            Test::Expression(_) => None,
        });
        for byte in selectors.flat_map(Selector::bytes) {
            let class = &mut classes[usize::from(byte)];
            // A pattern cannot hold a NUL, so there is always one byte that none tells.
            if *class == 0 {
                *class = u8::try_from(class_count).expect("fewer classes than bytes");
                class_count += 1;
            }
        }
        let mut matcher = Matcher {
            clauses,
            actions,
            classes,
            row_bits: usize::next_power_of_two(class_count).trailing_zeros(),
            started: Vec::new(),
            seen_bytes: SEEN_BYTES,
            beginning: Vec::new(),
            beginning_row: UNKNOWN,
            expression_set: (!expressions.is_empty())
                .then(|| ExpressionSet::new(&expressions, script.examined_bytes())),
            states: Vec::new(),
            table: Vec::new(),
            rows: BTreeMap::new(),
            memory_bytes: 0,
            memory_max_bytes,
            plain_lines: 0,
            verdicts: vec![Verdict::default()],
            numbers: BTreeMap::new(),
        };
        matcher.begin(b"");
        matcher
    }

    /// What stands in front of the lines that follow.
    pub fn begin(&mut self, head: &[u8]) {
        self.seen_bytes = SEEN_BYTES - head.len();
        let started: Vec<_> = self.clauses.iter().map(|clause| clause.start(head)).collect();
        if let Some(set) = &mut self.expression_set {
            set.runs.clear();
            // The states in which lines begin stay the same, in most cases, when only the time has changed.
            if self.started != started {
                set.forget_starts();
                self.started = started;
            }
            return;
        }
        let mut pending = started.iter().copied().enumerate().filter_map(|(number, at)| Some((number, at?))).collect();
        self.strike(&mut pending);
        self.beginning_row = self.find_or_make(&pending);
        self.beginning = pending;
    }

    /// What is pending at the beginning of a line that some regular expressions match: a bit for each.
    fn pending_with(&self, matching: &[u64]) -> Pending {
        let at = |(number, clause): (usize, &Clause)| match clause.test {
            Test::Star(_) => Some((number, self.started[number]?)),
            Test::Expression(one) => (matching[one / 64] >> (one % 64) & 1 == 1).then_some((number, Progress::MATCHED)),
        };
        let mut pending = self.clauses.iter().enumerate().filter_map(at).collect();
        self.strike(&mut pending);
        pending
    }

    /// The state in which a line begins that these regular expressions match. Leaves what is pending there in `beginning` if there
    /// is no room for the state.
    fn start_row(&mut self, starts: &mut Starts, matching: &[u64]) -> Row {
        // Lines that match and others take turns.
        let latest = &mut starts.latest[usize::from(matching.iter().any(|&bits| bits != 0))];
        // Word by word: a call that compares memory takes longer than one or two words.
        if let Some((same, row)) = latest
            && same.iter().eq(matching)
        {
            return *row;
        }
        let row = starts.rows.get(matching).copied().unwrap_or_else(|| {
            let pending = self.pending_with(matching);
            let row = self.find_or_make(&pending);
            let bytes = 2 * (size_of::<(Box<[u64]>, Row)>() + size_of_val(matching));
            if row == UNKNOWN {
                self.beginning = pending;
            } else if self.memory_bytes + bytes <= self.memory_max_bytes {
                self.memory_bytes += bytes;
                starts.rows.insert(matching.into(), row);
            }
            row
        });
        match latest {
            _ if row == UNKNOWN => *latest = None,
            Some(latest) => {
                latest.0.copy_from_slice(matching);
                latest.1 = row;
            }
            None => *latest = Some((matching.into(), row)),
        }
        row
    }

    /// Apart, so that scripts without regular expressions do not pay for them.
    #[inline(never)]
    fn begin_with_expressions(&mut self, line: &[u8]) -> Row {
        self.with_expressions(|matcher, ExpressionSet { expressions, examined_bytes, starts, .. }| {
            let matching = expressions.matching(&line[..line.len().min(*examined_bytes)]);
            matcher.start_row(starts, matching)
        })
        .unwrap_or(self.beginning_row)
    }

    /// Does something with the regular expressions, if there are any.
    fn with_expressions<T>(&mut self, act: impl FnOnce(&mut Matcher, &mut ExpressionSet) -> T) -> Option<T> {
        let mut set = self.expression_set.take()?;
        let answer = act(self, &mut set);
        self.expression_set = Some(set);
        Some(answer)
    }

    /// How many bytes of a line may decide where it goes, beside what star patterns see.
    #[must_use]
    pub fn examined_bytes(&self) -> usize {
        self.expression_set.as_ref().map_or(0, |set| set.examined_bytes)
    }

    /// What was decided: see [`Matcher::match_line`].
    #[must_use]
    pub fn verdict(&self, number: usize) -> &Verdict {
        &self.verdicts[number]
    }

    /// Judges a line, without what stands in front of it and without its newline, and says which of the verdicts is its own. Those with the same
    /// number are the same until the next call of [`Matcher::tidy`], but for [`UNKEPT`], which is valid until the next line.
    pub fn match_line(&mut self, line: &[u8]) -> usize {
        let begin = if self.expression_set.is_none() { self.beginning_row } else { self.begin_with_expressions(line) };
        self.match_begun(Begun(begin), line)
    }

    /// Matches the regular expressions of lines at the beginning of `lines` together; `None` if that is no quicker than to judge the
    /// next line by itself. Until [`Matcher::begin`], `lines` go on where the lines end that were begun or judged before.
    #[must_use]
    pub fn begin_lines(&mut self, lines: &[u8]) -> Option<BegunLines> {
        self.with_expressions(|matcher, set| {
            let ExpressionSet { expressions, examined_bytes, starts, runs } = set;
            if runs.is_empty() {
                expressions.match_lines(lines, *examined_bytes, runs);
                runs.reverse();
            }
            let MatchRun { bytes, is_one, matching } = runs.pop()?;
            let row = matcher.start_row(starts, &[matching]);
            let verdict = matcher.decided(row).filter(|&verdict| matcher.verdicts[verdict].is_silent());
            Some(BegunLines { bytes, is_one, begun: Begun(row), verdict })
        })?
    }

    /// The verdict on all lines that begin in this state.
    fn decided(&self, row: Row) -> Option<usize> {
        if row == UNKNOWN || row & SPECIAL == 0 {
            return None;
        }
        match self.state(row & !SPECIAL).kind {
            Kind::Decided(verdict) if verdict != UNKEPT => Some(verdict),
            Kind::Decided(_) | Kind::Seeking(_) | Kind::Plain => None,
        }
    }

    /// Judges a line that has begun, as [`Matcher::match_line`] does: the next one that is judged.
    pub fn match_begun(&mut self, begun: Begun, line: &[u8]) -> usize {
        let seen = &line[..line.len().min(self.seen_bytes)];
        let Begun(begin) = begun;
        if begin == UNKNOWN {
            let matching = self.matching(&self.beginning, seen);
            return self.decide_plainly(&matching);
        }
        self.match_seen(begin, seen)
    }

    /// Judges what star patterns see of a line.
    fn match_seen(&mut self, begin: Row, line: &[u8]) -> usize {
        let mut row = begin;
        let mut at = 0;
        loop {
            if row & SPECIAL != 0 {
                row &= !SPECIAL;
                match self.state(row).kind {
                    Kind::Decided(verdict) => return verdict,
                    Kind::Seeking([one, two, three]) => {
                        let rest = &line[at..];
                        let found = if one == two {
                            memchr(one, rest)
                        } else if two == three {
                            memchr2(one, two, rest)
                        } else {
                            memchr3(one, two, three, rest)
                        };
                        at += found.unwrap_or(rest.len());
                    }
                    Kind::Plain => {}
                }
            }
            let Some(&byte) = line.get(at) else { return self.state(row).at_end };
            let place = row as usize + usize::from(self.classes[usize::from(byte)]);
            row = self.table[place];
            if row == UNKNOWN {
                let from = place >> self.row_bits;
                row = self.make_next(from, byte);
                if row == UNKNOWN {
                    let matching = self.matching(&self.states[from].pending, &line[at..]);
                    return self.decide_plainly(&matching);
                }
                self.table[place] = row;
            }
            at += 1;
        }
    }

    /// The clauses that match, looked for one after the other in the rest of a line.
    fn matching(&self, pending: &[(usize, Progress)], rest: &[u8]) -> Vec<usize> {
        let matches = |&&(number, progress): &&(usize, Progress)| self.clauses[number].finish(progress, rest);
        pending.iter().filter(matches).map(|(number, _)| *number).collect()
    }

    /// The verdict on a line for which there was no state.
    fn decide_plainly(&mut self, matching: &[usize]) -> usize {
        self.plain_lines += 1;
        self.decide(matching)
    }

    /// Forgets the states if they were of no help to many lines. The numbers of verdicts are no longer valid.
    pub fn tidy(&mut self) {
        if self.plain_lines > PLAIN_LINES_MAX {
            self.shrink();
        }
    }

    /// Clears all states and verdicts. They are made again as they are needed.
    pub fn shrink(&mut self) {
        self.states = Vec::new();
        self.table = Vec::new();
        self.rows.clear();
        self.verdicts = vec![Verdict::default()];
        self.numbers.clear();
        self.memory_bytes = 0;
        self.plain_lines = 0;
        if let Some(set) = &mut self.expression_set {
            set.forget_starts();
            set.runs = Vec::new();
            set.expressions.shrink();
            return;
        }
        let beginning = std::mem::take(&mut self.beginning);
        self.beginning_row = self.find_or_make(&beginning);
        self.beginning = beginning;
    }

    fn state(&self, row: Row) -> &State {
        &self.states[row as usize >> self.row_bits]
    }

    /// The state that a byte leads to; `UNKNOWN` if there is no room for it.
    fn make_next(&mut self, from: usize, byte: u8) -> Row {
        let mut pending = self.states[from].pending.clone();
        for (number, progress) in &mut pending {
            *progress = self.clauses[*number].go_on(*progress, &[byte]);
        }
        self.strike(&mut pending);
        self.find_or_make(&pending)
    }

    /// Removes selectors that cannot change the verdict any more.
    fn strike(&self, pending: &mut Pending) {
        pending.retain(|(_, progress)| progress.verdict() != Some(false));
        // From the last to the first: what stands before a match in the same run is overruled.
        let mut matched_run = None;
        pending.reverse();
        pending.retain(|&(number, progress)| {
            let run = self.clauses[number].run;
            let is_overruled = matched_run == Some(run);
            if progress.verdict() == Some(true) {
                matched_run = Some(run);
            }
            !is_overruled
        });
        pending.reverse();
        // From the first to the last: what would say what is so already.
        let mut is_selected = Some(true);
        pending.retain(|&(number, progress)| {
            let selects = self.clauses[number].selects;
            let says_nothing = is_selected == Some(selects);
            if !says_nothing {
                is_selected = progress.verdict().map(|_| selects);
            }
            !says_nothing
        });
    }

    /// The state in which so much is pending; `UNKNOWN` if there is no room for it.
    fn find_or_make(&mut self, pending: &Pending) -> Row {
        if let Some(&row) = self.rows.get(pending) {
            return row;
        }
        let row_bytes = size_of::<Row>() << self.row_bits;
        // Twice: in the state, and where it is found.
        let bytes = size_of::<State>() + row_bytes + 2 * (size_of::<Pending>() + size_of_val(&pending[..]));
        let matching = self.matching(pending, b"");
        let at_end = self.decide(&matching);
        if at_end == UNKEPT || self.memory_bytes + bytes > self.memory_max_bytes {
            return UNKNOWN;
        }
        self.memory_bytes += bytes;
        let kind = match self.sought(pending) {
            _ if pending.iter().all(|(_, progress)| progress.verdict().is_some()) => Kind::Decided(at_end),
            Some(bytes) => Kind::Seeking(bytes),
            None => Kind::Plain,
        };
        let special = if matches!(kind, Kind::Plain) { 0 } else { SPECIAL };
        // The bound on memory keeps it far from the flag.
        let row = special | Row::try_from(self.table.len()).expect("a table of a megabyte");
        self.table.resize(self.table.len() + (1 << self.row_bits), UNKNOWN);
        self.states.push(State { pending: pending.clone(), kind, at_end });
        self.rows.insert(pending.clone(), row);
        row
    }

    /// The bytes that lead away from a state, if there are no more than three: with fewer the last is repeated.
    fn sought(&self, pending: &[(usize, Progress)]) -> Option<[u8; 3]> {
        let mut bytes = Vec::new();
        for &(number, progress) in pending.iter().filter(|(_, progress)| progress.verdict().is_none()) {
            let byte = self.clauses[number].sought(progress)?;
            if !bytes.contains(&byte) {
                bytes.push(byte);
            }
        }
        let last = *bytes.last()?;
        (bytes.len() <= 3).then(|| std::array::from_fn(|number| *bytes.get(number).unwrap_or(&last)))
    }

    /// The verdict on a line that just these clauses match, in their order.
    fn decide(&mut self, matching: &[usize]) -> usize {
        let mut is_selected = true;
        let mut matching = matching.iter().map(|&number| &self.clauses[number]).peekable();
        let selected_after: Vec<bool> = (0..self.actions.len())
            .map(|run| {
                while let Some(clause) = matching.next_if(|clause| clause.run == run) {
                    is_selected = clause.selects;
                }
                is_selected
            })
            .collect();
        if let Some(&number) = self.numbers.get(&selected_after) {
            return number;
        }
        let mut verdict = Verdict::default();
        for (met, _) in self.actions.iter().zip(&selected_after).filter(|(_, is_selected)| **is_selected) {
            verdict.directories.extend(&met.directories);
            verdict.statuses.extend(&met.statuses);
            verdict.alert_count += met.alert_count;
            verdict.copy = verdict.copy.or(met.copy);
        }
        // Twice what the lists hold, as they grow by doubling.
        let lists = verdict.directories.len() + verdict.statuses.len();
        let bytes = size_of::<(Verdict, Vec<bool>, usize)>() + 2 * (lists * size_of::<usize>() + selected_after.len());
        if self.memory_bytes + bytes > self.memory_max_bytes {
            self.verdicts[UNKEPT] = verdict;
            return UNKEPT;
        }
        self.memory_bytes += bytes;
        self.verdicts.push(verdict);
        self.numbers.insert(selected_after, self.verdicts.len() - 1);
        self.verdicts.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use std::ffi::CStr;

    use super::*;
    use crate::multilog::script::automaton;

    /// The script as multilog.8 tells it: each action in its turn.
    fn verdict_by_the_book(script: &Script, stamp: &[u8], line: &[u8]) -> Verdict {
        let whole = [stamp, line].concat();
        let matches = |pattern: &Pattern| match pattern {
            Pattern::Star(selector) => selector.matches(&whole),
            Pattern::Expression(expression) => {
                RegexBuilder::new(expression.text()).unicode(false).build().unwrap().is_match(line)
            }
        };
        let mut is_selected = true;
        let mut verdict = Verdict::default();
        for action in &script.actions {
            match action {
                Action::Select(pattern) => is_selected |= matches(pattern),
                Action::Deselect(pattern) => is_selected &= !matches(pattern),
                Action::Alert if is_selected => verdict.alert_count += 1,
                Action::Copy(copy) if is_selected => verdict.copy = verdict.copy.or(Some(*copy)),
                Action::Status(file) if is_selected => verdict.statuses.push(*file),
                Action::Log(directory) if is_selected => verdict.directories.push(*directory),
                _ => {}
            }
        }
        verdict
    }

    /// A star pattern as a regular expression that finds it anywhere.
    fn expression(pattern: &[u8]) -> Pattern {
        expression::use_compiler(automaton::COMPILER);
        let byte = |byte: &u8| if *byte == b'*' { ".".to_owned() } else { format!("(?-u:\\x{byte:02x})") };
        Pattern::Expression(Expression::new(pattern.iter().map(byte).collect::<String>().as_bytes()).unwrap())
    }

    fn script(actions: Vec<(u8, Vec<u8>)>) -> Script {
        let (mut directories, mut statuses) = (0, 0);
        let count = |number: &mut usize| std::mem::replace(number, *number + 1);
        let actions = actions.into_iter().map(|(kind, pattern)| match kind {
            0..4 => Action::Select(Pattern::star(&pattern)),
            4..8 => Action::Deselect(Pattern::star(&pattern)),
            8 => Action::Log(count(&mut directories)),
            9 => Action::Status(count(&mut statuses)),
            10 | 11 => Action::Alert,
            12 => Action::Select(expression(&pattern)),
            _ => Action::Deselect(expression(&pattern)),
        });
        Script { actions: actions.collect(), ..Script::parse(&Vec::new()) }
    }

    #[test]
    fn expressions_examine_the_first_thousand_bytes_or_as_many_as_are_asked_for() {
        expression::use_compiler(automaton::COMPILER);
        let expressions = [c"r+b", c"./a", c"-*", c"r+a$", c"./b", c"-*", c"r+^$", c"./c"];
        for (examine, bytes) in [(None, 1000), (Some(c"r2k"), 2048), (Some(c"r1"), 1000), (Some(c"r1G"), 65536)] {
            let actions: Vec<&'static CStr> = [c"-*"].into_iter().chain(expressions).chain(examine).collect();
            let mut matcher = Matcher::new(&Script::parse(&actions));
            let mut directories = |line: &[u8]| {
                let number = matcher.match_line(line);
                matcher.verdict(number).directories.clone()
            };
            let line = [vec![b'a'; bytes], vec![b'b'; bytes]].concat();

            assert_eq!(directories(&line), [1], "{examine:?}");
            assert_eq!(directories(&line[1..bytes]), [1], "{examine:?}");
            assert_eq!(directories(&line[1..=bytes]), [0], "{examine:?}");
            assert_eq!(directories(b""), [2], "{examine:?}");
        }
    }

    /// Few different bytes, so that patterns and lines meet.
    fn text(bytes: &'static [u8], length: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(bytes), 0..length)
    }

    fn compare(
        actions: Vec<(u8, Vec<u8>)>,
        stamp: &[u8],
        lines: &[Vec<u8>],
        memory_max_bytes: usize,
    ) -> Result<(), TestCaseError> {
        let script = script(actions);
        let mut matcher = Matcher::with_memory(&script, memory_max_bytes);
        matcher.begin(stamp);
        for line in lines {
            let number = matcher.match_line(line);

            prop_assert_eq!(matcher.verdict(number), &verdict_by_the_book(&script, stamp, line));
        }
        prop_assert!(matcher.memory_bytes <= memory_max_bytes);
        compare_together(&script, stamp, lines, memory_max_bytes)
    }

    /// Lines that are judged together have the verdicts that they have one by one.
    fn compare_together(
        script: &Script,
        stamp: &[u8],
        lines: &[Vec<u8>],
        memory_max_bytes: usize,
    ) -> Result<(), TestCaseError> {
        let expected = lines.iter().map(|line| verdict_by_the_book(script, stamp, line)).collect::<Vec<_>>();
        let mut expected = lines.iter().zip(&expected).cycle();
        // So many that a table is made.
        let text = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect::<Vec<u8>>().repeat(500);
        let mut matcher = Matcher::with_memory(script, memory_max_bytes);
        matcher.begin(stamp);
        let mut rest = &text[..];
        while let Some(BegunLines { bytes, is_one, begun, verdict }) = matcher.begin_lines(rest) {
            let (begun_lines, others) = rest.split_at(bytes);
            prop_assert!(!is_one || begun_lines.iter().filter(|&&byte| byte == b'\n').count() == 1);
            for (line, (expected_line, expected)) in
                begun_lines.split_inclusive(|&byte| byte == b'\n').zip(&mut expected)
            {
                prop_assert_eq!(&line[..line.len() - 1], expected_line);
                let number = verdict.unwrap_or_else(|| matcher.match_begun(begun, expected_line));
                prop_assert_eq!(matcher.verdict(number), expected);
            }
            rest = others;
        }
        Ok(())
    }

    /// Some lines, a stamp, and what the matcher may take.
    fn lines() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>, usize)> {
        let memory = prop_oneof![Just(MEMORY_BYTES), 0..3000_usize];
        (text(b"ab*", 4), prop::collection::vec(text(b"abcd*\xff\0", 12), 1..20), memory)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn all_selectors_together_say_what_they_say_one_by_one(
            actions in prop::collection::vec((0..12_u8, text(b"abc**\xff", 7)), 0..12),
            (stamp, lines, memory_max_bytes) in lines(),
        ) {
            compare(actions, &stamp, &lines, memory_max_bytes)?;
        }
    }

    proptest! {
        // The expressions that it is compared with are compiled for each line.
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn regular_expressions_among_other_selectors_say_what_they_say_one_by_one(
            actions in prop::collection::vec((6..15_u8, text(b"abc**\xff", 7)), 0..12),
            (stamp, lines, memory_max_bytes) in lines(),
        ) {
            compare(actions, &stamp, &lines, memory_max_bytes)?;
        }
    }

    #[test]
    fn lines_cannot_make_the_matcher_grow_beyond_its_memory() {
        let selector = |byte: u8| [(4, b"*".to_vec()), (0, [b"*", &[byte][..], b"*"].concat()), (9, Vec::new())];
        let script = script((b'a'..=b'x').flat_map(selector).collect());
        let mut matcher = Matcher::with_memory(&script, 50_000);
        // Each line has another set of letters, and so another verdict.
        let letters =
            |set: u32| (0..24_u8).filter(|letter| set >> letter & 1 == 1).map(|letter| b'a' + letter).collect();

        for number in 0..PLAIN_LINES_MAX as u32 * 2 {
            let line: Vec<u8> = letters(number.wrapping_mul(0x9e37_79b9));
            let verdict = matcher.match_line(&line);
            assert_eq!(*matcher.verdict(verdict), verdict_by_the_book(&script, b"", &line));
            assert!(matcher.verdicts.len() < 500, "{} verdicts", matcher.verdicts.len());
        }
    }

    /// Many selectors that each find another part of the line lead to many states.
    fn matcher_with_many_states(memory_max_bytes: usize) -> (Script, Matcher) {
        let pattern = |byte: u8| [b"*", &[byte][..], b"*", &[byte], b"x"].concat();
        let script = script((b'a'..b'p').flat_map(|byte| [(4, pattern(byte)), (8, Vec::new())]).collect());
        let matcher = Matcher::with_memory(&script, memory_max_bytes);
        (script, matcher)
    }

    #[test]
    fn states_that_are_full_are_forgotten_once_they_help_no_more() {
        let (script, mut matcher) = matcher_with_many_states(20_000);
        let line = |number: usize| (0..12).map(|place| b'a' + (number >> place) as u8 % 15).collect::<Vec<u8>>();
        let lines: Vec<Vec<u8>> = (0..PLAIN_LINES_MAX * 2).map(line).collect();

        for line in &lines {
            let number = matcher.match_line(line);
            assert_eq!(*matcher.verdict(number), verdict_by_the_book(&script, b"", line));
        }

        assert!(matcher.plain_lines > PLAIN_LINES_MAX && matcher.memory_bytes <= 20_000);
        matcher.tidy();
        assert_eq!((matcher.plain_lines, matcher.states.len()), (0, 1));
        let number = matcher.match_line(&lines[0]);
        assert_eq!(*matcher.verdict(number), verdict_by_the_book(&script, b"", &lines[0]));
    }

    #[test]
    fn what_makes_no_difference_is_struck_out() {
        let patterns = [(4, "*"), (0, "*a*"), (0, "*b*"), (4, "*c*"), (8, "")];
        let script = script(patterns.map(|(kind, pattern)| (kind, pattern.into())).into());
        let mut matcher = Matcher::new(&script);
        let pending = |matcher: &Matcher| matcher.beginning.iter().map(|(number, _)| *number).collect::<Vec<_>>();

        matcher.begin(b"");
        assert_eq!(pending(&matcher), [0, 1, 2, 3]);

        // Selected as at the beginning, whatever becomes of b; only c can change that.
        matcher.begin(b"a");
        assert_eq!(pending(&matcher), [3]);
        assert!(matches!(matcher.states.last().unwrap().kind, Kind::Seeking(_)));

        matcher.begin(b"abc");
        assert_eq!(pending(&matcher), [3]);
        assert!(matches!(matcher.states.last().unwrap().kind, Kind::Decided(_)));
    }
}
