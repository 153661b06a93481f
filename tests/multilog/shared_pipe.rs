//! Other users of the pipe resize it, write packets, read from it, or change pages that they have spliced into it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use logyard::sys::fd::{pipe_size, set_pipe_size};
use logyard::sys::pipe::waiting_bytes;
use logyard::sys::signal::Signal;
use logyard_corpus::Random;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use, without_stamps};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, assert_same, tool, until};

const PAGE_BYTES: usize = 4096;

/// Starts a logger that holds the beginning of a line and waits for more.
fn start_within_line(fixture: &mut LoggerFixture, script: &[&str], beginning: &[u8]) -> Running {
    fixture.write(beginning);
    let logger = fixture.start(script);
    until("the logger waits within a line", || waits_within_line(&logger));
    logger
}

/// What is in `main` once the logger has seen the end of the pipe.
#[track_caller]
fn end(fixture: LoggerFixture, logger: Running) -> Vec<u8> {
    LogDirFiles::read(&fixture.end(logger).join("main")).joined()
}

/// Whether a logger has had to wait for a change of a pipe that is not empty.
fn waits_within_line(logger: &Running) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{}/fd", logger.pid())) else { return false };
    let is_sleeping = std::fs::read_to_string(format!("/proc/{}/stat", logger.pid()))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S')));
    let names = descriptors.flatten().filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    is_sleeping && names.into_iter().any(|name| name == Path::new("anon_inode:[eventpoll]"))
}

/// Makes each write to a pipe a packet, or no longer.
fn set_packets(output: impl AsFd, on: bool) {
    let flags = if on { OFlag::O_WRONLY | OFlag::O_DIRECT } else { OFlag::O_WRONLY };
    fcntl(output, FcntlArg::F_SETFL(flags)).unwrap();
}

fn lines_of(log: &[u8]) -> Vec<String> {
    String::from_utf8(without_stamps(log)).unwrap().lines().map(str::to_owned).collect()
}

// Sizes.

#[test]
fn a_pipe_that_is_shrunk_within_a_line_does_not_block_its_writer() {
    for (held_bytes, size_bytes) in [(1, 1), (100, 1), (4000, 2), (9000, 4), (27_000, 8)] {
        let mut fixture = LoggerFixture::new();
        let logger = start_within_line(&mut fixture, &["s1000000", "./main"], &vec![b'x'; held_bytes]);

        set_pipe_size(&fixture.output, size_bytes * PAGE_BYTES).unwrap();
        let rest = [&[b'y'; 50_000][..], b"\nlast\n"].concat();
        fixture.write(&rest);

        assert_same(end(fixture, logger), [&vec![b'x'; held_bytes][..], &rest].concat());
    }
}

#[test]
fn a_pipe_that_is_shrunk_to_just_what_it_holds_does_not_block_its_writer() {
    for pages in [1, 2, 4] {
        let mut fixture = LoggerFixture::new();
        let page = vec![b'x'; pages * PAGE_BYTES];
        let logger = start_within_line(&mut fixture, &["s1000000", "./main"], &page);

        set_pipe_size(&fixture.output, pages * PAGE_BYTES).unwrap();
        // No byte fits any more: nothing but time tells.
        fixture.write(b"y\nlast\n");

        assert_same(end(fixture, logger), [&page[..], b"y\nlast\n"].concat());
    }
}

#[test]
fn a_write_that_fills_the_pipe_behind_the_beginning_of_a_line_is_noticed() {
    let mut fixture = LoggerFixture::new();
    let logger = start_within_line(&mut fixture, &["s16777215", "./main"], b"begun");

    // The kernel tells readers of a write when it ends, and this one ends when somebody reads.
    let text = format!("\n{}", "a line\n".repeat(500_000));
    fixture.write(text.as_bytes());

    assert_same(end(fixture, logger), format!("begun{text}").as_bytes());
}

#[test]
fn a_pipe_that_is_full_of_single_bytes_does_not_block_its_writer() {
    let mut fixture = LoggerFixture::new();
    let logger = start_within_line(&mut fixture, &["s1000000", "./main"], b"begun ");

    // Each takes a page of the pipe.
    set_packets(&fixture.output, true);
    set_pipe_size(&fixture.output, 8 * PAGE_BYTES).unwrap();
    for _ in 0..2000 {
        fixture.write(b"z");
    }
    fixture.write(b"\n");

    assert_same(end(fixture, logger), format!("begun {}\n", "z".repeat(2000)).as_bytes());
}

#[test]
fn a_pipe_that_is_resized_all_the_time_loses_nothing() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["s16777215", "./main"]);
    let mut random = Random::new(3);
    let mut written = Vec::new();
    for number in 0..3000 {
        let line = format!("{number} {}\n", "x".repeat(random.below(3000)));
        let cut = random.below(line.len());
        fixture.write(&line.as_bytes()[..cut]);
        // What is in it may not fit.
        let _ = set_pipe_size(&fixture.output, PAGE_BYTES << random.below(9));
        fixture.write(&line.as_bytes()[cut..]);
        written.extend_from_slice(line.as_bytes());
    }

    assert_same(end(fixture, logger), &written);
}

#[test]
fn selectors_see_whole_lines_from_a_pipe_of_one_page() {
    let mut fixture = LoggerFixture::new();
    set_pipe_size(&fixture.output, PAGE_BYTES).unwrap();
    let logger = fixture.start(&["-*secret*", "./main"]);

    fixture.write(b"one\nthe sec");
    fixture.until_current(4);
    fixture.write(b"ret\ntwo\n");

    assert_eq!(lines_of(&end(fixture, logger)), ["one", "two"]);
}

#[test]
fn an_idle_logger_does_not_wake_up() {
    let fixture = LoggerFixture::new();
    let logger = fixture.start(&["./main"]);
    fixture.until_ready();
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", logger.pid())).unwrap();
        status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned()
    };
    let mut before = String::new();
    until("the logger sleeps", || {
        let now = switches();
        let has_settled = std::mem::replace(&mut before, now.clone()) == now;
        thread::sleep(Duration::from_millis(100));
        has_settled
    });

    thread::sleep(Duration::from_millis(2500));

    assert_eq!(switches(), before);
}

// Packets.

#[test]
fn a_packet_that_ends_within_a_line_is_logged_whole() {
    for script in [&["./main"][..], &["t", "./main"], &["-nothing", "./main"]] {
        let mut fixture = LoggerFixture::new();
        set_packets(&fixture.output, true);
        let logger = fixture.start(script);

        fixture.write(b"one\ntwo");
        until("the first line is logged", || {
            current_bytes(&fixture.workdir.join("main")).is_some_and(|bytes| bytes >= 4)
        });
        fixture.write(b" and the rest\n");

        assert_eq!(lines_of(&end(fixture, logger)), ["one", "two and the rest"]);
    }
}

#[test]
fn packets_written_before_the_start_are_logged_whole() {
    let mut fixture = LoggerFixture::new();
    set_packets(&fixture.output, true);
    fixture.write(b"one\ntwo");
    fixture.write(b" and\nthree\n");
    set_packets(&fixture.output, false);
    fixture.write(b"fo");
    set_packets(&fixture.output, true);
    fixture.write(b"ur\nfive\nsi");
    set_packets(&fixture.output, false);
    fixture.write(b"x\n");
    let logger = fixture.start(&["./main"]);

    assert_eq!(lines_of(&end(fixture, logger)), ["one", "two and", "three", "four", "five", "six"]);
}

#[test]
fn selectors_see_whole_lines_that_come_in_packets() {
    let mut fixture = LoggerFixture::new();
    set_packets(&fixture.output, true);
    let logger = fixture.start(&["-*rest*", "./main"]);

    fixture.write(b"one\ntwo");
    fixture.until_current(4);
    fixture.write(b" and the rest\nthree\n");

    assert_eq!(lines_of(&end(fixture, logger)), ["one", "three"]);
}

#[test]
fn term_leaves_the_rest_of_a_packet_to_the_next_logger() {
    let mut fixture = LoggerFixture::new();
    set_packets(&fixture.output, true);
    let mut logger = fixture.start(&["./main"]);
    fixture.write(b"one\ntwo");
    fixture.until_current(4);

    logger.signal(Signal::SIGTERM);
    assert!(logger.end().success());
    assert_eq!(fixture.files().joined(), b"one\n");
    let next = fixture.start(&["./main"]);
    fixture.write(b" and the rest\n");

    assert_eq!(lines_of(&end(fixture, next)), ["one", "two and the rest"]);
}

/// Numbered lines in packets of random lengths, now and then without packets, to loggers that are killed again and again.
pub fn log_packets(lines: usize, kills: usize, seed: u64) {
    let fixture = LoggerFixture::new();
    let mut random = Random::new(seed);
    let text: String = (0..lines).map(|number| format!("{number} {}\n", "p".repeat(random.below(200)))).collect();
    let mut output = fixture.output.try_clone().unwrap();
    let writer = thread::spawn({
        let text = text.clone().into_bytes();
        move || {
            let mut rest = &text[..];
            while !rest.is_empty() {
                set_packets(&output, random.below(4) > 0);
                let longest = [1, 30, 300, 5000, 20_000][random.below(5)];
                let (piece, behind) = rest.split_at(random.within(1..=longest).min(rest.len()));
                output.write_all(piece).unwrap();
                rest = behind;
            }
        }
    });
    let mut moments = Random::new(seed + 1);
    for _ in 0..kills {
        let logger = fixture.start(&["s1000000", "n100000", "./main"]);
        thread::sleep(Duration::from_millis(moments.below(20) as u64));
        logger.kill();
    }
    let logger = fixture.start(&["s1000000", "n100000", "./main"]);
    writer.join().unwrap();

    assert_same(end(fixture, logger), text.as_bytes());
}

#[test]
fn killed_loggers_of_packets_lose_and_duplicate_nothing() {
    log_packets(20_000, 10, 1);
}

// Other readers.

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("line {number} {}", "x".repeat(number % 50))).collect()
}

/// Writes lines to a pipe with two loggers; returns what each has logged, and what they said.
fn feed_two(lines: &[String], pause: Option<Duration>) -> ([Vec<String>; 2], String) {
    let mut fixture = LoggerFixture::new();
    let loggers = ["./one", "./two"].map(|directory| fixture.start(&["t", "n1000", directory]));
    until("both work", || ["one", "two"].iter().all(|name| is_in_use(&fixture.workdir.join(name))));
    match pause {
        Some(pause) => {
            for line in lines {
                fixture.write(format!("{line}\n").as_bytes());
                thread::sleep(pause);
            }
        }
        None => {
            fixture.write(lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        }
    }
    let LoggerFixture { workdir, input, output } = fixture;
    drop((input, output));
    let words = loggers.map(|logger| {
        let (status, words) = logger.end_and_words();
        assert!(status.success(), "{status}");
        words
    });
    let logs = ["one", "two"].map(|name| lines_of(&LogDirFiles::read(&workdir.join(name)).joined()));
    (logs, words.concat())
}

#[track_caller]
fn check_two(lines: &[String], pause: Option<Duration>) {
    let ([one, two], words) = feed_two(lines, pause);

    let logged: BTreeSet<&String> = one.iter().chain(&two).collect();
    let lost = lines.iter().filter(|line| !logged.contains(line)).count();
    assert_eq!((lost, one.len() + two.len()), (0, lines.len()), "lost, and logged in all");
    // At full speed the first may be done before the second has anything to say.
    let is_said = words.starts_with("multilog: warning: standard input is read by another multilog");
    assert!(words.lines().count() <= 1 && (is_said || (words.is_empty() && pause.is_none())), "{words}");
}

#[test]
fn two_loggers_on_one_pipe_lose_no_line_at_low_speed() {
    check_two(&numbered(1000), Some(Duration::from_micros(300)));
}

#[test]
fn two_loggers_on_one_pipe_lose_no_line_at_full_speed() {
    check_two(&numbered(200_000), None);
}

#[test]
fn a_waiting_logger_takes_over_when_the_reader_of_its_pipe_is_killed() {
    let mut fixture = LoggerFixture::new();
    let first = fixture.start(&["./first"]);
    fixture.write(b"one\n");
    until("the first logs", || current_bytes(&fixture.workdir.join("first")) == Some(4));
    let second = fixture.start(&["./main"]);
    fixture.until_ready();
    first.kill();

    fixture.write(b"two\n");

    assert_eq!(end(fixture, second), b"two\n");
}

#[test]
fn term_ends_a_logger_whose_pipe_another_logger_reads() {
    let fixture = LoggerFixture::new();
    let mut loggers = ["./one", "./two"].map(|directory| fixture.start(&[directory]));
    until("both work", || ["one", "two"].iter().all(|name| is_in_use(&fixture.workdir.join(name))));

    for logger in &mut loggers {
        logger.signal(Signal::SIGTERM);
        assert!(logger.end().success());
    }
}

/// How long a label and the blank behind it are.
const STAMP_BYTES: usize = 26;
/// Every line is as long as this, and as much is read by the other reader at once.
const LINE_BYTES: usize = 8;

/// Somebody who reads a line now and then.
fn steal_lines(count: usize, pause: Duration) {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["n1000", "./main"]);
    fixture.until_ready();
    let mut other = fixture.input.try_clone().unwrap();
    let thief = thread::spawn(move || {
        let (mut stolen, mut line) = (Vec::new(), [0; LINE_BYTES]);
        // It ends with the pipe.
        while other.read(&mut line).unwrap() > 0 {
            stolen.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        stolen
    });
    for number in 0..count {
        fixture.write(format!("{number:07}\n").as_bytes());
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
    let logged = lines_of(&end(fixture, logger));
    let stolen: BTreeSet<String> = thief.join().unwrap().into_iter().collect();

    let once: BTreeSet<&String> = logged.iter().collect();
    assert_eq!(once.len(), logged.len(), "a line is logged twice");
    let lost: Vec<usize> = (0..count)
        .filter(|number| {
            let line = format!("{number:07}");
            !once.contains(&line) && !stolen.contains(&line)
        })
        .collect();
    assert!(lost.is_empty(), "{} lines lost, the first is {}", lost.len(), lost[0]);
}

#[test]
fn lines_are_logged_though_another_reader_takes_some() {
    steal_lines(2000, Duration::from_micros(100));
    steal_lines(100_000, Duration::ZERO);
}

/// A logger that the disk makes wait between a look and the write, while another reader takes what it was shown.
pub fn steal_while_the_disk_is_full(term: bool) {
    let Some(prlimit) = tool("prlimit") else { return };
    let mut fixture = LoggerFixture::new();
    let mut logger = fixture.start_with_messages(&["t", "./main"]);
    // The limit is that of every file, and what the logger says is shorter than this.
    let one = "o".repeat(4000);
    fixture.write(format!("{one}\n").as_bytes());
    let full_bytes = STAMP_BYTES + one.len() + 1;
    fixture.until_current(full_bytes);
    limit_files(&prlimit, &logger, &full_bytes.to_string());
    fixture.write(b"two\n");
    until("it waits for the disk", || fixture.messages().contains("pausing"));

    let mut stolen = [0; 4];
    fixture.input.read_exact(&mut stolen).unwrap();
    fixture.write(b"three\nfour\nfi");
    limit_files(&prlimit, &logger, "unlimited");
    // What it consumed in the place of the second line is the beginning of the third.
    fixture.until_current(full_bytes + 3 * STAMP_BYTES + "two\nthree\nfour\n".len());
    let expected = [&one, "two", "three", "four", "five"];
    if term {
        logger.signal(Signal::SIGTERM);
        assert!(logger.end().success());
        assert_eq!(lines_of(&fixture.files().joined()), expected[..4]);
        logger = fixture.start(&["t", "./main"]);
    }
    fixture.write(b"ve\n");

    assert_eq!(lines_of(&end(fixture, logger)), expected);
}

/// Lets a logger write no file longer than that from now on.
fn limit_files(prlimit: &Path, logger: &Running, bytes: &str) {
    let pid = logger.pid().to_string();
    let status = Command::new(prlimit).args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().unwrap();
    assert!(status.success());
}

/// A logger that has consumed bytes in the place of others, and exits before it could write them.
pub fn lose_what_was_consumed_in_the_place_of_other_bytes() {
    let Some(prlimit) = tool("prlimit") else { return };
    let mut fixture = LoggerFixture::new();
    let mut logger = fixture.start_with_messages(&["./main"]);
    // The limit is that of every file, and what the logger says is shorter than this.
    let one = format!("{}\n", "o".repeat(4000));
    fixture.write(one.as_bytes());
    fixture.until_current(one.len());
    limit_files(&prlimit, &logger, &one.len().to_string());
    fixture.write(b"two\n");
    until("it waits for the disk", || fixture.messages().contains("pausing"));

    let mut stolen = [0; 4];
    fixture.input.read_exact(&mut stolen).unwrap();
    fixture.write(b"three\nfour\nfi");
    // There is room for the second line, and for no more.
    limit_files(&prlimit, &logger, &(one.len() + 4).to_string());
    until("it waits for the disk again", || fixture.messages().matches("pausing").count() == 2);
    logger.signal(Signal::SIGTERM);
    let status = logger.end();

    let said = fixture.messages();
    // It consumed the beginning of the third line in the place of the second.
    assert_eq!((status.code(), fixture.files().joined()), (Some(111), format!("{one}two\n").into_bytes()), "{said}");
    assert!(said.contains("unwritten input is lost: 1 lines, 4 bytes\n"), "{said}");
    let next = fixture.start(&["./main"]);
    assert_same(end(fixture, next), format!("{one}two\ne\nfour\nfi\n").as_bytes());
}

/// A logger that completes what a killed one began, and waits for the disk, while another logger starts on its pipe.
pub fn settle_beside_a_logger_that_starts() {
    let Some(prlimit) = tool("prlimit") else { return };
    let mut fixture = LoggerFixture::new();
    let logger = |fixture: &LoggerFixture, limit: &str| {
        let mut command = Command::new(&prlimit);
        fixture.start_command(command.arg(format!("--fsize={limit}:")).arg(Multilog::Ours.path()).arg("./main"))
    };
    let one = format!("{}\n", "o".repeat(5000));
    let first = logger(&fixture, "unlimited");
    fixture.write(one.as_bytes());
    fixture.until_current(one.len());
    limit_files(&prlimit, &first, &one.len().to_string());
    fixture.write(b"two\n");
    until("it waits for the disk", || fixture.messages().contains("pausing"));
    first.kill();
    let second = logger(&fixture, &one.len().to_string());
    until("the next one waits as well", || fixture.messages().matches("pausing").count() == 2);

    let other_words = fixture.workdir.join("other-words");
    let mut other = Multilog::Ours.command(fixture.workdir.path(), &["./other"]);
    other.stdin(fixture.stdin()).stderr(File::create(&other_words).unwrap());
    let mut other = Running::start(&mut other);
    until("the other one waits for its turn, or has logged something", || {
        std::fs::read_to_string(&other_words).is_ok_and(|words| !words.is_empty())
            || current_bytes(&fixture.workdir.join("other")) > Some(0)
    });
    limit_files(&prlimit, &second, "unlimited");
    fixture.until_current(one.len() + 4);
    fixture.write(b"three\n");
    fixture.until_current(one.len() + 10);

    other.signal(Signal::SIGTERM);
    assert!(other.end().success());
    assert_eq!(LogDirFiles::read(&fixture.workdir.join("other")).joined(), b"");
    assert_same(end(fixture, second), format!("{one}two\nthree\n").as_bytes());
}

/// A logger that has the pipe and is stopped, and another one.
pub fn wait_for_a_logger_that_hangs() {
    let mut fixture = LoggerFixture::new();
    let first = fixture.start(&["./first"]);
    fixture.write(b"one\n");
    until("the first logs", || current_bytes(&fixture.workdir.join("first")) == Some(4));
    first.signal(Signal::SIGSTOP);
    fixture.write(b"two\n");
    let start = Instant::now();
    let second = fixture.start_with_messages(&["./main"]);

    fixture.until_current(4);

    let took = start.elapsed();
    assert!(took >= Duration::from_secs(10), "it waited for {took:?}");
    let pid = first.pid();
    let expected = format!(
        "multilog: warning: standard input is read by another multilog, waiting until it exits (pid {pid})\n\
         multilog: warning: the other multilog does not read standard input, reading it (pid {pid})\n"
    );
    assert_eq!(fixture.messages(), expected);
    first.kill();
    assert_same(end(fixture, second), b"two\n");
}

#[test]
fn a_logger_does_not_wait_for_a_line_whose_beginning_another_reader_took() {
    let mut fixture = LoggerFixture::new();
    let logger = start_within_line(&mut fixture, &["./main"], b"taken away");

    let mut taken = [0; 10];
    fixture.input.read_exact(&mut taken).unwrap();
    fixture.write(b"a line\nanother\n");
    fixture.until_current(15);

    let LoggerFixture { workdir, input, output } = fixture;
    drop((input, output));
    let (status, words) = logger.end_and_words();
    assert!(status.success());
    assert_eq!(LogDirFiles::read(&workdir.join("main")).joined(), b"a line\nanother\n");
    assert!(words.starts_with("multilog: warning: what standard input showed has changed"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn a_page_that_its_writer_changes_is_logged_as_it_was_consumed() {
    let mut fixture = LoggerFixture::new();
    let path = fixture.workdir.join("pages");
    std::fs::write(&path, [b'a'; 100]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    // The pipe holds the file's page, not a copy.
    assert_eq!(splice(&file, None, &fixture.output, None, 100, SpliceFFlags::empty()), Ok(100));
    let logger = fixture.start(&["./main"]);
    until("the logger waits within a line", || waits_within_line(&logger));

    file.write_all_at(&[b'b'; 100], 0).unwrap();
    fixture.write(b"\n");
    fixture.until_current(101);

    assert_same(end(fixture, logger), [&[b'b'; 100][..], b"\n"].concat());
}

#[test]
fn a_named_pipe_that_is_open_for_reading_and_writing_is_logged() {
    let workdir = Workdir::in_memory();
    let path = workdir.join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    let mut fifo = File::options().read(true).write(true).open(&path).unwrap();
    let stdin: OwnedFd = fifo.try_clone().unwrap().into();
    let mut logger = Running::start(Multilog::Ours.command(workdir.path(), &["./main"]).stdin(stdin));

    fifo.write_all(b"one\ntwo\nbegun").unwrap();
    until("the lines are logged", || current_bytes(&workdir.join("main")) == Some(8));
    logger.signal(Signal::SIGTERM);

    assert!(logger.end().success());
    assert_eq!(waiting_bytes(&fifo), Ok(5));
    assert!(pipe_size(&fifo).is_ok());
}
