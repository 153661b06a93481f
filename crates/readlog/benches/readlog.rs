//! What it costs to find a minute in 2 GB, and to show all of it, beside `cat @* current | tai64nlocal | grep`; and what it
//! costs to search all of it, beside `rg -j1`.
//!
//! `cargo bench -p readlog --bench readlog [-- MEGABYTES]`: makes 2000 archives of a megabyte in a temporary directory (`TMPDIR`),
//! checks that both print the same bytes, and only then counts time. The files are in the page cache for both.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A report is printed, and a failed run is no measurement.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// How long each archive is.
const ARCHIVE_BYTES: usize = 1_000_000;
/// How far apart lines are: 17.5 million of them in a day and a half.
const STEP_NANOSECONDS: u64 = 7_500_000;
/// The Unix second of the first line.
const START: u64 = 1_790_000_000;
/// How often the window is asked for.
const RUNS: usize = 20;

/// What is searched for: a word, patterns of every day, and some in which no word helps. None is found in a label.
const PATTERNS: [&str; 7] = [
    "no such word",
    "msg 482130*3",
    "[0-9]{2}:[0-9]{2}.*(error|fail)",
    "bytes 9[0-9]+ from",
    "(?i)SUCCESS.*user12345@",
    "<user[0-9]*7{3}@",
    "[A-Z]{3}",
];

fn main() {
    let megabytes = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(2000);
    let dir = tempfile::tempdir().unwrap();
    let (bytes, lines) = generate(dir.path(), megabytes);
    println!("{megabytes} archives, {bytes} bytes, {lines} lines");
    let readlog = env!("CARGO_BIN_EXE_readlog");
    let middle = START + lines * STEP_NANOSECONDS / 1_000_000_000 / 2 / 60 * 60;
    let minute = |seconds: u64| {
        let text = Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%d %H:%M"]).output().unwrap();
        String::from_utf8(text.stdout).unwrap().trim().to_owned()
    };
    let (since, until) = (minute(middle), minute(middle + 60));
    let ours = format!("exec {readlog} --since '{since}' --until '{until}' .");
    let theirs = format!("cat @* current | tai64nlocal | grep '^{since}:'");
    let whole = format!("exec {readlog} .");
    let whole_theirs = "cat @* current | tai64nlocal";
    if !Path::new("/usr/bin/tai64nlocal").exists() {
        println!("SKIPPED: 0.76 is not installed, so there is nothing to compare with");
        return;
    }

    assert_eq!(output(dir.path(), &ours), output(dir.path(), &theirs), "both print the same minute");
    let sum = |command: &str| output(dir.path(), &format!("({command}) | cksum"));
    assert_eq!(sum(&whole), sum(whole_theirs), "both print the same");
    println!("the outputs are the same: {} bytes in the minute", output(dir.path(), &ours).len());

    let (mut processor, mut wall): (Vec<Duration>, Vec<Duration>) = (0..RUNS).map(|_| time(dir.path(), &ours)).unzip();
    processor.sort_unstable();
    wall.sort_unstable();
    let (_, their_wall) = time(dir.path(), &theirs);
    println!(
        "a minute     readlog {:?} of processor time (best {:?}), {:?} wall; pipeline {their_wall:?} wall: {:.0} times",
        processor[RUNS / 2],
        processor[0],
        wall[RUNS / 2],
        their_wall.as_secs_f64() / wall[RUNS / 2].as_secs_f64()
    );
    let mut runs: Vec<Duration> = (0..3).map(|_| time(dir.path(), &whole).1).collect();
    runs.sort_unstable();
    let (_, their_wall) = time(dir.path(), whole_theirs);
    println!(
        "all of it    readlog {:?} wall, {:.0} MB/s; pipeline {their_wall:?} wall: {:.1} times",
        runs[1],
        bytes as f64 / 1e6 / runs[1].as_secs_f64(),
        their_wall.as_secs_f64() / runs[1].as_secs_f64()
    );
    for pattern in PATTERNS {
        let ours = format!("exec {readlog} -o cat -g '{pattern}' .");
        let theirs = format!("exec rg -j1 -N -I --sort path -e '{pattern}' .");
        if !Path::new("/usr/bin/rg").exists() {
            println!("SKIPPED: ripgrep is not installed, so there is nothing to compare a search with");
            return;
        }
        let count = |command: &str| {
            let output = output(dir.path(), &format!("({command}) | wc -l"));
            String::from_utf8(output).unwrap().trim().to_owned()
        };
        let lines = count(&ours);
        assert_eq!(lines, count(&theirs), "both find the same lines: {pattern}");
        let best = |command: &str| (0..5).map(|_| time(dir.path(), command).0).min().unwrap();
        let (ours, theirs) = (best(&ours), best(&theirs));
        println!(
            "-g '{pattern}': {lines} lines; readlog {ours:?} of processor time, rg -j1 {theirs:?}: {:.2} times",
            ours.as_secs_f64() / theirs.as_secs_f64()
        );
    }
}

/// Writes the archives and an empty `current`; returns their bytes and lines.
fn generate(directory: &Path, archives: usize) -> (u64, u64) {
    let (mut bytes, mut lines) = (0, 0);
    let label = |line: u64| {
        let nanoseconds = line * STEP_NANOSECONDS;
        let seconds = (1 << 62) + 10 + START + nanoseconds / 1_000_000_000;
        format!("@{seconds:016x}{:08x}", nanoseconds % 1_000_000_000)
    };
    let mut text = String::with_capacity(ARCHIVE_BYTES + 200);
    for _ in 0..archives {
        text.clear();
        while text.len() < ARCHIVE_BYTES {
            let words =
                ["status: local 0/10 remote 3/20", "end msg 48213", "delivery 5123: success: 10.1.2.3_accepted"];
            let word = words[usize::try_from(lines % 7).unwrap() % words.len()];
            writeln!(
                text,
                "{} {word} {} bytes {lines} from <user{}@example.org>",
                label(lines),
                lines * 31,
                lines % 97
            )
            .unwrap();
            lines += 1;
        }
        bytes += text.len() as u64;
        std::fs::write(directory.join(format!("{}.s", label(lines))), &text).unwrap();
    }
    std::fs::write(directory.join("current"), "").unwrap();
    (bytes, lines)
}

fn shell(directory: &Path, command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).current_dir(directory).env("TZ", "UTC").stdin(Stdio::null());
    shell
}

fn output(directory: &Path, command: &str) -> Vec<u8> {
    let output = shell(directory, command).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command}");
    output.stdout
}

/// The processor and the wall time that a command takes.
fn time(directory: &Path, command: &str) -> (Duration, Duration) {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(microseconds.unsigned_abs())
    };
    let (before, start) = (used(), Instant::now());
    let status = shell(directory, command).stdout(Stdio::null()).status().unwrap();
    // rg exits 1 if no line matches.
    let has_no_match = command.starts_with("exec rg ") && status.code() == Some(1);
    assert!(status.success() || has_no_match, "{command}: {status}");
    (used() - before, start.elapsed())
}
