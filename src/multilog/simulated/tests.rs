//! The loops: a workload is run again and again, with another call going wrong each time, until none is left.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::disk::Disk;
use super::faults::{Calls, Fault, Killed};
use super::pipe::{Pipe, PipeInput};
use crate::cli::{Exit, Messages};
use crate::logdir::limits::Limits;
use crate::logdir::names::{CURRENT, NEWJOURNAL, PREVIOUS, REWRITTEN};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::program::{Claimed, assemble};
use crate::multilog::script::head_rule::HeadRule;
use crate::multilog::script::{Script, automaton, expression};
use crate::multilog::writer::archive::{Candidate, archive, archive_on};
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::multilog::writer::place::Place;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::Errno;
use crate::tai64n::{Label, StampForm};

/// A script and its input.
#[derive(Clone, Copy)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) script: &'static [&'static CStr],
    pub(super) line_bytes: &'static [usize],
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "plain", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[1, 60, 300] },
    Workload { name: "stamps", script: &[c"t", c"s4096", c"n1000", c"./a"], line_bytes: &[1, 60, 300] },
    Workload {
        name: "local time",
        script: &[c"T@local", c"p=web: ", c"s4096", c"n1000", c"./a"],
        line_bytes: &[60, 2500],
    },
    Workload { name: "long lines", script: &[c"t", c"s4096", c"n1000", c"./a"], line_bytes: &[2500, 9000] },
    Workload {
        name: "two directories",
        // No stamp holds a j: these are hexadecimal.
        script: &[c"t", c"s4096", c"n1000", c"-*j*", c"./a", c"s5000", c"+*", c"./b"],
        line_bytes: &[5, 400, 6000],
    },
    Workload {
        name: "expressions",
        script: &[c"t", c"s4096", c"n1000", c"r-^[0-9]*[13579] ", c"./a", c"s5000", c"r+.", c"./b"],
        line_bytes: &[5, 400, 6000],
    },
    Workload {
        name: "expressions that examine more",
        script: &[
            c"t",
            c"r3k",
            c"s4096",
            c"n1000",
            c"-*",
            c"r+^[0-9]*[02468] ",
            c"r+(abcdefghij){230}",
            c"./a",
            c"s5000",
            c"r+.",
            c"./b",
        ],
        // Behind a line of the first length there is room for one of the second to begin, but not for all that matches.
        line_bytes: &[1850, 2500],
    },
    Workload { name: "spares", script: &[c"t", c"s7000", c"n1000", c"./a"], line_bytes: &[1, 60, 300] },
    // The lines come half a century after the clock of the disk, which rotates before each batch and whenever it looks.
    Workload { name: "by time", script: &[c"t", c"s4096", c"n1000", c"R@hour", c"./a"], line_bytes: &[1, 60, 300] },
    Workload { name: "processor", script: &[c"s4096", c"n1000", c"!cat", c"./a"], line_bytes: &[50, 700] },
    Workload { name: "slow processor", script: &[c"s4096", c"n1000", c"!slow", c"./a"], line_bytes: &[50, 700] },
];

/// Each is named by its number, so that a missing or doubled one is seen.
pub(super) fn lines(workload: &Workload) -> Vec<String> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while bytes < 15_000 {
        let number = lines.len();
        let length = workload.line_bytes[number % workload.line_bytes.len()];
        lines.push(format!("{number:04} {}\n", "abcdefghij".repeat(length / 10 + 1).split_at(length).0));
        bytes += length + 6;
    }
    // The last one lacks its newline.
    lines.last_mut().map(String::pop);
    lines
}

/// A machine with a disk for each directory.
pub(super) struct Machine {
    pub(super) disks: Vec<Disk>,
    pub(super) pipe: Pipe,
    pub(super) boot: u128,
}

/// Parses a script as `multilog-regex` does.
pub(super) fn parse_script(words: &[&'static CStr]) -> Script {
    expression::use_compiler(automaton::COMPILER);
    Script::parse(words)
}

/// The disk of each directory: `./a` is the first one, whatever its place in the script.
fn disks_of<'d>(script: &Script, disks: &'d [Disk]) -> Vec<&'d Disk> {
    script.directories.iter().map(|destination| &disks[usize::from(destination.path.to_bytes()[2] - b'a')]).collect()
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Left(Exit),
    Refused,
    Killed,
}

impl Machine {
    pub(super) fn new(workload: &Workload, clock_step_nanoseconds: i64) -> Machine {
        let directories = parse_script(workload.script).directories.len();
        let disks = (1..=directories as u64).map(|device| Disk::new(device, clock_step_nanoseconds)).collect();
        Machine { disks, pipe: Pipe::new(lines(workload).concat().as_bytes()), boot: 1 }
    }

    /// Runs the engine until it ends, by itself or not.
    pub(super) fn run(&self, workload: &Workload, calls: &Calls, terms_at_pause: bool) -> End {
        let script = parse_script(workload.script);
        let run = || {
            let locked: Result<Vec<_>, _> = script
                .directories
                .iter()
                .zip(disks_of(&script, &self.disks))
                .map(|(destination, disk)| {
                    let place = Place::new("./dir", disk.directory(calls), destination.limits);
                    LockedDirectory::lock(place, destination.clone())
                })
                .collect();
            let (pipe, calls) = (self.pipe.clone(), calls.clone());
            // Where more than a thousand bytes are examined, that much is seen.
            let look_bytes = if script.examined_bytes() > 1000 { 8000 } else { 1000 };
            let input = PipeInput { pipe, calls, look_bytes, ahead_bytes: 0, boot: self.boot, terms_at_pause };
            match locked.and_then(|directories| {
                let claimed = Claimed { directories, left_behind: vec![] };
                assemble(parse_script(workload.script), input, claimed, vec![], Messages::DROPPED)
            }) {
                Ok(engine) => End::Left(engine.run()),
                Err(_) => End::Refused,
            }
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(end) => end,
            Err(panic) if panic.is::<Killed>() => End::Killed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Runs the engine where nothing goes wrong.
    pub(super) fn run_well(&self, workload: &Workload) {
        assert_eq!(self.run(workload, &Calls::new(Fault::None), false), End::Left(Exit::OK));
    }

    /// Compares what is logged with what should be.
    #[track_caller]
    fn check(&self, workload: &Workload, expected: &[Vec<u8>], what: std::fmt::Arguments<'_>) {
        for disk in &self.disks {
            assert!(
                !disk.files().contains_key(NEWJOURNAL),
                "{}, {what}: a journal in the making is left",
                workload.name
            );
        }
        for (number, (log, expected)) in self.logs(workload).iter().zip(expected).enumerate() {
            if log == expected {
                continue;
            }
            let same = log.iter().zip(expected).take_while(|(a, b)| a == b).count();
            let around =
                |bytes: &[u8]| bytes[same.saturating_sub(40)..(same + 40).min(bytes.len())].escape_ascii().to_string();
            panic!(
                "{}, {what}: directory {number} differs at byte {same} of {}:\n{}\n{}",
                workload.name,
                expected.len(),
                around(log),
                around(expected)
            );
        }
    }

    /// What each directory holds, one file after the other.
    pub(super) fn logs(&self, workload: &Workload) -> Vec<Vec<u8>> {
        let script = parse_script(workload.script);
        let size_max_bytes = script.directories.iter().map(|destination| destination.size_max_bytes).max().unwrap();
        self.disks.iter().map(|disk| joined(&disk.files(), &script.head, size_max_bytes)).collect()
    }
}

/// Archives in the order of their names, and current; checked on the way, and without stamps.
fn joined(files: &BTreeMap<String, Vec<u8>>, head: &HeadRule, size_max_bytes: u64) -> Vec<u8> {
    for (name, bytes) in files {
        assert!(!name.starts_with('@') || Label::parse(&name.as_bytes()[..25]).is_ok(), "{name} is no name");
        let length = bytes.len() as u64;
        assert!(name == "journal" || length <= size_max_bytes, "{name} holds {length} bytes");
    }
    let archives = files.iter().filter(|(name, _)| name.starts_with('@'));
    let bytes: Vec<&[u8]> = archives.chain(files.get_key_value("current")).map(|(_, bytes)| &bytes[..]).collect();
    let bytes = bytes.concat();
    if *head == HeadRule::default() {
        return bytes;
    }
    let mut bare = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (begin, line) =
            line.split_at_checked(head_bytes(head)).unwrap_or_else(|| panic!("a line without its beginning"));
        match head.stamp {
            Some(StampForm::Label) => drop(Label::parse(&begin[..Label::TEXT_BYTES]).expect("each line has a stamp")),
            Some(_) => assert!(begin.starts_with(b"20"), "each line has its time"),
            None => {}
        }
        assert!(begin.ends_with(&head.prefix), "each line has the prefix");
        bare.extend_from_slice(line);
    }
    bare
}

/// How long the beginning of each line is.
fn head_bytes(head: &HeadRule) -> usize {
    head.heads(&head.arrivals([Label::now(); 2], None)).first().len()
}

/// What a machine on which nothing goes wrong logs.
fn expected(workload: &Workload) -> Vec<Vec<u8>> {
    let machine = Machine::new(workload, 1000);
    machine.run_well(workload);
    let logs = machine.logs(workload);
    let everything = [lines(workload).concat(), "\n".into()].concat();
    if workload.script.len() < 8 {
        assert_eq!(logs, [everything.into_bytes()], "{}", workload.name);
    }
    logs
}

/// Repeats a case for call 1, 2, 3 … until the run is over before that call.
pub(super) fn for_each_call(mut case: impl FnMut(u64) -> bool) -> u64 {
    (1..).find(|&at| !case(at)).expect("every run ends")
}

/// The same for every third call, from one of the first three on, chosen at random. `LOGYARD_EVERY_CALL` in the environment makes
/// it try each call, which takes three times as long: `.ci/run` does that.
pub(super) fn for_calls(mut case: impl FnMut(u64) -> bool) -> u64 {
    if std::env::var_os("LOGYARD_EVERY_CALL").is_some() {
        return for_each_call(case);
    }
    let first = 1 + RandomState::new().hash_one(()) % 3;
    (first..).step_by(3).find(|&at| !case(at)).expect("every run ends")
}

/// Kills a logger at one call after the other, lets another one log the rest, and checks the machine after that.
#[track_caller]
pub(super) fn kill_at_calls(
    workload: &Workload,
    new_machine: impl Fn() -> Machine,
    check: impl Fn(&Machine, std::fmt::Arguments<'_>),
) {
    let cases = for_calls(|at| {
        let machine = new_machine();
        let calls = Calls::new(Fault::Kill { at });
        machine.run(workload, &calls, false);
        machine.run_well(workload);
        check(&machine, format_args!("killed at call {at}"));
        assert!(machine.pipe.bytes().is_empty());
        calls.has_fired()
    });
    assert!(cases > 100, "{}: {cases} calls", workload.name);
}

#[test]
fn a_kill_at_any_call_loses_doubles_and_tears_nothing() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        let check = |machine: &Machine, what: std::fmt::Arguments<'_>| machine.check(workload, &expected, what);
        kill_at_calls(workload, || Machine::new(workload, 1000), check);
    }
}

#[test]
fn a_kill_at_any_call_makes_no_second_archive_if_link_counts_are_out_of_date() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        for_calls(|at| {
            let machine = Machine::new(workload, 1000);
            machine.disks.iter().for_each(Disk::show_old_link_counts);
            let calls = Calls::new(Fault::Kill { at });
            machine.run(workload, &calls, false);
            machine.run_well(workload);
            machine.check(workload, &expected, format_args!("killed at call {at}"));
            calls.has_fired()
        });
    }
}

#[test]
fn kills_of_one_logger_after_the_other_lose_double_and_tear_nothing() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        for stride in 3..60 {
            let machine = Machine::new(workload, 1000);
            // Each gets a little further than the one before, or it would never end.
            let mut at = stride;
            while machine.run(workload, &Calls::new(Fault::Kill { at }), false) == End::Killed {
                at += 1 + at / 4;
            }
            machine.run_well(workload);
            machine.check(workload, &expected, format_args!("killed again and again by {stride}"));
        }
    }
}

/// What a call may answer. What is out of room stays so for a while.
const TROUBLES: &[(Errno, u32)] = &[
    (Errno::EIO, 0),
    (Errno::ENOSPC, 0),
    (Errno::ENOSPC, 1),
    (Errno::ENOSPC, 3),
    (Errno::EINTR, 0),
    (Errno::EAGAIN, 0),
    (Errno::EMFILE, 0),
    (Errno::ENOMEM, 0),
    (Errno::EROFS, 0),
    (Errno::EDQUOT, 0),
    (Errno::EEXIST, 0),
];

fn try_trouble(workload: &Workload, expected: &[Vec<u8>], at: u64, &(errno, pauses): &(Errno, u32)) -> bool {
    let fault = match pauses {
        0 => Fault::Once { at, errno },
        pauses => Fault::Fail { at, errno, pauses },
    };
    let machine = Machine::new(workload, 1000);
    let calls = Calls::new(fault);
    machine.run(workload, &calls, false);
    machine.run_well(workload);
    machine.check(workload, expected, format_args!("{fault:?}"));
    calls.has_fired()
}

#[test]
fn an_error_at_any_call_loses_and_doubles_nothing() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        // At each call one of the errors that are common, and one of all, in turn.
        for_calls(|at| {
            let turn = usize::try_from(at).expect("a run has few calls");
            let [common, any] = [&TROUBLES[turn % 4], &TROUBLES[turn / 4 % TROUBLES.len()]];
            try_trouble(workload, &expected, at, common) && try_trouble(workload, &expected, at, any)
        });
    }
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn torture_with_every_error_at_any_call_loses_and_doubles_nothing() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        for trouble in TROUBLES {
            for_calls(|at| try_trouble(workload, &expected, at, trouble));
        }
    }
}

#[test]
fn term_during_trouble_leaves_the_rest_in_the_pipe() {
    for workload in WORKLOADS {
        let expected = expected(workload);
        for_calls(|at| {
            let machine = Machine::new(workload, 1000);
            let calls = Calls::new(Fault::Fail { at, errno: Errno::ENOSPC, pauses: 2 });
            machine.run(workload, &calls, true);
            machine.run_well(workload);
            machine.check(workload, &expected, format_args!("a full disk at call {at}"));
            calls.has_fired()
        });
    }
}

#[test]
fn a_power_cut_at_any_call_leaves_what_was_synced_once_and_in_order() {
    for workload in WORKLOADS {
        let head = parse_script(workload.script).head;
        for_calls(|at| {
            let machine = Machine::new(workload, 1000);
            let calls = Calls::new(Fault::Kill { at });
            machine.run(workload, &calls, false);
            for (number, disk) in machine.disks.iter().enumerate() {
                for image in 0..disk.image_count() {
                    let mut after = Machine { boot: 2, ..Machine::new(workload, 1000) };
                    // The pipe went with the power.
                    after.pipe = Pipe::new(b"");
                    after.disks = machine.disks.clone();
                    after.disks[number] = disk.after_power_cut(image);
                    after.run_well(workload);
                    let log = joined_loosely(&after.disks[number].files(), &head);
                    let numbers = line_numbers(&log);
                    let shown = format!("{}: power cut at call {at}, image {image}", workload.name);
                    assert!(numbers.is_sorted_by(|a, b| a < b), "{shown}: {numbers:?}");
                    for safe in line_numbers(&strip(&disk.safe(), &head)) {
                        assert!(numbers.contains(&safe), "{shown}: line {safe} was on the disk");
                    }
                }
            }
            calls.has_fired()
        });
    }
}

/// As [`joined`], where a power cut may have torn the last line of a file.
fn joined_loosely(files: &BTreeMap<String, Vec<u8>>, head: &HeadRule) -> Vec<u8> {
    let archives = files.iter().filter(|(name, _)| name.starts_with('@'));
    let bytes: Vec<u8> = archives.chain(files.get_key_value("current")).flat_map(|(_, bytes)| bytes).copied().collect();
    strip(&bytes, head)
}

fn strip(bytes: &[u8], head: &HeadRule) -> Vec<u8> {
    let start = head_bytes(head);
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .flat_map(|line| line.get(start..).unwrap_or_default())
        .copied()
        .collect()
}

/// The numbers of the lines that are whole.
pub(super) fn line_numbers(log: &[u8]) -> Vec<u32> {
    let number =
        |line: &[u8]| line.ends_with(b"\n").then(|| std::str::from_utf8(line.get(..4)?).ok()?.parse().ok()).flatten();
    log.split_inclusive(|&byte| byte == b'\n').filter_map(number).collect()
}

#[test]
fn no_clock_stops_the_logging_or_takes_the_newest_away() {
    for step in [0, -1_000_000_000_000, 1] {
        for workload in WORKLOADS {
            let machine = Machine::new(workload, step);
            machine.disks.iter().for_each(|disk| disk.set_clock(1_700_000_000));
            machine.run_well(workload);
            machine.check(workload, &expected(workload), format_args!("a step of {step}"));
        }
    }
}

#[test]
fn a_clock_a_year_back_removes_the_oldest_and_not_the_newest() {
    let workload = Workload { name: "trimmed", script: &[c"s4096", c"n4", c"./a"], line_bytes: &[60] };
    let machine = Machine::new(&workload, 1000);
    machine.disks[0].set_clock(1_700_000_000);
    machine.run_well(&workload);

    let again = Machine { disks: machine.disks.clone(), ..Machine::new(&workload, 1000) };
    again.disks[0].set_clock(1_700_000_000 - 365 * 24 * 60 * 60);
    again.run_well(&workload);

    let all = [lines(&workload).concat(), "\n".into()].concat();
    let kept = again.logs(&workload).remove(0);
    assert!(kept.len() > 3 * 2096, "{} bytes are kept", kept.len());
    assert!(all.repeat(2).as_bytes().ends_with(&kept), "what is kept is the end");
}

/// The patience of a worker whose logger exits: surplus archives stay.
struct Exiting;

impl Patience for Exiting {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }

    fn complain(&mut self, _trouble: &Error) {}

    fn messages(&self) -> Messages {
        Messages::DROPPED
    }

    fn is_exiting(&self) -> bool {
        true
    }
}

#[test]
fn no_label_is_given_twice_where_two_name_files_and_the_clock_stands_still() {
    let disk = Disk::new(1, 0);
    disk.set_clock(1_700_000_000);
    let place = Place::new("./dir", disk.directory(&Calls::new(Fault::None)), Limits::of_number(2));
    // The worker keeps what its first look shows, as it has archives to remove.
    let mut trimmer = Trimmer::default();
    for _ in 0..3 {
        place.directory.create(PREVIOUS, 0o644).unwrap();
        archive_on(&mut trimmer, &place, Candidate::safe(PREVIOUS), &mut Exiting).unwrap();
        // The engine looks anew, and finds a stranger's file.
        place.directory.create(CURRENT, 0o644).unwrap();
        archive(&place, Candidate::unfinished(CURRENT), &mut Exiting).unwrap();
    }

    let names: Vec<String> = disk.files().into_keys().collect();

    let mut labels: Vec<&str> = names.iter().map(|name| &name[..Label::TEXT_BYTES]).collect();
    labels.dedup();
    assert_eq!(labels.len(), 6, "{names:?}");
}

#[test]
fn a_copy_of_a_file_that_the_disk_refused_is_removed_where_it_cannot_be_completed() {
    let workload = Workload { name: "small files", script: &[c"s4096", c"n1000", c"./a"], line_bytes: &[60] };
    let mut refused = 0;
    for later in 1..12 {
        for_calls(|at| {
            let machine = Machine::new(&workload, 1000);
            let calls = Calls::new(Fault::Twice { at, errno: Errno::EIO, later });
            if machine.run(&workload, &calls, false) == End::Left(Exit::OK) {
                let files = machine.disks[0].files();
                refused += usize::from(files.keys().any(|name| name.ends_with(".u")));
                assert!(!files.contains_key(REWRITTEN), "errors at call {at} and {later} calls later");
            }
            calls.has_fired()
        });
    }
    assert!(refused > 0);
}
