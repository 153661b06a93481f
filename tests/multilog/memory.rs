//! How much memory a logger holds: little while nothing comes, also when much came before.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Stdio;

use logyard::logbench::{Corpus, Shape};

use crate::util::logdir::current_bytes;
use crate::util::logger::{Multilog, Running};
use crate::util::{Workdir, report, until};

/// What 0.76 holds for itself on Debian 12, in kB; twice this is allowed.
const THEIRS_KB: u64 = 96;
/// What a busy logger may hold, in kB, as its manual page says.
const BUSY_MAX_KB: u64 = 2048;

/// What a process has written to and shares with nobody, in kB.
fn private_kb(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_logger_holds_little_memory_also_after_a_burst() {
    let workdir = Workdir::in_memory();
    let (input, mut output) = std::io::pipe().unwrap();
    // A file that has just been written counts as private, the programs' own text too: a copy that is on the disk does not.
    let program = Multilog::Ours.path();
    OpenOptions::new().read(true).open(&program).unwrap().sync_all().unwrap();
    let mut command = Multilog::Ours.command(workdir.path(), &["t", "s1000000", "n3", "./main"]);
    let mut logger = Running::start(command.stdin(Stdio::from(input)));
    let length = || current_bytes(&workdir.join("main")).unwrap_or(0);

    output.write_all(b"one line\n").unwrap();
    until("a line is there", || length() > 0);
    let fresh_kb = private_kb(logger.pid());
    let mut corpus = Corpus::new(Shape::Qmail, 1, u64::MAX);
    for _ in 0..50_000 {
        output.write_all(corpus.next_line().unwrap()).unwrap();
    }
    let busy_kb = private_kb(logger.pid());
    // It looks after itself some seconds after the last line.
    until("the memory is given back", || private_kb(logger.pid()) <= 2 * THEIRS_KB);
    let idle_kb = private_kb(logger.pid());
    drop(output);
    assert!(logger.end().success());

    assert!(fresh_kb <= 2 * THEIRS_KB, "{fresh_kb} kB with one line");
    assert!(busy_kb <= BUSY_MAX_KB, "{busy_kb} kB while busy");
    report(format_args!(
        "multilog: {fresh_kb} kB of its own with one line, {busy_kb} while busy, {idle_kb} afterwards"
    ));
}
