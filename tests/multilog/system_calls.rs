//! What logging costs in system calls, counted by strace where that is installed and may trace.

use std::io::{Write, pipe};
use std::process::{Command, Stdio};

use logyard_corpus::{Corpus, Shape};

use testkit::logdir::{LogDirFiles, current_bytes, without_stamps};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, peer, report, skipped, until};

/// What one line that comes alone may cost: a wait, a look into the pipe, a read of what was seen, a write, and the read
/// that takes it off the pipe.
const CALLS_PER_LINE_MAX: usize = 5;

/// Logs with `strace -c`, with somebody who `write`s to the pipe, and says how many calls were made.
fn count_calls(write: impl FnOnce(&mut std::io::PipeWriter, &Workdir)) -> (usize, LogDirFiles) {
    let workdir = Workdir::in_memory();
    let (input, mut output) = pipe().unwrap();
    let mut strace = Command::new("/usr/bin/strace");
    strace.args(["-f", "-c", "-o", "calls"]).arg(Multilog::Ours.path()).args(["t", "s1000000", "n10", "./main"]);
    let mut logger = Running::start(strace.current_dir(workdir.path()).stdin(input));
    write(&mut output, &workdir);
    drop(output);
    let status = logger.end();
    assert!(status.success(), "{status}");

    let counts = std::fs::read_to_string(workdir.join("calls")).unwrap();
    // % time, seconds, usecs/call, calls, errors: the last line is for all.
    let total = counts.lines().rfind(|line| line.ends_with(" total")).unwrap_or_else(|| panic!("no total: {counts}"));
    let calls = total.split_ascii_whitespace().nth(3).and_then(|calls| calls.parse().ok());
    (calls.unwrap_or_else(|| panic!("no calls: {counts}")), LogDirFiles::read(&workdir.join("main")))
}

/// Tells whether strace is there and works.
fn can_trace() -> bool {
    if peer("strace").is_none() {
        return false;
    }
    let mut trial = Command::new("/usr/bin/strace");
    let can = trial.args(["-c", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !can {
        skipped("strace may not trace here, so no system calls were counted");
    }
    can
}

#[test]
fn twenty_thousand_piped_lines_cost_no_system_call_each() {
    if !can_trace() {
        return;
    }
    let mut corpus = Corpus::new(Shape::Qmail, 1, u64::MAX);
    let input: Vec<u8> = (0..20_000).flat_map(|_| corpus.next_line().expect("there is no end").to_vec()).collect();

    let (calls, files) = count_calls(|output, _| output.write_all(&input).unwrap());

    assert!(without_stamps(&files.joined()) == input);
    assert!(calls < 20_000 / 20, "{calls} calls");
    report(format_args!("20000 piped lines: {calls} system calls"));
}

#[test]
fn a_trickle_of_single_lines_costs_a_few_system_calls_a_line() {
    if !can_trace() {
        return;
    }
    let lines = 200;
    let (without_lines, _) = count_calls(|_, _| {});

    let (calls, files) = count_calls(|output, workdir| {
        for number in 1..=lines {
            output.write_all(b"a line\n").unwrap();
            let length = number as u64 * (26 + 7);
            until("the line is in current", || current_bytes(&workdir.join("main")) == Some(length));
        }
    });

    assert_eq!(files.joined().len(), lines * 33);
    let per_line = calls.saturating_sub(without_lines) as f64 / lines as f64;
    assert!(per_line <= CALLS_PER_LINE_MAX as f64, "{per_line} calls a line");
    report(format_args!("a trickle of single lines: {per_line} system calls a line"));
}
