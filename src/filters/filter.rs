//! The loop that the filters share: it reads, filters and writes, and holds nothing back.
//!
//! What was read is written before the next read, the beginning of a line too, so that `tail -f current | tai64nlocal`
//! shows each line when it comes. Errors are told by exit code 111 alone, as 0.76 does: a filter that loses its reader
//! has nobody to talk to.

use std::os::fd::BorrowedFd;
use std::thread;

use memchr::memchr;

use crate::cli::Exit;
use crate::lines::prefix::Output;
use crate::lines::reader::{Reader, Source, Taken};
use crate::lines::worker_thread::WorkerThread;
use crate::sys::{Errno, Result, fd, poll};
use crate::tai64n::Label;

/// The size that a pipe is asked to have once a read comes back full: fewer and larger turns for reader and writer.
const PIPE_BYTES: usize = 1024 * 1024;

/// How much is read at once: what is read, made of it and written stays in the processor's own cache.
const CHUNK_BYTES: usize = 128 * 1024;
/// When a read brings so much, more is to come.
const SUSTAINED_BYTES: usize = CHUNK_BYTES / 2;

/// A descriptor that is read until it ends.
#[derive(Debug)]
struct Stream<'f> {
    input: BorrowedFd<'f>,
    /// The size of the pipe, as long as a larger one may still be asked for.
    growable_bytes: Option<usize>,
}

impl<'f> Stream<'f> {
    fn new(input: BorrowedFd<'f>) -> Stream<'f> {
        Stream { input, growable_bytes: fd::pipe_size(input).ok().filter(|&size| size < PIPE_BYTES) }
    }
}

impl Source for Stream<'_> {
    fn take(&mut self, _held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        loop {
            match fd::read(self.input, room) {
                // Somebody made the shared descriptor non-blocking.
                Err(Errno::EAGAIN) => drop(poll::readable([self.input], None)?),
                Ok(0) => return Ok(Some(Taken::End)),
                Ok(bytes) => {
                    if self.growable_bytes.is_some_and(|size| bytes >= size) {
                        self.growable_bytes = None;
                        // A refusal is no harm.
                        let _ = fd::set_pipe_size(self.input, PIPE_BYTES);
                    }
                    return Ok(Some(Taken::Bytes(bytes)));
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    fn consume(&mut self, _logged: &[u8], _last: &mut [u8]) -> Result<bool> {
        Ok(true)
    }
}

/// Turns lines into other lines.
pub trait Filter {
    /// Appends to `output` what becomes of the bytes that `reader` has at hand, and says how many were dealt with. The
    /// others are shown again with more behind them, or with `is_end` when none will come.
    fn filter(&mut self, reader: &Reader, is_end: bool, output: &mut Output) -> usize;
}

/// How many of the bytes at hand belong to a line whose beginning has been dealt with.
pub fn begun_bytes(reader: &Reader) -> usize {
    let bytes = reader.pending();
    match memchr(b'\n', bytes) {
        _ if !reader.is_in_line() => 0,
        Some(newline) => newline + 1,
        None => bytes.len(),
    }
}

/// Filters an input to standard output.
pub fn run(input: BorrowedFd<'_>, filter: &mut impl Filter) -> Exit {
    match copy(&mut Stream::new(input), filter) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::TROUBLE,
    }
}

fn copy(input: &mut Stream<'_>, filter: &mut impl Filter) -> Result<()> {
    let mut reader = Reader::with_capacity(CHUNK_BYTES);
    let mut outlet = Outlet::default();
    let mut output = Output::default();
    loop {
        let taken = reader.fill(input, Label::now)?;
        let is_end = taken == Taken::End;
        let done = filter.filter(&reader, is_end, &mut output);
        reader.mark_written(done);
        reader.consume_written(input, &mut [0])?;
        let is_sustained = matches!(taken, Taken::Bytes(SUSTAINED_BYTES..));
        outlet.write(&mut output, is_sustained)?;
        if is_end {
            return outlet.finish(0);
        }
    }
}

/// What is on its way out, and what became of it.
type Job = (Output, Result<()>);

/// Little is needed: a job is a system call.
const STACK_BYTES: usize = 64 * 1024;
/// How many outputs may be on their way at once, so that neither side waits for a short pause of the other.
const UNDER_WAY: usize = 4;

/// The thread that writes to standard output.
#[derive(Debug, Default)]
enum WriterThread {
    /// It has not been wanted yet.
    #[default]
    NotStarted,
    /// It runs.
    Running(WorkerThread<Output, Job>),
    /// The system does not give us one.
    Unavailable,
}

impl WriterThread {
    /// The thread, if it runs.
    fn running(&mut self) -> Option<&mut WorkerThread<Output, Job>> {
        match self {
            WriterThread::Running(thread) => Some(thread),
            WriterThread::NotStarted | WriterThread::Unavailable => None,
        }
    }

    /// The thread, which is started when it is first wanted; `None` if the system gives us none.
    fn wanted(&mut self) -> Option<&mut WorkerThread<Output, Job>> {
        if let WriterThread::NotStarted = self {
            *self = start_thread().map_or(WriterThread::Unavailable, WriterThread::Running);
        }
        self.running()
    }
}

/// The way to standard output: a thread while much comes, so that it is written while more is read; else no thread.
#[derive(Debug, Default)]
struct Outlet {
    thread: WriterThread,
    /// Places for the next lines.
    spares: Vec<Output>,
}

impl Outlet {
    /// Sees to it that `output` is written, and leaves it empty. With `is_sustained` it may still be on its way then.
    fn write(&mut self, output: &mut Output, is_sustained: bool) -> Result<()> {
        if is_sustained && let Some(thread) = self.thread.wanted() {
            thread.hand_over(std::mem::take(output));
            self.finish(UNDER_WAY)?;
            *output = self.spares.pop().unwrap_or_default();
            return Ok(());
        }
        self.finish(0)?;
        let answer = fd::write_all(fd::stdout(), output.filled());
        output.clear();
        answer
    }

    /// Waits until no more than so many outputs are on their way.
    fn finish(&mut self, under_way: usize) -> Result<()> {
        while let Some((mut output, answer)) = self.thread.running().and_then(|thread| thread.take_back(under_way)) {
            output.clear();
            self.spares.push(output);
            answer?;
        }
        Ok(())
    }
}

/// `None` if there is no use in a thread, as there is one processor alone, or none can be had.
fn start_thread() -> Option<WorkerThread<Output, Job>> {
    if thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
        return None;
    }
    let write = |output: Output| {
        let answer = fd::write_all(fd::stdout(), output.filled());
        (output, answer)
    };
    WorkerThread::start(STACK_BYTES, UNDER_WAY + 1, write).ok()
}
