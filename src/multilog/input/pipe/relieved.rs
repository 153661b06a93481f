//! The pipe where bytes may be in memory, because the disk took none for a while: those are handed on first.

use std::sync::Arc;

use super::{CHUNK_BYTES, PipeInput};
use crate::cli::Messages;
use crate::lines::reader::Taken;
use crate::multilog::error::Error;
use crate::multilog::input::ledger::Ledger;
use crate::multilog::input::relief::{Helper, Moved, PIECE_BYTES, Relief};
use crate::multilog::script::buffer::Buffer;
use crate::multilog::withheld::tally::Tally;
use crate::sys::Result;
use crate::sys::pipe::{self, Outlet};
use crate::tai64n::Label;

impl PipeInput {
    /// From now on bytes are moved to memory while the disk takes none.
    pub fn begin_relief(
        &mut self,
        buffer: Buffer,
        is_within_line: bool,
        ledger: Option<(Arc<Ledger>, Tally)>,
        messages: Messages,
    ) -> std::result::Result<(), Error> {
        let Some(outlet) = Outlet::of_stdin().ok().filter(Outlet::is_usable) else {
            return Err(Error::unexplained("unable to keep lines in memory: the system does not allow it"));
        };
        let copy = pipe::new().map_err(|errno| Error::unable("keep lines in memory", errno))?;
        let helper = Relief::start(buffer, is_within_line, ledger, (outlet, copy), messages);
        self.relief = Some(helper.map_err(|_| Error::unexplained("unable to keep lines in memory: no thread starts"))?);
        Ok(())
    }

    /// When the bytes came that were handed on last; `None` if they had just come.
    #[must_use]
    pub fn came(&self) -> Option<Label> {
        self.came
    }

    /// What was dropped before the next byte.
    pub fn take_gap(&mut self) -> Option<Tally> {
        self.relief.as_ref()?.lock().backlog.take_gap()
    }

    /// What was dropped and is not handed on. From now on nothing is moved to memory.
    pub fn take_gaps(&mut self) -> Tally {
        self.relief.as_ref().map_or_else(Tally::default, |helper| helper.lock().take_gaps())
    }

    /// What is in memory. From now on nothing is moved there.
    pub fn lose_memory(&mut self) -> Option<Tally> {
        self.relief.as_ref()?.lock().lose()
    }

    /// TERM has come.
    pub fn note_term(&self) {
        self.relief.iter().for_each(Helper::note_term);
    }

    /// Tells whether anything is in memory that is not handed on.
    pub(super) fn has_memory(&self) -> bool {
        self.relief.as_ref().is_some_and(|helper| helper.lock().backlog.has_more())
    }

    /// Tells whether anything is in memory.
    pub(super) fn is_in_memory(&self) -> bool {
        self.relief.as_ref().is_some_and(|helper| !helper.lock().backlog.is_empty())
    }

    /// Begins to wait for the pipe; returns false if there is something in memory.
    pub(super) fn begin_wait(&mut self) -> bool {
        let Some(helper) = &self.relief else { return true };
        let mut shared = helper.lock();
        if shared.backlog.has_more() {
            return false;
        }
        if !shared.backlog.is_empty() {
            // What was handed on is in memory.
            self.ahead_bytes = 0;
        }
        helper.begin_wait(&mut shared);
        true
    }

    pub(super) fn end_wait(&self) {
        self.relief.iter().for_each(Helper::touch);
    }

    /// Hands on what is in memory, and otherwise looks into the pipe.
    pub(super) fn take_relieved(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        let Some(helper) = self.relief.take() else { return self.take_piped(held, room) };
        let answer = self.take_by(&helper, held, room);
        helper.touch();
        self.relief = Some(helper);
        answer
    }

    fn take_by(&mut self, helper: &Helper, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        let mut shared = helper.lock();
        self.came = None;
        if shared.backlog.is_empty() {
            let answer = self.take_piped(held, room);
            shared.ahead_bytes = self.ahead_bytes;
            shared.is_off = !self.stray.is_empty();
            return answer;
        }
        self.ahead_bytes = 0;
        self.saw_all = false;
        if !shared.backlog.has_more() {
            // The rest of a line is in the pipe whose beginning is in memory.
            if shared.relieve_part(room.len().min(CHUNK_BYTES))? == Moved::End {
                return Ok(Some(Taken::End));
            }
        }
        let Some((count, came)) = shared.backlog.take(held.len(), room) else { return Ok(Some(Taken::Bytes(0))) };
        self.came = Some(came);
        Ok(Some(Taken::Bytes(count)))
    }

    /// Removes logged bytes from memory, or from the pipe.
    pub(super) fn consume_relieved(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        let Some(helper) = self.relief.take() else { return self.consume_piped(logged, last) };
        let answer = self.consume_by(&helper, logged, last);
        helper.touch();
        self.relief = Some(helper);
        answer
    }

    fn consume_by(&mut self, helper: &Helper, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        let mut shared = helper.lock();
        let is_within_line = logged.last() != Some(&b'\n');
        if shared.backlog.is_empty() {
            let answer = self.consume_piped(logged, last);
            shared.ahead_bytes = self.ahead_bytes;
            shared.is_off = !self.stray.is_empty();
            shared.backlog.begin(is_within_line);
            return answer;
        }
        self.ahead_bytes = 0;
        shared.backlog.consume(logged.len());
        last[0] = logged[logged.len() - 1];
        if !shared.backlog.is_empty() && !helper.has_term() {
            // The engine goes on: its writers go on at half its speed, so that the memory empties.
            let most = (logged.len() / 2).min(shared.backlog.room_bytes().saturating_sub(PIECE_BYTES));
            shared.relieve(most)?;
        }
        Ok(true)
    }
}
