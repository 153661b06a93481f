//! TERM and ALRM, at any moment.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::time::{Duration, Instant};

use logyard::sys::signal::Signal;
use logyard_corpus::Random;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, until};

/// A logger that logs a pipe to `main`, and the other end of the pipe.
struct World {
    workdir: Workdir,
    logger: Running,
    input: PipeReader,
    output: PipeWriter,
}

impl World {
    fn new(multilog: Multilog, script: &[&str]) -> World {
        let workdir = Workdir::in_memory();
        let (input, output) = pipe().unwrap();
        let script = [script, &["./main"]].concat();
        let logger = Running::start(multilog.command(workdir.path(), &script).stdin(input.try_clone().unwrap()));
        until("the logger works", || is_in_use(&workdir.join("main")));
        World { workdir, logger, input, output }
    }

    fn write(&mut self, text: &str) {
        self.output.write_all(text.as_bytes()).unwrap();
    }

    fn wait_for_current(&self, bytes: usize) {
        until("current has what was written", || current_bytes(&self.workdir.join("main")) == Some(bytes as u64));
    }

    fn files(&self) -> LogDirFiles {
        LogDirFiles::read(&self.workdir.join("main"))
    }

    /// What is in current and the archives, once the logger has ended well.
    fn end(mut self) -> (LogDirFiles, String) {
        let status = self.logger.end();
        assert!(status.success(), "{status}");
        let files = self.files();
        assert_eq!(files.file("current").mode, 0o744);
        drop(self.output);
        let mut rest = String::new();
        self.input.read_to_string(&mut rest).unwrap();
        (files, rest)
    }
}

/// Waits for a moment that is different each time, and shorter than a tick.
fn moment(random: &mut Random) {
    let (start, time) = (Instant::now(), Duration::from_micros(random.below(600) as u64));
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn term_ends_a_logger_that_waits_for_input() {
    for multilog in Multilog::installed() {
        let mut world = World::new(multilog, &[]);
        world.write("one\ntwo\n");
        world.wait_for_current(8);

        world.logger.signal(Signal::SIGTERM);

        let (files, rest) = world.end();
        assert_eq!((files.joined(), rest.as_str()), (b"one\ntwo\n".to_vec(), ""), "{multilog:?}");
    }
}

#[test]
fn term_at_any_moment_is_honoured_without_more_input() {
    let mut random = Random::new(1);
    for _ in 0..150 {
        let mut world = World::new(Multilog::Ours, &[]);
        world.write("one\n");
        moment(&mut random);

        world.logger.signal(Signal::SIGTERM);

        let (files, rest) = world.end();
        // What was not read is the next logger's.
        assert_eq!(String::from_utf8(files.joined()).unwrap() + &rest, "one\n");
    }
}

#[test]
fn alarm_at_any_moment_rotates_without_more_input() {
    let mut random = Random::new(2);
    let mut world = World::new(Multilog::Ours, &["n1000"]);
    let mut expected = String::new();
    for number in 0..200 {
        let line = format!("line {number}\n");
        world.write(&line);
        expected += &line;
        moment(&mut random);

        // Those that come before the last was taken are one.
        world.logger.deliver(Signal::SIGALRM);
    }
    // The last line may have been read after the last alarm.
    until("everything is logged", || world.files().joined() == expected.as_bytes());
    world.logger.signal(Signal::SIGALRM);
    until("the last alarm rotated", || current_bytes(&world.workdir.join("main")) == Some(0));
    world.logger.signal(Signal::SIGTERM);

    let (files, _) = world.end();
    assert_eq!(String::from_utf8(files.joined()).unwrap(), expected);
    assert!(files.archives().count() > 10, "{} archives", files.archives().count());
    assert!(files.archives().all(|(name, found)| name.ends_with(".s") && found.mode == 0o744));
}

#[test]
fn alarm_rotates_every_directory_that_is_not_empty_and_no_other() {
    for multilog in Multilog::installed() {
        let mut world = World::new(multilog, &["-*bad*", "./good", "-*", "./empty", "+*"]);
        world.write("one\ntwo bad\n");
        world.wait_for_current(12);

        world.logger.signal(Signal::SIGALRM);
        until("the last directory is rotated", || {
            world.files().archives().count() == 1 && is_in_use(&world.workdir.join("main"))
        });
        world.logger.signal(Signal::SIGTERM);

        let directory = |name: &str| LogDirFiles::read(&world.workdir.join(name));
        let status = world.logger.end();
        assert!(status.success());
        assert_eq!(directory("main").archives().next().unwrap().1.bytes, b"one\ntwo bad\n");
        assert_eq!(directory("good").archives().next().unwrap().1.bytes, b"one\n");
        assert_eq!(directory("empty").archives().count(), 0, "{multilog:?}");
    }
}

#[test]
fn term_waits_for_the_end_of_a_line_and_takes_nothing_behind_it() {
    for multilog in Multilog::installed() {
        let mut world = World::new(multilog, &[]);
        world.write("one\ntw");
        world.wait_for_current(4);

        world.logger.deliver(Signal::SIGTERM);
        world.write("o\nthree\n");

        let (files, rest) = world.end();
        assert_eq!((files.joined(), rest.as_str()), (b"one\ntwo\n".to_vec(), "three\n"), "{multilog:?}");
    }
}

#[test]
fn term_within_a_last_line_adds_the_newline_that_never_came() {
    for multilog in Multilog::installed() {
        let mut world = World::new(multilog, &[]);
        world.write("one\ntw");
        world.wait_for_current(4);
        world.logger.deliver(Signal::SIGTERM);

        let World { workdir, mut logger, output, .. } = world;
        drop(output);

        assert!(logger.end().success());
        assert_eq!(LogDirFiles::read(&workdir.join("main")).joined(), b"one\ntw\n", "{multilog:?}");
    }
}

#[test]
fn term_within_a_line_that_never_ends_leaves_it_in_the_pipe() {
    let mut world = World::new(Multilog::Ours, &[]);
    world.write("one\ntw");
    world.wait_for_current(4);

    world.logger.signal(Signal::SIGTERM);

    let (files, rest) = world.end();
    assert_eq!((files.joined(), rest.as_str()), (b"one\n".to_vec(), "tw"));
}

#[test]
fn an_alarm_within_a_line_leaves_the_line_to_the_new_file() {
    for multilog in Multilog::installed() {
        let mut world = World::new(multilog, &[]);
        world.write("one\ntw");
        world.wait_for_current(4);

        world.logger.deliver(Signal::SIGALRM);
        world.write("o\n");
        world.wait_for_current(4);
        world.logger.signal(Signal::SIGTERM);

        let (files, _) = world.end();
        assert_eq!(files.archives().next().unwrap().1.bytes, b"one\n", "{multilog:?}");
        assert_eq!(files.file("current").bytes, b"two\n", "{multilog:?}");
    }
}

#[test]
fn term_within_a_long_last_line_adds_its_end_and_the_newline_that_never_came() {
    let mut world = World::new(Multilog::Ours, &["s16777215"]);
    let beginning = "x".repeat(300_000);
    world.write(&beginning);
    until("the line is written in pieces", || current_bytes(&world.workdir.join("main")) > Some(0));
    world.logger.deliver(Signal::SIGTERM);
    world.write("its end");

    let World { workdir, mut logger, input, output } = world;
    drop((input, output));

    assert!(logger.end().success());
    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(files.joined() == format!("{beginning}its end\n").into_bytes(), "{} bytes", files.joined().len());
    assert_eq!(files.file("current").mode, 0o744);
}
