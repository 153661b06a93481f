//! The input: descriptor 0, with the signals that can come while it is waited for.
//!
//! Nothing here can miss a signal: TERM and ALRM are blocked from the start and read like any other input, so one that
//! comes a moment before the wait ends the wait. Descriptor 0 is never set to non-blocking: others share it.

use std::time::Duration;

use crate::multilog::reader::Source;
use crate::sys::poll::readable;
use crate::sys::signal::{Signal, SignalQueue};
use crate::sys::{Errno, Result, clock, fd};

/// The size that a pipe is asked to have when reads come back full. Measured: 64 KiB to 1 MiB gives a third more.
const PIPE_BYTES: usize = 1024 * 1024;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Bytes, or the end of the input.
    Input,
    /// TERM: finish the line that has been begun, and leave.
    Terminate,
    /// ALRM: rotate.
    Alarm,
}

/// Standard input and the signals.
#[derive(Debug)]
pub struct Input {
    signals: SignalQueue,
    /// The size of the pipe, as long as a larger one may still be asked for.
    growable_pipe_bytes: Option<usize>,
}

impl Input {
    /// Blocks the signals that multilog answers to.
    pub fn new() -> Result<Input> {
        Ok(Input {
            signals: SignalQueue::new(&[Signal::SIGTERM, Signal::SIGALRM])?,
            growable_pipe_bytes: fd::pipe_size(fd::stdin()).ok().filter(|&size| size < PIPE_BYTES),
        })
    }

    /// Waits until there is something to do. Signals come before bytes.
    pub fn wait(&mut self) -> Result<Wake> {
        use std::os::fd::AsFd;
        loop {
            let [has_signal, has_input] = readable([self.signals.as_fd(), fd::stdin()], None)?;
            if has_signal {
                match self.signals.take() {
                    Some(Signal::SIGTERM) => return Ok(Wake::Terminate),
                    Some(Signal::SIGALRM) => return Ok(Wake::Alarm),
                    _ => {}
                }
            } else if has_input {
                return Ok(Wake::Input);
            }
        }
    }

    /// Waits for the whole time, whatever signals come; they are not lost.
    pub fn rest(&self, time: Duration) {
        let until = |now: clock::UnixTime| Duration::new(now.seconds.unsigned_abs(), now.nanoseconds);
        let end = until(clock::monotonic()) + time;
        while let Some(left) = end.checked_sub(until(clock::monotonic())).filter(|left| !left.is_zero()) {
            std::thread::sleep(left);
        }
    }

    /// Asks for a larger pipe once a read came back full: somebody writes faster than we read. A refusal is no harm.
    fn grow_pipe(&mut self, read_bytes: usize) {
        if self.growable_pipe_bytes.is_some_and(|size| read_bytes >= size) {
            self.growable_pipe_bytes = None;
            let _ = fd::set_pipe_size(fd::stdin(), PIPE_BYTES);
        }
    }
}

impl Source for Input {
    fn take(&mut self, room: &mut [u8]) -> Result<usize> {
        loop {
            match fd::read(fd::stdin(), room) {
                // Somebody made the shared descriptor non-blocking. That it is empty is not its end.
                Err(Errno::EAGAIN) => drop(readable([fd::stdin()], None)?),
                answer => {
                    self.grow_pipe(answer.unwrap_or(0));
                    return answer;
                }
            }
        }
    }

    fn consume(&mut self, _bytes: usize) -> Result<()> {
        // Reading has consumed them.
        Ok(())
    }
}
