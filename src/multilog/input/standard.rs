//! The input: descriptor 0, with the signals that can come while it is waited for.
//!
//! Nothing here can miss a signal: TERM and ALRM are blocked from the start and read like any other input, so one that
//! comes a moment before the wait ends the wait. Descriptor 0 is never set to non-blocking: others share it.
//!
//! There are two ways to take bytes. From a pipe they are peeked at and stay there until they are on their way to the
//! disk ([`peek`](crate::multilog::input::pipe)): a logger that is killed leaves its successor all that it had not written. From
//! anything else they are read, and what a killed logger had read and not written is gone.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::cli::standard_error;
use crate::lines::reader::{Source, Taken};
use crate::multilog::input::Input;
use crate::multilog::input::Wake;
use crate::multilog::input::pipe::{PipeInput, unable_to_look};
use crate::multilog::journal::record::Origin;
use crate::multilog::name::PROGRAM;
use crate::sys::signal::{Signal, SignalQueue, SignalWatch};
use crate::sys::{Errno, Result, fd, poll};

/// Standard input and the signals.
#[derive(Debug)]
pub struct StandardInput {
    signals: SignalQueue,
    /// How to look into the pipe; `None` if bytes can only be read.
    peek: Option<PipeInput>,
    /// TERM has come and has not been told.
    has_term: bool,
    /// TERM has come.
    is_terminated: bool,
    /// What failed when TERM came has been tried once more.
    has_retried: bool,
    /// Where the next read of a plain file begins.
    offset: Option<u64>,
    /// ALRM has come and has not been told.
    has_alarm: bool,
    /// Made when something has to be waited for that only TERM may cut short.
    leaving: OnceCell<Option<SignalWatch>>,
}

impl StandardInput {
    /// Blocks the signals that multilog answers to, and finds out how bytes can be taken.
    pub fn new() -> Result<StandardInput> {
        Ok(StandardInput { peek: PipeInput::new(), ..StandardInput::reading()? })
    }

    /// The same, but bytes are read whatever the input is.
    pub fn reading() -> Result<StandardInput> {
        let signals = SignalQueue::new(&[Signal::SIGTERM, Signal::SIGALRM])?;
        let is_plain = fd::stat(fd::stdin()).is_ok_and(|stat| stat.is_plain);
        Ok(StandardInput {
            signals,
            peek: None,
            has_term: false,
            is_terminated: false,
            has_retried: false,
            offset: if is_plain { fd::offset(fd::stdin()).ok() } else { None },
            has_alarm: false,
            leaving: OnceCell::new(),
        })
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            if signal == Signal::SIGTERM {
                self.has_term = true;
                self.is_terminated = true;
                standard_error::hurry();
            }
            self.has_alarm |= signal == Signal::SIGALRM;
        }
    }
}

impl Input for StandardInput {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Wake> {
        let deadline = timeout.map(|time| Instant::now() + time);
        loop {
            if std::mem::take(&mut self.has_term) {
                return Ok(Wake::Terminate);
            }
            if std::mem::take(&mut self.has_alarm) {
                return Ok(Wake::Alarm);
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let (has_signal, has_input) = match &mut self.peek {
                Some(peek) => peek.wait(self.signals.as_fd(), left)?,
                None => {
                    let [signals, input] = poll::readable([self.signals.as_fd(), fd::stdin()], left)?;
                    (signals, input)
                }
            };
            if has_signal {
                self.take_signals();
            } else if has_input {
                return Ok(Wake::Input);
            } else if left.is_some_and(|left| left.is_zero()) {
                return Ok(Wake::Timeout);
            }
        }
    }

    fn rest(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.is_terminated {
                return !self.keeps_rest() && !std::mem::replace(&mut self.has_retried, true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            match poll::readable([self.signals.as_fd()], Some(left)) {
                Ok([true]) => self.take_signals(),
                Ok([false]) => {}
                Err(_) => std::thread::sleep(left),
            }
        }
    }

    fn wait_for(&mut self, other: BorrowedFd<'_>) -> Result<bool> {
        loop {
            if self.has_term {
                return Ok(false);
            }
            let [has_signal, is_ready] = poll::readable([self.signals.as_fd(), other], None)?;
            if has_signal {
                self.take_signals();
            } else if is_ready {
                return Ok(true);
            }
        }
    }

    fn is_leaving(&self) -> bool {
        self.is_terminated
    }

    fn leaving(&self) -> Option<BorrowedFd<'_>> {
        let watch = self.leaving.get_or_init(|| SignalWatch::new(Signal::SIGTERM).ok());
        watch.as_ref().map(AsFd::as_fd)
    }

    fn has_term(&mut self) -> bool {
        self.take_signals();
        self.has_term
    }

    fn keeps_rest(&self) -> bool {
        self.peek.as_ref().is_some_and(PipeInput::keeps_rest)
    }

    fn removed<'r>(&'r self, unwritten: &'r [u8]) -> &'r [u8] {
        // Of what was shown, the rest is still in the pipe.
        self.peek.as_ref().map_or(unwritten, PipeInput::stray)
    }

    fn has_stray(&self) -> bool {
        self.peek.as_ref().is_some_and(PipeInput::has_stray)
    }

    fn put_back(&mut self, bytes: usize) -> bool {
        let Some(offset) = self.offset else { return false };
        // If somebody else who shares the file has read from it, nobody can tell what is whose.
        let is_ours = fd::offset(fd::stdin()) == Ok(offset);
        let Some(before) = offset.checked_sub(bytes as u64).filter(|_| is_ours) else { return false };
        let is_back = fd::seek(fd::stdin(), before).is_ok();
        if is_back {
            self.offset = Some(before);
        }
        is_back
    }

    fn origin(&self) -> Option<Origin> {
        self.peek.as_ref().map(PipeInput::origin)
    }

    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>> {
        self.peek.as_mut().map_or(Ok(Vec::new()), |peek| peek.show(bytes))
    }

    fn look_anew(&mut self) {
        if let Some(peek) = &mut self.peek {
            peek.look_anew();
        }
    }
}

impl Source for StandardInput {
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        if let Some(peek) = &mut self.peek {
            match peek.take(held, room) {
                // The system does not let us look: then we read. Nothing has been taken yet.
                Err(errno) if peek.is_new() => {
                    debug_assert_ne!(errno, Errno::EAGAIN);
                    PROGRAM.warn(unable_to_look(errno));
                    self.peek = None;
                }
                answer => return answer,
            }
        }
        match fd::read(fd::stdin(), room) {
            Ok(0) if !room.is_empty() => Ok(Some(Taken::End)),
            // Somebody made the shared descriptor non-blocking. That it is empty is not its end.
            Err(Errno::EAGAIN) => Ok(Some(Taken::Bytes(0))),
            answer => {
                let count = answer?;
                self.offset = self.offset.map(|offset| offset + count as u64);
                Ok(Some(Taken::Bytes(count)))
            }
        }
    }

    fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        match &mut self.peek {
            Some(peek) => peek.consume(logged, last),
            // Reading has consumed them.
            None => Ok(true),
        }
    }

    fn gave_all(&self, count: usize, room_bytes: usize) -> bool {
        self.peek.as_ref().map_or(count < room_bytes, PipeInput::saw_all)
    }

    fn shrink(&mut self) {
        if let Some(peek) = &mut self.peek {
            peek.shrink();
        }
    }

    fn piece_bytes(&self) -> usize {
        self.peek.as_ref().map_or(usize::MAX, PipeInput::piece_bytes)
    }
}
