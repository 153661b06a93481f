//! Notes in the journal each batch before it is written, and the state of every `current` in between.

use super::Engine;
use crate::logdir::names::JOURNAL;
use crate::multilog::input::Input;
use crate::multilog::journal::publish::{is_in, publish, reserve};
use crate::multilog::journal::record::{Record, samples};
use crate::multilog::name::PROGRAM;
use crate::multilog::open_line::OpenLine;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::log_dir::LogDir;

impl<D: Directory, I: Input> Engine<D, I> {
    /// Makes a new journal where the one that is kept went away or is damaged, or where none could be made: as often as
    /// directories are looked after, so that an idle logger is not woken.
    pub(super) fn keep_journal(&mut self) {
        let Some(heading) = &self.heading else { return };
        let first = self.directories[0].place();
        if self.journal.as_ref().is_some_and(|journal| !journal.is_lost() && is_in(first, heading)) {
            return;
        }
        let heading = heading.next();
        // A process maps one file at a time.
        let is_missing = self.journal.take().is_none();
        let snapshot = self.snapshot();
        let made = reserve(first, &heading).and_then(|journal| publish(journal, first, &snapshot));
        match &made {
            Ok(_) if is_missing => PROGRAM.warn(format_args!("keeping {}/{JOURNAL} again", first.name)),
            Err(error) if !is_missing => PROGRAM.warn(error),
            // It goes on as before, or the failure has been announced.
            Ok(_) | Err(_) => {}
        }
        self.journal = made.ok();
        if let Some(journal) = &mut self.journal {
            journal.show(&self.state);
        }
        self.heading = Some(heading);
    }

    /// Notes in the journal the batch that is planned, with how long each `current` was before it. False if it was not
    /// noted: no journal is kept, or nothing of the batch comes from the input but the newline that the last line lacks.
    pub(super) fn note_batch(&mut self, before: &[u64]) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let Some(window) = self.reader.window() else { return false };
        let input_bytes = self.batch.input_bytes();
        let adds_newline = self.reader.has_added_newline() && input_bytes == window.bytes.len();
        let Some(last) = (input_bytes - usize::from(adds_newline)).checked_sub(1) else { return false };
        let extents = self.directories.iter().zip(before).enumerate().map(|(number, (directory, &offset_bytes))| {
            directory.extent(offset_bytes, self.batch.output(number, window).len() as u64)
        });
        journal.begin(&Record {
            input_bytes: last as u64 + 1,
            adds_newline,
            last_byte: window.bytes[last],
            samples: samples(&window.bytes[..=last]),
            labels: self.reader.labels(),
            open_lines: self.batch.open_lines().map(OpenLine::clone),
            extents: extents.collect(),
        });
        true
    }

    /// The state between two batches.
    pub(super) fn snapshot(&self) -> Record {
        let [open_line, _] = self.batch.open_lines();
        Record {
            input_bytes: 0,
            adds_newline: false,
            last_byte: 0,
            samples: samples(b""),
            labels: self.reader.labels(),
            open_lines: [open_line.clone(), open_line.clone()],
            extents: self.directories.iter().map(|one| one.extent(one.room().filled_bytes, 0)).collect(),
        }
    }

    /// Notes in the journal what every `current` is now, if it is not what the last batch left.
    pub(super) fn note_currents(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        // A batch that is not settled is what a successor must know.
        let Some((record, true)) = journal.told() else { return };
        let is_same_line = record.open_lines[1] == *self.batch.open_lines()[0];
        let mut extents = self.directories.iter().zip(&record.extents);
        let is_as_told = |(directory, told): (&LogDir<D>, &Extent)| {
            told.after() == Some(directory.extent(directory.room().filled_bytes, 0))
        };
        if is_same_line && extents.all(is_as_told) {
            return;
        }
        let state = self.snapshot();
        self.journal.as_mut().expect("it was there").begin(&state);
    }

    /// Notes in the journal whether the disk may lack some of a directory's `current`.
    pub(super) fn note_doubt(&mut self, number: usize, is_doubtful: bool) {
        if let Some(journal) = &mut self.journal {
            journal.amend(|record| {
                if let Some(extent) = record.extents.get_mut(number) {
                    extent.is_doubtful = is_doubtful;
                }
            });
        }
    }
}
