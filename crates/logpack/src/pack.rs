//! Reads the input, compresses it frame by frame, and writes the frames and the index.
//!
//! With several threads, frame after frame goes to one thread after the other. Each thread has up to two frames, so that it need
//! not wait for the one that reads and writes. They are taken back in the order in which they were given, and written in that
//! order.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use logyard::cli::cause;
use logyard::lines::worker_thread::WorkerThread;
use logyard::sys::{Errno, fd};
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use crate::cutter::Cutter;
use crate::index::{FrameIndex, Labels};
use crate::labels;

/// The compressor keeps its tables elsewhere.
const STACK_BYTES: usize = 256 << 10;
/// How many frames a thread has at most: the one that it compresses, and one that waits before or after that.
const FRAMES_EACH: usize = 2;

/// How a file is packed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The level of compression.
    pub level: i32,
    /// How large frames are, before compression.
    pub frame_bytes: usize,
    /// How many frames are compressed at the same time.
    pub threads: usize,
}

/// Why a file cannot be packed.
#[derive(Debug)]
pub enum Error {
    /// The input cannot be read.
    Input(Errno),
    /// The output cannot be written.
    Output(Errno),
    /// The compressor gives its reason in words.
    Compress(io::Error),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Input(errno) => write!(out, "unable to read input: {}", cause(*errno)),
            Error::Output(errno) => write!(out, "unable to write output: {}", cause(*errno)),
            Error::Compress(error) => write!(out, "unable to compress: {error}"),
        }
    }
}

/// A frame on its way: before compression, and after it.
#[derive(Debug, Default)]
struct Frame {
    text: Vec<u8>,
    begins_in_line: bool,
    packed: Vec<u8>,
    labels: Labels,
}

/// Compresses one frame after the other.
struct Packer(Compressor<'static>);

impl fmt::Debug for Packer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Packer")
    }
}

impl Packer {
    fn new(level: i32) -> Result<Packer, Error> {
        let mut compressor = Compressor::new(level).map_err(Error::Compress)?;
        compressor.include_checksum(true).map_err(Error::Compress)?;
        Ok(Packer(compressor))
    }

    fn pack(&mut self, mut frame: Frame) -> Result<Frame, Error> {
        frame.labels = labels::find(&frame.text, frame.begins_in_line);
        frame.packed.clear();
        frame.packed.reserve(compress_bound(frame.text.len()));
        self.0.compress_to_buffer(&frame.text, &mut frame.packed).map_err(Error::Compress)?;
        Ok(frame)
    }
}

/// The threads that compress, and the frames on their way.
#[derive(Debug)]
struct Packers {
    threads: Vec<WorkerThread<Frame, Result<Frame, Error>>>,
    /// How many frames have been given to the threads, one after the other.
    given: usize,
    /// How many of them have come back.
    taken: usize,
    /// Compresses if there is no thread.
    own: Packer,
}

impl Packers {
    fn start(settings: Settings) -> Result<Packers, Error> {
        let mut threads = Vec::new();
        while settings.threads > 1 && threads.len() < settings.threads {
            let mut packer = Packer::new(settings.level)?;
            // With little memory there are fewer threads, or none.
            let Ok(thread) = WorkerThread::start(STACK_BYTES, FRAMES_EACH, move |frame| packer.pack(frame)) else {
                break;
            };
            threads.push(thread);
        }
        Ok(Packers { threads, given: 0, taken: 0, own: Packer::new(settings.level)? })
    }

    /// Gives a frame to the thread whose turn it is. Returns the frame that is finished next, if one had to be waited for.
    fn give(&mut self, frame: Frame) -> Result<Option<Frame>, Error> {
        if self.threads.is_empty() {
            return self.own.pack(frame).map(Some);
        }
        let is_full = self.given - self.taken == self.threads.len() * FRAMES_EACH;
        let finished = if is_full { self.take()? } else { None };
        let turn = self.given % self.threads.len();
        self.threads[turn].hand_over(frame);
        self.given += 1;
        Ok(finished)
    }

    /// Waits for the next frame; `None` if none is on its way.
    fn take(&mut self) -> Result<Option<Frame>, Error> {
        if self.taken == self.given {
            return Ok(None);
        }
        let turn = self.taken % self.threads.len();
        self.taken += 1;
        self.threads[turn].take_back(0).transpose()
    }
}

/// Packs all of an input.
pub fn pack(input: BorrowedFd<'_>, output: BorrowedFd<'_>, settings: Settings) -> Result<(), Error> {
    let mut cutter = Cutter::new(input, settings.frame_bytes);
    let mut packers = Packers::start(settings)?;
    let mut index = FrameIndex::default();
    let mut write = |frame: &Frame| {
        fd::write_all(output, &frame.packed).map_err(Error::Output)?;
        let bytes = |bytes: usize| u32::try_from(bytes).expect("a frame is smaller than 4 GiB");
        index.push(bytes(frame.packed.len()), bytes(frame.text.len()), frame.labels);
        Ok(())
    };
    let mut frame = Frame::default();
    let mut frames = 0;
    loop {
        match cutter.next(&mut frame.text).map_err(Error::Input)? {
            Some(begins_in_line) => frame.begins_in_line = begins_in_line,
            // An empty frame: not every reader takes a file for zstd that begins with a frame to be skipped.
            None if frames == 0 => {}
            None => break,
        }
        frames += 1;
        let finished = packers.give(frame)?;
        if let Some(finished) = &finished {
            write(finished)?;
        }
        frame = finished.unwrap_or_default();
    }
    while let Some(finished) = packers.take()? {
        write(&finished)?;
    }
    assert_eq!(index.frames().len(), frames, "a thread has lost its frame");
    fd::write_all(output, &index.encode()).map_err(Error::Output)
}
