//! `B`: a disk that takes nothing for a while, under load. The writer of the pipe is not blocked, memory stays within its bound,
//! and every line is logged, or counted where it is missing, or lost within the bound.
//!
//! The disk is FUSE, and a signal stops its server.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::namespace::{Kind, Scene, in_own_namespace};
use testkit::logdir::LogDirFiles;
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, report, until};

const LINE_BYTES: usize = 100;
/// What is written at once: the engine may have had it when the logger ended.
const BATCH_LINES: u64 = 256 * 1024 / LINE_BYTES as u64;

/// What happens while the disk is stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Nothing,
    Term,
    Kill,
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    buffer: &'static str,
    buffer_bytes: u64,
    bytes_per_second: u64,
    stall: Duration,
    event: Event,
    /// The writer may be blocked so long by one write.
    blocked_max: Duration,
}

/// How a writer fared.
#[derive(Debug, Default)]
struct Fate {
    lines: AtomicU64,
    longest_write_us: AtomicU64,
    is_over: AtomicBool,
}

fn feed(mut output: impl Write, bytes_per_second: u64, fate: &Fate) {
    let (begin, mut number) = (Instant::now(), 0_u64);
    while !fate.is_over.load(Ordering::Relaxed) {
        let lines: String = (number..number + 40).map(|number| format!("{number:09}{:x<90}\n", "")).collect();
        let before = Instant::now();
        output.write_all(lines.as_bytes()).unwrap();
        let took = u64::try_from(before.elapsed().as_micros()).unwrap();
        fate.longest_write_us.fetch_max(took, Ordering::Relaxed);
        number += 40;
        fate.lines.store(number, Ordering::Relaxed);
        let due = Duration::from_nanos(number * LINE_BYTES as u64 * 1_000_000_000 / bytes_per_second);
        thread::sleep(due.saturating_sub(begin.elapsed()));
    }
}

/// What the log has: lines, lines that it counts, and what is neither.
fn read_log(main: &Path) -> (BTreeSet<u64>, u64, Vec<String>) {
    let (mut numbers, mut counted, mut torn) = (BTreeSet::new(), 0, Vec::new());
    let mut last = None;
    for line in String::from_utf8_lossy(&LogDirFiles::read(main).joined()).lines() {
        let text = line.get(26..).unwrap_or_default();
        if let Some(dropped) = text.strip_prefix("multilog: dropped ") {
            counted += dropped.split(' ').next().unwrap().parse::<u64>().unwrap();
            continue;
        }
        match text.get(..9).and_then(|number| number.parse().ok()) {
            Some(number) if text.len() + 1 == LINE_BYTES => {
                assert!(last < Some(number), "line {number} comes after {last:?}");
                last = Some(number);
                numbers.insert(number);
            }
            _ => torn.push(line.to_owned()),
        }
    }
    (numbers, counted, torn)
}

fn peak_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    peak.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// The number of lines that a message says are lost.
fn lost(words: &str) -> Option<u64> {
    words.split_once("unwritten input is lost: ")?.1.split(' ').next()?.parse().ok()
}

fn prove(run: Run) {
    in_own_namespace(move || {
        let Some(scene) = Scene::mount(Kind::Bindfs, "700m") else { return };
        let (dir, beside) = (Workdir::inside(scene.path()), Workdir::in_memory());
        let (input, output) = std::io::pipe().unwrap();
        let start = || {
            let words = File::options().create(true).append(true).open(beside.join("words")).unwrap();
            let mut command = Command::new(Multilog::Ours.path());
            command.args(["t", "s16M", "n10000", run.buffer, "./main"]).current_dir(dir.path());
            Running::start(command.stdin(input.try_clone().unwrap()).stderr(words))
        };
        let words = || fs::read_to_string(beside.join("words")).unwrap();
        let current = dir.join("main/current");
        let fate = Fate::default();
        let mut logger = start();
        let mut peak = 0;
        thread::scope(|scope| {
            let writer = output.try_clone().unwrap();
            let feeder = scope.spawn(|| feed(writer, run.bytes_per_second, &fate));
            until("lines are logged", || fs::metadata(&current).is_ok_and(|about| about.len() > 100_000));
            fate.longest_write_us.store(0, Ordering::Relaxed);
            let stopped = scene.stop_server();
            thread::sleep(run.stall);
            if run.event == Event::Nothing {
                drop(stopped);
                // The engine goes on, and what was kept is written.
                let sent = fate.lines.load(Ordering::Relaxed);
                until("more lines come", || fate.lines.load(Ordering::Relaxed) > sent + 10_000);
            } else {
                fate.is_over.store(true, Ordering::Relaxed);
                feeder.join().unwrap();
                peak = peak_bytes(logger.pid());
                if run.event == Event::Term {
                    let begin = Instant::now();
                    logger.signal(Signal::SIGTERM);
                    until("the logger says what is lost", || lost(&words()).is_some());
                    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
                } else {
                    logger.signal(Signal::SIGKILL);
                }
                drop(stopped);
                assert!(!logger.end().success());
                logger = start();
            }
            peak = peak.max(peak_bytes(logger.pid()));
            fate.is_over.store(true, Ordering::Relaxed);
        });
        drop((input, output));
        assert!(logger.end().success(), "{}", words());

        let (sent, longest) = (fate.lines.into_inner(), Duration::from_micros(fate.longest_write_us.into_inner()));
        let (numbers, counted, torn) = read_log(&dir.join("main"));
        let logged = numbers.len() as u64;
        let lost = lost(&words()).unwrap_or(0);
        let shown = format!(
            "{run:?}: {sent} lines, {logged} logged, {counted} counted, {lost} said to be lost, the longest write took \
             {longest:?}, peak {peak} bytes, torn {torn:?}"
        );
        report(&shown);
        assert!(longest <= run.blocked_max && peak <= run.buffer_bytes + 12 * 1024 * 1024, "{shown}");
        match run.event {
            Event::Nothing => assert!(logged + counted == sent && torn.is_empty() && lost == 0, "{shown}"),
            Event::Term => {
                let sum = logged + counted + lost;
                assert!((sent..=sent + BATCH_LINES).contains(&sum) && torn.len() <= 1, "{shown}");
                // The last may be incomplete.
                assert!(lost.saturating_sub(1) * LINE_BYTES as u64 <= run.buffer_bytes, "{shown}");
            }
            Event::Kill => {
                let missing = (sent - logged).saturating_sub(counted);
                let is_counted = logged + counted <= sent;
                assert!(
                    is_counted && missing.saturating_sub(1) * LINE_BYTES as u64 <= run.buffer_bytes && torn.len() <= 1,
                    "{shown}"
                );
            }
        }
    });
}

const SHORT: Run = Run {
    buffer: "B1M",
    buffer_bytes: 1024 * 1024,
    bytes_per_second: 10_000_000,
    stall: Duration::from_secs(2),
    event: Event::Nothing,
    // Much less than the stall, on a machine that does other things too.
    blocked_max: Duration::from_millis(1500),
};

#[test]
fn a_stalled_disk_blocks_no_writer_and_the_oldest_lines_are_counted() {
    prove(SHORT);
}

#[test]
fn a_stalled_disk_blocks_no_writer_and_the_newest_lines_are_counted() {
    prove(Run { buffer: "B1M:newest", ..SHORT });
}

#[test]
fn a_stall_within_the_buffer_loses_nothing() {
    let stall = Duration::from_millis(500);
    prove(Run { buffer: "B64M", buffer_bytes: 64 << 20, bytes_per_second: 4_000_000, stall, ..SHORT });
}

#[test]
fn term_during_a_stall_says_what_is_lost() {
    prove(Run { event: Event::Term, ..SHORT });
}

#[test]
fn a_kill_during_a_stall_loses_the_buffer_at_most() {
    prove(Run { event: Event::Kill, ..SHORT });
}

#[test]
#[ignore = "takes a minute, and the whole machine"]
fn torture_with_a_disk_that_stalls_for_ten_seconds_under_100_megabytes_a_second() {
    for event in [Event::Nothing, Event::Term, Event::Kill] {
        prove(Run {
            buffer: "B16M",
            buffer_bytes: 16 << 20,
            bytes_per_second: 100_000_000,
            stall: Duration::from_secs(10),
            event,
            blocked_max: Duration::from_millis(100),
        });
    }
}
