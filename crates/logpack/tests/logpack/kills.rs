//! Loggers and filters that are killed at random moments under load: each line is in the log once, in order.

use std::io::{PipeWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{LOGPACK, logpack};
use testkit::logger::{Multilog, Running, messages};
use testkit::service_fixture::send;
use testkit::{Workdir, report, tool};

/// How long the last logger may take to read the rest and exit.
const PATIENCE: Duration = Duration::from_secs(120);

/// A label and a blank.
const STAMP_BYTES: usize = 26;

/// Writes numbered lines until it is stopped, and says how many.
struct Feed {
    is_over: Arc<AtomicBool>,
    writer: JoinHandle<u64>,
}

impl Feed {
    fn start(mut pipe: PipeWriter) -> Feed {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let writer = thread::spawn(move || {
            let (mut number, mut block) = (0, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                block.clear();
                for _ in 0..200 {
                    writeln!(block, "{}", line(number)).unwrap();
                    number += 1;
                }
                pipe.write_all(&block).unwrap();
            }
            number
        });
        Feed { is_over, writer }
    }

    fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn scramble(number: u64) -> u64 {
    let mixed = (number ^ number >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ mixed >> 17
}

fn line(number: u64) -> String {
    let random = scramble(number);
    format!("line {number} of msg {}: {}", random % 100_000, "deferred ".repeat((random >> 40) as usize % 12))
}

/// The processes named `logpack` that a logger has started, itself or through its shell.
fn filters_of(logger: i32) -> Vec<i32> {
    let children = |pid: i32| -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
            .collect()
    };
    let started = children(logger);
    let all = started.iter().copied().chain(started.iter().flat_map(|&child| children(child)));
    let is_filter =
        |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "logpack\n");
    all.filter(is_filter).collect()
}

/// Reads the lines of a log in order.
#[derive(Default)]
struct Reader {
    next: u64,
    begun: Vec<u8>,
    archives: u64,
    packed: u64,
}

impl Reader {
    /// Reads the archives of a directory, and removes all but the newest, which it will not read again.
    fn gather(&mut self, directory: &Path, last: &mut Option<String>) {
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with('@'));
        names.sort();
        for name in &names {
            let path = directory.join(name);
            if last.as_ref().is_none_or(|last| name > last) {
                let bytes = std::fs::read(&path).unwrap();
                let is_packed = bytes.starts_with(&logpack::index::FRAME_MAGIC);
                assert_eq!(is_packed, name.ends_with(".s"), "{name}: what was processed is packed, and nothing else");
                self.archives += 1;
                self.packed += u64::from(is_packed);
                self.read(&if is_packed { unpack(&path, &bytes) } else { bytes });
            }
            if Some(name) != names.last() {
                std::fs::remove_file(&path).unwrap();
            }
        }
        *last = names.pop().or(last.take());
    }

    fn read(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let found = std::mem::take(&mut self.begun);
                let found = String::from_utf8_lossy(&found[STAMP_BYTES.min(found.len())..found.len() - 1]).into_owned();
                assert_eq!(found, line(self.next), "line {} is the next", self.next);
                self.next += 1;
            }
        }
    }
}

/// Unpacks an archive by zstd's own tool if there is one.
fn unpack(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let output = match tool("zstd") {
        Some(zstd) => Command::new(zstd).arg("-dcqf").arg(path).output().unwrap(),
        None => logpack(&["-d"], bytes),
    };
    assert!(output.status.success(), "{}: {output:?}", path.display());
    output.stdout
}

/// Kills loggers and filters so many times, and checks the log.
fn kill(times: u64, seed: u64) {
    let dir = Workdir::in_memory();
    let main = dir.join("main");
    let (input, output) = std::io::pipe().unwrap();
    let feed = Feed::start(output);
    let script = ["t", "s1000000", "n100000", &format!("!{LOGPACK} -s 65536"), "./main"];
    let start = || {
        let mut command = Command::new(Multilog::Ours.path());
        Running::start_in(command.args(script), dir.path(), input.try_clone().unwrap())
    };
    let (mut reader, mut last, mut random) = (Reader::default(), None, seed);
    let mut next = |below: u64| {
        random = scramble(random + 1);
        random % below
    };
    let mut filters_killed = 0;
    let mut logger = start();
    for _ in 0..times {
        thread::sleep(Duration::from_micros(2_000 + next(150_000)));
        let which = next(3);
        if which != 0 {
            // The logger starts it again after a second; it is not waited for.
            let filters = filters_of(logger.pid());
            filters_killed += filters.iter().filter(|&&filter| send_kill(filter)).count();
        }
        if which != 1 {
            logger.kill();
            reader.gather(&main, &mut last);
            logger = start();
        }
    }
    feed.stop();
    assert!(logger.is_alive(), "{}", messages(&dir));
    let lines = {
        while !feed.writer.is_finished() {
            thread::sleep(Duration::from_millis(2));
        }
        feed.writer.join().unwrap()
    };
    drop(input);
    assert!(logger.end_within(PATIENCE).success(), "{}", messages(&dir));

    reader.gather(&main, &mut last);
    reader.read(&std::fs::read(main.join("current")).unwrap());
    assert_eq!((reader.next, reader.begun.len()), (lines, 0), "each line is there once");
    assert!(reader.packed > 0, "{} archives, none of them packed", reader.archives);
    report(format_args!(
        "{times} kills, {filters_killed} of a filter: {lines} lines in {} archives, {} of them packed",
        reader.archives, reader.packed
    ));
}

fn send_kill(process: i32) -> bool {
    let is_alive = std::fs::exists(format!("/proc/{process}")).unwrap_or(false);
    if is_alive {
        send(process, Signal::SIGKILL);
    }
    is_alive
}

#[test]
fn killed_loggers_and_filters_lose_no_line() {
    kill(12, 1);
}

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn torture_a_hundred_killed_loggers_and_filters_lose_no_line() {
    kill(100, 2);
}
