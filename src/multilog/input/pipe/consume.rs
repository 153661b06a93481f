//! Removes bytes from the pipe once they are logged, and compares them with those that were shown.

use super::PipeInput;
use crate::lines::page_buffer::PAGE_BYTES;
use crate::multilog::input::stray;
use crate::sys::{Errno, Result, fd, pipe};

/// How often taking bytes out is tried again where bytes wait and the system says that there are none.
const REFUSALS_MAX: u32 = 3;
impl PipeInput {
    /// Takes bytes off the pipe that were handed on before and are logged. This never waits. False if the pipe did not hold
    /// them any more: then what was handed on and not consumed has to be taken anew.
    pub fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        if self.relief.is_some() { self.consume_relieved(logged, last) } else { self.consume_piped(logged, last) }
    }

    /// The same where nothing is in memory.
    pub(super) fn consume_piped(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        let stray_bytes = self.stray_ahead_bytes.min(logged.len());
        self.stray.drain(..stray_bytes);
        self.stray_ahead_bytes -= stray_bytes;
        let piped = &logged[stray_bytes..];
        let is_as_shown = piped.is_empty() || self.take_out_shown(piped, last)?;
        // They are logged in any case, and must not be logged again.
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
                // The pipe holds bytes, so this is another failure.
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
        self.note_change();
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
            match outlet.take([&mut *scratch_part, &mut *last]) {
                // The system does not know the call, or refuses it.
                Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES | Errno::EINVAL | Errno::EBADF) => self.outlet = None,
                answer => return answer,
            }
        }
        let shifted = pipe::shift(fd::stdin(), &self.copy.1, scratch_part.len() + 1)?;
        let mut read = 0;
        while read < shifted {
            let at = read.min(scratch_part.len());
            match pipe::read_scattered(&self.copy.0, [&mut scratch_part[at..], &mut *last])? {
                0 => return Err(Errno::EIO),
                count => read += count,
            }
        }
        Ok(shifted)
    }
}
