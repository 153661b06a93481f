//! Reads the input, compresses it frame by frame, and writes the frames and the index.
//!
//! With several threads, the one that reads and writes compresses too: whenever the others have enough to do. Each of them has
//! up to two frames, so that it need not wait for the next. The frames are written in the order in which they were read.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use logyard::cli::cause;
use logyard::lines::worker_thread::WorkerThread;
use logyard::sys::{Errno, fd, memory};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::cutter::{Cutter, SURPLUS_BYTES_MAX};
use crate::index::{FrameIndex, Labels};
use crate::labels;

/// The compressor keeps its tables elsewhere.
const STACK_BYTES: usize = 256 << 10;
/// How many frames another thread has at most: the one that it compresses, and two that wait before or after that. This thread
/// looks after it when it has compressed a frame itself: with one that waits, the other has nothing to do by then.
const FRAMES_EACH: usize = 3;

/// The level that is the default. Its table is a quarter of what zstd takes for frames of the default size. Measured with ten logs,
/// a label before each line: eight become smaller by that, two larger by at most 2 percent, and packing takes a twentieth to a
/// fifth less processor time.
const FAST_LEVEL: i32 = 1;
/// The size of the table, as a power of two.
const HASH_LOG: u32 = 12;
/// Shorter repetitions are left alone. With 7 bytes instead of 6, packing these logs takes 3 percent less processor time, and their
/// sizes stay within 1.1 percent.
const MATCH_BYTES_MIN: u32 = 7;

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

impl Settings {
    /// The memory that frames take if each holds a line that is very long: before compression and after it, in room that may
    /// have grown to twice that.
    pub(crate) fn long_lines_bytes(self) -> usize {
        let frame_bytes = self.frame_bytes + SURPLUS_BYTES_MAX;
        frame_bytes.saturating_mul(4).saturating_mul(self.threads * FRAMES_EACH)
    }
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
        if level == FAST_LEVEL {
            for parameter in [CParameter::HashLog(HASH_LOG), CParameter::MinMatch(MATCH_BYTES_MIN)] {
                compressor.set_parameter(parameter).map_err(Error::Compress)?;
            }
        }
        Ok(Packer(compressor))
    }

    fn pack(&mut self, mut frame: Frame) -> Result<Frame, Error> {
        frame.labels = labels::find(&frame.text, frame.begins_in_line);
        frame.packed.clear();
        let room = frame.packed.try_reserve(compress_bound(frame.text.len()));
        room.map_err(|_| Error::Compress(io::ErrorKind::OutOfMemory.into()))?;
        self.0.compress_to_buffer(&frame.text, &mut frame.packed).map_err(Error::Compress)?;
        Ok(frame)
    }
}

/// A frame that has not been written yet.
#[derive(Debug)]
enum OnItsWay {
    /// A thread has it. Each thread gives its frames back in the order in which it was given them.
    AtThread(usize),
    Packed(Frame),
}

type Thread = WorkerThread<Frame, Result<Frame, Error>>;

/// Compresses frames: in this thread, and in others.
#[derive(Debug)]
pub(crate) struct Packers {
    frame_bytes: usize,
    /// The other threads.
    threads: Vec<Thread>,
    own: Packer,
    /// The frames that have not been written, in order.
    frames: VecDeque<OnItsWay>,
    /// Room of frames that are written.
    spare: Vec<Frame>,
}

impl Packers {
    /// Starts the threads.
    pub(crate) fn start(settings: Settings) -> Result<Packers, Error> {
        let mut threads = Vec::new();
        while threads.len() + 1 < settings.threads {
            let mut packer = Packer::new(settings.level)?;
            // With little memory there are fewer threads, or none.
            let Ok(thread) = Thread::start(STACK_BYTES, FRAMES_EACH, move |frame| packer.pack(frame)) else {
                break;
            };
            threads.push(thread);
        }
        let own = Packer::new(settings.level)?;
        Ok(Packers { frame_bytes: settings.frame_bytes, threads, own, frames: VecDeque::new(), spare: Vec::new() })
    }

    /// Gives a frame to the thread that has the fewest, or compresses it here if each has enough.
    fn give(&mut self, frame: Frame) -> Result<(), Error> {
        let threads = self.threads.iter_mut().enumerate();
        let free = threads.min_by_key(|(_, thread)| thread.under_way());
        let given = match free.filter(|(_, thread)| thread.under_way() < FRAMES_EACH) {
            Some((number, thread)) => {
                thread.hand_over(frame);
                OnItsWay::AtThread(number)
            }
            None => OnItsWay::Packed(self.own.pack(frame)?),
        };
        self.frames.push_back(given);
        Ok(())
    }

    /// Takes from the threads what they have finished.
    fn collect(&mut self) -> Result<(), Error> {
        for (number, thread) in self.threads.iter_mut().enumerate() {
            let mut at_thread =
                self.frames.iter_mut().filter(|frame| matches!(frame, OnItsWay::AtThread(at) if *at == number));
            while let Some(packed) = thread.take_back(FRAMES_EACH) {
                let place = at_thread.next().expect("a thread gives back what it has been given");
                *place = OnItsWay::Packed(packed?);
            }
        }
        Ok(())
    }

    /// The frame that is to be written next, if it is packed, or if more than `most` have not been written; `None` if not. Where
    /// a thread has it, that is waited for.
    fn next(&mut self, most: usize) -> Result<Option<Frame>, Error> {
        match self.frames.front() {
            Some(OnItsWay::Packed(_)) => {}
            Some(&OnItsWay::AtThread(number)) if self.frames.len() > most => {
                let packed = self.threads[number].take_back(0).expect("a thread gives back what it has been given");
                self.frames[0] = OnItsWay::Packed(packed?);
            }
            _ => return Ok(None),
        }
        match self.frames.pop_front() {
            Some(OnItsWay::Packed(frame)) => Ok(Some(frame)),
            _ => unreachable!("the first frame is packed"),
        }
    }

    /// Packs all of an input. Not to be called again after an error.
    pub(crate) fn pack(&mut self, input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), Error> {
        let surplus_bytes_max = if memory::is_scarce() { 0 } else { SURPLUS_BYTES_MAX };
        let mut cutter = Cutter::new(input, self.frame_bytes, surplus_bytes_max);
        let mut index = FrameIndex::default();
        let mut write = |frame: &Frame| {
            fd::write_all(output, &frame.packed).map_err(Error::Output)?;
            let bytes = |bytes: usize| u32::try_from(bytes).expect("a frame is smaller than 4 GiB");
            index.push(bytes(frame.packed.len()), bytes(frame.text.len()), frame.labels);
            Ok(())
        };
        let frames_max = (self.threads.len() + 1) * FRAMES_EACH;
        let mut is_empty = true;
        loop {
            let mut frame = self.spare.pop().unwrap_or_default();
            match cutter.next(&mut frame.text).map_err(Error::Input)? {
                Some(begins_in_line) => frame.begins_in_line = begins_in_line,
                // An empty frame: not every reader takes a file for zstd that begins with a frame to be skipped.
                None if is_empty => {}
                None => break,
            }
            is_empty = false;
            self.give(frame)?;
            self.collect()?;
            while let Some(packed) = self.next(frames_max)? {
                write(&packed)?;
                self.spare.push(packed);
            }
        }
        while let Some(packed) = self.next(0)? {
            write(&packed)?;
            self.spare.push(packed);
        }
        fd::write_all(output, &index.encode()).map_err(Error::Output)
    }
}

/// Packs all of an input.
pub fn pack(input: BorrowedFd<'_>, output: BorrowedFd<'_>, settings: Settings) -> Result<(), Error> {
    Packers::start(settings)?.pack(input, output)
}
