//! Counts which of the numbered lines a log holds, and which are lost, duplicated, torn or misplaced.

use std::collections::BTreeSet;
use std::fmt;

use crate::torture::lines::{self, Lengths};

/// `@`, 24 digits and a blank.
const STAMP_BYTES: usize = 26;
/// If more lines than this are missing at once, those beyond are not looked for later in the log.
const MISSING_MAX: usize = 1_000_000;

/// Reads a log from its beginning and counts.
pub struct Counts {
    lengths: Lengths,
    is_stamped: bool,
    /// The classes of the lines that belong here.
    classes: &'static [u8],
    /// A line that the last piece of the log began.
    begun: Vec<u8>,
    next: u64,
    missing: BTreeSet<u64>,
    pub verdict: Verdict,
}

/// What was counted.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lines that belong here and are here in their place.
    pub kept: u64,
    /// Lines that belong here and are not.
    pub lost: u64,
    /// Lines that are here once more.
    pub duplicated: u64,
    /// What stands between two newlines and is none of our lines.
    pub torn: u64,
    /// Lines that come after a later one.
    pub misplaced: u64,
    /// Lines that a selector should have kept out.
    pub stray: u64,
}

impl Verdict {
    pub fn is_spotless(&self) -> bool {
        [self.lost, self.duplicated, self.torn, self.misplaced, self.stray] == [0; 5]
    }

    pub fn add(&mut self, other: Verdict) {
        self.kept += other.kept;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.torn += other.torn;
        self.misplaced += other.misplaced;
        self.stray += other.stray;
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { kept, lost, duplicated, torn, misplaced, stray } = self;
        write!(
            out,
            "kept {kept}, lost {lost}, duplicated {duplicated}, torn {torn}, misplaced {misplaced}, stray {stray}"
        )
    }
}

impl Counts {
    pub fn new(lengths: Lengths, is_stamped: bool, classes: &'static [u8]) -> Counts {
        Counts {
            lengths,
            is_stamped,
            classes,
            begun: Vec::new(),
            next: 0,
            missing: BTreeSet::new(),
            verdict: Verdict::default(),
        }
    }

    /// Reads the next piece of the log.
    pub fn read(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(newline) = memchr::memchr(b'\n', rest) {
            if self.begun.is_empty() {
                self.count(&rest[..newline]);
            } else {
                let mut line = std::mem::take(&mut self.begun);
                line.extend_from_slice(&rest[..newline]);
                self.count(&line);
            }
            rest = &rest[newline + 1..];
        }
        self.begun.extend_from_slice(rest);
    }

    fn count(&mut self, line: &[u8]) {
        let line = match line {
            [b'@', ..] if self.is_stamped && line.len() >= STAMP_BYTES => &line[STAMP_BYTES..],
            _ if self.is_stamped => return self.tear(line),
            _ => line,
        };
        let Some(number) = lines::recognise(line, self.lengths) else { return self.tear(line) };
        if !self.belongs(number) {
            self.verdict.stray += 1;
        } else if number >= self.next {
            let skipped = (self.next..number).filter(|&one| self.classes.contains(&lines::class(one)));
            let before = self.missing.len();
            self.missing.extend(skipped.take(MISSING_MAX));
            self.verdict.lost += (self.missing.len() - before) as u64;
            self.next = number + 1;
            self.verdict.kept += 1;
        } else if self.missing.remove(&number) {
            self.verdict.lost -= 1;
            self.verdict.misplaced += 1;
        } else {
            self.verdict.duplicated += 1;
        }
    }

    fn tear(&mut self, line: &[u8]) {
        self.verdict.torn += 1;
        if std::env::var_os("LOGYARD_TORTURE_SHOW").is_some() {
            let shown = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            let end = line.len().saturating_sub(40);
            eprintln!(
                "torn, {} bytes, near {}: {:?} … {:?}",
                line.len(),
                self.next,
                shown(&line[..line.len().min(60)]),
                shown(&line[end..])
            );
        }
    }

    fn belongs(&self, number: u64) -> bool {
        self.classes.contains(&lines::class(number))
    }

    /// Ends the log; `written` lines should be in it.
    pub fn end(mut self, written: u64) -> Verdict {
        if !self.begun.is_empty() {
            let line = std::mem::take(&mut self.begun);
            self.tear(&line);
        }
        self.verdict.lost += (self.next..written).filter(|&one| self.belongs(one)).count() as u64;
        self.verdict
    }
}

#[test]
fn lost_duplicated_torn_and_misplaced_lines_are_counted() {
    let line = |number| {
        let mut line = Vec::new();
        lines::push(number, Lengths::Ordinary, &mut line);
        line
    };
    let mut counts = Counts::new(Lengths::Ordinary, false, b"abc");
    counts.read(&line(0)[..5]);
    counts.read(&line(0)[5..]);
    for number in [1, 1, 4, 3] {
        counts.read(&line(number));
    }
    counts.read(b"a00000");

    let expected = Verdict { kept: 3, lost: 2, duplicated: 1, torn: 1, misplaced: 1, stray: 0 };
    assert_eq!(counts.end(6), expected);
}
