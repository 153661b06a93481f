//! The limit: a stand-in for a logger that moves the same volume and interprets nothing.
//!
//! It reads its input and writes as many bytes as a logger would, to files of the same size and number. It fsyncs each file
//! that is full, as loggers do. It writes no stamps, searches no newlines and keeps no promises. The difference between a
//! logger and the limit is the price of these.
//!
//! There are two: one does everything on one thread, as most loggers do; the other fsyncs and removes files on a second
//! thread, as logyard's multilog does.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::error::Error;
use crate::task::{Expected, LogTask, STAMP_BYTES};
use logyard::lines::page_buffer::PageBuffer;
use logyard::lines::worker_thread::WorkerThread;
use logyard::sys::{Errno, fd};

/// How much is read at once, and the size of the pipe.
const PIECE_BYTES: usize = 128 * 1024;
const PIPE_BYTES: usize = 1024 * 1024;
/// Enough for system calls.
const STACK_BYTES: usize = 64 * 1024;
/// Full files that the second thread may have at once: one in hand, one waiting.
const FULL_FILES: usize = 2;

/// The arguments of the hidden command that runs the stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// No file grows beyond this; 0: everything goes to standard output.
    size_max_bytes: u64,
    files_max: u64,
    /// For this many bytes of input …
    input_bytes: u64,
    /// … this many are written.
    output_bytes: u64,
    /// Whether a second thread fsyncs the files that are full.
    has_thread: bool,
}

impl Limit {
    /// The limit of loggers with one thread, and of those with two.
    pub(crate) fn of_loggers(task: &LogTask, expected: &Expected<'_>, input: &[u8], has_thread: bool) -> Limit {
        Limit {
            size_max_bytes: task.size_max_bytes,
            files_max: task.files_max,
            input_bytes: input.len() as u64,
            output_bytes: expected.volume_bytes,
            has_thread,
        }
    }

    /// The limit of filters, which write a label, or a time of about its length, for each line or in place of one.
    pub(crate) fn of_filters(expected: &Expected<'_>, input: &[u8]) -> Limit {
        let is_labelled = input.first() == Some(&b'@');
        let added = if is_labelled { 0 } else { expected.lines.len() as u64 * STAMP_BYTES };
        let input_bytes = input.len() as u64;
        Limit { size_max_bytes: 0, files_max: 0, input_bytes, output_bytes: input_bytes + added, has_thread: false }
    }

    /// The arguments of `limit`.
    pub(crate) fn arguments(&self) -> String {
        let Limit { size_max_bytes, files_max, input_bytes, output_bytes, has_thread } = *self;
        format!("{size_max_bytes} {files_max} {input_bytes} {output_bytes} {}", u64::from(has_thread))
    }

    /// What [`Limit::arguments`] wrote.
    pub(crate) fn parse(numbers: &[u64]) -> Option<Limit> {
        let &[size_max_bytes, files_max, input_bytes, output_bytes, threads] = numbers else { return None };
        let has_thread = threads > 0;
        Some(Limit { size_max_bytes, files_max, input_bytes: input_bytes.max(1), output_bytes, has_thread })
    }

    /// Whether the stand-in wrote the expected volume.
    pub(crate) fn is_kept_in(&self, left_bytes: u64) -> bool {
        let most = self.size_max_bytes.saturating_mul(self.files_max.saturating_sub(1));
        self.size_max_bytes == 0 || left_bytes >= self.output_bytes.min(most)
    }

    /// Runs the stand-in.
    pub(crate) fn run(&self) -> Result<(), Error> {
        self.copy().map_err(|errno| Error::unable("write", errno))
    }

    fn copy(&self) -> Result<(), Errno> {
        // If the system refuses it, the pipe keeps its size.
        let _ = fd::set_pipe_size(fd::stdin(), PIPE_BYTES);
        let mut files = Files { size_max_bytes: self.size_max_bytes, files_max: self.files_max, ..Files::default() };
        if self.has_thread {
            let thread = WorkerThread::start(STACK_BYTES, FULL_FILES, |full: FullFile| full.finish());
            files.thread = Some(thread.map_err(|error| errno(&error))?);
        }
        files.open()?;
        let mut room = PageBuffer::new(PIECE_BYTES);
        let filler = vec![b'.'; PIECE_BYTES];
        let (mut read, mut written) = (0_u64, 0_u64);
        loop {
            let count = fd::read(fd::stdin(), &mut room)?;
            if count == 0 {
                return files.close().map_err(|error| errno(&error));
            }
            read += count as u64;
            let due = u128::from(read) * u128::from(self.output_bytes) / u128::from(self.input_bytes);
            let mut due = usize::try_from(due as u64 - written).unwrap_or(0);
            written += due as u64;
            // The input's own bytes first, so that the latency reader finds its lines.
            let mut source = &room[..count];
            while due > 0 {
                let piece = &source[..source.len().min(due)];
                files.write(piece)?;
                due -= piece.len();
                source = &filler;
            }
        }
    }
}

/// The files of a log directory `main`, or standard output.
#[derive(Default)]
struct Files {
    size_max_bytes: u64,
    files_max: u64,
    current: Option<(File, u64)>,
    archives: u64,
    thread: Option<WorkerThread<FullFile, io::Result<()>>>,
}

impl Files {
    /// Begins `current`, as loggers do before there is anything to log.
    fn open(&mut self) -> Result<(), Errno> {
        if self.size_max_bytes > 0 {
            self.current = Some((begin().map_err(|error| errno(&error))?, 0));
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        if self.size_max_bytes == 0 {
            return fd::write_all(fd::stdout(), bytes);
        }
        while !bytes.is_empty() {
            let (file, size_bytes) = match &mut self.current {
                Some(current) => current,
                None => self.current.insert((begin().map_err(|error| errno(&error))?, 0)),
            };
            let room = usize::try_from(self.size_max_bytes - *size_bytes).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(bytes.len().min(room));
            file.write_all(piece).map_err(|error| errno(&error))?;
            *size_bytes += piece.len() as u64;
            bytes = rest;
            if *size_bytes == self.size_max_bytes
                && let Some((file, _)) = self.current.take()
            {
                self.rotate(file).map_err(|error| errno(&error))?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self, file: File) -> io::Result<()> {
        self.archives += 1;
        std::fs::rename("main/current", archive(self.archives))?;
        let oldest = self.archives.checked_sub(self.files_max.max(2) - 1).filter(|&oldest| oldest > 0);
        let full = FullFile { file, oldest };
        let Some(thread) = &mut self.thread else { return full.finish() };
        let finished = thread.take_back(FULL_FILES - 1);
        thread.hand_over(full);
        finished.unwrap_or(Ok(()))
    }

    /// Waits until the second thread has finished.
    fn close(mut self) -> io::Result<()> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        while let Some(finished) = thread.take_back(0) {
            finished?;
        }
        Ok(())
    }
}

/// A file that has become an archive, and the number of the archive that is now one too many.
struct FullFile {
    file: File,
    oldest: Option<u64>,
}

impl FullFile {
    fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        self.oldest.map_or(Ok(()), |oldest| std::fs::remove_file(archive(oldest)))
    }
}

fn archive(number: u64) -> String {
    format!("main/@{number:020}.s")
}

fn begin() -> io::Result<File> {
    if !Path::new("main").exists() {
        std::fs::create_dir("main")?;
    }
    File::create_new("main/current")
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
