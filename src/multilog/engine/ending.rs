//! Ends the engine: completes the current line, waits for files that are being finished, seals every `current`, and
//! puts back or counts the bytes that could not be written.

use std::time::{Duration, Instant};

use memchr::memchr_iter;

use super::{EarlyEnd, Engine};
use crate::lines::reader::Taken;
use crate::logdir::logger_state::{Activity, Task};
use crate::logdir::names::JOURNAL;
use crate::multilog::engine::reloading::Leaving;
use crate::multilog::input::relief::report_lost;
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::showing::Showing;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::{Interruptible, Pausing};
use crate::multilog::withheld::state::Withheld;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::log_dir::LogDir;
use crate::multilog::writer::worker::UnderWay;
use crate::sys::poll;
use crate::tai64n::Label;

/// How long the engine waits after TERM for the rest of a line.
///
/// All other waits must fit into the same second.
const LINE_PATIENCE: Duration = Duration::from_millis(500);

impl<D: Directory, I: Input> Engine<D, I> {
    /// Tells whether a line is partly written and the next logger will find its rest, and the journal that describes it.
    pub(super) fn leaves_open_line(&self) -> bool {
        self.reader.is_in_line() && !self.has_ended && self.journal.is_some() && self.input.keeps_rest()
    }

    /// Waits a while for the end of the current line, if there is one, and reads no byte beyond it: the rest is for the
    /// next logger. The unwritten part of a line stays in an input that keeps it.
    pub(super) fn complete_line(&mut self) -> Result<(), EarlyEnd> {
        self.write_memory()?;
        let deadline = Instant::now() + LINE_PATIENCE;
        while self.reader.has_open_line() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.input.wait(Some(left))? != Wake::Input {
                continue;
            }
            let taken = if self.input.keeps_rest() {
                self.reader.fill(&mut self.input, Label::now)?
            } else {
                self.reader.fill_one(&mut self.input, Label::now)?
            };
            if taken == Taken::End {
                self.has_ended = true;
                return Ok(());
            }
            if self.input.keeps_rest() {
                self.reader.leave_other_lines();
            }
            self.write_window()?;
        }
        self.write_memory()?;
        if self.input.keeps_rest() {
            self.reader.leave_rest();
        }
        Ok(())
    }

    /// Writes the bytes that are no longer in the pipe: no successor would find them.
    fn write_memory(&mut self) -> Result<(), EarlyEnd> {
        while self.input.has_stray() {
            self.fill()?;
            self.write_window()?;
        }
        Ok(())
    }

    /// Puts back the bytes that were read and not written, or reports how many are lost; returns false if any are lost.
    /// An input that keeps its bytes needs neither.
    pub(super) fn account_for_rest(&mut self) -> bool {
        if self.journal.is_none() {
            // No next logger will say this.
            let uncounted: u64 = self.batch.states().iter().map(Withheld::lines).sum();
            if uncounted > 0 {
                self.messages.warn(format_args!("exiting, the log does not count {uncounted} missing lines"));
            }
        }
        if let Some(lost) = self.input.lose_memory() {
            report_lost(self.messages, lost.lines, lost.bytes);
            return false;
        }
        let rest = self.input.removed(self.reader.unwritten());
        if rest.is_empty() {
            return true;
        }
        let line_count = memchr_iter(b'\n', rest).count() + usize::from(rest.last() != Some(&b'\n'));
        let bytes = rest.len();
        let is_back = self.input.put_back(bytes);
        if is_back {
            self.messages.warn(format_args!(
                "exiting, unwritten input stays in standard input: {line_count} lines, {bytes} bytes"
            ));
        } else {
            report_lost(self.messages, line_count as u64, bytes as u64);
        }
        is_back
    }

    /// Waits until the current file is finished; TERM shortens the wait.
    pub(super) fn wait_until_finished(&mut self, directory: usize) {
        let mut showing = Showing::new(&mut self.journal, &mut self.state);
        while let Some(UnderWay { done, task }) = self.directories[directory].under_way() {
            showing.show(task);
            let may_go_on = if self.is_exiting {
                poll::readable([done], None).is_ok()
            } else {
                self.input.wait_for(done).unwrap_or(true)
            };
            if !may_go_on {
                drop(showing);
                self.begin_exit();
                showing = Showing::new(&mut self.journal, &mut self.state);
            }
        }
    }

    /// Waits at the end of the input until the surplus archives are removed; TERM ends the wait.
    pub(super) fn wait_until_trimmed(&mut self, directory: usize) {
        while !self.is_exiting {
            let mut patience = Interruptible(Pausing::new(&mut self.input, self.messages));
            let trimming = self.directories[directory].trimming(&mut patience);
            drop(patience);
            let Some(trimmed) = trimming else { break };
            if !self.input.wait_for(trimmed).unwrap_or(true) {
                self.begin_exit();
            }
        }
    }

    /// TERM has come: stop waiting for a processor, or for the disk to recover.
    pub(super) fn begin_exit(&mut self) {
        self.is_exiting = true;
        self.state.task = Task::new(Activity::Exiting, "");
        self.state.since = Label::now();
        if let Some(journal) = &mut self.journal {
            journal.show_task(&self.state);
        }
        self.directories.iter().for_each(LogDir::exit_soon);
        self.leaving.iter().for_each(Leaving::exit_soon);
    }

    /// Seals every directory; returns false if the next start must repair one.
    pub(super) fn seal(&mut self) -> bool {
        // The beginning of a line is written, and no journal says so: the next logger must not append to it.
        let is_torn = self.reader.is_in_line() && self.journal.is_none();
        let mut is_sealed = true;
        for number in 0..self.directories.len() {
            self.wait_until_finished(number);
            if is_torn {
                is_sealed = false;
                continue;
            }
            self.wait_until_trimmed(number);
            // Until the fsync has succeeded.
            self.note_doubt(number, true);
            let directory = &mut self.directories[number];
            let showing = Showing::new(&mut self.journal, &mut self.state);
            is_sealed &= Pausing::new(&mut self.input, self.messages)
                .showing(showing)
                .retry(|patience| directory.seal(patience))
                == Ok(true);
            self.note_doubt(number, self.directories[number].is_doubtful());
        }
        is_sealed &= self.finish_all_leaving();
        self.note_currents();
        if self.told.is_some() {
            // The journal counts everything, and goes after this.
            self.input.remove_ledger();
        }
        if is_sealed && self.journal.take().is_some_and(|journal| !journal.is_needed()) {
            let _ = self.directories[0].place().directory.unlink(JOURNAL.as_bytes());
        }
        is_sealed
    }
}
