//! `1`: selected lines on standard output, whoever reads it or does not; kills and handovers.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use logyard::sys::signal::Signal;
use logyard_corpus::Random;
use nix::errno::Errno;
use nix::fcntl::OFlag;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::unread::{Kind, Unread, read_available, set_non_blocking};
use testkit::{Workdir, assert_same, strace, until};

/// Starts a logger in a directory.
fn start(dir: &Workdir, script: &[&str], input: impl Into<Stdio>, output: impl Into<Stdio>) -> Running {
    let mut command = Multilog::Ours.command(dir.path(), script);
    Running::start(command.stdin(input).stdout(output).stderr(Stdio::piped()))
}

/// Logs some bytes from a pipe, and returns what was printed.
fn printed(dir: &Workdir, script: &[&str], text: &[u8]) -> Vec<u8> {
    let mut logger = start(dir, script, Stdio::piped(), Stdio::piped());
    let (mut input, mut output) = (logger.take_stdin(), logger.take_stdout());
    let mut printed = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(text).unwrap());
        output.read_to_end(&mut printed).unwrap();
    });
    let (status, words) = logger.end_and_words();
    assert!(status.success() && words.is_empty(), "{status}: {words}");
    printed
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

/// What is in a log directory of one file.
fn current(dir: &Workdir) -> String {
    fs::read_to_string(dir.join("main/current")).unwrap_or_default()
}

#[test]
fn selected_lines_are_printed_as_they_are_logged() {
    // multilog.8 > "Prints the whole line, with its timestamp, on standard output."
    let dir = Workdir::in_memory();
    let text = lines(0..20_000);

    let found = printed(&dir, &["t", "s10M", "./main", "-*", "+* line 1*", "1=web: "], text.as_bytes());

    let expected: String =
        current(&dir).lines().filter(|line| line.contains(" line 1")).map(|x| format!("web: {x}\n")).collect();
    assert!(expected.starts_with("web: @4000"), "{}", &expected[..100]);
    assert_same(found, expected);
}

#[test]
fn the_first_copy_counts_and_lines_need_no_directory() {
    let dir = Workdir::in_memory();
    let script = ["-*", "+a*", "1=first: ", "+*", "1=rest: ", "1", "e"];
    let mut command = Multilog::Ours.command(dir.path(), &script);
    let mut logger = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    logger.take_stdin().write_all(b"a1\nb1\na2").unwrap();

    let mut found = String::new();
    logger.take_stdout().read_to_string(&mut found).unwrap();

    assert_eq!(found, "first: a1\nrest: b1\nfirst: a2\n");
    assert_eq!(logger.end_and_words().1, "a1\nb1\na2\n");
}

#[test]
fn lines_of_any_length_are_whole() {
    let dir = Workdir::in_memory();
    let lengths = [0, 1, 999, 1000, 1001, 4095, 4096, 70_000, 300_000, 1_000_000, 3];
    let text: Vec<u8> = lengths.iter().flat_map(|&length| [vec![b'x'; length], vec![b'\n']].concat()).collect();
    for script in [&["s4096", "n1000000", "1=>", "./main"][..], &["1b=>"]] {
        let found = printed(&dir, script, &text);

        let expected: Vec<u8> =
            lengths.iter().flat_map(|&length| [vec![b'>'], vec![b'x'; length], vec![b'\n']].concat()).collect();
        assert_same(found, expected);
    }
    assert_same(LogDirFiles::read(&dir.join("main")).joined(), &text);
}

#[test]
fn a_reader_that_stalls_delays_neither_the_directory_nor_term() {
    for kind in Kind::ALL {
        let dir = Workdir::in_memory();
        let mut unread = Unread::new(kind, &dir);
        let mut logger = start(&dir, &["1", "s10M", "./main"], Stdio::piped(), unread.stdio());
        let mut input = logger.take_stdin();
        let text = lines(0..300);
        // The second batch is logged when the first is given up.
        for (batch, bytes) in [&text[..], "300\n"].into_iter().zip([text.len(), text.len() + 4]) {
            input.write_all(batch.as_bytes()).unwrap();
            until("all lines are logged", || current_bytes(&dir.join("main")) == Some(bytes as u64));
        }
        assert!(unread.is_blocking(), "{kind:?}: others share it");

        // The count comes without more input, and then lines again.
        let what = format!("{kind:?}: what was dropped is counted");
        let seen = unread.read_until(&what, |text| text.ends_with("dropped\n"));
        assert_eq!(seen, "multilog: warning: standard output was full or closed: 301 lines dropped\n", "{kind:?}");
        input.write_all(b"one more\n").unwrap();
        let seen = unread.read_until(&format!("{kind:?}: lines come again"), |text| text.ends_with("more\n"));
        assert_eq!(seen, "one more\n", "{kind:?}");

        let many = "x".repeat(99).as_bytes().iter().chain(b"\n").copied().collect::<Vec<u8>>().repeat(20_000);
        input.write_all(&many).unwrap();
        let (status, took) = logger.terminate();
        assert!(status.success() && took.as_secs() < 1, "{kind:?}: {status}, {took:?}");
        let words = logger.end_and_words().1;
        assert!(words.starts_with("multilog: warning: standard output was full or closed: "), "{kind:?}: {words}");
    }
}

/// Compares what was printed with all lines: each was printed, or counted in a warning at its place, or came after the end.
/// Returns how many were printed, counted, and neither.
#[track_caller]
fn reconcile(printed: &str, all: &str) -> [usize; 3] {
    let mut expected = all.lines();
    let (mut seen, mut dropped) = (0, 0);
    for line in printed.lines() {
        match line.strip_prefix("multilog: warning: standard output was full or closed: ") {
            Some(rest) => {
                let number: usize = rest.split(' ').next().unwrap().parse().unwrap();
                assert_eq!(expected.by_ref().take(number).count(), number);
                dropped += number;
            }
            // The part of a line that had room, and is counted with the others.
            None if expected.clone().next().is_some_and(|next| next != line && next.starts_with(line)) => {}
            None => {
                assert_eq!(expected.next(), Some(line));
                seen += 1;
            }
        }
    }
    [seen, dropped, expected.count()]
}

#[test]
fn each_line_is_printed_or_counted() {
    let dir = Workdir::in_memory();
    let text = lines(0..300_000);
    let mut logger = start(&dir, &["1", "s16M", "./main"], Stdio::piped(), Stdio::piped());
    let (mut input, output) = (logger.take_stdin(), logger.take_stdout());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(text.as_bytes()).unwrap();
            drop(input);
        });
        // It begins to read when the logger has ended its patience.
        until("all lines are logged", || current_bytes(&dir.join("main")) == Some(text.len() as u64));
        let printed = std::io::read_to_string(output).unwrap();
        let [seen, dropped, unsaid] = reconcile(&printed, &text);
        assert!(seen > 0 && dropped + unsaid > 0, "{seen} printed, {dropped} dropped");
    });
    assert!(logger.end().success());
    assert_same(LogDirFiles::read(&dir.join("main")).joined(), &text);
}

#[test]
fn one_that_waits_drops_nothing_and_gives_way_to_term() {
    for kind in Kind::ALL {
        let mut fixture = LoggerFixture::new();
        let mut unread = Unread::new(kind, &fixture.workdir);
        let script = ["1b", "s10M", "./main"];
        let mut logger = start(&fixture.workdir, &script, fixture.stdin(), unread.stdio());
        let text = lines(0..300);
        fixture.output.write_all(text.as_bytes()).unwrap();
        fixture.until_current(text.len());

        let (status, took) = logger.terminate();

        assert!(status.success() && took.as_secs() < 1, "{kind:?}: {status}, {took:?}");
        assert_eq!(current(&fixture.workdir), "", "{kind:?}: they are in the pipe");
        assert_eq!(unread.read(), "", "{kind:?}");
        let logger = start(&fixture.workdir, &script, fixture.stdin(), unread.stdio());
        let seen = unread.read_until("the next one prints them", |text| text.ends_with("line 299\n"));
        assert_eq!(seen, text, "{kind:?}");
        drop(unread);
        fixture.write("last\n");
        let workdir = fixture.end(logger);
        assert_eq!(current(&workdir), text + "last\n", "{kind:?}");
    }
}

#[test]
fn one_that_waits_with_a_killed_logger_s_batch_gives_way_to_term() {
    let mut fixture = LoggerFixture::new();
    let mut unread = Unread::new(Kind::Pipe, &fixture.workdir);
    let script = ["t", "1b", "./main"];
    let text = lines(0..300);
    fixture.write(&text);
    let logger = start(&fixture.workdir, &script, fixture.stdin(), unread.stdio());
    until("all lines are logged", || current(&fixture.workdir).lines().count() == 300);
    let logged = current(&fixture.workdir);
    logger.kill();
    let mut logger = start(&fixture.workdir, &script, fixture.stdin(), unread.stdio());
    until("it answers to TERM", || logger.collects(Signal::SIGTERM));

    let (status, took) = logger.terminate();

    assert!(status.success() && took.as_secs() < 1, "{status}, {took:?}");
    assert_eq!((current(&fixture.workdir), unread.read()), (logged.clone(), String::new()));
    let logger = start(&fixture.workdir, &script, fixture.stdin(), unread.stdio());
    let seen = unread.read_until("the next one prints them", |text| text.ends_with("line 299\n"));
    assert_eq!(seen, logged);
    drop(unread);
    assert_eq!(current(&fixture.end(logger)), logged);
}

#[test]
fn an_input_that_is_a_file_is_logged_though_nobody_reads() {
    let dir = Workdir::in_memory();
    let unread = Unread::new(Kind::Pipe, &dir);
    let text = lines(0..300);
    fs::write(dir.join("input"), &text).unwrap();
    let mut logger = start(&dir, &["1b", "./main"], File::open(dir.join("input")).unwrap(), unread.stdio());
    until("all lines are logged", || current_bytes(&dir.join("main")) == Some(text.len() as u64));

    let (status, took) = logger.terminate();

    assert!(status.success() && took.as_secs() < 1, "{status}, {took:?}");
    let words = logger.end_and_words().1;
    assert_eq!(words, "multilog: warning: standard output was full or closed: 300 lines dropped\n");
    assert_eq!(current(&dir), text);
}

#[test]
fn a_standard_output_that_is_closed_or_full_does_no_harm() {
    let text = lines(0..1000);
    for waits in [false, true] {
        let one = if waits { "1b" } else { "1" };
        let (reader, gone) = std::io::pipe().unwrap();
        drop(reader);
        let unwritable = File::open("/dev/null").unwrap();
        let cases = [("broken pipe", Stdio::from(gone)), ("file descriptor not open", unwritable.into())];
        for (why, output) in cases {
            let dir = Workdir::in_memory();
            let mut logger = start(&dir, &[one, "./main"], Stdio::piped(), output);
            logger.take_stdin().write_all(text.as_bytes()).unwrap();

            let (status, words) = logger.end_and_words();

            assert!(status.success(), "{status}");
            let expected = format!(
                "multilog: warning: unable to write to standard output, dropping lines: {why}\n\
                 multilog: warning: standard output was full or closed: 1000 lines dropped\n"
            );
            assert_eq!(words, expected, "{one}");
            assert_eq!(current(&dir), text, "{one}, {why}");
        }
    }
    let dir = Workdir::in_memory();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" 1 ./main >&-", env!("CARGO_BIN_EXE_multilog")]).current_dir(dir.path());
    let mut logger = Running::start(command.stdin(Stdio::piped()).stderr(Stdio::null()));
    logger.take_stdin().write_all(text.as_bytes()).unwrap();
    assert!(logger.end().success());
    assert_eq!(current(&dir), text);
    let dir = Workdir::in_memory();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut logger = start(&dir, &["1", "./main"], Stdio::piped(), full);
    logger.take_stdin().write_all(text.as_bytes()).unwrap();
    assert!(logger.end().success());
    assert_eq!(current(&dir), text);
}

#[test]
fn one_that_waits_for_a_full_disk_gives_way_to_term() {
    let fixture = LoggerFixture::with_input(b"one\ntwo\n");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut logger = start(&fixture.workdir, &["1b", "./main"], fixture.stdin(), full);
    fixture.until_current(8);

    let (status, took) = logger.terminate();

    assert!(status.success() && took.as_secs() < 1, "{status}, {took:?}");
    let found = File::create(fixture.workdir.join("found")).unwrap();
    let logger = start(&fixture.workdir, &["1b", "./main"], fixture.stdin(), found);
    let workdir = fixture.end(logger);
    assert_eq!(fs::read_to_string(workdir.join("found")).unwrap(), "one\ntwo\n");
    assert_eq!(current(&workdir), "one\ntwo\n");
}

#[test]
fn a_reader_that_comes_back_is_told_how_many_lines_it_has_missed() {
    let dir = Workdir::in_memory();
    let fifo = dir.join("fifo");
    let (reader, writer) = Kind::Fifo.open(&fifo);
    let mut logger = start(&dir, &["1", "./main"], Stdio::piped(), writer);
    let mut input = logger.take_stdin();
    drop(reader);
    // The children of other tests may have it until they execute their programs.
    until("nobody reads", || {
        let mut options = fs::OpenOptions::new();
        options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        options.open(&fifo).is_err_and(|error| error.raw_os_error() == Some(Errno::ENXIO as i32))
    });
    // The second is logged when the first has been dropped.
    for (line, bytes) in [("one\n", 4), ("two\n", 8)] {
        input.write_all(line.as_bytes()).unwrap();
        until("the line is logged", || current_bytes(&dir.join("main")) == Some(bytes));
    }

    let reader = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    set_non_blocking(&reader, true);
    input.write_all(b"three\n").unwrap();
    let mut found = String::new();
    until("the line is printed", || {
        found += &String::from_utf8(read_available(&reader)).unwrap();
        found.ends_with("three\n")
    });

    let [_, dropped, _] = reconcile(&found, "one\ntwo\nthree\n");
    assert!(dropped > 0, "{found}");
    drop(input);
    assert!(logger.end().success());
}

#[test]
fn a_shared_pipe_that_others_made_non_blocking_loses_nothing() {
    let dir = Workdir::in_memory();
    let (mut reader, writer) = std::io::pipe().unwrap();
    set_non_blocking(&writer, true);
    let text = lines(0..100_000);
    let mut logger = start(&dir, &["1b", "n1000", "./main"], Stdio::piped(), writer);
    let mut input = logger.take_stdin();
    let mut found = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(text.as_bytes()).unwrap();
            drop(input);
        });
        reader.read_to_end(&mut found).unwrap();
    });

    assert!(logger.end().success());
    assert_same(found, &text);
    assert_same(LogDirFiles::read(&dir.join("main")).joined(), &text);
}

#[test]
fn a_killed_logger_s_last_batch_is_printed_again() {
    // multilog.8 > "So each line is printed at least once, and lines are printed in order."
    let Some(mut strace) = strace("no logger was killed after it had printed lines") else { return };
    let fixture = LoggerFixture::with_input(b"one\ntwo\n");
    let found = File::create(fixture.workdir.join("found")).unwrap();
    // It is stopped after the first write to standard output, and before it removes the lines from the pipe.
    strace.args(["-f", "-qq", "-o", "trace", "-e", "trace=write", "-e", "inject=write:signal=STOP:when=1", "-P"]);
    strace.arg(fixture.workdir.join("found")).arg(Multilog::Ours.path()).args(["t", "1=p: ", "./main"]);
    strace.current_dir(fixture.workdir.path()).stdin(fixture.stdin()).stdout(found.try_clone().unwrap());
    let killed = Running::start(strace.stderr(Stdio::piped()));
    until("it has printed them", || fs::metadata(fixture.workdir.join("found")).is_ok_and(|file| file.len() > 0));
    killed.end_traced_logger(Signal::SIGKILL);
    let first = fs::read_to_string(fixture.workdir.join("found")).unwrap();
    assert!(first.lines().count() == 2 && first.starts_with("p: @4000"), "{first}");

    let logger = start(&fixture.workdir, &["1b", "./main"], fixture.stdin(), found);
    let workdir = fixture.end(logger);

    let all = fs::read_to_string(workdir.join("found")).unwrap();
    assert_eq!(all, first.repeat(2), "with the old prefix and the old timestamp");
    assert_eq!(current(&workdir), first.replace("p: ", ""));
}

/// What numbered lines on a standard output show of killed loggers.
#[derive(Debug, Default)]
pub struct Printed {
    /// How many lines came again, and in how many runs.
    pub repeated: usize,
    pub repeats: usize,
    /// The longest run, in bytes.
    pub longest_bytes: usize,
}

impl Printed {
    /// Reads lines that end in a number, from 0 on. Fails if one is missing, torn or out of order.
    #[track_caller]
    pub fn of(text: &str, count: usize) -> Printed {
        let mut printed = Printed::default();
        let (mut next, mut run_bytes) = (0, 0);
        let mut newest = 0;
        for line in text.split_inclusive('\n') {
            let number = line.trim_end().rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
            let number = number.unwrap_or_else(|| panic!("{line:?} after {next}"));
            assert!(line.ends_with('\n'), "{line:?}");
            if number != next {
                assert!(number < next, "{next} is missing before {line:?}");
                printed.repeats += 1;
                run_bytes = 0;
            }
            next = number + 1;
            if next <= newest {
                printed.repeated += 1;
                run_bytes += line.len();
                printed.longest_bytes = printed.longest_bytes.max(run_bytes);
            }
            newest = newest.max(next);
        }
        assert_eq!(newest, count, "the last lines are missing");
        printed
    }
}

/// A batch has no more for standard output, unless it is one line.
pub const BATCH_BYTES: usize = 64 * 1024;

#[test]
fn killed_loggers_print_each_line_at_least_once_and_in_order() {
    let dir = Workdir::in_memory();
    let (input, mut output) = std::io::pipe().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut random = Random::new(1);
    const LINES: u32 = 60_000;
    const KILLS: usize = 30;
    let text = lines(0..LINES);
    let script = ["s16M", "1b=p: ", "./main"];

    let found = std::thread::scope(|scope| {
        let reading = scope.spawn(move || std::io::read_to_string(reader).unwrap());
        let text = text.as_bytes();
        // So slowly that all kills come before the end.
        let (go, wait) = std::sync::mpsc::channel();
        scope.spawn(move || {
            for part in text.chunks(text.len().div_ceil(KILLS)) {
                let _ = wait.recv();
                output.write_all(part).unwrap();
            }
        });
        for _ in 0..KILLS {
            let logger = start(&dir, &script, input.try_clone().unwrap(), writer.try_clone().unwrap());
            until("the logger works", || is_in_use(&dir.join("main")));
            let _ = go.send(());
            std::thread::sleep(Duration::from_micros(random.below(5000) as u64));
            logger.kill();
        }
        drop(go);
        let (status, words) = start(&dir, &script, input, writer).end_and_words();
        assert!(status.success() && words.is_empty(), "{status}: {words}");
        reading.join().unwrap()
    });

    assert_same(current(&dir), &text);
    let printed = Printed::of(&found, LINES as usize);
    assert!(printed.repeats <= KILLS && printed.longest_bytes <= BATCH_BYTES, "{printed:?}");
}
