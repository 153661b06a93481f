//! A logger that waits for a pipe by peeking at it, and what ends that wait.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use logyard::sys::signal::Signal;
use logyard_corpus::Random;
use nix::libc;

use super::signals::moment;
use testkit::logdir::{Found, current_bytes};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::unread::set_non_blocking;
use testkit::{DEADLINE, processor_ticks, until};

/// Tells whether the logger sleeps in this call.
fn is_in(logger: &Running, call: libc::c_long) -> bool {
    let now = fs::read_to_string(format!("/proc/{}/syscall", logger.pid())).unwrap_or_default();
    now.split_whitespace().next() == Some(&call.to_string())
}

/// Logs a line, and waits until the logger waits for the next one by peeking: the first wait may be another.
fn start_and_wait(fixture: &mut LoggerFixture, command: &mut Command) -> Running {
    let logger = fixture.start_command(command);
    fixture.until_ready();
    fixture.write("one\n");
    fixture.until_current(4);
    until("the logger waits by peeking", || is_in(&logger, libc::SYS_tee));
    logger
}

fn ours(fixture: &LoggerFixture, script: &[&str]) -> Command {
    Multilog::Ours.command(fixture.workdir.path(), script)
}

#[test]
fn each_signal_ends_the_wait_however_close_to_its_beginning_it_comes() {
    let mut fixture = LoggerFixture::new();
    let mut command = ours(&fixture, &["n1000", "./main"]);
    let logger = start_and_wait(&mut fixture, &mut command);

    let main = fixture.main();
    let mut random = Random::new(1);
    for round in 0..300 {
        fixture.write("two\n");
        let start = Instant::now();
        // Without a pause between two looks: the logger is about to wait again.
        while current_bytes(&main).unwrap_or(0) == 0 {
            assert!(start.elapsed() < DEADLINE, "the line is not written");
        }
        moment(&mut random, Duration::from_micros(20));

        logger.signal(Signal::SIGALRM);

        until("the signal has its effect", || fixture.archive_count() == round + 1);
    }

    let files = fixture.files();
    assert_eq!(files.joined(), format!("one\n{}", "two\n".repeat(300)).into_bytes());
    fixture.end(logger);
}

#[test]
fn a_stopped_logger_goes_on_waiting() {
    let mut fixture = LoggerFixture::new();
    let mut command = ours(&fixture, &["./main"]);
    let logger = start_and_wait(&mut fixture, &mut command);

    for number in 0..5 {
        logger.while_stopped(|| ());
        until("the logger waits by peeking", || is_in(&logger, libc::SYS_tee));
        if number % 2 == 0 {
            logger.while_stopped(|| fixture.write("more\n"));
            fixture.until_current(4 + 5 * (number / 2 + 1));
        }
    }

    let workdir = fixture.end(logger);
    assert_eq!(fs::read_to_string(workdir.join("main/current")).unwrap(), "one\nmore\nmore\nmore\n");
}

#[test]
fn a_pipe_that_becomes_non_blocking_is_waited_for_in_another_way() {
    let mut fixture = LoggerFixture::new();
    let mut command = ours(&fixture, &["./main"]);
    let logger = start_and_wait(&mut fixture, &mut command);

    set_non_blocking(&fixture.input, true);
    fixture.write("two\n");

    fixture.until_current(8);
    until("the logger waits otherwise", || is_in(&logger, libc::SYS_poll));
    let before = processor_ticks(logger.pid());
    std::thread::sleep(Duration::from_secs(1));
    let ticks = processor_ticks(logger.pid()) - before;
    assert!(ticks < 20, "it is busy while it waits: {ticks} ticks in a second");
    fixture.write("three\n");
    fixture.until_current(14);
    fixture.end(logger);
}

#[test]
fn a_processor_finds_ignored_signals_ignored_and_none_blocked() {
    let mut fixture = LoggerFixture::new();
    let shown =
        format!("exec {} n5 '!grep ^Sig /proc/self/status; cat >/dev/null' ./main", Multilog::Ours.path().display());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("trap '' TERM URG; {shown}")]).current_dir(fixture.workdir.path());
    let logger = start_and_wait(&mut fixture, &mut command);

    logger.signal(Signal::SIGALRM);

    until("the file is an archive", || fixture.archive_count() == 1);
    let files = fixture.files();
    let (_, Found { bytes, .. }) = files.archives().next().unwrap();
    let status = String::from_utf8_lossy(bytes);
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{status}"));
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap() & 0x7fff_ffff
    };
    let bits = |signals: &[Signal]| signals.iter().map(|&signal| 1 << (signal as u32 - 1)).sum::<u64>();
    assert_eq!(set("SigBlk"), 0, "{status}");
    assert_eq!(
        set("SigIgn") & bits(&[Signal::SIGTERM, Signal::SIGURG, Signal::SIGALRM]),
        bits(&[Signal::SIGTERM, Signal::SIGURG])
    );
    // It was ignored from the start, and ends the logger all the same, as it does where nothing waits by peeking.
    let mut logger = logger;
    until("the logger waits by peeking", || is_in(&logger, libc::SYS_tee));
    let (status, took) = logger.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status}, {took:?}");
}

#[test]
fn what_is_due_interrupts_the_wait() {
    let mut fixture = LoggerFixture::new();
    let mut command = ours(&fixture, &["./main"]);
    let logger = start_and_wait(&mut fixture, &mut command);
    let current = fixture.main().join("current");

    // Nothing else than the time wakes the logger, which then looks after its file.
    for _ in 0..2 {
        fs::remove_file(&current).unwrap();
        until("the logger has made another", || current.exists());
        fixture.write("two\n");
        until("the line is written", || fs::read(&current).is_ok_and(|bytes| bytes.ends_with(b"two\n")));
        until("the logger waits by peeking", || is_in(&logger, libc::SYS_tee));
    }

    fixture.end(logger);
}
