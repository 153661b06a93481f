//! Says in the log which lines it does not have, if no line follows that could be said before.

use std::time::Instant;

use super::writing::NOTHING;
use super::{EarlyEnd, Engine};
use crate::multilog::input::Input;
use crate::multilog::script::head_rule::Arrival;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::log_dir::LogDir;
use crate::tai64n::Label;

impl<D: Directory, I: Input> Engine<D, I> {
    /// Notes since when the log does not count every line.
    pub(super) fn schedule_report(&mut self) {
        if self.batch.report_delay().is_none() {
            self.report_since = None;
        } else if self.report_since.is_none() {
            self.report_since = Some(Instant::now());
        }
    }

    /// When the log must count every line; `None` if it does.
    pub(super) fn report_due_at(&self) -> Option<Instant> {
        self.report_since?.checked_add(self.batch.report_delay()?)
    }

    /// Writes to each directory how many lines it has not got. If the disk refuses that until TERM comes, the journal keeps
    /// the counts for the next logger.
    pub(super) fn report(&mut self) -> Result<(), EarlyEnd> {
        while self.report_since.is_some() {
            let now = Label::now();
            self.rotate_on_time(Some(now))?;
            let arrivals = self.script.head.arrivals([now; 2], self.zone.as_ref());
            let heads = self.script.head.heads(&arrivals);
            if !self.batch.plan_report(heads.rest(), self.directories.iter().map(LogDir::room)) {
                break;
            }
            self.write_report(arrivals)?;
        }
        Ok(())
    }

    /// Writes the planned report, and rotates the directories that are full.
    fn write_report(&mut self, arrivals: [Arrival; 2]) -> Result<(), EarlyEnd> {
        let before: Vec<u64> = self.directories.iter().map(|one| one.room().filled_bytes).collect();
        let is_noted = self.note_report(&before, arrivals);
        if self.append_batch().is_err() {
            self.take_back_report(&before, is_noted);
            return Err(EarlyEnd::GivenUp);
        }
        let used_up: Vec<usize> =
            (0..self.directories.len()).filter(|&directory| self.batch.uses_up(directory, NOTHING)).collect();
        if let Some(metrics) = &mut self.metrics {
            for number in 0..self.directories.len() {
                metrics.note_output(number, self.batch.output(number, NOTHING));
            }
        }
        self.batch.commit(NOTHING.bytes);
        self.schedule_report();
        if let Some(journal) = &mut self.journal {
            // There is nothing to consume.
            journal.land(|last| last[0] = 0);
        }
        used_up.into_iter().try_for_each(|directory| self.rotate(directory))
    }

    /// Removes what was written of a report.
    fn take_back_report(&mut self, before: &[u64], is_noted: bool) {
        for (directory, &before) in self.directories.iter_mut().zip(before) {
            if let Err(error) = directory.take_back(before) {
                // The journal still describes the report, so the next logger can complete it.
                self.messages.warn(error);
                return;
            }
        }
        if let Some(journal) = self.journal.as_mut().filter(|_| is_noted) {
            journal.retract();
        }
    }
}
