//! TERM ends a logger within a second, whatever it is doing; what it had not written is the next logger's.
//!
//! The logs are in memory, because fsync on a busy disk may take longer.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::feed::{Feed, Pace};
use super::lines::Lengths;
use super::subject::{Subject, Target, Task};
use crate::torture::collect::{self, Collected};
use crate::torture::verdict::Counts;
use testkit::logger::{Multilog, Running, messages};
use testkit::{Workdir, program, until};

/// How long a logger may take to exit.
pub const A_SECOND: Duration = Duration::from_secs(1);

/// A logger may use so much memory, whatever it cannot get rid of.
const MEMORY_MAX_KIB: u64 = 8 * 1024;

fn task(processor: Option<&'static str>) -> Task {
    Task {
        is_stamped: true,
        size_bytes: if processor.is_some() { 4096 } else { 1_000_000 },
        processor,
        targets: vec![Target { name: "main", without: None }],
    }
}

/// Both who can follow: ours, and 0.76 where it is installed.
pub fn successors() -> Vec<Subject> {
    [Subject::Ours, Subject::Multilog].into_iter().filter(|one| one.program().is_some()).collect()
}

/// Ends a logger by TERM, lets a successor read to the end, and checks that every line is logged once.
#[track_caller]
pub fn hand_over(mut logger: Running, feed: Feed, successor: Subject, task: &Task, dir: &Workdir, most: Duration) {
    let (status, took) = logger.terminate();
    assert!(took < most, "TERM took {took:?}; {}", messages(dir));
    assert!(matches!(status.code(), Some(0 | 111)), "it left with {status}; {}", messages(dir));

    let arguments = successor.arguments(task, dir.path());
    feed.stop();
    let mut next = successor.start(&arguments, dir.path(), feed.stdin());
    let written = feed.end();
    assert!(next.end().success(), "{}", messages(dir));
    let verdict =
        Collected::new(dir.join("main"), Counts::new(Lengths::Mixed, task.is_stamped, b"abc")).finish(written);
    assert!(verdict.is_spotless(), "with {successor:?} as successor: {verdict:?}; {}", messages(dir));
}

/// Our softlimit, and what it is to start.
fn limited(limit: &[&str], task: &Task, dir: &Workdir) -> Command {
    let mut command = Command::new(program("softlimit"));
    command.args(limit).arg(Multilog::Ours.path()).args(Subject::Ours.arguments(task, dir.path()));
    command
}

#[test]
fn term_ends_a_logger_that_cannot_write() {
    for successor in successors() {
        let dir = Workdir::in_memory();
        let task = task(None);
        let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
        // A limit on the size of files is as good as a full disk, and needs no mount.
        let logger = Running::start_in(&mut limited(&["-f", "50001"], &task, &dir), dir.path(), feed.stdin());
        until("the logger cannot write", || messages(&dir).contains("pausing: file too big"));
        std::thread::sleep(Duration::from_millis(300));
        let memory = memory_kib(logger.pid());
        assert!(memory < MEMORY_MAX_KIB, "{memory} KiB while the disk takes no more");

        hand_over(logger, feed, successor, &task, &dir, A_SECOND);
    }
}

/// The most memory that a process has ever had.
fn memory_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn term_ends_a_logger_and_its_hanging_processor() {
    for successor in successors() {
        let dir = Workdir::in_memory();
        let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
        let hanging = task(Some("echo $$ > ../processor; trap '' TERM; while :; do sleep 0.1; done"));
        let arguments = Subject::Ours.arguments(&hanging, dir.path());
        let logger = Subject::Ours.start(&arguments, dir.path(), feed.stdin());
        until("the processor runs", || fs::read_to_string(dir.join("processor")).is_ok_and(|pid| pid.ends_with('\n')));
        let processor: u32 = fs::read_to_string(dir.join("processor")).unwrap().trim().parse().unwrap();

        hand_over(logger, feed, successor, &task(Some("cat")), &dir, A_SECOND);

        assert!(!fs::exists(format!("/proc/{processor}")).unwrap(), "the processor is still there");
    }
}

fn during_a_trim(files: u32) {
    let dir = Workdir::in_memory();
    fs::create_dir(dir.join("main")).unwrap();
    for number in 0..files {
        File::create(dir.join(format!("main/@{number:024x}.s"))).unwrap();
    }
    let feed = Feed::pipe(Lengths::Kilobyte, Pace::Bursts(1, Duration::from_millis(2)));
    let mut logger = Subject::Ours.start(&["t", "s4096", "n3", "./main"], dir.path(), feed.stdin());
    let count = || fs::read_dir(dir.join("main")).unwrap().count();
    let all = count();
    until("the trim has begun", || count() < all);

    let (status, took) = logger.terminate();

    assert!(status.success(), "{status}; {}", messages(&dir));
    assert!(took < A_SECOND, "TERM took {took:?}");
    let mut next = Subject::Ours.start(&["t", "s4096", "n3", "./main"], dir.path(), feed.stdin());
    until("the rest is trimmed", || collect::archives(&dir.join("main")).len() == 2);
    feed.end();
    assert!(next.end().success());
}

#[test]
fn term_ends_a_logger_that_removes_archives() {
    during_a_trim(5_000);
}

#[test]
#[ignore = "makes 100,000 files: .ci/torture"]
fn term_ends_a_logger_that_removes_a_hundred_thousand_archives() {
    during_a_trim(100_000);
}

/// Writes to a pipe, without a newline, until its reader does not take any more.
struct EndlessLine {
    reading_end: std::io::PipeReader,
    writer: std::thread::JoinHandle<u64>,
    is_over: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl EndlessLine {
    fn new() -> EndlessLine {
        use std::sync::atomic::Ordering;
        let (reading_end, mut writing_end) = std::io::pipe().unwrap();
        let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writer = std::thread::spawn({
            let is_over = std::sync::Arc::clone(&is_over);
            move || {
                let mut written = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // Bytes that tell their place.
                    let block: Vec<u8> = (0..1000_u64).map(|at| b'a' + ((written + at) % 23) as u8).collect();
                    writing_end.write_all(&block).unwrap();
                    written += block.len() as u64;
                }
                writing_end.write_all(b"\nand another line\n").unwrap();
                written
            }
        });
        EndlessLine { reading_end, writer, is_over }
    }

    fn stdin(&self) -> Stdio {
        self.reading_end.try_clone().unwrap().into()
    }

    fn end(self) -> u64 {
        self.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        self.writer.join().unwrap()
    }
}

#[test]
fn term_ends_a_logger_within_an_endless_line_and_the_successor_continues_it() {
    for (script, is_stamped) in
        [(&["s16777215", "n1000", "./main"][..], false), (&["t", "s16777215", "n1000", "./main"][..], true)]
    {
        for successor in successors() {
            if is_stamped && successor == Subject::Multilog {
                // It cannot know that the line was begun, and stamps the rest of it.
                continue;
            }
            let dir = Workdir::in_memory();
            let line = EndlessLine::new();
            let arguments: Vec<String> = script.iter().map(|&word| word.to_owned()).collect();
            for _ in 0..3 {
                let before = fs::metadata(dir.join("main/current")).map_or(0, |current| current.len());
                let mut logger = Subject::Ours.start(&arguments, dir.path(), line.stdin());
                until("something of the line is written", || {
                    fs::metadata(dir.join("main/current")).is_ok_and(|current| current.len() > before)
                });

                let (status, took) = logger.terminate();

                assert!(status.success(), "{status}; {}", messages(&dir));
                assert!(took < A_SECOND, "TERM took {took:?}");
            }
            let mut next = successor.start(&arguments, dir.path(), line.stdin());
            let written = line.end();
            assert!(next.end().success());
            let found = collect::all(&dir.join("main"));
            let mut lines = found
                .split(|&byte| byte == b'\n')
                .map(|line| if is_stamped { line.get(26..).unwrap_or_default() } else { line });
            let endless = lines.next().unwrap();
            assert_eq!(endless.len() as u64, written, "{script:?} and then {successor:?}");
            assert!(endless.iter().enumerate().all(|(at, &byte)| byte == b'a' + (at as u64 % 23) as u8));
            assert_eq!(lines.collect::<Vec<_>>(), [&b"and another line"[..], b""]);
        }
    }
}

#[test]
fn term_ends_a_logger_within_an_endless_line_from_a_file() {
    let dir = Workdir::in_memory();
    let zeros = File::open("/dev/zero").unwrap();
    let mut logger = Subject::Ours.start(&["s1000000", "n2", "./main"], dir.path(), zeros);
    until("something is rotated", || {
        fs::exists(dir.join("main")).unwrap() && !collect::archives(&dir.join("main")).is_empty()
    });

    let (status, took) = logger.terminate();

    assert!(status.success(), "{status}; {}", messages(&dir));
    assert!(took < A_SECOND, "TERM took {took:?}");
}
