//! A thread that writes numbered lines into a pipe. The harness holds both ends, as svscan does, so that the pipe and what
//! is in it survive every logger.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lines::{self, Lengths};

/// How much is written at once.
const WRITE_BYTES: usize = 16 * 1024;

/// A pipe with a writer.
pub struct Feed {
    reading_end: File,
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    writer: Option<JoinHandle<u64>>,
}

/// A pipe with lines of about a kilobyte in it, and without a writer.
pub struct FilledPipe(PipeReader);

impl FilledPipe {
    pub fn new(lines: u64) -> FilledPipe {
        let (reading_end, mut writing_end) = std::io::pipe().unwrap();
        let mut all = Vec::new();
        (0..lines).for_each(|number| lines::push(number, Lengths::Kilobyte, &mut all));
        writing_end.write_all(&all).unwrap();
        FilledPipe(reading_end)
    }

    /// What a logger gets as its standard input.
    pub fn stdin(&self) -> Stdio {
        self.0.try_clone().unwrap().into()
    }
}

/// How fast lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the pipe takes them.
    Saturated,
    /// So many lines, and then a rest, as long as the feed lasts.
    Bursts(u64, Duration),
}

impl Feed {
    /// Writes to a pipe without a name.
    pub fn pipe(lengths: Lengths, pace: Pace) -> Feed {
        let (reading_end, writing_end) = std::io::pipe().unwrap();
        Feed::new(OwnedFd::from(reading_end).into(), OwnedFd::from(writing_end).into(), lengths, pace)
    }

    /// Writes to a pipe with a name.
    pub fn fifo(path: &Path, lengths: Lengths, pace: Pace) -> Feed {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
        let holder = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let reading_end = File::open(path).unwrap();
        let writing_end = OpenOptions::new().write(true).open(path).unwrap();
        drop(holder);
        Feed::new(reading_end, writing_end, lengths, pace)
    }

    fn new(reading_end: File, mut writing_end: File, lengths: Lengths, pace: Pace) -> Feed {
        let is_over = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let writer = thread::spawn({
            let (is_over, written) = (Arc::clone(&is_over), Arc::clone(&written));
            move || {
                let mut number = 0;
                let mut block = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    block.clear();
                    let burst = if let Pace::Bursts(lines, _) = pace { lines } else { u64::MAX };
                    let first = number;
                    while block.len() < WRITE_BYTES && number - first < burst {
                        lines::push(number, lengths, &mut block);
                        number += 1;
                    }
                    // A logger that is given up closes the pipe.
                    if writing_end.write_all(&block).is_err() {
                        break;
                    }
                    written.store(number, Ordering::Relaxed);
                    if let Pace::Bursts(_, rest) = pace {
                        thread::sleep(rest);
                    }
                }
                number
            }
        });
        Feed { reading_end, is_over, written, writer: Some(writer) }
    }

    /// What a logger gets as its standard input.
    pub fn stdin(&self) -> Stdio {
        self.reading_end.try_clone().unwrap().into()
    }

    /// How many lines are written, at least.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// No more lines are begun. The writer may still be waiting for somebody to read.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Tells whether the writer has left, so that the pipe ends when it is empty.
    pub fn is_ended(&self) -> bool {
        self.writer.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How many lines there were. The writer must have left, or somebody must be reading.
    pub fn end(mut self) -> u64 {
        self.stop();
        self.writer.take().map_or(0, |writer| writer.join().unwrap())
    }
}
