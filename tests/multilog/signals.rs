//! TERM and ALRM, at any moment; SIGBUS.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use logyard::sys::signal::Signal;
use logyard_corpus::Random;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::until;

/// Starts a logger that logs a pipe to `main`.
fn start(multilog: Multilog, script: &[&str]) -> (LoggerFixture, Running) {
    let fixture = LoggerFixture::new();
    let logger = fixture.start_one(multilog, &[script, &["./main"]].concat());
    fixture.until_ready();
    (fixture, logger)
}

/// Waits until the logger has exited cleanly; returns its files and what it has left in the pipe.
#[track_caller]
fn end(fixture: LoggerFixture, mut logger: Running) -> (LogDirFiles, String) {
    let status = logger.end();
    assert!(status.success(), "{status}");
    let files = fixture.files();
    assert_eq!(files.file("current").mode, 0o744);
    let LoggerFixture { mut input, output, .. } = fixture;
    drop(output);
    let mut rest = String::new();
    input.read_to_string(&mut rest).unwrap();
    (files, rest)
}

/// Waits for a moment that is different each time, below `most`, which is shorter than a tick.
pub fn moment(random: &mut Random, most: Duration) {
    let (start, time) = (Instant::now(), most.mul_f64(random.below(1000) as f64 / 1000.0));
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn term_ends_a_logger_that_waits_for_input() {
    for multilog in Multilog::installed() {
        let (mut fixture, logger) = start(multilog, &[]);
        fixture.write("one\ntwo\n");
        fixture.until_current(8);

        logger.signal(Signal::SIGTERM);

        let (files, rest) = end(fixture, logger);
        assert_eq!((files.joined(), rest.as_str()), (b"one\ntwo\n".to_vec(), ""), "{multilog:?}");
    }
}

#[test]
fn term_at_any_moment_ends_the_logger_without_more_input() {
    let mut random = Random::new(1);
    for _ in 0..150 {
        let (mut fixture, logger) = start(Multilog::Ours, &[]);
        fixture.write("one\n");
        moment(&mut random, Duration::from_micros(600));

        logger.signal(Signal::SIGTERM);

        let (files, rest) = end(fixture, logger);
        // What was not read is the next logger's.
        assert_eq!(String::from_utf8(files.joined()).unwrap() + &rest, "one\n");
    }
}

#[test]
fn alarm_at_any_moment_rotates_without_more_input() {
    let mut random = Random::new(2);
    let (mut fixture, mut logger) = start(Multilog::Ours, &["n1000"]);
    let mut expected = String::new();
    for number in 0..200 {
        let line = format!("line {number}\n");
        fixture.write(&line);
        expected += &line;
        moment(&mut random, Duration::from_micros(600));

        // Those that come before the last was taken are one.
        logger.deliver(Signal::SIGALRM);
    }
    // The last line may have been read after the last alarm.
    until("everything is logged", || fixture.files().joined() == expected.as_bytes());
    logger.signal(Signal::SIGALRM);
    until("the last alarm rotated", || current_bytes(&fixture.workdir.join("main")) == Some(0));
    logger.signal(Signal::SIGTERM);

    let (files, _) = end(fixture, logger);
    assert_eq!(String::from_utf8(files.joined()).unwrap(), expected);
    assert!(files.archives().count() > 10, "{} archives", files.archives().count());
    assert!(files.archives().all(|(name, found)| name.ends_with(".s") && found.mode == 0o744));
}

#[test]
fn alarm_rotates_every_directory_that_is_not_empty_and_no_other() {
    for multilog in Multilog::installed() {
        let (mut fixture, mut logger) = start(multilog, &["-*bad*", "./good", "-*", "./empty", "+*"]);
        fixture.write("one\ntwo bad\n");
        fixture.until_current(12);

        logger.signal(Signal::SIGALRM);
        until("the last directory is rotated", || {
            fixture.files().archives().count() == 1 && is_in_use(&fixture.workdir.join("main"))
        });
        logger.signal(Signal::SIGTERM);

        let directory = |name: &str| LogDirFiles::read(&fixture.workdir.join(name));
        let status = logger.end();
        assert!(status.success());
        assert_eq!(directory("main").archives().next().unwrap().1.bytes, b"one\ntwo bad\n");
        assert_eq!(directory("good").archives().next().unwrap().1.bytes, b"one\n");
        assert_eq!(directory("empty").archives().count(), 0, "{multilog:?}");
    }
}

#[test]
fn term_waits_for_the_end_of_the_line_and_reads_nothing_behind_it() {
    for multilog in Multilog::installed() {
        let (mut fixture, mut logger) = start(multilog, &[]);
        fixture.write("one\ntw");
        fixture.until_current(4);

        logger.deliver(Signal::SIGTERM);
        fixture.write("o\nthree\n");

        let (files, rest) = end(fixture, logger);
        assert_eq!((files.joined(), rest.as_str()), (b"one\ntwo\n".to_vec(), "three\n"), "{multilog:?}");
    }
}

#[test]
fn term_within_a_last_line_without_newline_adds_one() {
    for multilog in Multilog::installed() {
        let (mut fixture, mut logger) = start(multilog, &[]);
        fixture.write("one\ntw");
        fixture.until_current(4);
        logger.deliver(Signal::SIGTERM);

        let workdir = fixture.end(logger);

        assert_eq!(LogDirFiles::read(&workdir.join("main")).joined(), b"one\ntw\n", "{multilog:?}");
    }
}

#[test]
fn term_within_a_line_that_never_ends_leaves_it_in_the_pipe() {
    let (mut fixture, logger) = start(Multilog::Ours, &[]);
    fixture.write("one\ntw");
    fixture.until_current(4);

    logger.signal(Signal::SIGTERM);

    let (files, rest) = end(fixture, logger);
    assert_eq!((files.joined(), rest.as_str()), (b"one\n".to_vec(), "tw"));
}

#[test]
fn alarm_within_a_line_puts_the_line_into_the_new_file() {
    for multilog in Multilog::installed() {
        let (mut fixture, mut logger) = start(multilog, &[]);
        fixture.write("one\ntw");
        fixture.until_current(4);

        logger.deliver(Signal::SIGALRM);
        fixture.write("o\n");
        fixture.until_current(4);
        logger.signal(Signal::SIGTERM);

        let (files, _) = end(fixture, logger);
        assert_eq!(files.archives().next().unwrap().1.bytes, b"one\n", "{multilog:?}");
        assert_eq!(files.file("current").bytes, b"two\n", "{multilog:?}");
    }
}

#[test]
fn term_within_a_long_last_line_logs_its_end_and_adds_a_newline() {
    let (mut fixture, mut logger) = start(Multilog::Ours, &["s16777215"]);
    let beginning = "x".repeat(300_000);
    fixture.write(&beginning);
    until("the line is written in pieces", || current_bytes(&fixture.workdir.join("main")) > Some(0));
    logger.deliver(Signal::SIGTERM);
    fixture.write("its end");

    let workdir = fixture.end(logger);

    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(files.joined() == format!("{beginning}its end\n").into_bytes(), "{} bytes", files.joined().len());
    assert_eq!(files.file("current").mode, 0o744);
}

#[test]
fn a_bus_signal_from_another_process_ends_the_logger() {
    let (mut fixture, mut logger) = start(Multilog::Ours, &[]);
    fixture.write("a line\n");
    fixture.until_current(7);

    logger.signal(Signal::SIGBUS);
    // If the logger ignored the signal, it would exit at the end of its input.
    drop(fixture.output);
    let status = logger.end();

    assert_eq!(status.signal(), Some(Signal::SIGBUS as i32), "{status}");
}
