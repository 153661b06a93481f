//! The journal: a mapped file in the first log directory. It tells the successor of a killed logger how far that logger
//! came.
//!
//! Before a batch is written, the journal notes which bytes of the pipe it covers and where in each `current` its
//! output begins. Afterwards the bytes are read from the pipe, and the same read stores the last of them in the
//! journal, in place of its complement. So the journal shows whether the bytes are still in the pipe, whenever the
//! logger is killed.
//!
//! If the journal shows a batch whose bytes are still in the pipe, the successor makes the same output from the same
//! bytes with the same stamps, compares it with the end of each `current`, appends what is missing, and removes the
//! bytes from the pipe. It truncates nothing, because a file may hold the only copy.
//!
//! Between two batches the journal holds the identity and length of every `current`, and whether an fsync of it failed.
//! So a successor in the same boot knows whether a `current` is whole, and can append to it.
//!
//! A successor does not trust the journal blindly: the checksum, the boot and the pipe must match, and the bytes are
//! compared. The [layout](crate::multilog::journal::layout) of the file is described beside its reader.

use crate::logdir::checksum::hash;
use crate::logdir::logger_state::{LoggerState, STATE_BYTES};
use crate::logdir::memory::Memory;
use crate::multilog::journal::layout::{
    BODY, BODY_LENGTH, CHECKSUM, HEADING, LANDING, LENGTHS, LENGTHS_CHECKSUM, Layout, MAGIC, TELLING, checksum,
    file_bytes, latest_slot, lengths, read_heading, read_slot, slot_bytes,
};
use crate::multilog::journal::record::{Heading, Record};

/// An open journal.
#[derive(Debug)]
pub struct Journal<M> {
    memory: M,
    layout: Layout,
    /// The valid slot, from 0; the other is free.
    telling: usize,
    /// Whether the record in that slot, and then in the other, is valid.
    is_true: [bool; 2],
    /// Where the state is that other programs read; `None` in a predecessor's journal.
    state_at: Option<usize>,
    /// Kept from batch to batch.
    body: Vec<u8>,
}

impl<M: Memory> Journal<M> {
    /// A journal in fresh memory of [`file_bytes`] bytes.
    pub fn new(mut memory: M, heading: &Heading) -> Journal<M> {
        let mut bytes = Vec::new();
        heading.encode(&mut bytes);
        let slot_bytes = slot_bytes(heading.names.len());
        let lengths = lengths(bytes.len(), slot_bytes);
        let layout = Layout::new(bytes.len(), slot_bytes).expect("arguments are few and short");
        memory.store(0, MAGIC);
        memory.store(LENGTHS, &lengths);
        memory.store(LENGTHS_CHECKSUM, &hash([&lengths[..], &bytes]).to_le_bytes());
        memory.store(HEADING, &bytes);
        let state_at = Some(file_bytes(heading) - STATE_BYTES);
        Journal { memory, layout, telling: 0, is_true: [false; 2], state_at, body: Vec::new() }
    }

    /// The journal that a predecessor kept in some memory; `None` if that says nothing.
    pub fn find(memory: M) -> Option<Journal<M>> {
        let file = memory.load();
        let (_, layout) = read_heading(&file)?;
        let telling = latest_slot(&file)?;
        read_slot(&file, layout, telling)?;
        Some(Journal { memory, layout, telling, is_true: [true, false], state_at: None, body: Vec::new() })
    }

    /// Goes on with a journal of this process, with the heading that it was made with.
    pub fn reopen(memory: M, heading: &Heading) -> Option<Journal<M>> {
        Some(Journal { state_at: Some(file_bytes(heading) - STATE_BYTES), ..Journal::find(memory)? })
    }

    /// The memory that it is kept in.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// The latest record, and whether its bytes have been consumed.
    #[must_use]
    pub fn latest(&self) -> Option<(Record, bool)> {
        if !self.is_true[0] {
            return None;
        }
        read_slot(&self.memory.load(), self.layout, self.telling)
    }

    /// Tells whether the journal's file was removed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.memory.is_lost()
    }

    /// Notes a batch that is about to be written, or a state. If the logger is killed at any point of this call, the
    /// journal holds this record or the one before.
    pub fn begin(&mut self, record: &Record) {
        self.note(record, record.is_state());
    }

    fn note(&mut self, record: &Record, is_consumed: bool) {
        let next = 1 - self.telling;
        let slot = self.slot_at(next);
        self.body.clear();
        record.encode(&mut self.body);
        let landing = if is_consumed { record.last_byte } else { !record.last_byte };
        self.memory.store(slot + LANDING, &[landing, record.last_byte]);
        let length = u32::try_from(self.body.len()).expect("a body fits its slot");
        self.memory.store(slot + BODY_LENGTH, &length.to_le_bytes());
        self.memory.store(slot + CHECKSUM, &checksum(record.last_byte, &self.body).to_le_bytes());
        self.memory.store(slot + BODY, &self.body);
        self.commit_slot(next);
        self.is_true = [true, self.is_true[0]];
    }

    /// Changes the latest record, if there is one and anything changes.
    pub fn amend(&mut self, change: impl FnOnce(&mut Record)) {
        let Some((before, is_consumed)) = self.latest() else { return };
        let mut record = before.clone();
        change(&mut record);
        if record != before {
            self.note(&record, is_consumed);
            // The record in the other slot is out of date.
            self.is_true[1] = false;
        }
    }

    fn slot_at(&self, slot: usize) -> usize {
        self.layout.slot_at(slot).expect("the slots are within the memory")
    }

    fn commit_slot(&mut self, slot: usize) {
        self.memory.store(TELLING, &[if slot == 0 { 1 } else { 2 }]);
        self.telling = slot;
    }

    /// Lends the landing to the read that takes the batch off the pipe, for the last byte of it.
    pub fn land<T>(&mut self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        self.memory.lend(self.slot_at(self.telling) + LANDING, read)
    }

    /// Withdraws the batch that was noted last, of which nothing is written any more: the record before it is valid again.
    pub fn retract(&mut self) {
        match self.is_true {
            [_, true] => self.commit_slot(1 - self.telling),
            [_, false] => self.memory.store(TELLING, &[0]),
        }
        self.is_true = [self.is_true[1], false];
    }

    /// Shows all of the logger's state to other programs.
    pub fn show(&mut self, state: &LoggerState) {
        if let Some(at) = self.state_at {
            state.store(&mut self.memory, at);
        }
    }

    /// Shows other programs how much has been logged.
    pub fn show_counts(&mut self, state: &LoggerState) {
        if let Some(at) = self.state_at {
            state.store_counts(&mut self.memory, at);
        }
    }

    /// Shows other programs what the logger does.
    pub fn show_task(&mut self, state: &LoggerState) {
        if let Some(at) = self.state_at {
            state.store_task(&mut self.memory, at);
        }
    }

    /// Tells whether a batch has been noted that is not consumed.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.latest().is_some_and(|(_, is_consumed)| !is_consumed)
    }

    /// Tells whether a successor needs the journal although every `current` is sealed: a batch is not consumed, it ended
    /// within a line, or the log does not count every line that it does not have.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.latest()
            .is_some_and(|(record, is_consumed)| !is_consumed || record.open_lines[1].is_open || record.is_pending())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logdir::restraint::Restraint;
    use crate::multilog::input::ledger::Told;
    use crate::multilog::journal::layout::{file_bytes, is_foreign, read};
    use crate::multilog::journal::record::{Clause, Origin, Rules};
    use crate::multilog::open_line::OpenLine;
    use crate::multilog::script::automaton;
    use crate::multilog::script::expression::{self, Expression};
    use crate::multilog::script::head_rule::{Arrival, HeadRule};
    use crate::multilog::script::pattern::Pattern;
    use crate::multilog::withheld::state::Change;
    use crate::multilog::writer::extent::Extent;
    use crate::sys::clock::UnixTime;
    use crate::sys::stat::FileId;
    use crate::tai64n::{Label, StampForm};

    fn heading(directories: usize) -> Heading {
        expression::use_compiler(automaton::COMPILER);
        let mut clauses = vec![
            Clause::Deselect(Pattern::star(b"*")),
            Clause::Select(Pattern::star(b"*x*")),
            Clause::Select(Pattern::Expression(Expression::new(b"x+$").unwrap())),
        ];
        clauses.resize(clauses.len() + directories, Clause::Log(Restraint::default()));
        Heading {
            origin: Origin { pipe: FileId::new(1, 2), boot: 3 },
            number: 4,
            rules: Rules {
                head: HeadRule { stamp: Some(StampForm::LocalWithOffset), prefix: b"web: ".to_vec() },
                clauses,
            },
            names: (0..directories as u64).collect(),
        }
    }

    fn journal(directories: usize) -> Journal<Vec<u8>> {
        let heading = heading(directories);
        Journal::new(vec![0; file_bytes(&heading)], &heading)
    }

    fn record(directories: usize, input_bytes: u64, last_byte: u8) -> Record {
        let label = Label::from(UnixTime { seconds: 1, nanoseconds: 2 });
        Record {
            input_bytes,
            adds_newline: directories % 2 == 1,
            last_byte,
            samples: [[last_byte; 16]; 2],
            arrivals: [label, label.next().unwrap()].map(|label| Arrival { label, offset_seconds: -3600 }),
            open_lines: [
                OpenLine { is_open: true, goes_to: vec![true; directories], is_copied: true },
                OpenLine::closed(directories),
            ],
            extents: (0..directories as u64)
                .map(|number| Extent {
                    directory: FileId::new(7, number),
                    current: FileId::new(7, 1000 + number),
                    offset_bytes: number * 1000,
                    output_bytes: if input_bytes == 0 { 0 } else { 17 },
                    is_doubtful: number % 3 == 1,
                })
                .collect(),
            changes: vec![Change { first_repeats: 5, ..Change::default() }; directories],
            told: Some(Told { id: label, lines: 8, bytes: 9 }),
        }
    }

    fn told<M: Memory>(journal: &Journal<M>) -> Option<(Record, bool)> {
        let told = read(&journal.memory.load()).map(|told| (told.record, told.is_consumed));
        assert_eq!(journal.latest(), told);
        told
    }

    #[test]
    fn a_batch_is_begun_until_its_last_byte_lands() {
        let record = record(3, 17, b'\n');
        let mut journal = journal(3);
        assert_eq!(told(&journal), None);

        journal.begin(&record);
        assert_eq!(told(&journal), Some((record.clone(), false)));
        journal.land(|last| last[0] = b'\n');
        assert_eq!(told(&journal), Some((record, true)));
        let heading = read(&journal.memory).unwrap().heading;
        assert_eq!(heading, self::heading(3));
    }

    #[test]
    fn a_state_between_two_batches_is_always_settled() {
        let mut journal = journal(2);

        journal.begin(&record(2, 0, 0));

        assert_eq!(told(&journal), Some((record(2, 0, 0), true)));
    }

    #[test]
    fn a_batch_that_is_being_noted_leaves_the_one_before_it_told() {
        let (before, next) = (record(2, 5, b'a'), record(2, 9, b'b'));
        for stores in 0..=5 {
            let heading = heading(2);
            let page = vec![0; file_bytes(&heading)];
            let mut journal = Journal::new(Limited { page, stores: usize::MAX }, &heading);
            journal.begin(&before);
            journal.land(|last| last[0] = b'a');
            journal.memory.stores = stores;
            journal.begin(&next);

            let told = read(&journal.memory.page).map(|told| (told.record, told.is_consumed));

            assert_eq!(told, Some(if stores < 5 { (before.clone(), true) } else { (next.clone(), false) }));
        }
    }

    /// Memory of a logger that is killed after so many stores.
    struct Limited {
        page: Vec<u8>,
        stores: usize,
    }

    impl Memory for Limited {
        fn store(&mut self, at: usize, bytes: &[u8]) {
            if let Some(left) = self.stores.checked_sub(1) {
                self.stores = left;
                self.page.store(at, bytes);
            }
        }

        fn load(&self) -> Vec<u8> {
            self.page.clone()
        }

        fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
            self.page.lend(at, read)
        }

        fn is_lost(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_batch_taken_back_leaves_the_one_before() {
        let (before, after) = (record(3, 17, b'x'), record(3, 4, b'y'));
        let mut journal = journal(3);

        journal.begin(&before);
        journal.land(|last| last[0] = b'x');
        journal.begin(&after);
        journal.retract();

        assert_eq!(told(&journal), Some((before, true)));
        assert!(!journal.is_needed());
        journal.begin(&after);
        assert_eq!(told(&journal), Some((after, false)));
        assert!(journal.is_needed());
    }

    #[test]
    fn what_was_taken_back_does_not_come_back() {
        let mut journal = journal(3);

        journal.begin(&record(3, 17, b'x'));
        journal.retract();
        journal.begin(&record(3, 4, b'y'));
        journal.retract();

        assert_eq!(told(&journal), None);
    }

    #[test]
    fn doubt_is_noted_and_the_batch_stays_what_it_was() {
        for is_consumed in [false, true] {
            let mut journal = journal(1);
            journal.begin(&record(1, 17, b'x'));
            if is_consumed {
                journal.land(|last| last[0] = b'x');
            }

            journal.amend(|record| record.extents[0].is_doubtful = true);

            let (mut now, is_consumed_now) = told(&journal).unwrap();
            assert!(std::mem::take(&mut now.extents[0].is_doubtful));
            assert_eq!((now, is_consumed_now), (record(1, 17, b'x'), is_consumed));
        }
    }

    #[test]
    fn a_journal_holds_as_many_directories_as_it_is_made_for() {
        for directories in [0, 1, 100, 200, 1000] {
            let record = record(directories, 1, 0);
            let mut journal = journal(directories);

            journal.begin(&record);
            journal.begin(&record);

            assert_eq!(told(&journal), Some((record, false)));
            assert!(Journal::find(journal.memory).is_some());
        }
    }

    #[test]
    fn a_journal_of_an_older_version_says_nothing_but_that_it_is_there() {
        let mut file = b"LOGYARD\x03\x01".to_vec();
        file.resize(4096, 7);

        assert_eq!(read(&file), None);
        assert!(is_foreign(&file));
        file[8] = 0;
        assert!(!is_foreign(&file));
    }

    proptest! {
        #[test]
        fn a_page_with_one_wrong_byte_says_nothing_or_the_same(at in 0..900_usize, wrong in 1..=255_u8) {
            let record = record(3, 17, b'x');
            let mut journal = journal(3);
            journal.begin(&record);
            journal.memory[at] ^= wrong;

            if let Some(told) = read(&journal.memory) {
                prop_assert_eq!(told.record, record);
                prop_assert_eq!(told.heading, heading(3));
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(mut page in prop::collection::vec(any::<u8>(), 0..500)) {
            prop_assert_eq!(read(&page), None);
            for (byte, magic) in page.iter_mut().zip(MAGIC.iter().chain(&[1])) {
                *byte = *magic;
            }
            let _ = read(&page);
            let _ = Journal::find(page);
        }
    }
}
