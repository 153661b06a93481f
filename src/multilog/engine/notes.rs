//! Notes in the journal each batch before it is written, and the state of every `current` in between.

use super::Engine;
use super::writing::NOTHING;
use crate::lines::window::Window;
use crate::logdir::names::JOURNAL;
use crate::multilog::batch::Batch;
use crate::multilog::input::Input;
use crate::multilog::journal::publish::{is_in, publish, reserve};
use crate::multilog::journal::record::{Record, samples};
use crate::multilog::open_line::OpenLine;
use crate::multilog::script::head_rule::Arrival;
use crate::multilog::withheld::state::{Change, Withheld};
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::log_dir::LogDir;

impl<D: Directory, I: Input> Engine<D, I> {
    /// Creates a new journal if the current one was removed or damaged, or if none could be created before. It runs
    /// together with the other periodic checks, so that an idle logger is not woken.
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
            Ok(_) if is_missing => self.messages.warn(format_args!("keeping {}/{JOURNAL} again", first.name)),
            Err(error) if !is_missing => self.messages.warn(error),
            // Nothing has changed, or the failure has been announced already.
            Ok(_) | Err(_) => {}
        }
        self.journal = made.ok();
        if let Some(journal) = &mut self.journal {
            journal.show(&self.state);
        }
        self.heading = Some(heading);
    }

    /// Notes the planned batch in the journal, with when its lines came and the length of each `current` before it. Returns false if nothing
    /// was noted: no journal is kept, or the batch holds only the newline that the last line lacks.
    pub(super) fn note_batch(&mut self, before: &[u64], arrivals: [Arrival; 2]) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let Some(window) = self.reader.window() else { return false };
        let input_bytes = self.batch.input_bytes();
        let adds_newline = self.reader.has_added_newline() && input_bytes == window.bytes.len();
        let Some(last) = (input_bytes - usize::from(adds_newline)).checked_sub(1) else { return false };
        // Filled anew, and not made anew: for a batch of one line, to allocate is a good part of the work.
        let record = &mut self.noted;
        record.input_bytes = last as u64 + 1;
        record.adds_newline = adds_newline;
        record.last_byte = window.bytes[last];
        record.samples = samples(&window.bytes[..=last]);
        record.arrivals = arrivals;
        for (noted, open_line) in record.open_lines.iter_mut().zip(self.batch.open_lines()) {
            noted.set(open_line);
        }
        record.extents.clear();
        record.extents.extend(extents(&self.directories, before, &self.batch, window));
        record.changes = self.batch.changes();
        record.told = self.told;
        journal.begin(record);
        true
    }

    /// Notes the planned report in the journal. Returns false if no journal is kept.
    pub(super) fn note_report(&mut self, before: &[u64], arrivals: [Arrival; 2]) -> bool {
        let extents = extents(&self.directories, before, &self.batch, NOTHING).collect();
        let report = Record { arrivals, extents, changes: self.batch.changes(), ..self.snapshot() };
        let Some(journal) = &mut self.journal else { return false };
        journal.begin(&report);
        true
    }

    /// The state between two batches.
    pub(super) fn snapshot(&self) -> Record {
        let [open_line, _] = self.batch.open_lines();
        let directories: Vec<_> = self.directories.iter().collect();
        let change = |state: &Withheld| Change { states: [*state; 2], first_repeats: 0 };
        let changes = self.batch.states().iter().map(change).collect();
        Record { changes, ..self.snapshot_of(open_line, &directories) }
    }

    /// The same of other directories, where nothing is counted.
    pub(super) fn snapshot_of(&self, open_line: &OpenLine, directories: &[&LogDir<D>]) -> Record {
        Record {
            input_bytes: 0,
            adds_newline: false,
            last_byte: 0,
            samples: samples(b""),
            arrivals: self.arrivals(),
            open_lines: [open_line.clone(), open_line.clone()],
            extents: directories.iter().map(|one| one.extent(one.room().filled_bytes, 0)).collect(),
            changes: vec![],
            told: self.told,
        }
    }

    /// Notes the state of every `current` in the journal, if it has changed since the last batch.
    pub(super) fn note_currents(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        // A successor must know of a batch that is not consumed yet.
        let Some((record, true)) = journal.latest() else { return };
        let is_same_line = record.open_lines[1] == *self.batch.open_lines()[0];
        let mut extents = self.directories.iter().zip(&record.extents);
        let is_as_told = |(directory, told): (&LogDir<D>, &Extent)| {
            told.after() == Some(directory.extent(directory.room().filled_bytes, 0))
        };
        let has_same_counts = record.changes.iter().map(|change| &change.states[1]).eq(self.batch.states());
        if is_same_line && has_same_counts && record.told == self.told && extents.all(is_as_told) {
            return;
        }
        let state = self.snapshot();
        self.journal.as_mut().expect("it was there").begin(&state);
    }

    /// Notes in the journal whether some bytes of a directory's `current` may not be on the disk.
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

/// What the planned batch adds to each `current`, of which `before` are the lengths before it.
fn extents<D: Directory>(
    directories: &[LogDir<D>],
    before: &[u64],
    batch: &Batch,
    window: Window<'_>,
) -> impl Iterator<Item = Extent> {
    directories.iter().zip(before).enumerate().map(move |(number, (directory, &offset_bytes))| {
        directory.extent(offset_bytes, batch.output(number, window).len() as u64)
    })
}
