//! Standard input: descriptor 0, and the signals that can come while multilog waits for it.
//!
//! No signal can be missed: TERM and ALRM are blocked from the start and read like any other input, so one that comes a
//! moment before the wait ends the wait. Only a [peek that waits](crate::sys::waiting_peek) lets them in, and puts them back. Descriptor 0 is never set to non-blocking: other processes share it.
//!
//! There are two ways to take bytes. Bytes in a pipe are peeked at and stay there until they are written
//! ([`pipe`](crate::multilog::input::pipe)): a killed logger leaves all unwritten bytes to its successor. From any
//! other input bytes are read; if the logger is killed, the bytes that it has read and not written are lost.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::{Messages, standard_error};
use crate::lines::reader::{Source, Taken};
use crate::multilog::error::Error;
use crate::multilog::input::ledger::Ledger;
use crate::multilog::input::pipe::{PipeEvent, PipeInput, unable_to_look};
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::record::Origin;
use crate::multilog::script::buffer::Buffer;
use crate::multilog::withheld::tally::Tally;
use crate::sys::pipe::waiting_bytes;
use crate::sys::signal::{Signal, SignalQueue, SignalWatch};
use crate::sys::stat::FileId;
use crate::sys::{Errno, Result, fd, memory, poll};
use crate::tai64n::Label;

/// Standard input and the signals.
#[derive(Debug)]
pub struct StandardInput {
    signals: SignalQueue,
    /// How to look into the pipe; `None` if bytes can only be read.
    pipe: Option<PipeInput>,
    /// TERM has come and `wait` has not returned it yet.
    has_term: bool,
    /// TERM has come.
    is_terminated: bool,
    /// The step that failed when TERM came has been retried.
    has_retried: bool,
    /// Where the next read of a plain file begins.
    offset: Option<u64>,
    /// ALRM has come and `wait` has not returned it yet.
    has_alarm: bool,
    /// HUP has come and `wait` has not returned it yet.
    has_hup: bool,
    /// Created for the first wait that only TERM may interrupt.
    exit_request: OnceCell<Option<SignalWatch>>,
    /// How long the input has waited for the disk or a processor.
    blocked: Duration,
    /// What was dropped; `None` if the script keeps nothing in memory.
    ledger: Option<(Arc<Ledger>, Tally)>,
    messages: Messages,
}

impl StandardInput {
    /// Blocks the signals that multilog answers to, and finds out how bytes can be taken. HUP is one of them if
    /// `takes_hup`.
    pub fn new(messages: Messages, takes_hup: bool) -> Result<StandardInput> {
        let pipe = PipeInput::new().unwrap_or_else(|error| {
            messages.warn(error);
            None
        });
        Ok(StandardInput { pipe, ..StandardInput::reading(messages, takes_hup)? })
    }

    /// The same, but bytes are read whatever the input is.
    pub fn reading(messages: Messages, takes_hup: bool) -> Result<StandardInput> {
        let signals = [Signal::SIGTERM, Signal::SIGALRM, Signal::SIGHUP];
        let signals = SignalQueue::new(if takes_hup { &signals } else { &signals[..2] })?;
        let is_plain = fd::stat(fd::stdin()).is_ok_and(|stat| stat.is_plain);
        Ok(StandardInput {
            signals,
            pipe: None,
            has_term: false,
            is_terminated: false,
            has_retried: false,
            offset: if is_plain { fd::offset(fd::stdin()).ok() } else { None },
            has_alarm: false,
            has_hup: false,
            exit_request: OnceCell::new(),
            blocked: Duration::ZERO,
            ledger: None,
            messages,
        })
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            if signal == Signal::SIGTERM {
                self.has_term = true;
                self.is_terminated = true;
                standard_error::shorten_waits();
                if let Some(pipe) = &self.pipe {
                    pipe.note_term();
                }
            }
            self.has_alarm |= signal == Signal::SIGALRM;
            self.has_hup |= signal == Signal::SIGHUP;
        }
    }

    fn rest_until(&mut self, end: Instant) -> bool {
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

    fn wait_for_other(&mut self, other: BorrowedFd<'_>) -> Result<bool> {
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
}

impl Input for StandardInput {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Wake> {
        let deadline = timeout.map(|time| Instant::now() + time);
        let mut left = timeout;
        loop {
            if std::mem::take(&mut self.has_term) {
                return Ok(Wake::Terminate);
            }
            if std::mem::take(&mut self.has_alarm) {
                return Ok(Wake::Alarm);
            }
            if std::mem::take(&mut self.has_hup) {
                return Ok(Wake::Reload);
            }
            let event = match &mut self.pipe {
                Some(pipe) => {
                    let event = pipe.wait(self.signals.as_fd(), left, deadline);
                    announce(pipe, self.messages);
                    event?
                }
                None => match poll::readable([self.signals.as_fd(), fd::stdin()], left)? {
                    [true, _] => PipeEvent::Signal,
                    [false, true] => PipeEvent::Input,
                    [false, false] => PipeEvent::Nothing,
                },
            };
            match event {
                PipeEvent::Signal => self.take_signals(),
                PipeEvent::Input => return Ok(Wake::Input),
                PipeEvent::Nothing if left.is_some_and(|left| left.is_zero()) => return Ok(Wake::Timeout),
                PipeEvent::Nothing => {}
            }
            left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        }
    }

    fn rest(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        let is_over = self.rest_until(start + time);
        self.blocked += start.elapsed();
        is_over
    }

    fn wait_for(&mut self, other: BorrowedFd<'_>) -> Result<bool> {
        let start = Instant::now();
        let answer = self.wait_for_other(other);
        self.blocked += start.elapsed();
        answer
    }

    fn blocked(&self) -> Duration {
        self.blocked
    }

    fn waiting_bytes(&self) -> Option<usize> {
        self.pipe.as_ref()?;
        waiting_bytes(fd::stdin()).ok()
    }

    fn is_exiting(&self) -> bool {
        self.is_terminated
    }

    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        let watch = self.exit_request.get_or_init(|| SignalWatch::new(Signal::SIGTERM).ok());
        watch.as_ref().map(AsFd::as_fd)
    }

    fn begin_relief(&mut self, buffer: Buffer, is_within_line: bool) {
        let messages = self.messages;
        let begun = match &mut self.pipe {
            Some(pipe) => pipe.begin_relief(buffer, is_within_line, self.ledger.clone(), messages),
            None => Err(Error::unexplained("unable to keep lines in memory: standard input is no pipe")),
        };
        if let Err(error) = begun {
            messages.warn(error);
        }
    }

    fn open_ledger(&mut self, home: FileId) -> Option<(Label, Tally)> {
        self.pipe.as_ref()?;
        let opened = Ledger::open(home);
        let unable = |errno| Error::unable("count dropped lines in /dev/shm, a kill loses the count", errno);
        let (ledger, all) = opened.inspect_err(|errno| self.messages.warn(unable(*errno))).ok()?;
        let id = ledger.id();
        self.ledger = Some((Arc::new(ledger), all));
        Some((id, all))
    }

    fn remove_ledger(&mut self) {
        if let Some((ledger, _)) = self.ledger.take() {
            ledger.remove();
        }
    }

    fn take_gaps(&mut self) -> Tally {
        self.pipe.as_mut().map_or_else(Tally::default, PipeInput::take_gaps)
    }

    fn take_gap(&mut self) -> Option<Tally> {
        self.pipe.as_mut()?.take_gap()
    }

    fn lose_memory(&mut self) -> Option<Tally> {
        self.pipe.as_mut()?.lose_memory()
    }

    fn has_term(&mut self) -> bool {
        self.take_signals();
        self.has_term
    }

    fn keeps_rest(&self) -> bool {
        self.pipe.as_ref().is_some_and(PipeInput::keeps_rest)
    }

    fn removed<'r>(&'r self, unwritten: &'r [u8]) -> &'r [u8] {
        // All other bytes that were shown are still in the pipe.
        self.pipe.as_ref().map_or(unwritten, PipeInput::stray)
    }

    fn has_stray(&self) -> bool {
        self.pipe.as_ref().is_some_and(PipeInput::has_stray)
    }

    fn put_back(&mut self, bytes: usize) -> bool {
        let Some(offset) = self.offset else { return false };
        // If another process that shares the file has read from it, the offset does not tell which bytes this logger took.
        let is_ours = fd::offset(fd::stdin()) == Ok(offset);
        let Some(before) = offset.checked_sub(bytes as u64).filter(|_| is_ours) else { return false };
        let is_back = fd::seek(fd::stdin(), before).is_ok();
        if is_back {
            self.offset = Some(before);
        }
        is_back
    }

    fn origin(&self) -> Option<Origin> {
        self.pipe.as_ref().map(PipeInput::origin)
    }

    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>> {
        let Some(pipe) = &mut self.pipe else { return Ok(Vec::new()) };
        let shown = pipe.show(bytes);
        announce(pipe, self.messages);
        shown
    }

    fn look_anew(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            pipe.look_anew();
        }
    }
}

impl Source for StandardInput {
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        if let Some(pipe) = &mut self.pipe {
            let taken = pipe.take(held, room);
            announce(pipe, self.messages);
            match taken {
                // The system does not allow peeking, so the pipe is read. Nothing has been taken yet.
                Err(errno) if pipe.is_new() => {
                    debug_assert_ne!(errno, Errno::EAGAIN);
                    self.messages.warn(unable_to_look(errno));
                    self.pipe = None;
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
        match &mut self.pipe {
            Some(pipe) => {
                let answer = pipe.consume(logged, last);
                announce(pipe, self.messages);
                answer
            }
            // Reading has consumed them.
            None => Ok(true),
        }
    }

    fn gave_all(&self, count: usize, room_bytes: usize) -> bool {
        self.pipe.as_ref().map_or(count < room_bytes, PipeInput::saw_all)
    }

    fn came(&self) -> Option<Label> {
        self.pipe.as_ref().and_then(PipeInput::came)
    }

    fn shrink(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            pipe.shrink();
        }
        // Here and not in the engine: the simulated machine has no memory to give back, and would do it very often.
        memory::give_back();
    }

    fn piece_bytes(&self) -> usize {
        self.pipe.as_ref().map_or(usize::MAX, PipeInput::piece_bytes)
    }
}

/// Prints the warnings about a pipe.
fn announce(pipe: &mut PipeInput, messages: Messages) {
    pipe.take_notices().into_iter().for_each(|notice| messages.warn(notice));
}
