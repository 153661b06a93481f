//! Handovers: TERM while lines come, and the next logger on the same pipe.

use std::io::{PipeWriter, Write, pipe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logyard::sys::signal::Signal;
use logyard_corpus::Random;

use testkit::logdir::{LogDirFiles, is_in_use, without_stamps};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, report, until};

/// How often a logger is followed by another.
const HAND_OVERS: usize = 200;
/// The longest that a logger works, in microseconds.
const TURN_MICROSECONDS_MAX: usize = 3000;

#[test]
fn two_hundred_loggers_in_turn_log_every_line_once_and_in_order() {
    let loggers = Multilog::installed();
    let workdir = Workdir::in_memory();
    let (input, output) = pipe().unwrap();
    let is_over = AtomicBool::new(false);
    let mut random = Random::new(1);

    let lines = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_lines(output, &is_over));
        let stop_writer = StopWriter(&is_over);
        let mut turn = |is_last: bool| {
            let multilog = *random.pick(&loggers);
            let size = *random.pick(&["s50000", "s200000", "s1000000", "s16777215"]);
            let script = if random.percent(50) { vec!["t", size] } else { vec![size] };
            let script = [&script[..], &["n1000000", "./main"]].concat();
            let logger = Running::start(multilog.command(workdir.path(), &script).stdin(input.try_clone().unwrap()));
            until("the logger works", || is_in_use(&workdir.join("main")));
            if is_last {
                is_over.store(true, Ordering::Relaxed);
            } else {
                work(Duration::from_micros(random.below(TURN_MICROSECONDS_MAX) as u64));
                logger.signal(Signal::SIGTERM);
            }
            let (status, words) = logger.end_and_words();
            assert!(status.success() && words.is_empty(), "{multilog:?} {script:?}: {status}, {words}");
        };
        (0..HAND_OVERS).for_each(|_| turn(false));
        turn(true);
        drop(stop_writer);
        writer.join().unwrap()
    });

    let log = without_stamps(&LogDirFiles::read(&workdir.join("main")).joined());
    let mut logged = log.split_inclusive(|&byte| byte == b'\n');
    let mut expected = Lines::default();
    for number in 0..lines {
        let line = logged.next().unwrap_or_default();
        assert!(line == expected.next_line(), "line {number} of {lines} is {}", line.escape_ascii());
    }
    assert_eq!(logged.next(), None);
    let bytes = log.len();
    report(format_args!(
        "{HAND_OVERS} hand-overs among {loggers:?}: {lines} lines of {bytes} bytes, once and in order"
    ));
}

/// Lets the writer end when the test fails.
struct StopWriter<'w>(&'w AtomicBool);

impl Drop for StopWriter<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keeps a processor busy for a time: a sleep would always end at a tick.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Numbered lines of changing lengths.
#[derive(Default)]
struct Lines {
    number: usize,
    line: Vec<u8>,
}

impl Lines {
    fn next_line(&mut self) -> &[u8] {
        self.line.clear();
        let length = if self.number.is_multiple_of(50) { 1300 } else { self.number % 97 };
        writeln!(self.line, "L{:09} {:x<length$}", self.number, "").expect("memory can be written");
        self.number += 1;
        &self.line
    }
}

/// Writes lines until `is_over`, often in pieces that end within a line; returns how many.
fn write_lines(mut output: PipeWriter, is_over: &AtomicBool) -> usize {
    let mut lines = Lines::default();
    let mut random = Random::new(2);
    let mut block = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        while block.len() < 8000 {
            block.extend_from_slice(lines.next_line());
        }
        let piece = random.within(1..=block.len());
        // Nobody reads any more when the test has failed.
        if output.write_all(&block[..piece]).is_err() {
            return lines.number;
        }
        block.drain(..piece);
    }
    let _ = output.write_all(&block);
    lines.number
}
