//! The script: multilog's arguments, each an action that is carried out in order for every line.
//!
//! ```text
//! t            put a label before each line; only as the first action, as the next two
//! T            put local time before each line, as s6-log writes it
//! T@local      put local time with its offset before each line; T@utc: UTC; T@epoch: seconds since 1970
//! p=TEXT       put a text before each line, behind the timestamp
//! -pattern     deselect the line if it is selected and matches
//! +pattern     select the line if it is deselected and matches
//! r-expression deselect the line if it is selected and the regular expression matches; r+expression: select it
//! e            alert: the selected line to standard error
//! 1            copy: the selected line to standard output; 1=TEXT puts a text before it; 1b waits for a slow reader
//! =file        status: the selected line replaces the contents of file
//! sSIZE        largest size of the files of the directories that follow; default: 99999
//! nNUMBER      how many files the directories that follow keep, current included; default: 10
//! SSIZE        how many bytes those directories may hold; default: no limit
//! ATIME        how old their archives may become; default: no limit
//! FSPACE       how much of their file system stays free, of a size or in percent; default: 0
//! HSIZE        how many bytes of archives stay beyond those limits because they are not shipped; default: 0
//! RTIME        how long after its first line a file of those directories ends; default: when it is full
//! R@hour       files end when a local hour begins; R@midnight: when a local day begins
//! LLINES[:BURST]  how many lines a second those directories get; default: no limit
//! DTIME        leave out repeated lines in those directories, and say within this time how many
//! g=GROUP      the group that may read the directories that follow; default: as 0.76 leaves them
//! ySECONDS     how long after it is written a line is on the disk, in the directories that follow; default: no bound
//! BSIZE        how much waits in memory if the disk takes nothing; :oldest or :newest are dropped beyond that
//! MSECONDS=file  the metrics, and how often the file is replaced
//! f=FILE       the actions in a file, one a line; they are read again at HUP
//! !command     the processor of the directories that follow
//! ./dir /dir   log the selected line to the directory
//! ```
//!
//! Every list of arguments is a script. As in 0.76, arguments that mean nothing are ignored; [`Script::ignored`] lists
//! them with the reason.

pub mod automaton;
pub mod buffer;
pub mod explain;
pub mod expression;
mod group;
pub mod head_rule;
mod invisible;
mod lazy_automaton;
mod line_table;
mod literal;
mod literal_finder;
pub mod matcher;
mod numbers;
pub mod pattern;
pub mod review;
pub mod script_file;
pub mod selector;

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::fmt;
use std::time::Duration;

use crate::cli::Shown;
use crate::logdir::destination::{Destination, RotationTimes};
use crate::logdir::limits::Limits;
use crate::logdir::restraint::Restraint;
use crate::logdir::script_file::named_by;
use crate::multilog::script::buffer::{Buffer, parse_buffer};
use crate::multilog::script::expression::{ALL_BYTES_MAX, EXAMINED_BYTES_LEAST, EXAMINED_BYTES_MOST, Expression};
use crate::multilog::script::head_rule::{HeadRule, PREFIX_BYTES_MAX};
use crate::multilog::script::numbers::{
    begins_with_digit, parse_examined, parse_free, parse_interval, parse_number, parse_rate, parse_rotation,
    parse_size, parse_time, parse_total,
};
use crate::multilog::script::pattern::Pattern;
use crate::sys::program::Arguments;
use crate::tai64n::StampForm;

/// The first bytes of a line, stamp included, are what selectors, alerts and status files see.
pub const SEEN_BYTES: usize = 1000;
/// The size until an `s` action sets another.
const SIZE_DEFAULT_BYTES: u64 = 99_999;
/// The smallest size that `s` accepts.
const SIZE_LEAST_BYTES: u64 = 4096;
/// The number until an `n` action sets another.
const FILES_DEFAULT: u64 = 10;
/// The smallest number that `n` accepts: current and one archive.
const FILES_LEAST: u64 = 2;
/// The largest time that `y` accepts: a day.
const SYNC_MOST_SECONDS: u64 = 24 * 60 * 60;

/// More than what stands in front of a line: a timestamp, a prefix, and the report of lines that are missing.
const HEADS_BYTES_MAX: u64 = 1000;
/// The longest time that `D` accepts: a day.
const REPEATS_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Why arguments are ignored.
const NO_ACTION: &str = "no such action; a log directory begins with . or /";
const NO_PREFIX: &str = "a prefix is 1 to 60 bytes without a newline";

/// What is done for each line, parsed once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// What is put before each line.
    pub head: HeadRule,
    /// In the order of the arguments.
    pub actions: Vec<Action>,
    /// The status files that [`Action::Status`] counts, by their paths.
    pub statuses: Vec<&'static CStr>,
    /// What is put before the copies that [`Action::Copy`] counts.
    pub copies: Vec<Vec<u8>>,
    /// A slow reader of the copies is waited for.
    pub waits_for_reader: bool,
    /// The log directories that [`Action::Log`] counts.
    pub directories: Vec<Destination>,
    /// What waits in memory if the disk takes nothing; `None` if the input waits.
    pub buffer: Option<Buffer>,
    /// The metrics file.
    pub metrics: Option<MetricsFile>,
    /// The arguments that mean nothing.
    pub ignored: Vec<Ignored>,
}

/// One thing that is done for a line. The numbers count from 0 in the script's lists.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// `+pattern` or `r+expression`.
    Select(Pattern),
    /// `-pattern` or `r-expression`.
    Deselect(Pattern),
    /// `r8k`: how many bytes of a line the regular expressions examine, wherever they stand. The last one counts.
    Examine(usize),
    /// `e`.
    Alert,
    /// `1`.
    Copy(usize),
    /// `=file`.
    Status(usize),
    /// `./dir`.
    Log(usize),
}

/// A file for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsFile {
    /// Relative to the directory that multilog was started in.
    pub path: &'static CStr,
    /// How often it is replaced.
    pub interval: Duration,
}

/// An ignored argument, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    argument: &'static CStr,
    reason: Cow<'static, str>,
    /// The number before what is ignored counts.
    is_partial: bool,
}

impl fmt::Display for Ignored {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ignoring the action {}: {}", Shown(self.argument.to_bytes()), self.reason)
    }
}

impl Script {
    /// Parses the arguments, the program's name left out.
    #[must_use]
    pub fn parse(arguments: &Arguments) -> Script {
        Script::parse_marking(arguments).0
    }

    /// Parses the arguments, and tells of each whether all of it is ignored.
    #[must_use]
    pub fn parse_marking(arguments: &Arguments) -> (Script, Vec<bool>) {
        let stamp = arguments.first().and_then(|first| parse_stamp(first.to_bytes()));
        let mut script = Script { head: HeadRule { stamp, prefix: Vec::new() }, ..Script::default() };
        let mut size_max_bytes = SIZE_DEFAULT_BYTES;
        let mut limits = Limits::of_number(FILES_DEFAULT);
        let mut total_bytes_max: Option<u64> = None;
        let mut rotation = RotationTimes::default();
        let mut restraint = Restraint::default();
        let mut processor = None;
        let mut sync_interval = None;
        let mut group = None;
        let mut is_ignored = vec![false; arguments.len()];
        for (place, &argument) in arguments.iter().enumerate().skip(usize::from(stamp.is_some())) {
            let known = script.ignored.len();
            let bytes = argument.to_bytes();
            let rest = bytes.get(1..).unwrap_or_default();
            match bytes.first() {
                Some(b'+') => script.actions.push(Action::Select(Pattern::star(rest))),
                Some(b'-') => script.actions.push(Action::Deselect(Pattern::star(rest))),
                Some(b'r') if rest.starts_with(b"+") || rest.starts_with(b"-") => script.add_expression(argument, rest),
                Some(b'r') if begins_with_digit(rest) => match parse_examined(rest) {
                    Some((_, counts)) => script.actions.push(Action::Examine(counts)),
                    None => script.ignore(argument, "it is no number of bytes such as r8k"),
                },
                Some(b'e') => script.actions.push(Action::Alert),
                Some(b'=') => {
                    script.actions.push(Action::Status(script.statuses.len()));
                    script.statuses.push(
                        CStr::from_bytes_with_nul(&argument.to_bytes_with_nul()[1..])
                            .expect("the end of a C string is one"),
                    );
                }
                Some(b'1') => script.parse_copy(argument),
                Some(b's') => {
                    let (size, rest) = parse_size(rest);
                    size_max_bytes = size.max(SIZE_LEAST_BYTES);
                    script.ignore_rest(argument, rest, "what follows the size is no k, M or G");
                }
                Some(b'n') => {
                    let (number, rest) = parse_number(rest);
                    limits.files_max = number.max(FILES_LEAST);
                    script.ignore_rest(argument, rest, "something follows the number");
                }
                Some(b'y') => {
                    let (seconds, rest) = parse_number(rest);
                    sync_interval = (seconds > 0).then(|| Duration::from_secs(seconds.min(SYNC_MOST_SECONDS)));
                    script.ignore_rest(argument, rest, "something follows the number");
                }
                Some(b'S') if begins_with_digit(rest) => match parse_total(rest) {
                    Some(total) => total_bytes_max = total,
                    None => script.ignore(argument, "it is no total size such as S2G"),
                },
                Some(b'A') if begins_with_digit(rest) => match parse_time(rest) {
                    Some(age) => limits.age_max = age,
                    None => script.ignore(argument, "it is no age such as A30d"),
                },
                Some(b'F') if begins_with_digit(rest) => match parse_free(rest) {
                    Some(free) => limits.free = free,
                    None => script.ignore(argument, "it is no free space such as F10% or F2G:5"),
                },
                Some(b'H') if begins_with_digit(rest) => match parse_total(rest) {
                    Some(total) => limits.held_bytes_max = total,
                    None => script.ignore(argument, "it is no size of archives that are held, such as H10G"),
                },
                Some(b'R') if begins_with_digit(rest) || rest.starts_with(b"@") => match parse_rotation(rest, rotation)
                {
                    Some(times) => rotation = times,
                    None => script.ignore(argument, "it is no time such as R12h, R@hour or R@midnight"),
                },
                Some(b'L') if begins_with_digit(rest) => match parse_rate(rest) {
                    Some(rate) => restraint.rate = rate,
                    None => script.ignore(argument, "it is no rate of lines such as L100 or L100:500"),
                },
                Some(b'D') if begins_with_digit(rest) => match parse_time(rest) {
                    Some(interval) => restraint.repeats = interval.map(|time| time.min(REPEATS_LONGEST)),
                    None => script.ignore(argument, "it is no time for repeated lines such as D60"),
                },
                Some(b'B') if begins_with_digit(rest) => match parse_buffer(rest) {
                    Some(buffer) => script.buffer = buffer,
                    None => script.ignore(argument, "it is no buffer such as B16M, B16M:oldest or B16M:newest"),
                },
                Some(b'M') if begins_with_digit(rest) => match parse_interval(argument) {
                    Some((interval, path)) => script.metrics = Some(MetricsFile { path, interval }),
                    None => {
                        script.ignore(argument, "it is no metrics file such as M15=/var/lib/node_exporter/main.prom");
                    }
                },
                Some(b'!') => processor = Some(CString::new(rest).expect("a C string holds no NUL")),
                Some(b'.' | b'/') => {
                    script.actions.push(Action::Log(script.directories.len()));
                    let processor = processor.clone();
                    script.directories.push(Destination {
                        path: argument,
                        size_max_bytes,
                        limits: Limits {
                            // current may grow to its size before anything can be removed again.
                            archive_bytes_max: total_bytes_max.map(|total| total.saturating_sub(size_max_bytes)),
                            ..limits
                        },
                        rotation,
                        restraint,
                        processor,
                        group,
                        sync_interval,
                    });
                }
                Some(b't') => script.ignore(argument, "only the first action can ask for timestamps"),
                Some(b'T') if parse_stamp(bytes).is_some() => {
                    script.ignore(argument, "only the first action can ask for timestamps");
                }
                Some(b'T') if rest.starts_with(b"@") => {
                    script.ignore(argument, "it is no form of timestamp such as T@local, T@utc or T@epoch");
                }
                Some(b'f') if named_by(bytes).is_some() => {
                    script.ignore(argument, "a script has one script file, which names no other");
                }
                Some(b'g') if rest.starts_with(b"=") => match group::number_of(&rest[1..]) {
                    Some(number) => group = Some(number),
                    None => script.ignore(argument, "it is no number and no group in /etc/group"),
                },
                Some(b'p') if rest.starts_with(b"=") => script.set_prefix(argument, &rest[1..]),
                _ => script.ignore(argument, missing(bytes).unwrap_or(NO_ACTION)),
            }
            if script.ignored.get(known).is_some_and(|ignored| !ignored.is_partial) {
                is_ignored[place] = true;
                // The same word is named once.
                if script.ignored[..known].iter().any(|before| before.argument == argument) {
                    script.ignored.pop();
                }
            }
        }
        let most = script.examined_bytes_most();
        for action in &mut script.actions {
            if let Action::Examine(bytes) = action {
                *bytes = (*bytes).min(most);
            }
        }
        (script, is_ignored)
    }

    /// How much regular expressions may examine: what is examined of a line must fit into one file, as the logger's successor,
    /// if it completes the batch that ends there, judges the line by it.
    pub(in crate::multilog::script) fn examined_bytes_most(&self) -> usize {
        let smallest = self.directories.iter().map(|directory| directory.size_max_bytes).min().unwrap_or(u64::MAX);
        let most =
            smallest.saturating_sub(HEADS_BYTES_MAX).clamp(EXAMINED_BYTES_LEAST as u64, EXAMINED_BYTES_MOST as u64);
        most as usize
    }

    /// Tells whether a script has regular expressions, and this program no code for them.
    #[must_use]
    pub fn lacks_compiler(&self) -> bool {
        self.has_expressions() && !expression::has_compiler()
    }

    /// Tells whether some selectors are regular expressions.
    #[must_use]
    pub fn has_expressions(&self) -> bool {
        self.expressions().next().is_some()
    }

    /// How many bytes of a line the regular expressions examine.
    #[must_use]
    pub fn examined_bytes(&self) -> usize {
        let examined = self.actions.iter().rev().find_map(|action| match action {
            Action::Examine(bytes) => Some(*bytes),
            _ => None,
        });
        examined.unwrap_or(EXAMINED_BYTES_LEAST)
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.actions.iter().filter_map(|action| match action {
            Action::Select(Pattern::Expression(one)) | Action::Deselect(Pattern::Expression(one)) => Some(one),
            _ => None,
        })
    }

    /// `+expression` or `-expression`.
    fn add_expression(&mut self, argument: &'static CStr, text: &[u8]) {
        let expression = match Expression::new(&text[1..]) {
            Ok(expression) => expression,
            Err(error) => return self.ignore(argument, error.to_string()),
        };
        let others: usize = self.expressions().map(Expression::compiled_bytes).sum();
        if others + expression.compiled_bytes() > ALL_BYTES_MAX {
            return self.ignore(argument, "the regular expressions are too large together");
        }
        let pattern = Pattern::Expression(expression);
        self.actions.push(if text[0] == b'+' { Action::Select(pattern) } else { Action::Deselect(pattern) });
    }

    /// The first prefix counts: there is one for all directories.
    fn set_prefix(&mut self, argument: &'static CStr, text: &[u8]) {
        if !self.head.prefix.is_empty() {
            self.ignore(argument, "a script has one prefix");
        } else if !is_prefix(text) {
            self.ignore(argument, NO_PREFIX);
        } else {
            self.head.prefix = text.to_vec();
        }
    }

    fn parse_copy(&mut self, argument: &'static CStr) {
        match &argument.to_bytes()[1..] {
            b"" => self.add_copy(b"", false),
            b"b" => self.add_copy(b"", true),
            [b'=', text @ ..] if is_prefix(text) => self.add_copy(text, false),
            [b'b', b'=', text @ ..] if is_prefix(text) => self.add_copy(text, true),
            [b'=', ..] | [b'b', b'=', ..] => self.ignore(argument, NO_PREFIX),
            _ => self.ignore(argument, NO_ACTION),
        }
    }

    fn add_copy(&mut self, prefix: &[u8], waits: bool) {
        self.actions.push(Action::Copy(self.copies.len()));
        self.copies.push(prefix.to_vec());
        self.waits_for_reader |= waits;
    }

    /// Tells whether every line goes, whole, to every directory and nowhere else.
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        !self.directories.is_empty() && self.actions.iter().all(|action| matches!(action, Action::Log(_)))
    }

    /// The first argument that is ignored, if it is none of `known`.
    #[must_use]
    pub fn ignored_besides(&self, known: &Arguments) -> Option<&Ignored> {
        // By their places: the same word may stand in both.
        self.ignored.iter().find(|ignored| !known.iter().any(|&known| std::ptr::eq(known, ignored.argument)))
    }

    fn ignore(&mut self, argument: &'static CStr, reason: impl Into<Cow<'static, str>>) {
        self.ignored.push(Ignored { argument, reason: reason.into(), is_partial: false });
    }

    /// 0.76 silently reads missing digits as 0; text behind the number is reported.
    fn ignore_rest(&mut self, argument: &'static CStr, rest: &[u8], reason: &'static str) {
        if !rest.is_empty() {
            self.ignored.push(Ignored { argument, reason: reason.into(), is_partial: true });
        }
    }
}

/// What an action lacks that is a letter alone.
fn missing(argument: &[u8]) -> Option<&'static str> {
    Some(match argument {
        b"S" => "its size is missing, as in S2G",
        b"A" => "its age is missing, as in A30d",
        b"F" => "its space is missing, as in F10%",
        b"H" => "its size is missing, as in H10G",
        b"R" => "its time is missing, as in R12h",
        b"L" => "its number of lines is missing, as in L100",
        b"D" => "its time is missing, as in D60",
        b"B" => "its size is missing, as in B16M",
        b"M" => "its seconds and its file are missing, as in M15=/var/lib/node_exporter/main.prom",
        b"r" => "its expression is missing, as in r+fail(ed|ure)",
        b"f" | b"f=" => "its file is missing, as in f=script",
        b"g" => "its group is missing, as in g=adm",
        b"p" => "its text is missing, as in p=web:",
        _ => return None,
    })
}

/// Tells whether a text can be put before lines.
fn is_prefix(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= PREFIX_BYTES_MAX && !text.contains(&b'\n')
}

/// The form of timestamp that an argument asks for as the first action.
fn parse_stamp(argument: &[u8]) -> Option<StampForm> {
    match argument {
        // As 0.76, whatever follows.
        [b't', ..] => Some(StampForm::Label),
        b"T" => Some(StampForm::Local),
        b"T@local" => Some(StampForm::LocalWithOffset),
        b"T@utc" => Some(StampForm::Utc),
        b"T@epoch" => Some(StampForm::Epoch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logdir::limits::{Amount, FreeSpace};
    use crate::logdir::restraint::Rate;
    use crate::multilog::script::buffer::Victims;
    use crate::tai64n::Boundary;

    fn destination(arguments: &Arguments) -> Destination {
        Script::parse(arguments).directories.pop().expect("the script names a directory")
    }

    #[test]
    fn only_a_first_t_stamps() {
        // multilog.8 > "t must be the first action"
        assert_eq!(Script::parse(&[c"t", c"./main"]).head.stamp, Some(StampForm::Label));
        assert_eq!(Script::parse(&[c"tfoo"]).head.stamp, Some(StampForm::Label));

        let script = Script::parse(&[c"s100000", c"t", c"./main"]);

        assert_eq!(script.head, HeadRule::default());
        assert_eq!(
            script.ignored[0].to_string(),
            "ignoring the action t: only the first action can ask for timestamps"
        );
    }

    #[test]
    fn what_means_nothing_is_ignored_and_named_once() {
        let script = Script::parse(&[c"t", c"main", c"main", c"", c"\x1b"]);

        let named: Vec<String> = script.ignored.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(named[0].starts_with("ignoring the action main: "), "{named:?}");
        assert!(named[2].starts_with("ignoring the action \\x1b: "), "{named:?}");
        assert!(script.actions.is_empty());
    }

    #[test]
    fn sizes_have_a_least_value_suffixes_and_no_greatest() {
        for (argument, size) in [
            (c"s1", 4096),
            (c"s", 4096),
            (c"s-5", 4096),
            (c"s4097", 4097),
            (c"s16777216", 16_777_216),
            (c"s50000000", 50_000_000),
            (c"s64k", 65_536),
            (c"s10M", 10_485_760),
            (c"s2g", 2 << 30),
            (c"s99999999999999999999", u64::MAX),
        ] {
            assert_eq!(destination(&[argument, c"./d"]).size_max_bytes, size, "{argument:?}");
        }
    }

    #[test]
    fn settings_hold_for_the_directories_that_follow() {
        let script = Script::parse(&[c"./a", c"s5000", c"n3", c"!cat", c"./b", c"n1", c"!", c"/c"]);

        let [a, b, c] = &script.directories[..] else { panic!("three directories: {script:?}") };
        assert_eq!((a.size_max_bytes, a.limits.files_max, a.processor.as_deref()), (99_999, 10, None));
        assert_eq!((b.size_max_bytes, b.limits.files_max, b.processor.as_deref()), (5000, 3, Some(c"cat")));
        assert_eq!((c.size_max_bytes, c.limits.files_max, c.processor.as_deref()), (5000, 2, Some(c"")));
    }

    #[test]
    fn limits_hold_for_the_directories_that_follow_and_leave_room_for_current() {
        // multilog.8 > "The strictest limit decides"
        let script = Script::parse(&[
            c"./a", c"s1M", c"S10M", c"A30d", c"F10%:3", c"H1k", c"./b", c"S0", c"A0", c"F0", c"H0", c"./c",
        ]);

        let [a, b, c] = &script.directories[..] else { panic!("three directories: {script:?}") };
        assert_eq!((a.limits, c.limits), (Limits::of_number(10), Limits::of_number(10)));
        let free = FreeSpace { least: Amount::Percent(10), archives_left: 3 };
        let age_max = Some(Duration::from_secs(30 * 24 * 60 * 60));
        let held_bytes_max = Some(1024);
        let expected =
            Limits { files_max: 10, archive_bytes_max: Some(9 << 20), age_max, free: Some(free), held_bytes_max };
        assert_eq!(b.limits, expected);
        assert!(script.ignored.is_empty());
    }

    #[test]
    fn rotation_times_hold_for_the_directories_that_follow() {
        let script = Script::parse(&[c"./a", c"R12h", c"R@midnight", c"./b", c"R@hour", c"./c", c"R0", c"./d"]);

        let times: Vec<_> =
            script.directories.iter().map(|one| (one.rotation.age_max, one.rotation.boundary)).collect();
        let age = Some(Duration::from_secs(12 * 60 * 60));
        let never = (None, None);
        assert_eq!(times, [never, (age, Some(Boundary::Midnight)), (age, Some(Boundary::Hour)), never]);

        let script = Script::parse(&[c"R@week", c"R@", c"Rotate", c"R", c"R1x", c"R@hourly", c"./a"]);
        assert!(script.directories[0].rotation.is_never());
        assert_eq!(script.ignored.len(), 6, "{:?}", script.ignored);
    }

    #[test]
    fn restraints_hold_for_the_directories_that_follow_and_a_buffer_for_the_script() {
        let script = Script::parse(&[c"./a", c"L5:9", c"D1m", c"./b", c"L0", c"D9w", c"./c", c"B16M:newest"]);

        let [a, b, c] = &script.directories[..] else { panic!("three directories: {script:?}") };
        let rate = Some(Rate { lines: 5, burst: 9 });
        assert!(a.restraint.is_none());
        assert_eq!(b.restraint, Restraint { rate, repeats: Some(Duration::from_secs(60)) });
        assert_eq!(c.restraint, Restraint { rate: None, repeats: Some(REPEATS_LONGEST) });
        assert_eq!(script.buffer, Some(Buffer { bytes_max: 16 << 20, victims: Victims::Newest }));
        assert!(script.ignored.is_empty());

        let words = [c"Log", c"L", c"L5:", c"L5x", c"Debug", c"D", c"D5x", c"Big", c"B", c"B16M:", c"B1:all", c"./a"];
        let script = Script::parse(&words);
        assert_eq!((script.ignored.len(), script.buffer), (words.len() - 1, None), "{:?}", script.ignored);
        assert!(script.directories[0].restraint.is_none());
    }

    #[test]
    fn a_metrics_file_has_an_interval_and_a_path() {
        let metrics = Script::parse(&[c"M15=main.prom"]).metrics.unwrap();
        assert_eq!((metrics.path, metrics.interval), (c"main.prom", Duration::from_secs(15)));

        let bad: [&CStr; 8] = [c"M", c"Main", c"M=x", c"M15", c"M15=", c"M0=x", c"M15x=y", c"M15=dir/"];
        let script = Script::parse(&bad);
        assert_eq!((script.metrics, script.ignored.len()), (None, bad.len()));
    }

    #[test]
    fn a_copy_has_an_exact_form() {
        // multilog.8 > "prints each selected line on standard output"
        let script = Script::parse(&[c"1", c"1=web: ", c"1b", c"./a", c"1b==x"]);
        let expected: [&[u8]; 4] = [b"", b"web: ", b"", b"=x"];
        assert_eq!(script.copies, expected);
        assert!(script.waits_for_reader && script.ignored.is_empty() && !script.is_uniform());
        assert!(!Script::parse(&[c"1", c"1=x"]).waits_for_reader);

        let long = c"1=0123456789012345678901234567890123456789012345678901234567890";
        let bad: [&CStr; 9] = [c"10", c"1 ", c"1x", c"1=", c"1b=", c"1bx", c"1=a\nb", c"1B", long];
        let script = Script::parse(&bad);
        assert_eq!((script.copies.len(), script.ignored.len()), (0, bad.len()), "{:?}", script.ignored);
    }

    #[test]
    fn words_and_unfinished_limits_are_ignored() {
        let arguments: [&CStr; 11] =
            [c"S", c"Spool", c"S10q", c"Archive", c"A3x", c"F", c"F10%:", c"Fatal", c"H", c"H10x", c"Hold"];
        let mut all = arguments.to_vec();
        all.push(c"./a");
        let script = Script::parse(&all);

        assert_eq!(script.directories[0].limits, Limits::of_number(10));
        assert_eq!(script.ignored.len(), arguments.len());
        assert!(script.ignored[2].to_string().ends_with("S10q: it is no total size such as S2G"));
        assert!(script.ignored[3].to_string().contains("no such action"));
    }

    #[test]
    fn a_number_with_something_behind_it_counts_and_is_named() {
        let script = Script::parse(&[c"n3x", c"s5000q", c"./a"]);

        assert_eq!((script.directories[0].limits.files_max, script.directories[0].size_max_bytes), (3, 5000));
        assert_eq!(script.ignored.len(), 2);
    }
}
