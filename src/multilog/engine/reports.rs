//! Says in the log which lines it does not have, if no line follows that could be said before.

use std::time::Instant;

use super::writing::NOTHING;
use super::{EarlyEnd, Engine};
use crate::multilog::input::Input;
use crate::multilog::input::ledger::Told;
use crate::multilog::script::head_rule::Arrival;
use crate::multilog::withheld::tally::Tally;
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

    /// Says in every directory what was dropped before the next byte of the input, if anything was.
    pub(super) fn report_gap(&mut self) -> Result<(), EarlyEnd> {
        // A script without a buffer may have come after one with a buffer.
        if !self.reader.pending().is_empty() {
            return Ok(());
        }
        while let Some(gap) = self.input.take_gap() {
            self.count_dropped(&gap);
            self.report()?;
        }
        Ok(())
    }

    /// Counts lines that were dropped, for each directory.
    fn count_dropped(&mut self, gap: &Tally) {
        if let Some(metrics) = &mut self.metrics {
            metrics.note_dropped(gap);
        }
        if let Some(told) = &mut self.told {
            told.lines = told.lines.saturating_add(gap.lines);
            told.bytes = told.bytes.saturating_add(gap.bytes);
        }
        self.batch.note_dropped(&self.script, gap);
        self.schedule_report();
    }

    /// Counts what was dropped and cannot be said in its place any more, because the logger exits.
    pub(super) fn count_gaps(&mut self) {
        let gaps = self.input.take_gaps();
        if !gaps.is_empty() {
            self.count_dropped(&gaps);
        }
    }

    /// From now on bytes are kept in memory while the disk takes none, if the script says so. What a predecessor has dropped
    /// and not counted in the log is counted now.
    pub(super) fn begin_relief(&mut self) {
        let buffer = self.script.buffer.filter(|_| !self.directories.is_empty());
        if buffer.is_none() && self.told.is_none() {
            return;
        }
        let home = self.directories.first().and_then(|first| first.place().directory.identity().ok());
        // Without a journal nothing tells how much of the ledger the log counts.
        let ledger = home.filter(|_| self.journal.is_some()).and_then(|home| self.input.open_ledger(home));
        let before = std::mem::take(&mut self.told);
        if let Some((id, all)) = ledger {
            self.told = Some(Told { id, lines: all.lines, bytes: all.bytes });
            let missing = Told::missing_in(before, id, &all);
            // The ledger of a directory that is gone may have the name of this one's.
            if self.has_predecessor && !missing.is_empty() {
                self.batch.note_dropped(&self.script, &missing);
                self.schedule_report();
            }
        }
        if let Some(buffer) = buffer {
            self.input.begin_relief(buffer, self.reader.is_in_line());
        }
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
