//! Records: what a successor must know about a logger that was killed.
//!
//! A journal has one [`Heading`], written when it is made, and a [`Record`] for each batch: where in each `current` its
//! output begins, and which bytes of the pipe it is made of. The heading holds the rules by which lines were chosen, so
//! that a successor with another script makes the same output of the same bytes. Neither names a path: files and
//! directories are known by their file system and number, and the successor looks for them in its own directories.

use std::time::Duration;

use crate::lines::heads::Heads;
use crate::logdir::checksum::hash;
use crate::logdir::destination::Destination;
use crate::logdir::restraint::{Rate, Restraint};
use crate::multilog::input::ledger::Told;
use crate::multilog::open_line::OpenLine;
use crate::multilog::script::expression::{EXAMINED_BYTES_LEAST, Expression};
use crate::multilog::script::head_rule::{Arrival, HeadRule};
use crate::multilog::script::pattern::Pattern;
use crate::multilog::script::{Action, Script};
use crate::multilog::withheld::state::{CHANGE_BYTES, Change};
use crate::multilog::writer::extent::Extent;
use crate::sys::clock;
use crate::sys::stat::FileId;
use crate::tai64n::{Label, StampForm};

/// How many of the first and of the last bytes of a batch are noted.
pub const SAMPLE_BYTES: usize = 16;

/// What a batch in the journal belongs to: it means nothing on another machine, since another boot, or with another pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The pipe.
    pub pipe: FileId,
    /// This boot of this machine; 0 where the system does not tell one from the other.
    pub boot: u128,
}

/// The part of a script that decides what is written of a line, and to which directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What is put before each line.
    pub head: HeadRule,
    /// In the script's order.
    pub clauses: Vec<Clause>,
}

/// The bytes for a clause with a star pattern and for one with a regular expression.
const SELECT_CODES: [u8; 2] = *b"+g";
const DESELECT_CODES: [u8; 2] = *b"-v";
/// The byte for the next directory.
const LOG_CODE: u8 = b'.';
/// The byte for a copy, with its prefix.
const COPY_CODE: u8 = b'1';
/// The byte for how much of a line regular expressions examine.
const EXAMINE_CODE: u8 = b'r';

/// One step of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `+pattern` or `r+expression`.
    Select(Pattern),
    /// `-pattern` or `r-expression`.
    Deselect(Pattern),
    /// The next directory, and which lines it does not get.
    Log(Restraint),
    /// `1`, with its prefix.
    Copy(Vec<u8>),
    /// How many bytes of a line the regular expressions examine.
    Examine(usize),
}

impl Rules {
    /// The rules of a script.
    #[must_use]
    pub fn of(script: &Script) -> Rules {
        let clause = |action: &Action| match action {
            Action::Select(pattern) => Some(Clause::Select(pattern.clone())),
            Action::Deselect(pattern) => Some(Clause::Deselect(pattern.clone())),
            Action::Log(number) => Some(Clause::Log(script.directories[*number].restraint)),
            Action::Copy(copy) => Some(Clause::Copy(script.copies[*copy].clone())),
            Action::Examine(bytes) => Some(Clause::Examine(*bytes)),
            Action::Alert | Action::Status(_) => None,
        };
        Rules { head: script.head.clone(), clauses: script.actions.iter().filter_map(clause).collect() }
    }

    /// Tells whether some of them are regular expressions.
    #[must_use]
    pub fn has_expressions(&self) -> bool {
        self.clauses.iter().any(|clause| {
            matches!(clause, Clause::Select(Pattern::Expression(_)) | Clause::Deselect(Pattern::Expression(_)))
        })
    }

    /// How many directories they send lines to.
    #[must_use]
    pub fn directory_count(&self) -> usize {
        self.clauses.iter().filter(|clause| matches!(clause, Clause::Log(_))).count()
    }

    /// A script that sends the same lines to as many directories, in files that are never full.
    #[must_use]
    pub fn to_script(&self) -> Script {
        let mut script = Script { head: self.head.clone(), ..Script::default() };
        for clause in &self.clauses {
            script.actions.push(match clause {
                Clause::Select(pattern) => Action::Select(pattern.clone()),
                Clause::Deselect(pattern) => Action::Deselect(pattern.clone()),
                Clause::Log(_) => Action::Log(script.directories.len()),
                Clause::Copy(_) => Action::Copy(script.copies.len()),
                Clause::Examine(bytes) => Action::Examine(*bytes),
            });
            match clause {
                Clause::Log(restraint) => {
                    script.directories.push(Destination { restraint: *restraint, ..Destination::endless(c".") });
                }
                Clause::Copy(prefix) => script.copies.push(prefix.clone()),
                Clause::Select(_) | Clause::Deselect(_) | Clause::Examine(_) => {}
            }
        }
        script
    }
}

/// What a journal says once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// What its batches belong to.
    pub origin: Origin,
    /// Journals that are made later in the same boot have a greater number.
    pub number: u64,
    /// What decides where lines go.
    pub rules: Rules,
    /// A hash of each directory's name in the script: a directory that was removed and made anew is no longer the same
    /// directory, but is still the one that the script names.
    pub names: Vec<u64>,
}

impl Heading {
    /// The heading of a logger that has claimed the directories of its script; `after` is the greatest number that it has
    /// found.
    #[must_use]
    pub fn new(origin: Origin, after: u64, script: &Script) -> Heading {
        let uptime = u64::try_from(clock::uptime().as_nanos()).unwrap_or(0);
        Heading {
            origin,
            number: after.saturating_add(1).max(uptime),
            rules: Rules::of(script),
            names: script.directories.iter().map(name_hash).collect(),
        }
    }

    /// The heading of a journal that replaces the one with this heading.
    #[must_use]
    pub fn next(&self) -> Heading {
        Heading { number: self.number.saturating_add(1), ..self.clone() }
    }

    /// Writes it to the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let Origin { pipe, boot } = self.origin;
        push_identity(bytes, pipe);
        bytes.extend(boot.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.push(stamp_code(self.rules.head.stamp));
        bytes.extend(count(self.rules.head.prefix.len()));
        bytes.extend(&self.rules.head.prefix);
        bytes.extend(count(self.rules.clauses.len()));
        for clause in &self.rules.clauses {
            let (codes, pattern) = match clause {
                Clause::Select(pattern) => (SELECT_CODES, pattern),
                Clause::Deselect(pattern) => (DESELECT_CODES, pattern),
                Clause::Log(restraint) => {
                    bytes.push(LOG_CODE);
                    bytes.extend(restraint_bytes(*restraint).as_flattened());
                    continue;
                }
                Clause::Copy(prefix) => {
                    bytes.push(COPY_CODE);
                    bytes.extend(count(prefix.len()));
                    bytes.extend(prefix);
                    continue;
                }
                Clause::Examine(examined_bytes) => {
                    bytes.push(EXAMINE_CODE);
                    bytes.extend(count(*examined_bytes));
                    continue;
                }
            };
            let (code, text) = match pattern {
                Pattern::Star(selector) => (codes[0], selector.pattern()),
                Pattern::Expression(expression) => (codes[1], expression.text().as_bytes().to_vec()),
            };
            bytes.push(code);
            bytes.extend(count(text.len()));
            bytes.extend(text);
        }
        bytes.extend(count(self.names.len()));
        bytes.extend(self.names.iter().flat_map(|name| name.to_le_bytes()));
    }

    /// Reads what [`Heading::encode`] wrote, and nothing else.
    #[must_use]
    pub fn decode(mut rest: &[u8]) -> Option<Heading> {
        let rest = &mut rest;
        let pipe = take_identity(rest)?;
        let boot = u128::from_le_bytes(take(rest)?);
        let number = take_number(rest)?;
        let [code] = take(rest)?;
        let stamp = stamp_of(code)?;
        let prefix = take_bytes(rest)?;
        let head = HeadRule { stamp, prefix: prefix.into() };
        let mut clauses = Vec::new();
        for _ in 0..take_count(rest)? {
            let [code] = take(rest)?;
            if code == LOG_CODE {
                clauses.push(Clause::Log(restraint_of(&take::<24>(rest)?)?));
                continue;
            }
            if code == EXAMINE_CODE {
                clauses.push(Clause::Examine(take_count(rest)?.max(EXAMINED_BYTES_LEAST)));
                continue;
            }
            let text = take_bytes(rest)?;
            if code == COPY_CODE {
                clauses.push(Clause::Copy(text.into()));
                continue;
            }
            let pattern = match SELECT_CODES.iter().chain(&DESELECT_CODES).position(|known| *known == code)? % 2 {
                0 => Pattern::star(text),
                _ => Pattern::Expression(Expression::new(text).ok()?),
            };
            clauses.push(match SELECT_CODES.contains(&code) {
                true => Clause::Select(pattern),
                false => Clause::Deselect(pattern),
            });
        }
        let mut names = Vec::new();
        for _ in 0..take_count(rest)? {
            names.push(take_number(rest)?);
        }
        let heading = Heading { origin: Origin { pipe, boot }, number, rules: Rules { head, clauses }, names };
        (rest.is_empty() && heading.rules.directory_count() == heading.names.len()).then_some(heading)
    }
}

/// A hash of the name that the script has for a directory.
#[must_use]
pub fn name_hash(destination: &Destination) -> u64 {
    hash([destination.path.to_bytes()])
}

/// A batch, or the state of all directories between two batches, as far as a successor must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How many bytes of the pipe it covers; 0 for a state between two batches.
    pub input_bytes: u64,
    /// The pipe's last line had no newline, and got one.
    pub adds_newline: bool,
    /// The last byte that it covers.
    pub last_byte: u8,
    /// The first bytes that it covers, and the last; zeros where it covers fewer.
    pub samples: [[u8; SAMPLE_BYTES]; 2],
    /// When the first line came, and the others.
    pub arrivals: [Arrival; 2],
    /// What was open before it, and is after it.
    pub open_lines: [OpenLine; 2],
    /// Each directory's share, in the order of the rules.
    pub extents: Vec<Extent>,
    /// What it does to the counts of lines that each directory does not get; empty if there are none.
    pub changes: Vec<Change>,
    /// How much the log counts, or these counts, of what was ever dropped; `None` if nothing ever was.
    pub told: Option<Told>,
}

/// The length of an encoded record apart from its directories, and what each directory adds.
const FIXED_BYTES: usize = 8 + 2 * SAMPLE_BYTES + 2 * (12 + 4) + 3 + 4 + 1 + 12 + 8 + 8;
const EXTENT_BYTES: usize = 8 * 6 + 3;

impl Record {
    /// A record of nothing, to be filled.
    #[must_use]
    pub fn empty() -> Record {
        let never = Label::from(clock::UnixTime { seconds: 0, nanoseconds: 0 });
        Record {
            input_bytes: 0,
            adds_newline: false,
            last_byte: 0,
            samples: samples(b""),
            arrivals: [Arrival { label: never, offset_seconds: 0 }; 2],
            open_lines: [OpenLine::default(), OpenLine::default()],
            extents: Vec::new(),
            changes: Vec::new(),
            told: None,
        }
    }

    /// How long a record of so many directories is.
    #[must_use]
    pub fn encoded_bytes(directories: usize) -> usize {
        FIXED_BYTES + directories * (EXTENT_BYTES + CHANGE_BYTES)
    }

    /// Tells whether it is the state between two batches, and not a batch or a report.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.input_bytes == 0 && self.extents.iter().all(|extent| extent.output_bytes == 0)
    }

    /// Tells whether there are lines that the log does not have and does not count.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.changes.iter().any(|change| change.states[1].is_pending())
    }

    /// The beginnings of its lines.
    #[must_use]
    pub fn heads(&self, rules: &Rules) -> Heads {
        rules.head.heads(&self.arrivals)
    }

    /// Tells whether it can be a batch of just these bytes.
    #[must_use]
    pub fn covers(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.input_bytes
            && bytes.last().is_none_or(|last| *last == self.last_byte)
            && samples(bytes) == self.samples
    }

    /// Writes it to the end of `bytes`, without its last byte.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.input_bytes.to_le_bytes());
        bytes.extend(self.samples.as_flattened());
        for Arrival { label, offset_seconds } in self.arrivals {
            bytes.extend(label.to_bytes());
            bytes.extend(offset_seconds.to_le_bytes());
        }
        bytes.push(u8::from(self.told.is_some()));
        if let Some(Told { id, lines, bytes: count }) = self.told {
            bytes.extend(id.to_bytes());
            bytes.extend(lines.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        let [before, after] = &self.open_lines;
        bytes.extend([u8::from(self.adds_newline), open_code(before), open_code(after)]);
        bytes.extend(count(self.extents.len()));
        for (number, extent) in self.extents.iter().enumerate() {
            push_identity(bytes, extent.directory);
            push_identity(bytes, extent.current);
            bytes.extend(extent.offset_bytes.to_le_bytes());
            bytes.extend(extent.output_bytes.to_le_bytes());
            bytes.extend([before.goes_to[number], after.goes_to[number], extent.is_doubtful].map(u8::from));
        }
        self.changes.iter().for_each(|change| change.encode(bytes));
    }

    /// Reads what [`Record::encode`] wrote, and nothing else.
    #[must_use]
    pub fn decode(mut rest: &[u8], last_byte: u8) -> Option<Record> {
        let rest = &mut rest;
        let input_bytes = take_number(rest)?;
        let samples = [take(rest)?, take(rest)?];
        let arrivals = [take_arrival(rest)?, take_arrival(rest)?];
        let told = match take(rest)? {
            [0] => None,
            [_] => Some(Told {
                id: Label::from_bytes(take(rest)?).ok()?,
                lines: take_number(rest)?,
                bytes: take_number(rest)?,
            }),
        };
        let [adds_newline, before_code, after_code] = take(rest)?;
        let adds_newline = adds_newline != 0;
        let [mut before, mut after] = [before_code, after_code].map(open_line_of);
        let mut extents = Vec::new();
        for _ in 0..take_count(rest)? {
            let (directory, current) = (take_identity(rest)?, take_identity(rest)?);
            let (offset_bytes, output_bytes) = (take_number(rest)?, take_number(rest)?);
            let [goes_before, goes_after, is_doubtful] = take::<3>(rest)?.map(|byte| byte != 0);
            before.goes_to.push(goes_before);
            after.goes_to.push(goes_after);
            extents.push(Extent { directory, current, offset_bytes, output_bytes, is_doubtful });
        }
        let open_lines = [before, after];
        let mut changes = Vec::new();
        while !rest.is_empty() {
            changes.push(Change::decode(&take(rest)?)?);
        }
        let is_complete = changes.is_empty() || changes.len() == extents.len();
        is_complete.then_some(Record {
            input_bytes,
            adds_newline,
            last_byte,
            samples,
            arrivals,
            open_lines,
            extents,
            changes,
            told,
        })
    }
}

/// A journal without copies is the same as one of a logger that knows none.
fn open_code(line: &OpenLine) -> u8 {
    u8::from(line.is_open) | u8::from(line.is_copied) << 1
}

/// The line that a byte stands for, without its directories.
fn open_line_of(code: u8) -> OpenLine {
    OpenLine { is_open: code != 0, goes_to: Vec::new(), is_copied: code & 2 != 0 }
}

/// The first bytes of a batch, and the last.
#[must_use]
pub fn samples(bytes: &[u8]) -> [[u8; SAMPLE_BYTES]; 2] {
    let mut samples = [[0; SAMPLE_BYTES]; 2];
    let length = bytes.len().min(SAMPLE_BYTES);
    samples[0][..length].copy_from_slice(&bytes[..length]);
    samples[1][..length].copy_from_slice(&bytes[bytes.len() - length..]);
    samples
}

fn count(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("arguments are few and short").to_le_bytes()
}

/// What a restraint is in a journal: the lines per second, the burst, and the interval in seconds; 0 where there is none.
fn restraint_bytes(restraint: Restraint) -> [[u8; 8]; 3] {
    let Rate { lines, burst } = restraint.rate.unwrap_or(Rate { lines: 0, burst: 0 });
    [lines, burst, restraint.repeats.map_or(0, |interval| interval.as_secs())].map(u64::to_le_bytes)
}

/// What [`restraint_bytes`] wrote; nothing for none.
fn restraint_of(mut bytes: &[u8]) -> Option<Restraint> {
    if bytes.is_empty() {
        return Some(Restraint::default());
    }
    let rest = &mut bytes;
    let (lines, burst, seconds) = (take_number(rest)?, take_number(rest)?, take_number(rest)?);
    let rate = (lines > 0).then_some(Rate { lines, burst });
    let repeats = (seconds > 0).then(|| Duration::from_secs(seconds));
    rest.is_empty().then_some(Restraint { rate, repeats })
}

fn push_identity(bytes: &mut Vec<u8>, FileId { device, inode }: FileId) {
    bytes.extend(device.to_le_bytes());
    bytes.extend(inode.to_le_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take_count(rest)?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_arrival(rest: &mut &[u8]) -> Option<Arrival> {
    let label = Label::from_bytes(take(rest)?).ok()?;
    Some(Arrival { label, offset_seconds: i32::from_le_bytes(take(rest)?) })
}

/// The byte for a form of timestamp, or for none.
fn stamp_code(stamp: Option<StampForm>) -> u8 {
    match stamp {
        None => 0,
        Some(StampForm::Label) => 1,
        Some(StampForm::Local) => 2,
        Some(StampForm::LocalWithOffset) => 3,
        Some(StampForm::Utc) => 4,
        Some(StampForm::Epoch) => 5,
    }
}

/// The form of timestamp that a byte stands for; `None` if it stands for nothing.
fn stamp_of(code: u8) -> Option<Option<StampForm>> {
    Some(match code {
        0 => None,
        1 => Some(StampForm::Label),
        2 => Some(StampForm::Local),
        3 => Some(StampForm::LocalWithOffset),
        4 => Some(StampForm::Utc),
        5 => Some(StampForm::Epoch),
        _ => return None,
    })
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

fn take_count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

fn take_identity(rest: &mut &[u8]) -> Option<FileId> {
    Some(FileId { device: take_number(rest)?, inode: take_number(rest)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_make_the_script_that_they_are_of() {
        let script = Script::parse(&[
            c"t",
            c"-*",
            c"+*a**b*c",
            c"e",
            c"./a",
            c"L5:9",
            c"D60",
            c"s5000",
            c"r8k",
            c"+",
            c"-x*",
            c"=f",
            c"1=p: ",
            c"./b",
            c"1b",
        ]);
        let rules = Rules::of(&script);

        let again = rules.to_script();

        assert_eq!(Rules::of(&again), rules);
        assert!(again.head.stamp == Some(StampForm::Label) && again.directories.len() == 2);
        let is_noted = |action: &&Action| !matches!(action, Action::Alert | Action::Status(_));
        assert!(again.actions.iter().eq(script.actions.iter().filter(is_noted)));
    }

    #[test]
    fn a_heading_is_read_as_it_was_written() {
        let script = Script::parse(&[c"t", c"-*", c"+*a**b*c", c"./a", c"1=p: ", c"L5:9", c"D60", c"./b"]);
        let origin = Origin { pipe: FileId::new(1, 2), boot: 3 };
        let heading = Heading { origin, number: 4, rules: Rules::of(&script), names: vec![5, 6] };
        let mut bytes = Vec::new();
        heading.encode(&mut bytes);

        assert_eq!(Heading::decode(&bytes), Some(heading));
        for end in 0..bytes.len() {
            assert_eq!(Heading::decode(&bytes[..end]), None);
        }
    }
}
