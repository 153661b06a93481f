//! Peeking: a pipe's bytes are copied without being taken out, and taken out when they are written.
//!
//! `tee` copies from the head of the pipe, so what is not consumed is shown again by every look; of that only the new
//! part is handed on. The beginning of a line stays in the pipe until its end comes, and is waited for by the edge: the
//! pipe has something to read all the time, and only a write tells that there is more.
//!
//! A pipe can be full of the beginning of one line. How many bytes that takes depends on how they were written: no less
//! than half its size, as two neighbouring pages hold more than one page together. From there on the line is taken in
//! pieces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::multilog::PROGRAM;
use crate::multilog::logdir::Trouble;
use crate::multilog::reader::Taken;
use crate::multilog::record::Origin;
use crate::page_buffer::{PAGE_BYTES, PageBuffer};
use crate::sys::edge::EdgeWatch;
use crate::sys::file::pipe_identity;
use crate::sys::{Errno, Result, boot, fd, pipe, poll};

/// The size that a pipe is asked to have once a look comes back full. Measured: 64 KiB to 1 MiB gives a third more.
const PIPE_BYTES: usize = 1024 * 1024;
/// How much is looked at at once, well below the size of the pipe, so that the writer always has room.
pub const CHUNK_BYTES: usize = 128 * 1024;

/// A pipe on descriptor 0, looked into.
#[derive(Debug)]
pub struct Peek {
    /// Where looks are copied to, and read from.
    copy: (OwnedFd, OwnedFd),
    copy_bytes: usize,
    identity: (u64, u64),
    pipe_bytes: usize,
    /// A larger pipe has been asked for, with or without success.
    has_grown: bool,
    /// The bytes at the head of the pipe that have been handed on and not been consumed.
    ahead_bytes: usize,
    /// Where bytes go that were seen before; as long as has been needed.
    scratch: PageBuffer,
    /// Where in its page the head of the pipe is, as far as that can be told from outside.
    head_at: usize,
    /// The last look showed all there was.
    saw_all: bool,
    /// Nobody can write any more: what is in the pipe is all there will be.
    hung_up: bool,
    /// There is more in the pipe than a look shows: what was shown must go first.
    is_crowded: bool,
    /// No look has succeeded yet.
    is_new: bool,
    edge: Option<EdgeWatch>,
}

impl Peek {
    /// Looks into descriptor 0 if that is a pipe and the system lets it be looked into; says so if it does not.
    #[must_use]
    pub fn new() -> Option<Peek> {
        let identity = pipe_identity(fd::stdin())?;
        // Found out before a journal is kept, which is of no use to whoever has to read.
        let copy = pipe::new().and_then(|copy| pipe::can_peek(fd::stdin(), &copy.1).map(|()| copy));
        let copy = copy.inspect_err(|&errno| PROGRAM.warn(unable_to_look(errno))).ok()?;
        // That its size is not told is no reason to do without.
        let [pipe_bytes, copy_bytes] =
            [fd::stdin(), copy.0.as_fd()].map(|pipe| fd::pipe_size(pipe).unwrap_or(PAGE_BYTES));
        Some(Peek {
            copy,
            copy_bytes,
            identity,
            pipe_bytes,
            has_grown: pipe_bytes >= PIPE_BYTES,
            ahead_bytes: 0,
            scratch: PageBuffer::new(0),
            head_at: 0,
            saw_all: false,
            hung_up: false,
            is_crowded: false,
            is_new: true,
            edge: None,
        })
    }

    /// Tells whether no look has succeeded yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Tells whether the last look showed all there was.
    #[must_use]
    pub fn saw_all(&self) -> bool {
        self.saw_all
    }

    /// What a journal for this pipe belongs to.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { pipe: self.identity, boot: boot::id() }
    }

    /// How long the beginning of a line may become before it is taken in pieces.
    #[must_use]
    pub fn piece_bytes(&self) -> usize {
        let full_bytes = (self.pipe_bytes / 2).saturating_sub(PAGE_BYTES);
        if self.is_crowded { 1 } else { full_bytes.min(self.look_bytes()).max(1) }
    }

    /// How much one look shows.
    fn look_bytes(&self) -> usize {
        (self.pipe_bytes / 2).clamp(PAGE_BYTES, CHUNK_BYTES).min(self.copy_bytes)
    }

    /// Waits for new bytes, their end, or a signal; says whether there is a signal, and whether it is worth a look.
    pub fn wait(&mut self, signals: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<(bool, bool)> {
        let [signal, input] = if self.ahead_bytes == 0 || !self.saw_all {
            poll::wait([signals, fd::stdin()], timeout)?
        } else if pipe::waiting_bytes(fd::stdin())? > self.ahead_bytes {
            // More came since, or there is more than a look can show. One more look tells.
            self.is_crowded = true;
            return poll::readable([signals], Some(Duration::ZERO)).map(|[signal]| (signal, true));
        } else if self.hung_up {
            // The beginning of a line is all there will be.
            return poll::readable([signals], Some(Duration::ZERO)).map(|[signal]| (signal, true));
        } else {
            let edge = self.edge.get_or_insert_with(|| EdgeWatch::new(fd::stdin(), signals));
            let [input, signal] = edge.wait(fd::stdin(), signals, timeout)?;
            [signal, input]
        };
        self.hung_up |= input.hung_up;
        Ok((signal.is_readable, input.is_readable))
    }

    /// Looks, and hands on what was not handed on before.
    pub fn take(&mut self, room: &mut [u8]) -> Result<Taken> {
        let most = self.look_bytes().min(self.ahead_bytes + room.len());
        let shown = match pipe::peek(fd::stdin(), &self.copy.1, most) {
            Ok(0) => return Ok(Taken::End),
            Ok(shown) => shown,
            Err(Errno::EAGAIN) => 0,
            Err(errno) => return Err(errno),
        };
        self.is_new = false;
        self.saw_all = shown < most;
        let new = shown.saturating_sub(self.ahead_bytes);
        let known = shown - new;
        self.receive(known, new, room)?;
        self.ahead_bytes += new;
        self.is_crowded &= new == 0;
        if shown + PAGE_BYTES > self.pipe_bytes.min(most) {
            self.grow();
        }
        if new == 0 && self.hung_up {
            self.is_crowded = pipe::waiting_bytes(fd::stdin())? > self.ahead_bytes;
            if !self.is_crowded {
                return Ok(Taken::End);
            }
        }
        Ok(Taken::Bytes(new))
    }

    /// Reads the copy: first what is known, then what is new.
    fn receive(&mut self, known: usize, new: usize, room: &mut [u8]) -> Result<()> {
        let (mut from, end) = (0, known + new);
        self.reserve_scratch(self.head_at + known);
        while from < end {
            let scratch_part = &mut self.scratch[self.head_at..][from.min(known)..known];
            let room_part = &mut room[from.saturating_sub(known)..new];
            match pipe::read_scattered(&self.copy.0, &mut [scratch_part, room_part])? {
                0 => return Err(Errno::EIO),
                read => from += read,
            }
        }
        Ok(())
    }

    /// Takes bytes off the pipe that were handed on before. They are there, so this does not wait.
    pub fn consume(&mut self, bytes: usize, last: &mut [u8]) -> Result<()> {
        let before_last = bytes - 1;
        self.reserve_scratch(self.head_at + before_last);
        let mut from = 0;
        while from < bytes {
            let scratch_part = &mut self.scratch[self.head_at..][from.min(before_last)..before_last];
            let answer = pipe::read_scattered(fd::stdin(), &mut [scratch_part, last]);
            match answer {
                Ok(0) => return Err(Errno::EIO),
                Ok(read) => from += read,
                // The landing went away with its file; the byte must go all the same.
                Err(Errno::EFAULT) => from += fd::read(fd::stdin(), &mut [0])?,
                Err(errno) => return Err(errno),
            }
        }
        self.ahead_bytes -= bytes;
        let is_drained = self.saw_all && self.ahead_bytes == 0;
        self.head_at = if is_drained { 0 } else { (self.head_at + bytes) % PAGE_BYTES };
        self.is_crowded = false;
        Ok(())
    }

    fn reserve_scratch(&mut self, bytes: usize) {
        if self.scratch.len() < bytes {
            self.scratch = PageBuffer::new(bytes.next_power_of_two());
        }
    }

    /// Gives back what large looks have needed.
    pub fn shrink(&mut self) {
        self.scratch = PageBuffer::new(0);
    }

    /// Shows the head of the pipe to somebody who knows how much of it matters. Nothing may have been handed on yet.
    pub fn show(&mut self, bytes: usize) -> Result<Vec<u8>> {
        // Each page of the pipe takes a page of the copy, full or not.
        let copy_bytes = bytes.max(self.pipe_bytes);
        if copy_bytes > self.copy_bytes && fd::set_pipe_size(&self.copy.1, copy_bytes).is_ok() {
            self.copy_bytes = fd::pipe_size(&self.copy.1)?;
        }
        let mut shown = vec![0; bytes.min(self.copy_bytes)];
        let count = match pipe::peek(fd::stdin(), &self.copy.1, shown.len()) {
            Ok(count) => count,
            Err(Errno::EAGAIN) => 0,
            Err(errno) => return Err(errno),
        };
        self.is_new &= count == 0;
        self.receive(0, count, &mut shown)?;
        shown.truncate(count);
        self.ahead_bytes = count;
        Ok(shown)
    }

    /// What was shown and not consumed is to be handed on once more.
    pub fn look_anew(&mut self) {
        self.ahead_bytes = 0;
    }

    /// Asks for a larger pipe: somebody writes faster than we read. A refusal is no harm.
    fn grow(&mut self) {
        if self.has_grown {
            return;
        }
        self.has_grown = true;
        if fd::set_pipe_size(fd::stdin(), PIPE_BYTES).is_ok() {
            let _ = fd::set_pipe_size(&self.copy.1, CHUNK_BYTES);
        }
        self.pipe_bytes = fd::pipe_size(fd::stdin()).unwrap_or(self.pipe_bytes);
        self.copy_bytes = fd::pipe_size(&self.copy.1).unwrap_or(self.copy_bytes);
    }
}

/// What is said where a pipe has to be read.
#[must_use]
pub fn unable_to_look(errno: Errno) -> Trouble {
    Trouble::new("unable to look into standard input, reading it", errno)
}

impl AsFd for Peek {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.copy.0.as_fd()
    }
}
