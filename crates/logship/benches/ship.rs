//! How fast logship makes Parquet of qmail's lines, on one processor: rows and bytes for each second of processor time, how much
//! smaller the objects are, and how much memory the program needs.
//!
//! `cargo bench -p logship`. What is measured is a whole process with `ship --once` and a directory as the store: it reads, hashes,
//! encodes and writes. The time is that of the processor, in user mode and in the kernel, so that the disk and other processes do
//! not count. The best of the runs is printed, and the peak of the worst.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A report is printed, and a failed run is no measurement.

use std::fs;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use logyard::tai64n::Label;
use logyard_corpus::{Corpus, Shape};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const RUNS: usize = 5;
/// Eight archives of 16 MB: `s16777215`.
const ARCHIVES: u64 = 8;
const ARCHIVE_BYTES: u64 = 16_777_215;
/// An archive begins this many seconds after the one before it.
const ARCHIVE_SECONDS: u64 = 150;
const START: u64 = 1_790_000_000;

fn label(seconds: u64, nanoseconds: u64) -> String {
    format!("@{:016x}{nanoseconds:08x}", (1_u64 << 62) + 10 + seconds)
}

/// Processor time that ended children have used.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.try_into().unwrap())
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::create_dir(&log).unwrap();
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    for archive in 0..ARCHIVES {
        let mut corpus = Corpus::new(Shape::named("qmail").unwrap(), archive, u64::MAX);
        // Line by line: the memory that this process has needed counts for the children that it starts.
        let name = label(START + (archive + 1) * ARCHIVE_SECONDS, 0);
        let mut file = BufWriter::new(fs::File::create(log.join(format!("{name}.s"))).unwrap());
        let mut written = 0;
        while let Some(line) = corpus.next_line() {
            let length = Label::TEXT_BYTES as u64 + 2 + line.len() as u64;
            if written + length > ARCHIVE_BYTES {
                break;
            }
            // The lines of an archive are spread over its time.
            let nanoseconds = written * ARCHIVE_SECONDS * 1_000_000_000 / ARCHIVE_BYTES;
            let seconds = START + archive * ARCHIVE_SECONDS + nanoseconds / 1_000_000_000;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let stamp = label(seconds, nanoseconds % 1_000_000_000);
            file.write_all(&[stamp.as_bytes(), b" ", line, b"\n"].concat()).unwrap();
            written += stamp.len() as u64 + 2 + line.len() as u64;
            lines += 1;
        }
        file.flush().unwrap();
        bytes += written;
    }

    let mut best = Duration::MAX;
    let mut stored = 0;
    for run in 0..RUNS {
        let store = dir.path().join(format!("store{run}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_logship"));
        command.args(["ship", "--once", "--quiet", "--host", "h1", "--service", "qmail"]).arg(&log);
        command.arg(format!("file://{}", store.display())).stdin(Stdio::null());
        let before = used();
        assert!(command.status().unwrap().success());
        best = best.min(used() - before);
        stored = size(&store);
        fs::remove_dir_all(store).unwrap();
    }
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let [lines_a_second, bytes_a_second, ratio] = [
        lines as f64 / best.as_secs_f64() / 1e6,
        bytes as f64 / best.as_secs_f64() / 1e6,
        bytes as f64 / stored as f64,
    ];
    println!("{ARCHIVES} archives, {lines} lines, {bytes} bytes; the best of {RUNS} runs: {best:?} of processor time");
    println!("{lines_a_second:.2} million rows a second, {bytes_a_second:.0} MB a second");
    println!("{stored} bytes in the store: {ratio:.1} times smaller");
    println!("{peak} KiB of memory at most");
}

/// The bytes of all files below a folder.
fn size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}
