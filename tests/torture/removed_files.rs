//! Files that are removed, renamed or truncated while a logger runs, as other tools for logs do.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use logyard::sys::file::{File, Lock};

use super::feed::{Feed, Pace};
use super::lines::{self, Lengths};
use super::subject::Subject;
use crate::torture::collect;
use testkit::logdir::current_bytes;
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, until};

/// How soon lines that come afterwards are on the disk.
const SOON: Duration = Duration::from_secs(6);

/// What is expected of the lines that came before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The descriptor reaches them, or they are where they were.
    Kept,
    /// Somebody destroyed them.
    Gone,
}

/// Numbers of the lines in a log; a line that is none of ours is `None`.
fn numbers(log: &[u8]) -> Vec<Option<u64>> {
    let mut lines: Vec<&[u8]> = log.split(|&byte| byte == b'\n').collect();
    lines.pop();
    lines.into_iter().map(|line| lines::recognise(line, Lengths::Ordinary)).collect()
}

#[track_caller]
fn remove_while_logging(before: Before, act: impl Fn(&Path)) {
    let dir = Workdir::new();
    let feed = Feed::pipe(Lengths::Ordinary, Pace::Bursts(20, Duration::from_millis(5)));
    let script = ["s16777215", "./main"];
    let mut logger = Subject::Ours.start(&script, dir.path(), feed.stdin());
    let main = dir.join("main");
    until("something is logged", || fs::metadata(main.join("current")).is_ok_and(|current| current.len() > 50_000));

    act(dir.path());
    let moment = Instant::now();

    let wanted = feed.written() + 100;
    let log = || {
        let mut log = if dir.join("old").exists() { collect::all(&dir.join("old")) } else { Vec::new() };
        log.extend(if main.exists() { collect::all(&main) } else { Vec::new() });
        log
    };
    until("lines that came afterwards are where they belong", || {
        numbers(&log()).last().is_some_and(|&last| last.is_some_and(|last| last >= wanted))
    });
    let took = moment.elapsed();
    assert!(took < SOON, "it took {took:?}");
    let last = feed.end() - 1;
    assert!(logger.end().success());

    let numbers = numbers(&log());
    let first = if before == Before::Kept { 0 } else { numbers[0].unwrap_or(wanted) };
    assert!(first < wanted, "lines that came afterwards are missing up to {first}");
    let expected: Vec<Option<u64>> = (first..=last).map(Some).collect();
    assert!(numbers == expected, "{} lines, {} expected", numbers.len(), expected.len());
}

#[test]
fn a_removed_current_is_made_again_with_its_content() {
    remove_while_logging(Before::Kept, |dir| fs::remove_file(dir.join("main/current")).unwrap());
}

#[test]
fn a_renamed_current_is_made_again() {
    remove_while_logging(Before::Kept, |dir| {
        fs::create_dir(dir.join("old")).unwrap();
        fs::rename(dir.join("main/current"), dir.join("old/current")).unwrap();
    });
}

#[test]
fn a_truncated_current_is_written_from_its_beginning() {
    remove_while_logging(Before::Gone, |dir| drop(fs::File::create(dir.join("main/current")).unwrap()));
}

#[test]
fn a_removed_directory_is_made_again_with_the_content_of_current() {
    remove_while_logging(Before::Kept, |dir| fs::remove_dir_all(dir.join("main")).unwrap());
}

#[test]
fn a_replaced_directory_gets_the_lines_that_follow() {
    remove_while_logging(Before::Kept, |dir| {
        fs::rename(dir.join("main"), dir.join("old")).unwrap();
        fs::create_dir(dir.join("main")).unwrap();
    });
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_directory_that_another_logger_has_made_again_is_not_used_until_its_lock_is_free() {
    let dir = Workdir::new();
    let main = dir.join("main");
    let words = dir.join("words");
    let (input, mut output) = std::io::pipe().unwrap();
    let mut command = Multilog::Ours.command(dir.path(), &["./main"]);
    let mut logger = Running::start(command.stdin(input).stderr(fs::File::create(&words).unwrap()));
    output.write_all(b"one\n").unwrap();
    until("the first line is logged", || current_bytes(&main) == Some(4));

    fs::remove_dir_all(&main).unwrap();
    fs::create_dir(&main).unwrap();
    let lock = Lock::try_exclusive(File::from(OwnedFd::from(fs::File::create(main.join("lock")).unwrap()))).unwrap();
    output.write_all(b"two\n").unwrap();
    let refusals = || fs::read_to_string(&words).unwrap().matches("unable to lock directory ./main, pausing").count();
    until("the lock was asked for twice", || {
        assert!(!main.join("current").exists(), "it is written to beside another writer");
        refusals() >= 2
    });
    drop(lock);
    until("what current held is there again", || current_bytes(&main) == Some(8));

    drop(output);
    assert!(logger.end().success());
    assert_eq!(collect::all(&main), b"one\ntwo\n");
}
