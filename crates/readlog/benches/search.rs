//! What it costs to search 1 GB in 500 archives, beside `rg -S -j1`, which has the same rule for capitals; the same compressed
//! with zstd, beside `zstdcat | rg`; and to find a minute in 100,000 archives.
//!
//! `cargo bench -p readlog --bench search [-- ARCHIVES]`: makes archives of 2 MB in a temporary directory (`TMPDIR`). Both commands
//! print raw lines, and their outputs are compared byte for byte before time counts. The figures are medians of five runs in turn:
//! user and system time, and wall time.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A report is printed, and a failed run is no measurement.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const ARCHIVE_BYTES: usize = 2_000_000;
/// How far apart lines are.
const STEP_NANOSECONDS: u64 = 7_500_000;
/// The Unix second of the first line.
const START: u64 = 1_790_000_000;
const RUNS: usize = 5;
/// The archives of a second each, and how many lines each has.
const SMALL_ARCHIVES: u64 = 100_000;
const SMALL_LINES: u64 = 10;

/// What is searched for, with options that both programs have. None is found in a label.
const PATTERNS: [(&str, &str); 9] = [
    ("rare word", "quicksilver"),
    ("common word", "delivery"),
    ("ignoring case", "-i -e 'sorry,_i'"),
    ("regex", "delivery [0-9]+: failure"),
    ("regex", "bytes [0-9]{5} from"),
    ("regex", "(deferral|failure): .*(user|connection)"),
    ("regex", r"timeout after \d+ s"),
    ("regex", r"user[0-9]*77@.*\.org"),
    ("regex", r"[A-Z]\w+_said"),
];

/// What both commands took, one after the other.
struct Run {
    ours: Used,
    theirs: Used,
}

/// What a command took.
struct Used {
    processor: Duration,
    wall: Duration,
}

/// Two commands that print the same.
struct Pair<'d> {
    dir: &'d Path,
    ours: String,
    theirs: String,
}

fn main() {
    let archives = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(500);
    if ["rg", "zstd", "zstdcat"]
        .iter()
        .any(|program| !shell(Path::new("/"), &format!("command -v {program}")).success())
    {
        println!("SKIPPED: ripgrep and zstd are needed to compare with");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plain, packed) = (dir.path().join("plain"), dir.path().join("packed"));
    let bytes = generate(&plain, archives);
    println!("{archives} archives and current, {bytes} bytes\n");
    let readlog = env!("CARGO_BIN_EXE_readlog");
    println!(
        "| | pattern | output, bytes | CPU, readlog | CPU, rg -S -j1 | ratio | wall ratio |\n|---|---|---|---|---|---|---|"
    );
    let words = |pattern: &str| match pattern.strip_prefix("-i -e ") {
        Some(pattern) => (format!("-i -g {pattern}"), format!("-i -e {pattern}")),
        None => (format!("-s -g '{pattern}'"), format!("-e '{pattern}'")),
    };
    for (kind, pattern) in PATTERNS {
        let (ours, theirs) = words(pattern);
        let pair = Pair {
            dir: &plain,
            ours: format!("exec {readlog} -o tai64n {ours} ."),
            theirs: format!("rg -S -j1 -a -N --no-filename --sort path {theirs} . || [ $? = 1 ]"),
        };
        pair.report(kind, pattern);
    }
    std::fs::create_dir(&packed).unwrap();
    assert!(
        shell(&plain, "for file in @*; do zstd -q -c $file >../packed/$file; done; cp current ../packed").success()
    );
    for (kind, pattern) in &PATTERNS[..4] {
        let (ours, theirs) = words(pattern);
        let pair = Pair {
            dir: &packed,
            ours: format!("exec {readlog} -o tai64n {ours} ."),
            theirs: format!("{{ zstdcat @*; cat current; }} | rg -S -j1 -a -N --no-filename {theirs} || [ $? = 1 ]"),
        };
        pair.report(&format!("zstd, {kind}"), pattern);
    }
    find_a_minute(&dir.path().join("small"), readlog);
}

impl Pair<'_> {
    fn report(&self, kind: &str, pattern: &str) {
        let sum = |command: &str| output(self.dir, &format!("{{ {command}; }} | cksum"));
        let (ours, theirs) = (sum(&format!("( {} )", self.ours)), sum(&self.theirs));
        assert_eq!(ours, theirs, "both print the same: {pattern}");
        let bytes = ours.split_whitespace().nth(1).unwrap().to_owned();
        let mut runs: Vec<Run> = Vec::new();
        for _ in 0..RUNS {
            runs.push(Run { ours: time(self.dir, &self.ours), theirs: time(self.dir, &self.theirs) });
        }
        let median = |choose: fn(&Run) -> Duration| {
            let mut times: Vec<Duration> = runs.iter().map(choose).collect();
            times.sort_unstable();
            times[RUNS / 2].as_secs_f64()
        };
        let (ours, theirs) = (median(|run| run.ours.processor), median(|run| run.theirs.processor));
        let wall = median(|run| run.ours.wall) / median(|run| run.theirs.wall);
        let pattern = pattern.replace('|', "\\|");
        println!("| {kind} | `{pattern}` | {bytes} | {ours:.2} s | {theirs:.2} s | {:.2} | {wall:.2} |", ours / theirs);
    }
}

/// A window of a minute in very many archives.
fn find_a_minute(dir: &Path, readlog: &str) {
    std::fs::create_dir(dir).unwrap();
    let nanoseconds = 1_000_000_000 / SMALL_LINES;
    for archive in 0..SMALL_ARCHIVES {
        let mut text = String::new();
        for line in archive * SMALL_LINES..(archive + 1) * SMALL_LINES {
            writeln!(text, "{} line {line}", label(line * nanoseconds)).unwrap();
        }
        let name = label((archive + 1) * 1_000_000_000 - 1);
        std::fs::write(dir.join(format!("{name}.s")), text).unwrap();
    }
    std::fs::write(dir.join("current"), "").unwrap();
    let (since, until) = (label(5_000_000_000_000), label(5_060_000_000_000));
    let command = format!("exec {readlog} -o tai64n --since {since} --until {until} .");
    let lines = output(dir, &format!("( {command} ) | wc -l"));
    assert_eq!(lines.trim(), (60 * SMALL_LINES).to_string(), "a minute has its lines");
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(dir, &command).processor).collect();
    let mut listings: Vec<Duration> = (0..RUNS).map(|_| time(dir, "exec ls -U . >/dev/null").processor).collect();
    times.sort_unstable();
    listings.sort_unstable();
    println!(
        "\na minute of {SMALL_ARCHIVES} archives: {:?} of processor time; `ls -U` takes {:?}",
        times[RUNS / 2],
        listings[RUNS / 2]
    );
    if shell(dir, "command -v strace").success() {
        let opens = output(
            dir,
            &format!("strace -qq -f -e trace=openat -o /dev/stderr {} 2>&1 >/dev/null | wc -l", &command[5..]),
        );
        println!("it opens {} files", opens.trim());
    }
}

fn label(nanoseconds: u64) -> String {
    format!("@{:016x}{:08x}", (1 << 62) + 10 + START + nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}

/// Writes the archives and `current`; returns their bytes.
fn generate(dir: &Path, archives: usize) -> u64 {
    std::fs::create_dir(dir).unwrap();
    let (mut bytes, mut line) = (0, 0_u64);
    for archive in 0..=archives {
        let mut text = String::with_capacity(ARCHIVE_BYTES + 200);
        while text.len() < ARCHIVE_BYTES {
            let number = line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            write!(text, "{} ", label(line * STEP_NANOSECONDS)).unwrap();
            match number % 200 {
                0..50 => writeln!(text, "status: local {}/10 remote {}/20", number % 10, number % 20),
                50..80 => writeln!(text, "new msg {}", number % 1_000_000),
                80..110 => {
                    let (size, user) = (200 + number % 89_800, number % 9000);
                    writeln!(text, "info msg {line}: bytes {size} from <user{user}@example.org> qp {line} uid 501")
                }
                110..140 => {
                    writeln!(text, "starting delivery {line}: msg {number} to remote user{}@example.com", number % 9000)
                }
                140..168 => writeln!(
                    text,
                    "delivery {line}: success: 192.0.2.{}_accepted_message./Remote_host_said:_250_ok/",
                    number % 256
                ),
                168..172 => {
                    writeln!(text, "delivery {line}: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection./")
                }
                172 => writeln!(
                    text,
                    "delivery {line}: failure: 192.0.2.{}_does_not_like_recipient./550_user_unknown/",
                    number % 256
                ),
                173 if number % 7 == 0 => writeln!(text, "warning: trigger: timeout after {} s", number % 100),
                _ => writeln!(
                    text,
                    "end msg {}{}",
                    number % 1_000_000,
                    if line % 1_700_000 == 5 { " quicksilver" } else { "" }
                ),
            }
            .unwrap();
            line += 1;
        }
        bytes += text.len() as u64;
        let name =
            if archive == archives { "current".to_owned() } else { format!("{}.s", label(line * STEP_NANOSECONDS)) };
        std::fs::write(dir.join(name), text).unwrap();
    }
    bytes
}

fn command(dir: &Path, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).current_dir(dir).stdin(Stdio::null());
    shell
}

fn shell(dir: &Path, script: &str) -> std::process::ExitStatus {
    command(dir, script).stdout(Stdio::null()).status().unwrap()
}

fn output(dir: &Path, script: &str) -> String {
    let output = command(dir, script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap()
}

/// The processor and the wall time that a command takes.
fn time(dir: &Path, script: &str) -> Used {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        Duration::from_micros(
            (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()).unsigned_abs(),
        )
    };
    let (before, start) = (used(), Instant::now());
    assert!(shell(dir, script).success(), "{script}");
    Used { processor: used() - before, wall: start.elapsed() }
}
