//! What a batch does to the states of all directories. It is planned, and planned again, until the batch is committed.

use std::ops::Range;
use std::time::Duration;

use crate::logdir::restraint::Restraint;
use crate::multilog::script::Script;
use crate::multilog::withheld::state::{Change, Withheld};
use crate::multilog::withheld::tally::Tally;
use crate::sys::clock::UnixTime;
use crate::tai64n::Label;

/// How long suppressed lines are counted before the log says how many, if no line follows.
const REPORT_DELAY: Duration = Duration::from_secs(1);

/// What becomes of a line in one directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Written,
    Repeated,
    Suppressed,
}

/// The last line of a directory's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum LastLine {
    /// It is not known: no line is its repeat.
    #[default]
    Unknown,
    /// The line as it came.
    Known(Vec<u8>),
}

/// What is planned for one directory.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// After the batch.
    state: Withheld,
    /// The last line, if the batch writes one: where it is in the window; nowhere if it is not whole.
    last: Option<Option<Range<usize>>>,
    first_repeats: u64,
    /// What becomes of the line that is being looked at.
    fate: Fate,
    /// What is written before that line.
    preface: Vec<u8>,
    /// What this batch adds to the repeated and to the suppressed lines.
    added: [Tally; 2],
}

/// The states of all directories. It exists only if the script or a predecessor needs it.
#[derive(Debug)]
pub struct Restrained {
    rules: Vec<Restraint>,
    states: Vec<Withheld>,
    last_lines: Vec<LastLine>,
    /// As a journal tells: how many of the first lines of the batch repeat a line that is not known.
    told_repeats: Vec<u64>,
    plans: Vec<Plan>,
    /// When the first line of the batch came, and the others.
    came: [Label; 2],
}

impl Restrained {
    /// The states at the start; `None` if the script restrains nothing.
    #[must_use]
    pub fn new(script: &Script) -> Option<Box<Restrained>> {
        let is_needed = script.directories.iter().any(|one| !one.restraint.is_none());
        is_needed.then(|| Restrained::of(script))
    }

    /// The states at the start.
    #[must_use]
    pub fn of(script: &Script) -> Box<Restrained> {
        let count = script.directories.len();
        Box::new(Restrained {
            rules: script.directories.iter().map(|one| one.restraint).collect(),
            states: vec![Withheld::default(); count],
            last_lines: vec![LastLine::Unknown; count],
            told_repeats: vec![0; count],
            plans: vec![Plan::default(); count],
            came: [Label::from(UnixTime { seconds: 0, nanoseconds: 0 }); 2],
        })
    }

    /// Continues with the states of another process.
    pub fn take_over(&mut self, states: Vec<Withheld>) {
        assert_eq!(states.len(), self.states.len(), "there is a state for each directory");
        self.states = states;
    }

    /// Makes the batch of another process again.
    pub fn repeat(&mut self, changes: &[Change]) {
        assert_eq!(changes.len(), self.states.len(), "there is a change for each directory");
        self.states = changes.iter().map(|change| change.states[0]).collect();
        self.told_repeats = changes.iter().map(|change| change.first_repeats).collect();
    }

    /// The state of each directory.
    #[must_use]
    pub fn states(&self) -> &[Withheld] {
        &self.states
    }

    /// Tells whether lines have to be looked at one by one.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.rules.iter().any(|rule| !rule.is_none())
            || self.states.iter().any(|state| state.is_pending() || state.is_within_suppressed)
    }

    /// How long the log may wait until it says what is counted; `None` if nothing is.
    #[must_use]
    pub fn report_delay(&self) -> Option<Duration> {
        let delay = |(rule, state): (&Restraint, &Withheld)| {
            if !state.is_pending() {
                return None;
            }
            // Lines that a predecessor or the input left out are due at once.
            let repeated = rule.repeats.filter(|_| !state.repeated.is_empty());
            let suppressed = rule.rate.filter(|_| !state.suppressed.is_empty()).map(|_| REPORT_DELAY);
            let is_dropped = !state.dropped.is_empty();
            [repeated, suppressed].into_iter().flatten().min().filter(|_| !is_dropped).or(Some(Duration::ZERO))
        };
        self.rules.iter().zip(&self.states).filter_map(delay).min()
    }

    /// Lines were dropped before they were looked at: no directory gets them.
    pub fn note_dropped(&mut self, tally: &Tally) {
        self.states.iter_mut().for_each(|state| state.dropped.merge(tally));
    }

    /// Says when the lines of the next batch came.
    pub fn come(&mut self, came: [Label; 2]) {
        self.came = came;
    }

    /// Begins to plan a batch.
    pub fn begin(&mut self) {
        for ((plan, state), rule) in self.plans.iter_mut().zip(&self.states).zip(&self.rules) {
            plan.state = *state;
            plan.last = None;
            plan.first_repeats = 0;
            plan.added = <[Tally; 2]>::default();
            plan.preface.clear();
            if let Some(rate) = rule.rate {
                plan.state.bucket.fill(rate, self.came[1]);
            }
        }
    }

    /// Decides whether a directory gets a line, and what is written before it. `line` is where it is in the window.
    pub fn decide(&mut self, directory: usize, window: &[u8], line: &Range<usize>, head: &[u8]) -> bool {
        let plan = &mut self.plans[directory];
        let rule = self.rules[directory];
        let text = &window[line.clone()];
        let is_repeat = rule.repeats.is_some()
            && text.ends_with(b"\n")
            && match (&plan.last, &self.last_lines[directory]) {
                (Some(Some(last)), _) => window[last.clone()] == *text,
                (Some(None), _) => false,
                (None, LastLine::Known(last)) => last == text,
                (None, LastLine::Unknown) => plan.first_repeats < self.told_repeats[directory],
            };
        plan.fate = match rule.rate {
            _ if is_repeat => Fate::Repeated,
            Some(rate) if !plan.state.bucket.has_token(rate) => Fate::Suppressed,
            _ => Fate::Written,
        };
        plan.preface.clear();
        if plan.fate == Fate::Written && plan.state.is_pending() {
            plan.state.report(head, &mut plan.preface);
        }
        plan.fate == Fate::Written
    }

    /// What is written to a directory before the line that was decided on last.
    #[must_use]
    pub fn preface(&self, directory: usize) -> &[u8] {
        &self.plans[directory].preface
    }

    /// The line that was decided on last is part of the batch. If its end is not in sight, only `line` of it is.
    pub fn apply(&mut self, directory: usize, window: &[u8], line: &Range<usize>, is_whole: bool) {
        let plan = &mut self.plans[directory];
        let came = self.came[usize::from(line.start > 0)];
        let bytes = line.len();
        match plan.fate {
            Fate::Repeated => {
                plan.state.repeated.add(1, bytes, came);
                plan.added[0].add(1, bytes, came);
                plan.first_repeats += u64::from(plan.last.is_none());
            }
            Fate::Suppressed => {
                plan.state.suppressed.add(1, bytes, came);
                plan.added[1].add(1, bytes, came);
                plan.state.bucket.refuse();
                plan.state.is_within_suppressed = !window[line.clone()].ends_with(b"\n");
                // "Last line" in the log would be another one.
                plan.last = Some(None);
            }
            Fate::Written => {
                plan.state.settle();
                plan.state.bucket.take();
                plan.last = Some(is_whole.then(|| line.clone()));
            }
        }
    }

    /// More of the line that the batch before left open is part of the batch.
    pub fn continue_line(&mut self, bytes: usize, is_ended: bool) {
        for plan in self.plans.iter_mut().filter(|plan| plan.state.is_within_suppressed) {
            plan.state.suppressed.add(0, bytes, self.came[0]);
            plan.added[1].add(0, bytes, self.came[0]);
            plan.state.is_within_suppressed = !is_ended;
        }
    }

    /// Plans a report to one directory; `None` if nothing is to be said.
    pub fn plan_report(&mut self, directory: usize, head: &[u8]) -> Option<&[u8]> {
        let plan = &mut self.plans[directory];
        if plan.state.is_within_suppressed {
            return None;
        }
        plan.state.report(head, &mut plan.preface);
        (!plan.preface.is_empty()).then_some(&plan.preface)
    }

    /// A planned report has room.
    pub fn settle(&mut self, directory: usize) {
        self.plans[directory].state.settle();
    }

    /// What the plan does to each directory's state.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        self.states
            .iter()
            .zip(&self.plans)
            .map(|(before, plan)| Change { states: [*before, plan.state], first_repeats: plan.first_repeats })
    }

    /// What the plan adds to the repeated and to the suppressed lines of a directory.
    #[must_use]
    pub fn added(&self, directory: usize) -> &[Tally; 2] {
        &self.plans[directory].added
    }

    /// The batch is written. `window` is the one that it was planned for.
    pub fn commit(&mut self, window: &[u8]) {
        for (number, plan) in self.plans.iter().enumerate() {
            self.states[number] = plan.state;
            if self.rules[number].repeats.is_none() {
                continue;
            }
            match &plan.last {
                None => {}
                Some(None) => self.last_lines[number] = LastLine::Unknown,
                Some(Some(last)) => self.last_lines[number] = LastLine::Known(window[last.clone()].to_vec()),
            }
        }
        self.told_repeats.fill(0);
    }
}
