//! How long each process-state tool takes to start and to run `true`, beside 0.76's: these run whenever a service starts.
//!
//! `cargo bench --bench startup`, as root if setuidgid is to be among them. Both families take turns, so that what else
//! the machine does falls on both; every run has to succeed. What is measured is a whole process: fork, the tool, the
//! exec of `true`, its end. `true alone` is the part of it that is no tool's.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A report is printed, and a failed run is no measurement.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each program runs.
const RUNS: usize = 500;

/// Tool and arguments.
const CALLS: [(&str, &[&str]); 8] = [
    ("setuidgid", &["root", "true"]),
    ("envuidgid", &["daemon", "true"]),
    ("envdir", &["env", "true"]),
    ("softlimit", &["-m", "100000000", "true"]),
    ("setlock", &["lock", "true"]),
    ("pgrphack", &["true"]),
    ("fghack", &["true"]),
    ("readproctitle", &["....."]),
];

fn main() {
    let ours = Path::new(env!("CARGO_BIN_EXE_setlock")).parent().unwrap().to_owned();
    let theirs = PathBuf::from("/usr/bin");
    if !theirs.join("setlock").exists() {
        println!("SKIPPED: 0.76 is not installed, so there is nothing to compare with");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("env")).unwrap();
    for name in ["A", "B", "C"] {
        std::fs::write(dir.path().join("env").join(name), "value\n").unwrap();
    }
    println!("{RUNS} runs each, in turns; microseconds: median (first to third quartile)");
    for (tool, arguments) in CALLS {
        if tool == "setuidgid" && !nix::unistd::geteuid().is_root() {
            println!("{tool:14} SKIPPED: only root can");
            continue;
        }
        let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            of_ours.push(time(&ours.join(tool), arguments, dir.path()));
            of_theirs.push(time(&theirs.join(tool), arguments, dir.path()));
        }
        let (our_median, ours) = summary(&mut of_ours);
        let (their_median, theirs) = summary(&mut of_theirs);
        let ratio = our_median.as_secs_f64() / their_median.as_secs_f64();
        let verdict = if our_median <= their_median { "not slower" } else { "SLOWER" };
        println!("{tool:14} ours {ours}   0.76 {theirs}   ratio {ratio:.2}: {verdict}");
    }
    let mut alone: Vec<Duration> = (0..RUNS).map(|_| time(Path::new("/usr/bin/true"), &[], dir.path())).collect();
    println!("{:14}      {}", "true alone", summary(&mut alone).1);
}

/// Runs a program to its end.
fn time(program: &Path, arguments: &[&str], dir: &Path) -> Duration {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{} {arguments:?}: {status}", program.display());
    time
}

/// The median, and what the report says.
fn summary(times: &mut [Duration]) -> (Duration, String) {
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 4];
    let [first, median, third] = [at(1), at(2), at(3)].map(|time| time.as_micros());
    (at(2), format!("{median:5} ({first}-{third})"))
}
