//! multilog beside its peers: qmail lines through a pipe into a log directory in memory, `t s1000000 n10`.
//!
//! ```text
//! cargo bench --bench peers
//! ```
//!
//! The loggers take turns, so that whatever else the machine does meets all of them. Before a time counts, what the
//! logger left is compared with the input: it must be the end of it, line for line behind the stamps. Those that are not
//! installed are left out, with a notice.
//!
//! | variable | meaning |
//! |---|---|
//! | `LOGYARD_BENCH_BYTES` | how much is logged in each run; 200 MB unless told |
//! | `LOGYARD_BENCH_RUNS` | how many turns; 5 unless told |
//! | `LOGYARD_BENCH_SHAPE` | the shape of the lines; `qmail` unless told |

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logyard::logbench::{Corpus, Counts, Shape};
use tempfile::TempDir;

/// What is written to the pipe at once: as much as `cat` does.
const PIECE_BYTES: usize = 128 * 1024;
/// A stamp and the space behind it.
const STAMP_BYTES: usize = 26;

/// A logger, and how it is told to do the same as the others.
struct Subject {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    /// What stands in `main/config` before.
    config: Option<&'static str>,
}

/// What a run took.
struct Run {
    wall: Duration,
    processor: Duration,
}

fn main() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (bytes, runs) = (number("LOGYARD_BENCH_BYTES", 200_000_000), number("LOGYARD_BENCH_RUNS", 5));
    let shape = std::env::var("LOGYARD_BENCH_SHAPE").map_or(Shape::Qmail, |name| Shape::named(&name).expect("a shape"));
    let input = Corpus::new(shape, 1, bytes).into_bytes();
    let Counts { lines, .. } = Counts::of(&input);
    let subjects = subjects();
    println!("{lines} {} lines, {bytes} bytes, through a pipe; t s1000000 n10; {runs} turns", shape.name());

    let mut results: Vec<Vec<Run>> = subjects.iter().map(|_| Vec::new()).collect();
    for turn in 0..runs {
        for place in 0..subjects.len() {
            let number = (turn as usize + place) % subjects.len();
            results[number].push(measure(&subjects[number], &input));
        }
    }

    report(&subjects, &mut results, bytes);
}

/// Those that are installed, ours first.
fn subjects() -> Vec<Subject> {
    let script = &["t", "s1000000", "n10", "./main"];
    let svlogd = Some("s1000000\nn10\n");
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_multilog"));
    let all = [
        Subject { name: "logyard", program: ours, arguments: script, config: None },
        Subject { name: "0.76", program: "/usr/bin/multilog".into(), arguments: script, config: None },
        Subject {
            name: "s6-log",
            program: "/usr/bin/s6-log".into(),
            arguments: &["n10", "s1000000", "t", "./main"],
            config: None,
        },
        Subject { name: "svlogd", program: "/usr/bin/svlogd".into(), arguments: &["-t", "./main"], config: svlogd },
    ];
    let is_installed = |subject: &Subject| {
        let is_there = subject.program.exists();
        if !is_there {
            println!("SKIPPED: {} is not installed", subject.program.display());
        }
        is_there
    };
    all.into_iter().filter(is_installed).collect()
}

/// A directory in memory, or where temporary files are.
fn workdir() -> TempDir {
    TempDir::with_prefix_in("logyard-bench-", "/dev/shm").or_else(|_| TempDir::with_prefix("logyard-bench-")).unwrap()
}

/// Logs the input once, from the start of the program to its end.
fn measure(subject: &Subject, input: &[u8]) -> Run {
    let workdir = workdir();
    if let Some(config) = subject.config {
        std::fs::create_dir(workdir.path().join("main")).unwrap();
        std::fs::write(workdir.path().join("main/config"), config).unwrap();
    }
    let processor_before = processor_time_of_children();
    let start = Instant::now();
    let mut logger = Command::new(&subject.program)
        .args(subject.arguments)
        .current_dir(workdir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = logger.stdin.take().unwrap();
    for piece in input.chunks(PIECE_BYTES) {
        pipe.write_all(piece).unwrap();
    }
    drop(pipe);
    let status = logger.wait().unwrap();
    let run = Run { wall: start.elapsed(), processor: processor_time_of_children() - processor_before };
    assert!(status.success(), "{}: {status}", subject.name);
    check(subject.name, &workdir.path().join("main"), input);
    run
}

/// What was left must be the end of the input, and most of what ten files can hold.
fn check(name: &str, main: &Path, input: &[u8]) {
    let mut names: Vec<PathBuf> = std::fs::read_dir(main).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.file_name().unwrap().as_encoded_bytes().starts_with(b"@"));
    names.sort();
    names.push(main.join("current"));
    let log: Vec<u8> = names.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let mut left = Vec::with_capacity(log.len());
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        assert!(line.len() > STAMP_BYTES && line[0] == b'@' && line[STAMP_BYTES - 1] == b' ', "{name}: no stamp");
        left.extend_from_slice(&line[STAMP_BYTES..]);
    }
    let expected = input.len().min(2_000_000);
    assert!(input.ends_with(&left) && left.len() >= expected, "{name}: {} bytes are not the end", left.len());
}

/// The processor time of all children that have ended, in the kernel's ticks of 10 ms.
fn processor_time_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name in parentheses, the fourteenth and fifteenth words: in user mode and in the kernel.
    let words: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    let ticks: u64 = words[13..15].iter().map(|word| word.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn report(subjects: &[Subject], results: &mut [Vec<Run>], bytes: u64) {
    let rate = |run: &Run| bytes as f64 / 1e6 / run.wall.as_secs_f64();
    let mut medians = Vec::new();
    println!("{:<10} {:>12} {:>17} {:>12} {:>9}", "", "median MB/s", "slowest..fastest", "processor s", "ours is");
    for (subject, runs) in subjects.iter().zip(results) {
        runs.sort_by_key(|run| run.wall);
        let median = rate(&runs[runs.len() / 2]);
        medians.push(median);
        let spread = format!("{:.0}..{:.0}", rate(runs.last().unwrap()), rate(&runs[0]));
        runs.sort_by_key(|run| run.processor);
        let processor = runs[runs.len() / 2].processor.as_secs_f64();
        let ratio = medians[0] / median;
        println!("{:<10} {median:>12.0} {spread:>17} {processor:>12.2} {ratio:>8.1}x", subject.name);
    }
}
