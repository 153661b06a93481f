//! Loggers with too few descriptors, too little memory or small files, and loggers that are started in odd ways. Whether or not
//! they can work, the next logger logs every line.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::feed::FilledPipe;
use super::lines::Lengths;
use super::subject::{Subject, Target, Task};
use crate::torture::collect::Collected;
use crate::torture::verdict::{Counts, Verdict};
use testkit::logger::{Multilog, Running, messages};
use testkit::{Workdir, until};

const LINES: u64 = 16;

fn main_only() -> Task {
    Task { is_stamped: true, size_bytes: 4096, processor: None, targets: vec![Target { name: "main", without: None }] }
}

fn two() -> Task {
    let targets = vec![Target { name: "one", without: Some('b') }, Target { name: "two", without: Some('c') }];
    Task { targets, ..main_only() }
}

/// Runs a logger behind `prefix` until it exits, or kills it after a second; then runs another, without `prefix`, to the
/// end of the input.
#[track_caller]
fn survives(prefix: &[&str], task: &Task) {
    let dir = Workdir::new();
    let pipe = FilledPipe::new(LINES);
    let arguments = Subject::Ours.arguments(task, dir.path());
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]).arg(Multilog::Ours.path()).args(&arguments);
    let mut logger = Running::start_in(&mut command, dir.path(), pipe.stdin());
    let start = Instant::now();
    while logger.ended().is_none() && start.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(logger);
    let mut next = Subject::Ours.start(&arguments, dir.path(), pipe.stdin());
    let status = next.end();
    let said = messages(&dir);
    assert!(status.success(), "{prefix:?}: {status}; {said}");
    let mut verdict = Verdict::default();
    for target in &task.targets {
        let counts = Counts::new(Lengths::Kilobyte, task.is_stamped, target.classes());
        verdict.add(Collected::new(dir.join(target.name), counts).finish(LINES));
    }
    assert!(verdict.is_spotless(), "{prefix:?}: {verdict:?}; {said}");
}

const SOFTLIMIT: &str = env!("CARGO_BIN_EXE_softlimit");

#[test]
fn a_logger_with_few_descriptors_loses_nothing() {
    let processor = Task { processor: Some("cat"), ..main_only() };
    std::thread::scope(|scope| {
        for task in [main_only(), two(), processor] {
            scope.spawn(move || (3..28).for_each(|most| survives(&[SOFTLIMIT, "-o", &most.to_string()], &task)));
        }
    });
}

#[test]
fn a_logger_with_little_memory_loses_nothing() {
    let processor = Task { processor: Some("cat"), ..main_only() };
    std::thread::scope(|scope| {
        for task in [main_only(), two(), processor] {
            scope.spawn(move || {
                for kibibytes in (500..8_000).step_by(400) {
                    survives(&[SOFTLIMIT, "-a", &(kibibytes * 1024).to_string()], &task);
                }
            });
        }
    });
}

/// What old run scripts give.
#[test]
#[ignore = "torture: for the released program"]
fn two_megabytes_are_enough_for_a_released_logger_and_some_more_for_expressions() {
    if cfg!(debug_assertions) {
        return testkit::skipped("a logger in two megabytes: the program is not optimised");
    }
    for (limit, script) in [
        ("2000000", &["t", "s4096", "n3", "./main"][..]),
        ("2000000", &["t", "s16777215", "./main"]),
        ("2000000", &["./main"]),
        // The code that matches expressions needs 3 MB. Built for tests, it has features of theirs, too.
        ("3500000", &["t", "s4096", "n3", "r-[0-4]{7}", "r-(six|seven|eight)", "./main"]),
        ("3500000", &["t", "s16777215", "r-[0-4]{7}", "./main"]),
        ("3500000", &["-*", "r+alone|[0-9]", "./main"]),
    ] {
        let dir = Workdir::new();
        let (input, mut output) = std::io::pipe().unwrap();
        let mut command = Command::new(SOFTLIMIT);
        command.args(["-m", limit]).arg(Multilog::Ours.path()).args(script);
        let mut logger = Running::start_in(&mut command, dir.path(), input);
        // The reading end.
        drop(command);
        output.write_all(b"a line alone\n").unwrap();
        let main = dir.join("main");
        until("it is logged", || testkit::logdir::current_bytes(&main).is_some_and(|bytes| bytes > 0));

        let lines: String = (0..100_000).map(|number| format!("{number}\n")).collect();
        output.write_all(lines.as_bytes()).unwrap();
        drop(output);

        let status = logger.end();
        assert!(status.success(), "{script:?}: {status}; {}", messages(&dir));
        assert_eq!(messages(&dir), "", "{script:?}");
        assert!(testkit::logdir::LogDirFiles::read(&main).joined().ends_with(b"99999\n"), "{script:?}");
    }
}

#[test]
fn a_logger_that_may_not_start_processes_loses_nothing() {
    // Only users other than root are held to it.
    survives(&[SOFTLIMIT, "-p", "1"], &Task { processor: Some("cat"), ..main_only() });
}

#[test]
fn a_logger_without_standard_output_or_error_loses_nothing() {
    for closed in ["1>&-", "2>&-", "1>&- 2>&-"] {
        let script = format!("exec \"$0\" \"$@\" {closed}");
        for task in [main_only(), two()] {
            survives(&["/bin/sh", "-c", &script], &task);
        }
    }
}

#[test]
fn a_logger_without_standard_input_says_so_and_exits() {
    let dir = Workdir::new();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" ./main <&-"]).arg(Multilog::Ours.path());

    let status = Running::start_in(&mut shell, dir.path(), Stdio::null()).end();

    assert_eq!(status.code(), Some(111));
    let said = messages(&dir);
    assert_eq!(said, "multilog: fatal: unable to read standard input: file descriptor not open\n");
}

#[test]
fn an_empty_non_blocking_pipe_is_not_the_end_of_input() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let dir = Workdir::new();
    let (reading_end, mut writing_end) = std::io::pipe().unwrap();
    fcntl(&reading_end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let stdin = reading_end.try_clone().unwrap();
    let mut logger = Subject::Ours.start(&["./main"], dir.path(), stdin);
    until("the logger is ready", || dir.join("main/current").exists());
    std::thread::sleep(Duration::from_millis(100));
    assert!(logger.ended().is_none());

    writing_end.write_all(b"late\n").unwrap();
    drop(writing_end);

    assert!(logger.end().success());
    assert_eq!(fs::read(dir.join("main/current")).unwrap(), b"late\n");
    let flags = OFlag::from_bits_retain(fcntl(&reading_end, FcntlArg::F_GETFL).unwrap());
    assert!(flags.contains(OFlag::O_NONBLOCK), "the flag is not ours to clear");
}

#[test]
fn a_logger_whose_alerts_nobody_reads_loses_nothing() {
    let dir = Workdir::new();
    let (_, nobody) = std::io::pipe().unwrap();
    let mut command = Command::new(Multilog::Ours.path());
    command.args(["e", "./main"]).current_dir(dir.path()).stdin(FilledPipe::new(LINES).stdin()).stderr(nobody);

    let status = command.status().unwrap();

    assert!(status.success(), "{status}");
    let verdict = Collected::new(dir.join("main"), Counts::new(Lengths::Kilobyte, false, b"abc")).finish(LINES);
    assert!(verdict.is_spotless(), "{verdict:?}");
}

#[test]
fn a_directory_has_one_logger_and_stands_once_in_a_script() {
    let dir = Workdir::new();
    let (reading_end, writing_end) = std::io::pipe().unwrap();
    let first = Subject::Ours.start(&["./main"], dir.path(), reading_end);
    until("the first is ready", || dir.join("main/current").exists());

    let mut second = Subject::Ours.start(&["./main"], dir.path(), Stdio::null());
    assert_eq!(second.end().code(), Some(111));
    drop(writing_end);
    drop(first);

    std::os::unix::fs::symlink("main", dir.join("again")).unwrap();
    for twice in [["./main", "./main"], ["./main", "./again"], ["./main", "././main"]] {
        let mut logger = Subject::Ours.start(&twice, dir.path(), Stdio::null());
        assert_eq!(logger.end().code(), Some(111), "{twice:?}");
    }
    let said = messages(&dir);
    assert_eq!(said.matches("multilog: fatal: unable to lock directory ./").count(), 4, "{said}");
}
