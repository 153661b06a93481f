//! Relief: a thread that takes bytes out of the pipe and into memory while the disk takes nothing from the engine.
//!
//! The engine says when it waits for input, and when it has touched the pipe. If it does neither for a while, it is
//! stalled: a call hangs, or a step is being retried. Then, once the pipe fills, the thread moves all of it to the
//! [backlog](crate::multilog::input::backlog), first the bytes that the engine has and has not written. From there the
//! engine goes on, until the backlog is empty. So as long as the disk works, every byte stays in the pipe until it is
//! written, and a kill loses nothing.
//!
//! The thread never touches the disk, because that may hang. After TERM it waits for the engine, not longer than a second;
//! then it says what is lost, and ends the process.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use memchr::memrchr;

use crate::cli::{Exit, Messages};
use crate::multilog::input::backlog::Backlog;
use crate::multilog::input::ledger::Ledger;
use crate::multilog::script::buffer::Buffer;
use crate::multilog::withheld::tally::Tally;
use crate::sys::pipe::{self, Outlet};
use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, fd, small_thread};
use crate::tai64n::Label;

/// How long the engine may leave the pipe alone. A write to a disk that works takes less.
const STALL: Duration = Duration::from_millis(20);
/// How often the thread looks while the engine is busy. The pipe fills within 10 ms at 100 MB per second.
const TICK: Duration = Duration::from_millis(4);
/// The engine has waited for input at so many looks: the thread sleeps until it is busy again.
const QUIET_TICKS: u32 = 100;
/// Which part of the pipe must be filled: a writer that is not about to be blocked does not need the memory.
const FILLED_PART: usize = 4;
/// The size that the pipe is asked to have.
const PIPE_BYTES: usize = 1024 * 1024;
/// How much is moved at once.
pub const PIECE_BYTES: usize = 64 * 1024;
/// When the process ends after TERM, if lines are in memory.
const TERM_PATIENCE: Duration = Duration::from_millis(950);
/// What the thread calls needs little.
const STACK_BYTES: usize = 128 * 1024;

/// What the engine and the thread share.
#[derive(Debug)]
pub struct Relief {
    shared: Mutex<Shared>,
    /// When time began here.
    begin: Instant,
    /// Since when the engine is busy, in milliseconds and 1 more; 0 while it waits for input.
    busy_since: AtomicU64,
    /// When TERM came, counted in the same way; 0 before.
    term_at: AtomicU64,
    is_asleep: AtomicBool,
    messages: Messages,
}

/// The pipe, and what is out of it.
#[derive(Debug)]
pub struct Shared {
    /// What is out of the pipe and not logged.
    pub backlog: Backlog,
    /// How many bytes at the head of the pipe the engine has.
    pub ahead_bytes: usize,
    /// Nothing may be moved: the engine has gone, or puts right what another reader of the pipe has done.
    pub is_off: bool,
    /// It has been said what is lost.
    is_lost: bool,
    outlet: Outlet,
    /// Where the pipe is looked into, and read from.
    copy: (OwnedFd, OwnedFd),
    piece: Vec<u8>,
    /// Where what was dropped is counted; `None` if that is impossible.
    ledger: Option<Arc<Ledger>>,
}

/// What came of moving bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// This many bytes were taken. Fewer than asked for: there are no more at the moment, or the memory has no room.
    Bytes(usize),
    /// There are none, and no process can write any more.
    End,
}

impl Shared {
    /// Moves about `most` bytes from the pipe to the backlog: whole lines, and more of a line that is longer than a piece.
    /// So what is left in the pipe begins with a line.
    pub fn relieve(&mut self, most: usize) -> Result<Moved, Errno> {
        self.relieve_pieces(most, PIECE_BYTES, false)
    }

    /// Moves up to `most` bytes, in the middle of a line too.
    pub fn relieve_part(&mut self, most: usize) -> Result<Moved, Errno> {
        self.relieve_pieces(most, most.min(PIECE_BYTES), true)
    }

    /// If no parts are to be moved, a piece without a newline is moved only if it is full.
    fn relieve_pieces(&mut self, most: usize, piece_bytes: usize, moves_parts: bool) -> Result<Moved, Errno> {
        let mut moved = 0;
        while moved < most {
            let count = self.backlog.acceptable_bytes(piece_bytes);
            if count == 0 {
                break;
            }
            let shown = match pipe::peek(fd::stdin(), &self.copy.1, count) {
                Ok(0) if moved == 0 => return Ok(Moved::End),
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(shown) => shown,
                Err(errno) => return Err(errno),
            };
            read_all(&self.copy.0, &mut self.piece[..shown])?;
            let end = match memrchr(b'\n', &self.piece[..shown]) {
                Some(newline) => newline + 1,
                None if moves_parts || shown == piece_bytes => shown,
                None => break,
            };
            let taken = match self.outlet.take([&mut self.piece[..end]]) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(taken) => taken,
                Err(errno) => return Err(errno),
            };
            let before = self.backlog.dropped();
            self.backlog.push(&self.piece[..taken], Label::now());
            moved += taken;
            if self.backlog.dropped() != before {
                self.count_dropped();
            }
        }
        Ok(Moved::Bytes(moved))
    }

    /// What is in memory when the logger exits; `None` if nothing is, or somebody has asked before.
    pub fn lose(&mut self) -> Option<Tally> {
        self.is_off = true;
        let mut lost = self.backlog.waiting();
        if self.ledger.is_none() {
            // The next logger does not know of these.
            lost.merge(&self.backlog.untold());
        }
        let is_known = std::mem::replace(&mut self.is_lost, true);
        (!is_known && !lost.is_empty()).then_some(lost)
    }

    /// What was dropped and is not handed on. From now on nothing is moved.
    pub fn take_gaps(&mut self) -> Tally {
        self.is_off = true;
        self.backlog.take_gaps()
    }

    /// Stores what was ever dropped, where the next logger finds it.
    fn count_dropped(&mut self) {
        let all = Tally { came: self.backlog.untold().came, ..self.backlog.dropped() };
        if let Some(ledger) = &self.ledger {
            // It has its room already, and is memory.
            let _ = ledger.store(&all);
        }
    }

    /// Moves the bytes that the engine has.
    fn relieve_ahead(&mut self) -> Result<(), Errno> {
        let mut ahead = vec![0; std::mem::take(&mut self.ahead_bytes)];
        let mut taken = 0;
        while taken < ahead.len() {
            match self.outlet.take([&mut ahead[taken..]]) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(count) => taken += count,
                Err(errno) => return Err(errno),
            }
        }
        if taken > 0 {
            self.backlog.push_handed(&ahead[..taken], Label::now());
        }
        Ok(())
    }
}

impl Relief {
    /// Starts the thread. The engine has not taken anything from the pipe.
    pub fn start(
        buffer: Buffer,
        is_within_line: bool,
        ledger: Option<(Arc<Ledger>, Tally)>,
        (outlet, copy): (Outlet, (OwnedFd, OwnedFd)),
        messages: Messages,
    ) -> std::io::Result<Helper> {
        let mut backlog = Backlog::new(buffer);
        backlog.begin(is_within_line);
        let ledger = ledger.map(|(ledger, sums)| {
            backlog.continue_sums(sums);
            ledger
        });
        let relief = Arc::new(Relief {
            shared: Mutex::new(Shared {
                backlog,
                ahead_bytes: 0,
                // Until the engine has had its turn.
                is_off: true,
                is_lost: false,
                outlet,
                copy,
                piece: vec![0; PIECE_BYTES],
                ledger,
            }),
            begin: Instant::now(),
            busy_since: AtomicU64::new(0),
            term_at: AtomicU64::new(0),
            is_asleep: AtomicBool::new(false),
            messages,
        });
        let ours = Arc::clone(&relief);
        let handle = small_thread::start(STACK_BYTES, Box::new(move || ours.run()))?;
        Ok(Helper { relief, thread: handle.thread().clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Tells whether a time, if it has come, is so long ago.
    fn is_older(&self, moment: u64, age: Duration) -> bool {
        moment > 0 && Duration::from_millis(self.now().saturating_sub(moment)) >= age
    }

    fn run(&self) {
        let mut quiet_ticks = 0;
        loop {
            let is_busy = self.busy_since.load(Ordering::SeqCst) > 0;
            let has_term = self.has_term();
            quiet_ticks = if is_busy || has_term { 0 } else { quiet_ticks + 1 };
            if quiet_ticks < QUIET_TICKS {
                thread::sleep(TICK);
            } else {
                self.is_asleep.store(true, Ordering::SeqCst);
                // The engine may have become busy meanwhile, and not have seen that.
                if self.busy_since.load(Ordering::SeqCst) == 0 {
                    thread::park();
                }
                self.is_asleep.store(false, Ordering::SeqCst);
                quiet_ticks = 0;
            }
            if has_term {
                self.end_in_time();
            } else if self.is_older(self.busy_since.load(Ordering::SeqCst), STALL) {
                self.relieve();
            }
        }
    }

    /// Tells whether TERM has come. The engine may hang and not notice it.
    fn has_term(&self) -> bool {
        if self.term_at.load(Ordering::SeqCst) == 0 && signal::is_waiting(Signal::SIGTERM) {
            self.note_term();
        }
        self.term_at.load(Ordering::SeqCst) > 0
    }

    fn note_term(&self) {
        let _ = self.term_at.compare_exchange(0, self.now(), Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The engine is stalled: moves what is in the pipe, once that fills.
    fn relieve(&self) {
        let Ok(waiting_bytes) = pipe::waiting_bytes(fd::stdin()) else { return };
        let capacity_bytes = fd::pipe_size(fd::stdin()).unwrap_or(PIECE_BYTES);
        if waiting_bytes < capacity_bytes / FILLED_PART {
            return;
        }
        let mut shared = self.lock();
        // The engine may have come back meanwhile, and wait for what is in the pipe.
        if !self.is_older(self.busy_since.load(Ordering::SeqCst), STALL) || shared.is_off {
            return;
        }
        if capacity_bytes < PIPE_BYTES {
            // A refusal does no harm.
            let _ = fd::set_pipe_size(fd::stdin(), PIPE_BYTES);
        }
        // An error of the pipe is the engine's to report.
        if shared.relieve_ahead().is_ok() {
            let _ = shared.relieve(waiting_bytes);
        }
    }

    /// TERM has come: once a second is nearly over, says what is in memory and ends the process.
    fn end_in_time(&self) {
        if !self.is_older(self.term_at.load(Ordering::SeqCst), TERM_PATIENCE) {
            return;
        }
        // The next logger finds everything else in the pipe.
        let Some(lost) = self.lock().lose() else { return };
        report_lost(self.messages, lost.lines, lost.bytes);
        let Exit(code) = Exit::TROUBLE;
        std::process::exit(code);
    }
}

/// Reads just as many bytes as there are.
fn read_all(from: impl AsFd, bytes: &mut [u8]) -> Result<(), Errno> {
    let mut filled = 0;
    while filled < bytes.len() {
        match fd::read(&from, &mut bytes[filled..])? {
            0 => return Err(Errno::EIO),
            count => filled += count,
        }
    }
    Ok(())
}

/// Says that lines are neither in the log nor in the pipe.
pub fn report_lost(messages: Messages, lines: u64, bytes: u64) {
    messages.warn(format_args!("exiting, unwritten input is lost: {lines} lines, {bytes} bytes"));
}

/// The engine's side.
#[derive(Debug)]
pub struct Helper {
    relief: Arc<Relief>,
    thread: Thread,
}

impl Helper {
    /// The pipe belongs to the engine while it holds this.
    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        self.relief.lock()
    }

    /// The engine is about to wait for bytes that come. The lock is held.
    pub fn begin_wait(&self, _shared: &mut Shared) {
        self.relief.busy_since.store(0, Ordering::SeqCst);
    }

    /// The engine is busy from now on.
    pub fn touch(&self) {
        self.relief.busy_since.store(self.relief.now(), Ordering::SeqCst);
        self.wake();
    }

    /// The engine has taken TERM.
    pub fn note_term(&self) {
        self.relief.note_term();
        self.wake();
    }

    /// Tells whether TERM has come: what is in the pipe stays there.
    #[must_use]
    pub fn has_term(&self) -> bool {
        self.relief.term_at.load(Ordering::SeqCst) > 0
    }

    fn wake(&self) {
        if self.relief.is_asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.lock().is_off = true;
    }
}
