//! multilog where a call is refused.

use std::fs;
use std::io::Read;
use std::path::Path;

use logyard::sys::signal::Signal;

use testkit::kernels::{Outcome, Refusal, judge, play};
use testkit::logdir::{LogDirFiles, is_in_use};
use testkit::logger::{LoggerFixture, Multilog, Running, messages};
use testkit::{Workdir, until};

/// Writes a line to a file at each run, and does not change the log.
const COUNTING: &str = "!echo $$ >>../ran; cat";
/// It never ends by itself.
const HANGING: &str = "!echo $$ >>../ran; exec sleep 1000";

/// A pipe with its loggers, and all that was written to it.
struct Feed {
    fixture: LoggerFixture,
    lines: Vec<u8>,
}

impl Feed {
    fn new() -> Feed {
        Feed { fixture: LoggerFixture::new(), lines: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.fixture.write(bytes);
        self.lines.extend_from_slice(bytes);
    }

    /// Lines that can be told apart, more than a file of 4096 bytes holds.
    fn write_file(&mut self, name: &str) {
        let text: String = (0..60).map(|number| format!("{name} {number} {}\n", "x".repeat(70))).collect();
        self.write(text.as_bytes());
    }

    fn start(&self, refusal: &Refusal, script: &[&str]) -> Running {
        self.fixture.start_command(&mut refusal.command(&Multilog::Ours.path(), script, None))
    }
}

/// Waits until the logger is at work; or tells that it declined to.
fn has_begun(logger: &mut Running, fixture: &LoggerFixture) -> bool {
    let main = fixture.main();
    until("the logger has begun or left", || is_in_use(&main) || !logger.is_alive());
    logger.is_alive()
}

/// What a logger that did not begin must have said and left.
fn declined(mut logger: Running, fixture: &LoggerFixture) -> Outcome {
    let (status, words) = (logger.end(), fixture.messages());
    assert_eq!(status.code(), Some(111), "{words}");
    assert!(words.lines().count() == 1 && words.starts_with("multilog: fatal: "), "{words}");
    let left = fs::read_dir(fixture.main()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files were made");
    Outcome::Declined(words.trim_end().to_owned())
}

fn lines(main: &Path) -> Vec<u8> {
    LogDirFiles::read(main).joined()
}

/// Tells whether a process waits for something.
fn sleeps(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
}

fn runs(workdir: &Workdir) -> usize {
    fs::read_to_string(workdir.join("ran")).unwrap_or_default().lines().count()
}

/// Whether a process has children, ended ones included.
fn has_children(process: i32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default()).any(|list| !list.is_empty())
}

/// Rotations with a processor, a line whose end comes late, a kill, a successor, and the end of the input.
fn logs_and_survives(refusal: &Refusal) -> Outcome {
    let script = ["s4096", "n100", COUNTING, "./main"];
    let mut feed = Feed::new();
    let main = feed.fixture.main();
    let mut first = feed.start(refusal, &script);
    if !has_begun(&mut first, &feed.fixture) {
        return declined(first, &feed.fixture);
    }
    for name in ["one", "two", "three"] {
        feed.write_file(name);
    }
    feed.write(b"whole\nbegun");
    let all_but = |end: &[u8], lines: &[u8], all: &[u8]| lines == &all[..all.len() - end.len()];
    until("whole lines were logged", || {
        assert!(first.is_alive(), "the logger left: {}", feed.fixture.messages());
        !main.join("previous").exists() && all_but(b"begun", &lines(&main), &feed.lines)
    });
    until("the logger waits for the rest of a line", || sleeps(first.pid()));
    assert!(!has_children(first.pid()), "a processor was not collected");
    feed.write(b" and ended\n");
    until("the line was logged", || lines(&main) == feed.lines || !first.is_alive());
    assert!(first.is_alive(), "the logger left: {}", feed.fixture.messages());
    let said = feed.fixture.messages();
    first.kill();

    let mut second = feed.start(refusal, &script);
    feed.write_file("four");
    feed.write(b"last");
    let Feed { fixture: LoggerFixture { workdir, input, output }, lines: all } = feed;
    drop((input, output));
    let status = second.end();

    let all_said = messages(&workdir);
    assert!(status.success(), "{status}: {all_said}");
    let found = lines(&main);
    let all = [&all[..], b"\n"].concat();
    assert!(found == all, "{} bytes of {} were logged", found.len(), all.len());
    // What the kill left is archived as it is.
    let processed = LogDirFiles::read(&main).archives().filter(|(name, _)| name.ends_with(".s")).count();
    assert_eq!(runs(&workdir), processed, "one run of the processor for each file");
    // The second prints the same warnings as the first, and no more.
    assert!(all_said.strip_prefix(&said).is_some_and(|rest| said.starts_with(rest)), "{all_said}");
    judge(&said, refusal)
}

/// TERM while a processor hangs: the logger exits, and no process of the processor is left.
fn leaves_a_hanging_processor(refusal: &Refusal) -> Outcome {
    let mut feed = Feed::new();
    let mut logger = feed.start(refusal, &["s4096", HANGING, "./main"]);
    if !has_begun(&mut logger, &feed.fixture) {
        return declined(logger, &feed.fixture);
    }
    feed.write_file("one");
    let workdir = &feed.fixture.workdir;
    until("the processor runs", || fs::read(workdir.join("ran")).is_ok_and(|text| text.ends_with(b"\n")));
    logger.signal(Signal::SIGTERM);
    let status = logger.end();

    let said = feed.fixture.messages();
    assert!(status.success(), "{status}: {said}");
    assert_eq!(runs(workdir), 1, "{said}");
    let processor = fs::read_to_string(workdir.join("ran")).unwrap();
    assert!(!Path::new("/proc").join(processor.trim_end()).exists(), "the processor still runs");
    // What is not in the directory is still in the pipe.
    let mut rest = lines(&workdir.join("main"));
    let Feed { fixture: LoggerFixture { mut input, output, workdir: _workdir }, lines: all } = feed;
    drop(output);
    input.read_to_end(&mut rest).unwrap();
    assert!(rest == all, "{} bytes of {}", rest.len(), all.len());
    judge(&said, refusal)
}

/// A processor that fails is run again, once at a time.
fn repeats_a_failing_processor(refusal: &Refusal) -> Outcome {
    let mut feed = Feed::new();
    let main = feed.fixture.main();
    let failing_once = "!echo $$ >>../ran; test -e ../failed && exec cat; >../failed; exit 1";
    let mut logger = feed.start(refusal, &["s4096", failing_once, "./main"]);
    if !has_begun(&mut logger, &feed.fixture) {
        return declined(logger, &feed.fixture);
    }
    feed.write_file("one");
    until("the processor has run again", || {
        runs(&feed.fixture.workdir) == 2 && lines(&main) == feed.lines && !main.join("previous").exists()
    });
    assert!(!has_children(logger.pid()), "a processor was not collected");
    let LoggerFixture { workdir, input, output } = feed.fixture;
    drop((input, output));
    let status = logger.end();

    let said = messages(&workdir);
    assert!(status.success(), "{status}: {said}");
    assert_eq!(runs(&workdir), 2, "{said}");
    let unexpected: Vec<&str> = said.lines().filter(|line| !line.contains("processor failed in ./main")).collect();
    judge(&unexpected.join("\n"), refusal)
}

#[test]
fn a_killed_logger_loses_no_line_under_each_refusal() {
    play("log", &Refusal::all(), logs_and_survives);
}

#[test]
fn term_ends_a_logger_with_a_hanging_processor_under_each_refusal() {
    play("TERM", &Refusal::all(), leaves_a_hanging_processor);
}

#[test]
fn a_failed_processor_is_run_again_one_at_a_time() {
    play(
        "fail",
        &Refusal::of(&["pidfd", "eventfd2", "clone3", "signalfd4", "all of them"]),
        repeats_a_failing_processor,
    );
}
