//! Writes the lines of the reader, batch by batch, and rotates directories in between.

use memchr::memrchr;

use super::{EarlyEnd, Engine};
use crate::cli::{Messages, standard_output};
use crate::lines::window::Window;
use crate::logdir::logger_state::{Activity, Task};
use crate::multilog::alert;
use crate::multilog::batch::Batch;
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::journal::showing::Showing;
use crate::multilog::partial::PartlyWritten;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::Pausing;
use crate::multilog::status::StatusFile;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::log_dir::LogDir;
use crate::tai64n::Label;

/// How much of a batch is written with one call where it may be lost: FUSE takes 128 KiB at once, in whole pages.
const WHOLE_BYTES: usize = 64 * 1024;

/// What is written where there are no lines.
pub(super) const NOTHING: Window<'_> = Window { bytes: b"", is_open: false };

impl<D: Directory, I: Input> Engine<D, I> {
    /// Writes all whole lines of the reader, batch by batch.
    pub(super) fn write_window(&mut self) -> Result<(), EarlyEnd> {
        while self.write_batch()? {
            self.reload_if_wanted();
        }
        Ok(())
    }

    /// Writes one batch, and rotates the directories that it filled; returns false if there is nothing to write.
    pub(super) fn write_batch(&mut self) -> Result<bool, EarlyEnd> {
        if self.reader.window().is_none() {
            return Ok(false);
        }
        let [_, came] = self.reader.labels();
        self.rotate_on_time(Some(came))?;
        let Some(window) = self.reader.window() else { return Ok(false) };
        let rooms = self.directories.iter().map(LogDir::room);
        let arrivals = self.arrivals();
        self.batch.come(self.reader.labels());
        self.batch.plan(window, &self.script.head.heads(&arrivals), rooms);
        let input_bytes = self.batch.input_bytes();
        let mut before = std::mem::take(&mut self.lengths_before);
        before.clear();
        before.extend(self.directories.iter().map(|one| one.room().filled_bytes));
        let is_noted = self.note_batch(&before, arrivals);
        announce(&self.batch, &mut self.statuses, self.messages);
        if self.append_batch().is_err() {
            return self.give_up(&before, is_noted, None).and(Err(EarlyEnd::GivenUp));
        }
        if let Some(printed) = self.print_copies() {
            return self.give_up(&before, is_noted, Some(printed)).and(Err(EarlyEnd::GivenUp));
        }
        self.lengths_before = before;
        let window = self.reader.window().expect("nothing has been taken from it");
        let used_up: Vec<usize> =
            (0..self.directories.len()).filter(|&directory| self.batch.uses_up(directory, window)).collect();
        if let Some(metrics) = &mut self.metrics {
            metrics.note_input(&window.bytes[..input_bytes], came);
            for number in 0..self.directories.len() {
                metrics.note_output(number, self.batch.output(number, window));
                if let Some(added) = self.batch.added(number) {
                    metrics.note_withheld(number, added);
                }
            }
        }
        self.consume_batch(input_bytes)?;
        for directory in used_up {
            self.rotate(directory)?;
        }
        Ok(true)
    }

    /// Appends the planned batch to each `current`, unless TERM comes while that fails.
    pub(super) fn append_batch(&mut self) -> Result<(), Error> {
        let window = self.reader.window().unwrap_or(NOTHING);
        for number in 0..self.directories.len() {
            let mut rest = self.batch.output(number, window);
            while !rest.is_empty() {
                let piece = if self.script.buffer.is_some() { whole_lines(rest) } else { rest };
                let directories = &mut self.directories;
                let append = |one: &mut LogDir<D>| one.append(piece);
                let showing = Showing::new(&mut self.journal, &mut self.state);
                let mut patience = Pausing::new(&mut self.input, self.messages).showing(showing);
                let written = patience.retry(|_| making_room(directories, number, append))?;
                rest = &rest[written..];
            }
        }
        Ok(())
    }

    /// Prints the copies of the batch. Returns how many bytes are printed if the others are left to the next logger: the input
    /// keeps their lines.
    fn print_copies(&mut self) -> Option<usize> {
        let copies = self.batch.copies();
        if copies.is_empty() {
            return None;
        }
        let mut showing = Showing::new(&mut self.journal, &mut self.state);
        if self.script.waits_for_reader {
            showing.show(Task::new(Activity::Printing, ""));
        }
        let done = standard_output::print(copies, self.messages);
        drop(showing);
        if done < copies.len() && self.input.keeps_rest() {
            return Some(done);
        }
        standard_output::drop_lines(&copies[done..]);
        None
    }

    /// Consumes a batch that is written.
    pub(super) fn consume_batch(&mut self, input_bytes: usize) -> Result<(), EarlyEnd> {
        self.batch.commit(self.reader.window().unwrap_or(NOTHING).bytes);
        self.schedule_report();
        self.count_batch(input_bytes);
        self.reader.mark_written(input_bytes);
        let (reader, input) = (&mut self.reader, &mut self.input);
        match &mut self.journal {
            Some(journal) => journal.land(|last| reader.consume_written(input, last))?,
            None => reader.consume_written(input, &mut [0])?,
        }
        Ok(())
    }

    /// Counts what is logged, for other programs.
    fn count_batch(&mut self, input_bytes: usize) {
        let counts = &mut self.state.counts;
        counts.lines = counts.lines.wrapping_add(self.batch.line_count() as u64);
        counts.bytes = counts.bytes.wrapping_add(input_bytes as u64);
        counts.last_came = self.reader.labels().last().copied();
        if let Some(journal) = &mut self.journal {
            journal.show_counts(&self.state);
        }
    }

    /// Gives up a batch that cannot be written. The whole lines that every directory has are consumed; the rest is removed
    /// from the files again and stays in the input. `is_noted` is true if the journal describes the batch; `printed` says how
    /// many bytes are on standard output, if the lines for it cannot be written.
    pub(super) fn give_up(&mut self, before: &[u64], is_noted: bool, printed: Option<usize>) -> Result<(), EarlyEnd> {
        let Some(window) = self.reader.window() else { return Ok(()) };
        let written: Vec<u64> =
            self.directories.iter().zip(before).map(|(one, before)| one.room().filled_bytes - before).collect();
        let rooms: Vec<_> = self.directories.iter().zip(before).map(|(one, &bytes)| one.room().at(bytes)).collect();
        let arrivals = self.arrivals();
        let heads = self.script.head.heads(&arrivals);
        let partly_written = PartlyWritten { window, heads, rooms: &rooms, written: &written, printed };
        let end = partly_written.fitting_bytes(&mut self.batch);
        if end > 0 && printed.is_none() {
            // The directories have these lines, so no other logger prints them.
            let done = standard_output::print(self.batch.copies(), self.messages);
            standard_output::drop_lines(&self.batch.copies()[done..]);
        }
        for (number, directory) in self.directories.iter_mut().enumerate() {
            let kept = if end > 0 { self.batch.output(number, window).len() as u64 } else { 0 };
            if let Err(error) = directory.take_back(before[number] + kept) {
                // The journal still describes the batch, so the next logger can complete it.
                self.messages.warn(error);
                return Ok(());
            }
        }
        if end > 0 {
            self.note_batch(before, arrivals);
            self.consume_batch(end)?;
        } else if let Some(journal) = self.journal.as_mut().filter(|_| is_noted) {
            journal.retract();
        }
        if self.input.keeps_rest() {
            self.reader.leave_rest();
        }
        Ok(())
    }

    /// Rotates every directory that has something in current.
    pub(super) fn rotate_all(&mut self) -> Result<(), EarlyEnd> {
        for directory in 0..self.directories.len() {
            if self.directories[directory].room().filled_bytes > 0 {
                self.rotate(directory)?;
            }
        }
        Ok(())
    }

    /// Rotates every directory whose file ends by now, or before lines that came at a moment.
    pub(super) fn rotate_on_time(&mut self, moment: Option<Label>) -> Result<(), EarlyEnd> {
        for directory in 0..self.directories.len() {
            if self.directories[directory].take_rotation_due(moment) {
                self.rotate(directory)?;
            }
        }
        Ok(())
    }

    pub(super) fn rotate(&mut self, directory: usize) -> Result<(), EarlyEnd> {
        self.wait_until_finished(directory);
        let directories = &mut self.directories;
        let showing = Showing::new(&mut self.journal, &mut self.state);
        Pausing::new(&mut self.input, self.messages)
            .showing(showing)
            .retry(|patience| making_room(directories, directory, |one| one.rotate(patience)))
            .map_err(|_| EarlyEnd::GivenUp)?;
        if let Some(metrics) = &mut self.metrics {
            metrics.note_rotation(directory);
        }
        self.note_currents();
        Ok(())
    }
}

/// What is written with one call where a batch may be lost from memory: the first lines, which a file system writes whole
/// or not at all.
fn whole_lines(text: &[u8]) -> &[u8] {
    let piece = &text[..text.len().min(WHOLE_BYTES)];
    let end = memrchr(b'\n', piece).map_or(piece.len(), |newline| newline + 1);
    &piece[..end]
}

/// Does something in one directory. If the disk is full, releases the preallocated space of all directories, waits for what
/// is being freed, and tries once more.
fn making_room<D: Directory, T>(
    directories: &mut [LogDir<D>],
    number: usize,
    mut act: impl FnMut(&mut LogDir<D>) -> Result<T, Error>,
) -> Result<T, Error> {
    match act(&mut directories[number]) {
        Err(error) if error.is_want_of_room() => {
            // All directories, as each has space of its own.
            let make_room = |one: &mut LogDir<D>| one.give_back() | one.wait_until_freed();
            let had_any = directories.iter_mut().fold(false, |had_any, one| make_room(one) | had_any);
            if had_any { act(&mut directories[number]) } else { Err(error) }
        }
        answer => answer,
    }
}

/// Writes the alerts and status files of a batch. A successor that completes the batch repeats this.
fn announce(batch: &Batch, statuses: &mut [StatusFile], messages: Messages) {
    alert::write(batch.alerts());
    for (number, file) in statuses.iter_mut().enumerate() {
        if let Some(record) = batch.status(number)
            && let Err(error) = file.replace(record)
        {
            messages.warn(error);
        }
    }
}
