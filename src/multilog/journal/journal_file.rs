//! The journal: a file in the first log directory, mapped, that tells a logger's successor how far it came.
//!
//! Before a batch is written the journal says which bytes of the pipe it covers and where in each `current` its output
//! begins. When it is written the bytes are read off the pipe, and the same read stores the last of them in the journal,
//! where its complement stood until then: so the journal tells whether they are gone, whenever the logger was killed.
//!
//! A successor whose journal says that a batch was begun and its bytes are still in the pipe makes the same output of the
//! same bytes with the same stamps, compares it with what stands in each `current`, appends what is missing, and takes
//! the bytes off. Nothing is truncated: what is in a file may be the only copy.
//!
//! Between two batches the journal says what every `current` is and how long, and whether the disk refused any of it. So a
//! successor in the same boot knows whether a `current` is whole, and goes on with it.
//!
//! The journal says nothing that is believed blindly: a checksum, the machine's boot and the pipe must agree, and the
//! bytes are compared.
//!
//! A record is noted beside the one before it and then, by one byte, put in its place: whenever the logger is killed, one
//! of the two is told, and with it the line that was in hand. A journal is made under another name and then, by a rename,
//! put in the place of the one before it.
//!
//! ```text
//! 0   "LOGYARD" and the version
//! 8   which slot tells: 1 or 2; 0 for neither
//! 16  length of the heading     20  length of a slot     24  checksum of the two lengths and the heading
//! 32  the heading, and behind it, from a multiple of 8, slot 1 and slot 2; in each:
//!     0   the landing: the last byte of the batch once it has been read off the pipe, its complement before
//!     1   the last byte of the batch
//!     4   length of the body     8  checksum of byte 1 and the body     16  the body
//! ```

use crate::lines::page_buffer::PAGE_BYTES;
use crate::logdir::memory::Memory;
use crate::logdir::names::{JOURNAL, NEWJOURNAL};
use crate::multilog::error::Error;
use crate::multilog::journal::hash::hash;
use crate::multilog::journal::record::{Heading, Record};
use crate::multilog::name::PROGRAM;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::place::Place;
use crate::sys::{Errno, Result};

/// What every journal begins with.
const NAME: &[u8; 7] = b"LOGYARD";
/// What a journal of this version begins with.
const MAGIC: &[u8; 8] = b"LOGYARD\x03";
/// Where in the file it stands which slot tells, in each version.
const TELLING: usize = 8;
/// Where the lengths are, their checksum, and the heading.
const LENGTHS: usize = 16;
const LENGTHS_CHECKSUM: usize = 24;
const HEADING: usize = 32;
/// Where things are in a slot.
const LANDING: usize = 0;
const LAST_BYTE: usize = 1;
const BODY_LENGTH: usize = 4;
const CHECKSUM: usize = 8;
const BODY: usize = 16;

/// More than a journal can be: the kernel takes no more arguments.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where in a journal the slots are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    slots_at: usize,
    slot_bytes: usize,
}

impl Layout {
    fn new(heading_bytes: usize, slot_bytes: usize) -> Option<Layout> {
        let slots_at = HEADING.checked_add(heading_bytes)?.checked_next_multiple_of(8)?;
        Some(Layout { slots_at, slot_bytes })
    }

    fn slot_at(self, slot: usize) -> Option<usize> {
        self.slots_at.checked_add(slot.checked_mul(self.slot_bytes)?)
    }
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it says of all its batches.
    pub heading: Heading,
    /// The last batch, or the state since.
    pub record: Record,
    /// The bytes of the batch are no longer in the pipe.
    pub is_consumed: bool,
}

/// A journal that is kept.
#[derive(Debug)]
pub struct Journal<M> {
    memory: M,
    layout: Layout,
    /// The slot that tells, from 0; the other is free.
    telling: usize,
    /// Whether that slot, and then the other, tells something that is true.
    is_true: [bool; 2],
    /// Kept from batch to batch.
    body: Vec<u8>,
}

/// Makes a journal that nobody finds before it is published. Where that is not possible, nothing is lost when the logger
/// is killed, but up to a batch may be logged twice; that is announced.
pub fn reserve<D: Directory>(place: &Place<D>, heading: &Heading) -> Option<Journal<D::Memory>> {
    try_to_reserve(place, heading).inspect_err(|&errno| warn(place, errno)).ok()
}

/// Tries once more to make a journal that could not be made, and says so when it is there.
pub fn make_again<D: Directory>(place: &Place<D>, heading: &Heading, first: &Record) -> Option<Journal<D::Memory>> {
    let journal = try_to_reserve(place, heading).and_then(|journal| journal.try_to_publish(place, first)).ok()?;
    PROGRAM.warn(format_args!("keeping {}/{JOURNAL} again", place.name));
    Some(journal)
}

fn try_to_reserve<D: Directory>(place: &Place<D>, heading: &Heading) -> Result<Journal<D::Memory>> {
    // Somebody else's file keeps its name.
    place.directory.load(JOURNAL, 0)?;
    discard_unfinished(place)?;
    let memory = place.directory.memory(NEWJOURNAL, file_bytes(heading)).inspect_err(|_| {
        let _ = discard_unfinished(place);
    })?;
    Ok(Journal::new(memory, heading))
}

/// Removes a journal that somebody was making and did not publish.
pub fn discard_unfinished<D: Directory>(place: &Place<D>) -> Result<()> {
    match place.directory.unlink(NEWJOURNAL.as_bytes()) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Tells whether the journal with a heading is the one that a successor would find, and tells it something.
pub fn is_in<D: Directory>(place: &Place<D>, heading: &Heading) -> bool {
    match place.directory.load(JOURNAL, BYTES_MAX) {
        Ok(file) => file.and_then(|file| read(&file)).is_some_and(|told| told.heading == *heading),
        // What has its name is another's; of other errors nothing follows.
        Err(errno) => errno != Errno::EPERM,
    }
}

fn warn<D: Directory>(place: &Place<D>, errno: Errno) {
    PROGRAM.warn(Error::new(format_args!("unable to keep {}/{JOURNAL}", place.name), errno));
}

/// How large the file of a journal with a heading is.
#[must_use]
pub fn file_bytes(heading: &Heading) -> usize {
    let mut bytes = Vec::new();
    heading.encode(&mut bytes);
    (HEADING + bytes.len() + 8 + 2 * slot_bytes(heading.names.len())).next_multiple_of(PAGE_BYTES)
}

fn slot_bytes(directories: usize) -> usize {
    (BODY + Record::encoded_bytes(directories)).next_multiple_of(8)
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
        Journal { memory, layout, telling: 0, is_true: [false; 2], body: Vec::new() }
    }

    /// The journal that a predecessor kept in some memory; `None` if that says nothing.
    pub fn find(memory: M) -> Option<Journal<M>> {
        let file = memory.load();
        let (_, layout) = read_heading(&file)?;
        let telling = telling_slot(&file)?;
        read_slot(&file, layout, telling)?;
        Some(Journal { memory, layout, telling, is_true: [true, false], body: Vec::new() })
    }

    /// The memory that it is kept in.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// Puts the journal in the place of the one before it, with a first record. Where that fails there is none, which is
    /// announced.
    pub fn publish<D: Directory<Memory = M>>(self, place: &Place<D>, first: &Record) -> Option<Journal<M>> {
        self.try_to_publish(place, first).inspect_err(|&errno| warn(place, errno)).ok()
    }

    fn try_to_publish<D: Directory<Memory = M>>(mut self, place: &Place<D>, first: &Record) -> Result<Journal<M>> {
        self.begin(first);
        place.directory.rename(NEWJOURNAL, JOURNAL).inspect_err(|_| {
            let _ = discard_unfinished(place);
        })?;
        Ok(self)
    }

    /// The record that is told, and whether its bytes have been consumed.
    #[must_use]
    pub fn told(&self) -> Option<(Record, bool)> {
        if !self.is_true[0] {
            return None;
        }
        read_slot(&self.memory.load(), self.layout, self.telling)
    }

    /// Tells whether the journal's file went away.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.memory.is_lost()
    }

    /// Notes a batch that is about to be written, or a state. Killed at any point within, the journal tells this record
    /// or the one before.
    pub fn begin(&mut self, record: &Record) {
        self.note(record, record.input_bytes == 0);
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
        self.tell(next);
        self.is_true = [true, self.is_true[0]];
    }

    /// Changes the record that is told, if there is one and anything changes.
    pub fn amend(&mut self, change: impl FnOnce(&mut Record)) {
        let Some((before, is_consumed)) = self.told() else { return };
        let mut record = before.clone();
        change(&mut record);
        if record != before {
            self.note(&record, is_consumed);
            // What the other slot tells is no longer true.
            self.is_true[1] = false;
        }
    }

    fn slot_at(&self, slot: usize) -> usize {
        self.layout.slot_at(slot).expect("the slots are within the memory")
    }

    fn tell(&mut self, slot: usize) {
        self.memory.store(TELLING, &[if slot == 0 { 1 } else { 2 }]);
        self.telling = slot;
    }

    /// Lends the landing to the read that takes the batch off the pipe, for the last byte of it.
    pub fn land<T>(&mut self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        self.memory.lend(self.slot_at(self.telling) + LANDING, read)
    }

    /// Takes back the batch that was noted last, of which nothing is written any more: the one before it is told again.
    pub fn retract(&mut self) {
        match self.is_true {
            [_, true] => self.tell(1 - self.telling),
            [_, false] => self.memory.store(TELLING, &[0]),
        }
        self.is_true = [self.is_true[1], false];
    }

    /// Tells whether a batch has been begun that is not settled.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.told().is_some_and(|(_, is_consumed)| !is_consumed)
    }

    /// Tells whether a successor must know what the journal says, where every `current` is on the disk and marked: a
    /// batch is not settled, or ended within a line.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.told().is_some_and(|(record, is_consumed)| !is_consumed || record.open_lines[1].is_open)
    }
}

fn lengths(heading_bytes: usize, slot_bytes: usize) -> [u8; 8] {
    let mut lengths = [0; 8];
    for (place, length) in lengths.chunks_exact_mut(4).zip([heading_bytes, slot_bytes]) {
        place.copy_from_slice(&u32::try_from(length).expect("arguments are few and short").to_le_bytes());
    }
    lengths
}

/// Reads a journal, which may hold anything.
#[must_use]
pub fn read(file: &[u8]) -> Option<Told> {
    let (heading, layout) = read_heading(file)?;
    let (record, is_consumed) = read_slot(file, layout, telling_slot(file)?)?;
    (record.extents.len() == heading.names.len()).then_some(Told { heading, record, is_consumed })
}

/// Tells whether a file that cannot be read is a journal of another version that tells something.
#[must_use]
pub fn is_foreign(file: &[u8]) -> bool {
    file.starts_with(NAME) && !file.starts_with(MAGIC) && file.get(TELLING).is_some_and(|&telling| telling != 0)
}

fn read_heading(file: &[u8]) -> Option<(Heading, Layout)> {
    if !file.starts_with(MAGIC) {
        return None;
    }
    let lengths = file.get(LENGTHS..LENGTHS_CHECKSUM)?;
    let number = |at: usize| usize::try_from(u32::from_le_bytes(lengths[at..at + 4].try_into().ok()?)).ok();
    let (heading_bytes, slot_bytes) = (number(0)?, number(4)?);
    let heading = file.get(HEADING..)?.get(..heading_bytes)?;
    let sum = u64::from_le_bytes(file[LENGTHS_CHECKSUM..HEADING].try_into().ok()?);
    if sum != hash([lengths, heading]) {
        return None;
    }
    Some((Heading::decode(heading)?, Layout::new(heading_bytes, slot_bytes)?))
}

fn telling_slot(file: &[u8]) -> Option<usize> {
    match file.get(TELLING)? {
        1 => Some(0),
        2 => Some(1),
        _ => None,
    }
}

fn read_slot(file: &[u8], layout: Layout, slot: usize) -> Option<(Record, bool)> {
    let slot = file.get(layout.slot_at(slot)?..)?;
    let header = slot.get(..BODY)?;
    let length = u32::from_le_bytes(header[BODY_LENGTH..CHECKSUM].try_into().ok()?);
    let body = slot[BODY..].get(..usize::try_from(length).ok()?)?;
    let last_byte = header[LAST_BYTE];
    if u64::from_le_bytes(header[CHECKSUM..].try_into().ok()?) != checksum(last_byte, body) {
        return None;
    }
    let record = Record::decode(body, last_byte)?;
    let is_consumed = record.input_bytes == 0 || header[LANDING] == last_byte;
    Some((record, is_consumed))
}

fn checksum(last_byte: u8, body: &[u8]) -> u64 {
    hash([&[last_byte][..], body])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::multilog::journal::record::{Clause, Origin, Rules};
    use crate::multilog::open_line::OpenLine;
    use crate::multilog::writer::extent::Extent;
    use crate::sys::clock::UnixTime;
    use crate::sys::stat::FileId;
    use crate::tai64n::Label;

    impl Memory for Vec<u8> {
        fn store(&mut self, at: usize, bytes: &[u8]) {
            self[at..at + bytes.len()].copy_from_slice(bytes);
        }

        fn load(&self) -> Vec<u8> {
            self.clone()
        }

        fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
            read(&mut self[at..=at])
        }

        fn is_lost(&self) -> bool {
            false
        }
    }

    fn heading(directories: usize) -> Heading {
        let mut clauses = vec![Clause::Deselect(b"*".into()), Clause::Select(b"*x*".into())];
        clauses.resize(clauses.len() + directories, Clause::Log);
        Heading {
            origin: Origin { pipe: FileId::new(1, 2), boot: 3 },
            number: 4,
            rules: Rules { stamps: true, clauses },
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
            labels: [label, label.next().unwrap()],
            open_lines: [
                OpenLine { is_open: true, goes_to: vec![true; directories] },
                OpenLine { is_open: false, goes_to: vec![false; directories] },
            ],
            extents: (0..directories as u64)
                .map(|number| Extent {
                    directory: FileId::new(7, number),
                    current: FileId::new(7, 1000 + number),
                    offset_bytes: number * 1000,
                    output_bytes: 17,
                    is_doubtful: number % 3 == 1,
                })
                .collect(),
        }
    }

    fn told<M: Memory>(journal: &Journal<M>) -> Option<(Record, bool)> {
        let told = read(&journal.memory.load()).map(|told| (told.record, told.is_consumed));
        assert_eq!(journal.told(), told);
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
        let mut file = b"LOGYARD\x02\x01".to_vec();
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
