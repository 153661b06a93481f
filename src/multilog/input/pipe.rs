//! Peeks at a pipe: its bytes are copied and stay in it until they have been written.
//!
//! This file peeks and waits; `waiting` waits by peeking; `consume` removes bytes; `relieved` does all of that where bytes
//! may be in memory; [`turn`](mod@crate::multilog::input::turn) makes a second logger wait.
//!
//! `tee` copies from the head of the pipe, so each look copies all bytes that are not consumed, and only the new part
//! is passed to the reader. The beginning of a line stays in the pipe until its end arrives. Meanwhile the pipe is
//! always readable, so the wait uses an edge-triggered event, which each write causes. A write causes it when it ends:
//! one that fills a pipe that is not empty sleeps without an event. So the pipe is also checked at intervals, which
//! begin short.
//!
//! A pipe can be full of the beginning of one line. How many bytes that takes depends on how they were written: no less
//! than half its size, as two neighbouring pages hold more than one page together; where each write has a page of its own
//! (packets, pages that were lent) half of its pages, which is what the copy holds. From that size on the line is taken
//! in pieces. Any process that shares the pipe can make it smaller, and then perhaps nothing more can be written to it.
//! So while the beginning of a line is held, the size is checked at intervals.
//!
//! Other processes that share the pipe may also read from it, or change pages that they lent to it. So each look is
//! compared with the one before, and the consumed bytes with those that were shown. Bytes that were consumed and never
//! shown are passed on as the next bytes, because they are nowhere else. Two loggers on one pipe would take each
//! other's lines, so the second waits until the first has exited.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::lines::page_buffer::{PAGE_BYTES, PageBuffer};
use crate::lines::reader::Taken;
use crate::multilog::error::Error;
use crate::multilog::input::pipe::waiting::WaitByPeek;
use crate::multilog::input::relief::Helper;
use crate::multilog::input::turn::{Notice, TURN_CHECK, Turn};
use crate::multilog::journal::record::Origin;
use crate::multilog::script::SEEN_BYTES;
use crate::sys::epoll::EdgeWatch;
use crate::sys::file::pipe_identity;
use crate::sys::pipe::{self, Outlet};
use crate::sys::stat::FileId;
use crate::sys::{Errno, Result, boot_id, fd, poll};
use crate::tai64n::Label;

mod consume;
mod relieved;
mod waiting;

/// The size that a pipe is asked to have once a look comes back full. Measured: 64 KiB to 1 MiB gives a third more.
const PIPE_BYTES: usize = 1024 * 1024;
/// How much is looked at at once, well below the size of the pipe, so that the writer always has room.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// While the beginning of a line is held: the first interval after which the pipe's contents and size are checked, and
/// the longest.
const HELD_CHECK_FIRST: Duration = Duration::from_millis(1);
const HELD_CHECK: Duration = Duration::from_secs(1);
/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipeEvent {
    /// A signal has come, whatever else has.
    Signal,
    /// The pipe is worth a look.
    Input,
    /// Neither: the timeout has expired.
    Nothing,
}

impl PipeEvent {
    fn of(has_signal: bool, has_input: bool) -> PipeEvent {
        match (has_signal, has_input) {
            (true, _) => PipeEvent::Signal,
            (false, true) => PipeEvent::Input,
            (false, false) => PipeEvent::Nothing,
        }
    }
}

/// A pipe on descriptor 0 that is peeked at.
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
    notices: Vec<Notice>,
    /// The bytes at the head of the pipe that have been handed on and not been consumed.
    ahead_bytes: usize,
    /// Bytes that are out of the pipe and not logged: they come before those that are in it.
    stray: Vec<u8>,
    /// How many of them have been handed on.
    stray_ahead_bytes: usize,
    /// The warning that another process uses the pipe has been printed.
    has_told: bool,
    /// Where bytes go that were seen before; as long as has been needed.
    scratch: PageBuffer,
    /// Where in its page the head of the pipe is, as far as that can be told from outside.
    head_at: usize,
    /// The last look showed everything in the pipe.
    saw_all: bool,
    /// How long the next wait for a change lasts at most.
    held_check: Duration,
    /// No process can write any more: the pipe holds the last bytes.
    hung_up: bool,
    /// There is more in the pipe than a look shows: what was shown must go first.
    is_crowded: bool,
    /// No look has succeeded yet.
    is_new: bool,
    edge: Option<EdgeWatch>,
    wait_by_peek: WaitByPeek,
    /// Moves bytes to memory while the disk takes none; `None` if the script does not ask for that.
    relief: Option<Helper>,
    /// When the bytes came that were handed on last; `None` if they had just come.
    came: Option<Label>,
}

impl PipeInput {
    /// Looks into descriptor 0; `None` if that is no pipe. It is an error if the system does not let it be looked into.
    pub fn new() -> std::result::Result<Option<PipeInput>, Error> {
        let Some(identity) = pipe_identity(fd::stdin()) else { return Ok(None) };
        // Found out before a journal is kept, which is of no use where bytes have to be read.
        let outlet = Outlet::of_stdin().ok().filter(Outlet::is_usable);
        let copy = pipe::new().and_then(|copy| {
            pipe::can_peek(fd::stdin(), &copy.1)?;
            if outlet.is_none() {
                pipe::can_shift(fd::stdin(), &copy.1)?;
            }
            Ok(copy)
        });
        let copy = copy.map_err(unable_to_look)?;
        // That its size is not told is no reason to do without.
        let [pipe_bytes, copy_bytes] =
            [fd::stdin(), copy.0.as_fd()].map(|pipe| fd::pipe_size(pipe).unwrap_or(PAGE_BYTES));
        let mut input = PipeInput {
            copy,
            copy_bytes,
            identity,
            pipe_bytes,
            has_grown: pipe_bytes >= PIPE_BYTES,
            outlet,
            turn: Turn::default(),
            notices: Vec::new(),
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
            wait_by_peek: WaitByPeek::default(),
            relief: None,
            came: None,
        };
        input.fit_copy(CHUNK_BYTES);
        Ok(Some(input))
    }

    /// What is to be announced since this was last asked.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Notes, once, that another process reads the pipe or changes its bytes.
    fn note_change(&mut self) {
        if !std::mem::replace(&mut self.has_told, true) {
            self.notices.push(Notice::HasChanged);
        }
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
        self.stray.len() > self.stray_ahead_bytes || self.has_memory()
    }

    /// The bytes that have been consumed and are not logged, handed on or not.
    #[must_use]
    pub fn stray(&self) -> &[u8] {
        &self.stray
    }

    /// Tells whether all that was handed on and not consumed is in the pipe.
    #[must_use]
    pub fn keeps_rest(&self) -> bool {
        self.stray.is_empty() && !self.is_in_memory()
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

    /// Waits for new bytes, their end, or a signal, until `end`, which is `timeout` from now.
    pub fn wait(
        &mut self,
        signals: BorrowedFd<'_>,
        timeout: Option<Duration>,
        end: Option<Instant>,
    ) -> Result<PipeEvent> {
        let at_once = || poll::readable([signals], Some(Duration::ZERO)).map(|[signal]| PipeEvent::of(signal, true));
        if self.has_stray() {
            return at_once();
        }
        if !self.begin_wait() {
            return at_once();
        }
        let event = match self.wait_by_peek(timeout, end).transpose() {
            Some(event) => event,
            None => self.wait_for_pipe(signals, timeout),
        };
        self.end_wait();
        event
    }

    fn wait_for_pipe(&mut self, signals: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<PipeEvent> {
        let at_once = || poll::readable([signals], Some(Duration::ZERO)).map(|[signal]| PipeEvent::of(signal, true));
        if !self.turn.is_ours(&mut self.notices) {
            let time = timeout.map_or(TURN_CHECK, |time| time.min(TURN_CHECK));
            return poll::readable([signals], Some(time)).map(|[signal]| PipeEvent::of(signal, false));
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
                return Ok(PipeEvent::of(false, is_needed));
            }
            [signal, input]
        };
        self.hung_up |= input.hung_up;
        Ok(PipeEvent::of(signal.is_readable, input.is_readable))
    }

    /// Tells whether a look is needed though no write has been noticed: a write fills the pipe, somebody has made the
    /// pipe so small that nothing more can be written, or what was held is gone.
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

    /// Looks, and hands on what was not handed on before. `held` is what was and has not been consumed; `None` if that is
    /// not what the pipe holds any more.
    pub fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        if self.relief.is_some() { self.take_relieved(held, room) } else { self.take_piped(held, room) }
    }

    /// The same where nothing is in memory.
    fn take_piped(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        let (stray_held, held) = held.split_at(self.stray_ahead_bytes.min(held.len()));
        self.ahead_bytes = held.len();
        self.stray_ahead_bytes = stray_held.len();
        if self.stray.len() > self.stray_ahead_bytes {
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
        let (shown, most) = match self.take_found(held, room)? {
            Some(found) => (Ok(found.bytes), found.most),
            None => (pipe::peek(fd::stdin(), &self.copy.1, most), most),
        };
        let shown = match shown {
            Ok(0) if held.is_empty() => return Ok(Some(Taken::End)),
            Ok(shown) => shown,
            Err(Errno::EAGAIN) => 0,
            Err(errno) => return Err(errno),
        };
        self.is_new = false;
        let new = shown.saturating_sub(held.len());
        // The copy takes whole pages of the pipe. Where it was full there may be more, unless it has shown nothing new.
        let is_copy_full = self.head_at + shown + PAGE_BYTES > self.copy_bytes;
        self.saw_all = shown < most && !(is_copy_full && new > 0);
        let known = shown - new;
        self.receive(known, new, room)?;
        if self.scratch[self.head_at..][..known] != held[..known]
            || (known < held.len() && pipe::waiting_bytes(fd::stdin())? < held.len())
        {
            self.note_change();
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
            match pipe::read_scattered(&self.copy.0, [scratch_part, room_part])? {
                0 => return Err(Errno::EIO),
                read => from += read,
            }
        }
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
    ///
    /// A logger that starts meanwhile waits for its turn. One that has the turn already is not waited for: it may have hung
    /// for hours. What it takes out is seen when the bytes are consumed.
    pub fn show(&mut self, bytes: usize) -> Result<Vec<u8>> {
        debug_assert!(!self.has_found(), "a wait comes after this");
        let _ = self.turn.is_ours(&mut self.notices);
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

    /// Asks for a larger pipe, because the writer is faster. A refusal does no harm.
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

/// Why bytes are read from the pipe instead of being peeked at.
#[must_use]
pub fn unable_to_look(errno: Errno) -> Error {
    Error::new("unable to look into standard input, reading it", errno)
}

impl AsFd for PipeInput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.copy.0.as_fd()
    }
}
