//! Waits for a pipe that holds nothing by peeking at it: where lines come one by one, that costs less than a poll before
//! each.

use std::time::{Duration, Instant};

use super::{PipeEvent, PipeInput};
use crate::multilog::input::turn::Turn;
use crate::sys::waiting_peek::{Peeked, WaitingPeek};
use crate::sys::{Result, fd, memory, pipe};

/// Below this a timer is not worth its calls.
const TIMEOUT_LEAST: Duration = Duration::from_millis(2);

/// The way to wait by peeking, and what was found by it.
#[derive(Debug, Default)]
pub(super) struct WaitByPeek {
    way: Way,
    /// What the copy holds already.
    found: Option<Found>,
}

#[derive(Debug, Default)]
enum Way {
    /// Nobody has waited yet.
    #[default]
    Unknown,
    Open(WaitingPeek),
    /// The system does not allow it.
    Closed,
}

/// The answer of a peek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// How many bytes it showed.
    pub bytes: usize,
    /// How many it would have shown.
    pub most: usize,
}

impl PipeInput {
    /// Waits by peeking; `None` if that is not possible now.
    pub(super) fn wait_by_peek(
        &mut self,
        timeout: Option<Duration>,
        end: Option<Instant>,
    ) -> Result<Option<PipeEvent>> {
        let is_short = timeout.is_some_and(|time| time < TIMEOUT_LEAST);
        let holds_some = self.ahead_bytes > 0 || !self.stray.is_empty();
        // In memory bytes can come without the pipe, so more than the pipe is to be waited for.
        if holds_some || is_short || self.relief.is_some() || !matches!(self.turn, Turn::Ours) {
            return Ok(None);
        }
        if let Way::Unknown = self.wait_by_peek.way {
            // Where there is little memory, a look must not show more than its taker has room for.
            let is_possible = !memory::is_scarce();
            let peek = is_possible.then(WaitingPeek::new).and_then(Result::ok);
            self.wait_by_peek.way = peek.map_or(Way::Closed, Way::Open);
        }
        debug_assert!(!self.has_found(), "what was found is taken before the next wait");
        let most = self.look_bytes();
        let Way::Open(peek) = &mut self.wait_by_peek.way else { return Ok(None) };
        let Some(Peeked { bytes, has_signal, has_alarm }) = peek.peek(fd::stdin(), &self.copy.1, most, end)? else {
            // Perhaps somebody has made the pipe non-blocking: that can happen again at any time.
            self.wait_by_peek.way = Way::Closed;
            return Ok(None);
        };
        if has_signal {
            // What the signal asks for may take long, and more bytes may come meanwhile.
            self.forget(bytes)?;
            return Ok(Some(PipeEvent::Signal));
        }
        self.wait_by_peek.found = (bytes > 0).then_some(Found { bytes, most });
        // What is neither may be the end: the next look tells.
        Ok(Some(if bytes == 0 && has_alarm { PipeEvent::Nothing } else { PipeEvent::Input }))
    }

    /// Tells whether the copy holds what a wait has found.
    pub(super) fn has_found(&self) -> bool {
        self.wait_by_peek.found.is_some()
    }

    /// What a wait has found, if that is what a look for `held` and `room` would find.
    pub(super) fn take_found(&mut self, held: &[u8], room: &[u8]) -> Result<Option<Found>> {
        let Some(found) = self.wait_by_peek.found.take() else { return Ok(None) };
        if held.is_empty() && found.bytes <= room.len() {
            return Ok(Some(found));
        }
        self.forget(found.bytes)?;
        Ok(None)
    }

    /// Empties the copy.
    fn forget(&mut self, bytes: usize) -> Result<()> {
        self.reserve_scratch(bytes);
        let mut left = bytes;
        while left > 0 {
            left -= pipe::read_scattered(&self.copy.0, [&mut self.scratch[..left]])?;
        }
        Ok(())
    }
}
