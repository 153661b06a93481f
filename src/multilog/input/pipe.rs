//! Peeking: a pipe's bytes are copied without being taken out, and taken out when they are written.
//!
//! `tee` copies from the head of the pipe, so what is not consumed is shown again by every look; of that only the new
//! part is handed on. The beginning of a line stays in the pipe until its end comes, and is waited for by the edge: the
//! pipe has something to read all the time, and only a write tells that there is more. A write tells when it ends: one that
//! fills a pipe that is not empty sleeps and has told nobody. So the pipe is asked now and then as well, first soon.
//!
//! A pipe can be full of the beginning of one line. How many bytes that takes depends on how they were written: no less
//! than half its size, as two neighbouring pages hold more than one page together; where each write has a page of its own
//! (packets, pages that were lent) half of its pages, which is what the copy holds. From there on the line is taken in
//! pieces. Everybody who shares the pipe can make it smaller, and then perhaps nothing more can be written to it: as long
//! as the beginning of a line is held, the size is asked for now and then.
//!
//! Whoever shares the pipe may also read from it, or change pages that he lent to it. So what is shown is compared with
//! what was shown before, and what is consumed with what was shown. What was consumed and never shown is handed on as the
//! next bytes: nobody else has it. Two loggers on one pipe would take lines from each other all the time; the second waits
//! until the first is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::lines::page_buffer::{PAGE_BYTES, PageBuffer};
use crate::lines::reader::Taken;
use crate::multilog::error::Error;
use crate::multilog::input::stray;
use crate::multilog::journal::record::Origin;
use crate::multilog::name::PROGRAM;
use crate::multilog::script::SEEN_BYTES;
use crate::sys::epoll::EdgeWatch;
use crate::sys::file::pipe_identity;
use crate::sys::pipe::{self, Outlet};
use crate::sys::stat::FileId;
use crate::sys::{Errno, Result, boot_id, fd, poll};

/// The size that a pipe is asked to have once a look comes back full. Measured: 64 KiB to 1 MiB gives a third more.
const PIPE_BYTES: usize = 1024 * 1024;
/// How often taking bytes out is tried again where bytes wait and the system says that there are none.
const REFUSALS_MAX: u32 = 3;
/// How much is looked at at once, well below the size of the pipe, so that the writer always has room.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// How soon the pipe is asked what is in it, and how large it is, while the beginning of a line is held in it; and how often
/// at last, if nothing comes.
const HELD_CHECK_FIRST: Duration = Duration::from_millis(1);
const HELD_CHECK: Duration = Duration::from_secs(1);
/// How often a logger looks whether the one before it has left the pipe.
const TURN_CHECK: Duration = Duration::from_millis(100);
/// How long the pipe may stand still before its other reader is taken for one that reads no more.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// Whether this process is the one that reads the pipe.
#[derive(Debug)]
enum Turn {
    /// It is, or nobody can tell.
    Ours,
    /// It has not been asked yet.
    Unknown,
    /// Another logger reads it. So many bytes have been waiting since that moment; whether it has been announced.
    Theirs { waiting_bytes: usize, since: Instant, is_told: bool },
}

/// A pipe on descriptor 0, looked into.
#[derive(Debug)]
pub struct PipeInput {
    /// Where looks are copied to, and read from.
    copy: (OwnedFd, OwnedFd),
    copy_bytes: usize,
    identity: FileId,
    pipe_bytes: usize,
    /// A larger pipe has been asked for, with or without success.
    has_grown: bool,
    /// How bytes are taken out; `None` where they can only be moved to the copy.
    outlet: Option<Outlet>,
    turn: Turn,
    /// The bytes at the head of the pipe that have been handed on and not been consumed.
    ahead_bytes: usize,
    /// Bytes that are out of the pipe and not logged: they come before those that are in it.
    stray: Vec<u8>,
    /// How many of them have been handed on.
    stray_ahead_bytes: usize,
    /// It has been announced that the pipe changes under our hands.
    has_told: bool,
    /// Where bytes go that were seen before; as long as has been needed.
    scratch: PageBuffer,
    /// Where in its page the head of the pipe is, as far as that can be told from outside.
    head_at: usize,
    /// The last look showed all there was.
    saw_all: bool,
    /// How long the next wait for a change lasts at most.
    held_check: Duration,
    /// Nobody can write any more: what is in the pipe is all there will be.
    hung_up: bool,
    /// There is more in the pipe than a look shows: what was shown must go first.
    is_crowded: bool,
    /// No look has succeeded yet.
    is_new: bool,
    edge: Option<EdgeWatch>,
}

impl PipeInput {
    /// Looks into descriptor 0 if that is a pipe and the system lets it be looked into; says so if it does not.
    #[must_use]
    pub fn new() -> Option<PipeInput> {
        let identity = pipe_identity(fd::stdin())?;
        // Found out before a journal is kept, which is of no use to whoever has to read.
        let outlet = Outlet::of_stdin().ok().filter(Outlet::is_usable);
        let copy = pipe::new().and_then(|copy| {
            pipe::can_peek(fd::stdin(), &copy.1)?;
            if outlet.is_none() {
                pipe::can_shift(fd::stdin(), &copy.1)?;
            }
            Ok(copy)
        });
        let copy = copy.inspect_err(|&errno| PROGRAM.warn(unable_to_look(errno))).ok()?;
        // That its size is not told is no reason to do without.
        let [pipe_bytes, copy_bytes] =
            [fd::stdin(), copy.0.as_fd()].map(|pipe| fd::pipe_size(pipe).unwrap_or(PAGE_BYTES));
        let mut peek = PipeInput {
            copy,
            copy_bytes,
            identity,
            pipe_bytes,
            has_grown: pipe_bytes >= PIPE_BYTES,
            outlet,
            turn: Turn::Unknown,
            ahead_bytes: 0,
            stray: Vec::new(),
            stray_ahead_bytes: 0,
            has_told: false,
            scratch: PageBuffer::new(0),
            head_at: 0,
            saw_all: false,
            held_check: HELD_CHECK_FIRST,
            hung_up: false,
            is_crowded: false,
            is_new: true,
            edge: None,
        };
        peek.fit_copy(CHUNK_BYTES);
        Some(peek)
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
        Origin { pipe: self.identity, boot: boot_id::id() }
    }

    /// Tells whether bytes have been consumed that are not handed on.
    #[must_use]
    pub fn has_stray(&self) -> bool {
        self.stray.len() > self.stray_ahead_bytes
    }

    /// The bytes that have been consumed and are not logged, handed on or not.
    #[must_use]
    pub fn stray(&self) -> &[u8] {
        &self.stray
    }

    /// Tells whether all that was handed on and not consumed is in the pipe.
    #[must_use]
    pub fn keeps_rest(&self) -> bool {
        self.stray.is_empty()
    }

    /// How long the beginning of a line may become before it is taken in pieces. No selector looks at more than its first
    /// bytes, so many are waited for also in a small pipe.
    #[must_use]
    pub fn piece_bytes(&self) -> usize {
        let full_bytes = (self.pipe_bytes / 2).saturating_sub(PAGE_BYTES);
        if self.is_crowded { 1 } else { full_bytes.max(SEEN_BYTES).min(self.look_bytes()) }
    }

    /// How much one look shows.
    fn look_bytes(&self) -> usize {
        (self.pipe_bytes / 2).clamp(PAGE_BYTES, CHUNK_BYTES).min(self.copy_bytes)
    }

    /// Waits for new bytes, their end, or a signal; says whether there is a signal, and whether it is worth a look.
    pub fn wait(&mut self, signals: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<(bool, bool)> {
        let at_once = || poll::readable([signals], Some(Duration::ZERO)).map(|[signal]| (signal, true));
        if self.has_stray() {
            return at_once();
        }
        if !self.has_turn() {
            let time = timeout.map_or(TURN_CHECK, |time| time.min(TURN_CHECK));
            return poll::readable([signals], Some(time)).map(|[signal]| (signal, false));
        }
        let [signal, input] = if self.ahead_bytes == 0 || !self.saw_all {
            poll::wait([signals, fd::stdin()], timeout)?
        } else if pipe::waiting_bytes(fd::stdin())? > self.ahead_bytes {
            // More came since, or there is more than a look can show. One more look tells.
            self.is_crowded = true;
            return at_once();
        } else if self.hung_up {
            // The beginning of a line is all there will be.
            return at_once();
        } else {
            let time = self.held_check;
            let edge = self.edge.get_or_insert_with(|| EdgeWatch::new(fd::stdin(), signals));
            let timeout = Some(timeout.map_or(time, |timeout| timeout.min(time)));
            let [input, signal] = edge.wait(fd::stdin(), signals, timeout)?;
            if !input.is_readable && !signal.is_readable {
                let is_needed = self.needs_look()?;
                self.held_check = (4 * time).min(HELD_CHECK);
                return Ok((false, is_needed));
            }
            [signal, input]
        };
        self.hung_up |= input.hung_up;
        Ok((signal.is_readable, input.is_readable))
    }

    /// Tells whether a look is needed though no write has been noticed: a write fills the pipe, somebody has made the pipe so
    /// small that nothing more can be written, or what was held is gone.
    fn needs_look(&mut self) -> Result<bool> {
        let pipe_bytes = fd::pipe_size(fd::stdin()).unwrap_or(self.pipe_bytes);
        if pipe_bytes < self.pipe_bytes {
            self.has_grown = false;
        }
        let has_changed = pipe_bytes != self.pipe_bytes;
        self.pipe_bytes = pipe_bytes;
        if self.copy_bytes > (pipe_bytes / 2).max(PAGE_BYTES) {
            self.fit_copy(CHUNK_BYTES);
        }
        // A page can be taken by one byte.
        self.is_crowded |= self.held_check == HELD_CHECK && pipe_bytes / 2 < PAGE_BYTES + SEEN_BYTES;
        let is_other = pipe::waiting_bytes(fd::stdin())? != self.ahead_bytes;
        Ok(has_changed || is_other || self.ahead_bytes >= self.piece_bytes())
    }

    /// Tells whether it is our turn to read. Only who holds nothing of the pipe asks.
    fn has_turn(&mut self) -> bool {
        if matches!(self.turn, Turn::Ours) {
            return true;
        }
        // Where it cannot be asked for, nobody waits.
        let Ok(Some(other)) = pipe::claim(fd::stdin()) else {
            self.turn = Turn::Ours;
            return true;
        };
        let waiting_bytes = pipe::waiting_bytes(fd::stdin()).unwrap_or(0);
        let Turn::Theirs { waiting_bytes: before, since, is_told } = self.turn else {
            // It may be about to exit.
            self.turn = Turn::Theirs { waiting_bytes, since: Instant::now(), is_told: false };
            return false;
        };
        if !is_told {
            let what = "standard input is read by another multilog, waiting until it exits";
            PROGRAM.warn(format_args!("{what} (pid {other})"));
        }
        let stands_still = before == waiting_bytes && waiting_bytes > 0;
        if stands_still && since.elapsed() >= TURN_PATIENCE {
            PROGRAM.warn(format_args!("the other multilog does not read standard input, reading it (pid {other})"));
            self.turn = Turn::Ours;
            return true;
        }
        let since = if stands_still { since } else { Instant::now() };
        self.turn = Turn::Theirs { waiting_bytes, since, is_told: true };
        false
    }

    /// Looks, and hands on what was not handed on before. `held` is what was and has not been consumed; `None` if that is
    /// not what the pipe holds any more.
    pub fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        let (stray_held, held) = held.split_at(self.stray_ahead_bytes.min(held.len()));
        self.ahead_bytes = held.len();
        self.stray_ahead_bytes = stray_held.len();
        if self.has_stray() {
            if !held.is_empty() {
                return Ok(None);
            }
            let stray = &self.stray[self.stray_ahead_bytes..];
            let count = stray.len().min(room.len());
            room[..count].copy_from_slice(&stray[..count]);
            self.stray_ahead_bytes += count;
            return Ok(Some(Taken::Bytes(count)));
        }
        // What is held is shown again whatever the size is now.
        let most = self.look_bytes().max(held.len() + 1).min(held.len() + room.len());
        let shown = match pipe::peek(fd::stdin(), &self.copy.1, most) {
            Ok(0) if held.is_empty() => return Ok(Some(Taken::End)),
            Ok(shown) => shown,
            Err(Errno::EAGAIN) => 0,
            Err(errno) => return Err(errno),
        };
        self.is_new = false;
        self.saw_all = shown < most;
        let new = shown.saturating_sub(held.len());
        let known = shown - new;
        self.receive(known, new, room)?;
        if self.scratch[self.head_at..][..known] != held[..known]
            || (known < held.len() && pipe::waiting_bytes(fd::stdin())? < held.len())
        {
            self.tell();
            self.ahead_bytes = 0;
            return Ok(None);
        }
        self.ahead_bytes += new;
        if new > 0 {
            self.held_check = HELD_CHECK_FIRST;
        }
        // There may be no room in the copy, even for what is held.
        self.is_crowded = new == 0 && (self.is_crowded || known < held.len());
        if shown + PAGE_BYTES > self.pipe_bytes.min(most) || self.is_crowded {
            self.grow();
        }
        if new == 0 && self.hung_up {
            self.is_crowded = known < held.len() || pipe::waiting_bytes(fd::stdin())? > self.ahead_bytes;
            if !self.is_crowded {
                return Ok(Some(Taken::End));
            }
        }
        if self.is_crowded && self.fit_copy(PIPE_BYTES) {
            // The next look shows more.
            self.is_crowded = false;
        }
        Ok(Some(Taken::Bytes(new)))
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

    /// Takes bytes off the pipe that were handed on before and are logged. This never waits. False if the pipe did not hold
    /// them any more: then what was handed on and not consumed has to be taken anew.
    pub fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        let stray_bytes = self.stray_ahead_bytes.min(logged.len());
        self.stray.drain(..stray_bytes);
        self.stray_ahead_bytes -= stray_bytes;
        let piped = &logged[stray_bytes..];
        let is_as_shown = piped.is_empty() || self.take_out_shown(piped, last)?;
        // Whatever became of them, they are logged, and nobody is to log them again.
        last[0] = logged[logged.len() - 1];
        Ok(is_as_shown)
    }

    /// Takes out as many bytes as are in `shown`, and compares. What is something else, and not logged yet, becomes stray.
    fn take_out_shown(&mut self, shown: &[u8], last: &mut [u8]) -> Result<bool> {
        let before_last = shown.len() - 1;
        self.reserve_scratch(self.head_at + before_last);
        // A process that is being killed gets no new pages: the call would stop half-way.
        for page in self.scratch[self.head_at..][..before_last].chunks_mut(PAGE_BYTES) {
            let last = page.len() - 1;
            (page[0], page[last]) = (0, 0);
        }
        let mut spare = [0];
        let mut landing = last;
        let mut has_landing = true;
        let (mut taken, mut refusals) = (0, 0);
        loop {
            match self.take_out(taken, before_last, landing) {
                // Not for want of bytes.
                Err(Errno::EAGAIN) if refusals < REFUSALS_MAX && pipe::waiting_bytes(fd::stdin())? > 0 => refusals += 1,
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(count) => taken += count,
                Err(Errno::EFAULT) if has_landing => {
                    // The landing went away with its file; the byte must go all the same.
                    landing = &mut spare;
                    has_landing = false;
                }
                Err(errno) => return Err(errno),
            }
            let known = taken.min(before_last);
            // What comes behind something else is not ours to take.
            if taken == shown.len() || self.scratch[self.head_at..][..known] != shown[..known] {
                break;
            }
        }
        let known = taken.min(before_last);
        let taken_bytes = &self.scratch[self.head_at..][..known];
        let taken_last = &landing[..taken - known];
        // The last byte may lie in a journal that somebody is overwriting: where there are others, they are believed.
        let is_last_as_shown = known > 0 || taken_last == &shown[known..];
        if taken == shown.len() && taken_bytes == &shown[..known] && is_last_as_shown {
            self.ahead_bytes -= taken;
            let is_drained = self.saw_all && self.ahead_bytes == 0;
            self.head_at = if is_drained { 0 } else { (self.head_at + taken) % PAGE_BYTES };
            self.is_crowded = false;
            return Ok(true);
        }
        if taken > 0 {
            let strays = stray::find(shown, &[taken_bytes, taken_last].concat());
            self.stray.extend_from_slice(&strays);
        }
        self.tell();
        self.stray_ahead_bytes = 0;
        self.ahead_bytes = 0;
        self.head_at = 0;
        self.is_crowded = false;
        Ok(false)
    }

    /// Takes bytes out of the pipe, those from `from` to `before_last` to the scratch and one more to `last`.
    fn take_out(&mut self, from: usize, before_last: usize, last: &mut [u8]) -> Result<usize> {
        let scratch_part = &mut self.scratch[self.head_at..][from..before_last];
        if let Some(outlet) = &self.outlet {
            match outlet.take(&mut [&mut *scratch_part, &mut *last]) {
                // The system does not know the call, or refuses it.
                Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES | Errno::EINVAL | Errno::EBADF) => self.outlet = None,
                answer => return answer,
            }
        }
        let shifted = pipe::shift(fd::stdin(), &self.copy.1, scratch_part.len() + 1)?;
        let mut read = 0;
        while read < shifted {
            let at = read.min(scratch_part.len());
            match pipe::read_scattered(&self.copy.0, &mut [&mut scratch_part[at..], &mut *last])? {
                0 => return Err(Errno::EIO),
                count => read += count,
            }
        }
        Ok(shifted)
    }

    /// Announces, once, that the pipe changes under our hands.
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.has_told, true) {
            PROGRAM.warn(
                "what standard input showed has changed: another process reads from it, or changes what it wrote; lines may \
                 be logged twice, or be missing here",
            );
        }
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
    ///
    /// A logger that starts meanwhile waits for its turn. One that has the turn already is not waited for: it may have hung
    /// for hours. What it takes out is seen when the bytes are consumed.
    pub fn show(&mut self, bytes: usize) -> Result<Vec<u8>> {
        let _ = self.has_turn();
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
        self.fit_copy(CHUNK_BYTES);
    }

    /// Asks for a larger pipe: somebody writes faster than we read. A refusal is no harm.
    fn grow(&mut self) {
        if self.has_grown {
            return;
        }
        self.has_grown = true;
        let _ = fd::set_pipe_size(fd::stdin(), PIPE_BYTES);
        self.pipe_bytes = fd::pipe_size(fd::stdin()).unwrap_or(self.pipe_bytes);
        self.fit_copy(CHUNK_BYTES);
    }

    /// Lets the copy have half of the pipe's pages, so that a pipe with pages left is never taken for a full one; but at
    /// most so many bytes. Tells whether that changed anything.
    fn fit_copy(&mut self, most: usize) -> bool {
        let bytes = (self.pipe_bytes / 2).clamp(PAGE_BYTES, most);
        let before_bytes = self.copy_bytes;
        if bytes != before_bytes && fd::set_pipe_size(&self.copy.1, bytes).is_ok() {
            self.copy_bytes = fd::pipe_size(&self.copy.1).unwrap_or(before_bytes);
        }
        self.copy_bytes != before_bytes
    }
}

/// Why a pipe is read as anything else is.
#[must_use]
pub fn unable_to_look(errno: Errno) -> Error {
    Error::new("unable to look into standard input, reading it", errno)
}

impl AsFd for PipeInput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.copy.0.as_fd()
    }
}
