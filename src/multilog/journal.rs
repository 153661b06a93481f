//! The journal: one page, mapped from a file in the first log directory, that tells a logger's successor how far it came.
//!
//! Before a batch is written the page says which bytes of the pipe it covers and where in each `current` its output
//! begins. When it is written the bytes are read off the pipe, and the same read stores the last of them in the page,
//! where its complement stood until then: so the page tells whether they are gone, whenever the logger was killed.
//!
//! A successor whose page says that a batch was begun and its bytes are still in the pipe makes the same output of the
//! same bytes with the same stamps, compares it with what stands in each `current`, appends what is missing, and takes
//! the bytes off. Nothing is truncated: what is in a file may be the only copy.
//!
//! The page says nothing that is believed blindly: a checksum, the machine's boot, the pipe and the script must agree, and
//! the bytes are compared.
//!
//! A batch is noted beside the one before it and then, by one byte, put in its place: whenever the logger is killed, one
//! of the two is told, and with it the line that was in hand.
//!
//! ```text
//! 0   "LOGYARD" and the version
//! 8   which slot tells: 1 or 2; 0 for neither
//! 16  slot 1, and behind it slot 2; in each:
//!     0   the landing: the last byte of the batch once it has been read off the pipe, its complement before
//!     1   the last byte of the batch
//!     4   length of the body     8  checksum of byte 1 and the body     16  the body
//! ```

use crate::multilog::PROGRAM;
use crate::multilog::batch::{OpenLine, Stamps};
use crate::multilog::logdir::{Directory, JOURNAL, Place, Trouble};
use crate::page_buffer::PAGE_BYTES;
use crate::sys::page::Page;
use crate::tai64n::{Label, Stamp};

/// What the page begins with; the last byte is the version.
const MAGIC: &[u8; 8] = b"LOGYARD\x02";
/// Where in the page it stands which slot tells.
const TELLING: usize = 8;
/// Where the slots begin.
const SLOTS: usize = 16;
/// Where things are in a slot.
const LANDING: usize = 0;
const LAST_BYTE: usize = 1;
const BODY_LENGTH: usize = 4;
const CHECKSUM: usize = 8;
const BODY: usize = 16;

/// The length of a body apart from its directories, and what each directory adds.
const FIXED_BODY_BYTES: usize = 16 + 16 + 8 + 8 + 12 + 12 + 3 + 4;
const DIRECTORY_BODY_BYTES: usize = 8 + 8 + 8 + 8 + 2;

/// What a batch in the journal belongs to: it means nothing on another machine, since another boot, with another pipe or
/// another script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file system and number of the pipe.
    pub pipe: (u64, u64),
    /// This boot of this machine.
    pub boot: u128,
    /// A hash of the arguments.
    pub script: u64,
}

/// Where the output of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The file system and number of the file.
    pub identity: (u64, u64),
    /// How long the file was.
    pub offset_bytes: u64,
    /// How much the batch adds.
    pub output_bytes: u64,
}

/// A batch, as far as a successor must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it belongs to.
    pub origin: Origin,
    /// How many bytes of the pipe it covers; at least one.
    pub input_bytes: u64,
    /// The pipe's last line had no newline, and got one.
    pub adds_newline: bool,
    /// The last byte that it covers.
    pub last_byte: u8,
    /// When the first line came, and the others.
    pub labels: [Label; 2],
    /// What was open before it, and is after it.
    pub open_lines: [OpenLine; 2],
    /// Each directory's `current`, and what of it is the batch's.
    pub currents: Vec<Extent>,
}

impl Record {
    /// The stamps of its lines.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        let [first, rest] = self.labels.map(Stamp::from);
        Stamps { first, rest }
    }
}

/// What a page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing: no batch was ever begun, or one was just about to be.
    Idle,
    /// A batch was begun; whether its bytes have been consumed.
    Begun(Record, bool),
}

/// Memory that a successor finds as it was left.
pub trait Memory {
    /// Stores bytes, after all that was stored before.
    fn store(&mut self, at: usize, bytes: &[u8]);
    /// Loads everything.
    fn load(&self) -> Vec<u8>;
    /// Lends one byte to a read that stores into it.
    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T;
    /// Tells whether what is stored is seen by nobody any more.
    fn is_lost(&self) -> bool;
}

impl Memory for Page {
    fn store(&mut self, at: usize, bytes: &[u8]) {
        Page::store(self, at, bytes);
    }

    fn load(&self) -> Vec<u8> {
        Page::load(self)
    }

    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(self.landing(at))
    }

    fn is_lost(&self) -> bool {
        Page::is_lost(self)
    }
}

/// A journal that is kept.
#[derive(Debug)]
pub struct Journal<M> {
    memory: M,
    /// The slot that tells, from 0; the other is free.
    telling: usize,
    /// Whether that slot, and then the other, tells something that is true.
    is_true: [bool; 2],
    slot_bytes: usize,
    /// Kept from batch to batch.
    body: Vec<u8>,
}

/// How large the page of a script with so many directories is.
#[must_use]
pub fn page_bytes(directories: usize) -> usize {
    (SLOTS + 2 * slot_bytes(directories)).next_multiple_of(PAGE_BYTES)
}

fn slot_bytes(directories: usize) -> usize {
    BODY + FIXED_BODY_BYTES + directories * DIRECTORY_BODY_BYTES
}

/// Opens the journal of a script with so many directories in its first one. Where that is not possible, nothing is lost
/// when the logger is killed, but up to a batch may be logged twice; that is announced.
pub fn open<D: Directory>(place: &Place<D>, directories: usize) -> Option<Journal<D::Memory>> {
    match place.directory.memory(JOURNAL, page_bytes(directories)) {
        Ok(memory) => Some(Journal::new(memory, directories)),
        Err(errno) => {
            PROGRAM.warn(Trouble::new(format_args!("unable to keep {}/{JOURNAL}", place.name), errno));
            None
        }
    }
}

/// Tries once more to make the journal that [`open`] could not, and says so when it is there. What a predecessor left in
/// it has been dealt with.
pub fn open_again<D: Directory>(place: &Place<D>, directories: usize) -> Option<Journal<D::Memory>> {
    let memory = place.directory.memory(JOURNAL, page_bytes(directories)).ok()?;
    let mut journal = Journal::new(memory, directories);
    journal.clear();
    PROGRAM.warn(format_args!("keeping {}/{JOURNAL} again", place.name));
    Some(journal)
}

impl<M: Memory> Journal<M> {
    /// A journal for so many directories, in memory that may be fresh or a predecessor's; what that said is returned by
    /// [`Journal::entry`].
    pub fn new(memory: M, directories: usize) -> Journal<M> {
        let told = memory.load().get(TELLING).copied();
        let telling = usize::from(told == Some(2));
        let is_true = [matches!(told, Some(1 | 2)), false];
        Journal { memory, telling, is_true, slot_bytes: slot_bytes(directories), body: Vec::new() }
    }

    /// What the page says.
    #[must_use]
    pub fn entry(&self) -> Entry {
        read(&self.memory.load(), self.slot_bytes)
    }

    /// Tells whether the page's file went away.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.memory.is_lost()
    }

    /// Notes a batch that is about to be written. Killed at any point within, the page tells this batch or the one before.
    pub fn begin(&mut self, record: &Record) {
        let next = 1 - self.telling;
        let slot = SLOTS + next * self.slot_bytes;
        self.body.clear();
        encode(record, &mut self.body);
        self.memory.store(0, MAGIC);
        self.memory.store(slot + LANDING, &[!record.last_byte, record.last_byte]);
        let length = u32::try_from(self.body.len()).expect("a body fits its page");
        self.memory.store(slot + BODY_LENGTH, &length.to_le_bytes());
        self.memory.store(slot + CHECKSUM, &checksum(record.last_byte, &self.body).to_le_bytes());
        self.memory.store(slot + BODY, &self.body);
        self.tell(next);
        self.is_true = [true, self.is_true[0]];
    }

    fn tell(&mut self, slot: usize) {
        self.memory.store(TELLING, &[if slot == 0 { 1 } else { 2 }]);
        self.telling = slot;
    }

    /// Lends the landing to the read that takes the batch off the pipe, for the last byte of it.
    pub fn land<T>(&mut self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        self.memory.lend(SLOTS + self.telling * self.slot_bytes + LANDING, read)
    }

    /// Takes back the batch that was noted last, of which nothing is written any more: the one before it is told again.
    pub fn retract(&mut self) {
        match self.is_true {
            [_, true] => self.tell(1 - self.telling),
            [_, false] => self.clear(),
        }
        self.is_true = [self.is_true[1], false];
    }

    /// Forgets all batches: what they covered is settled otherwise.
    pub fn clear(&mut self) {
        self.memory.store(TELLING, &[0]);
        self.is_true = [false, false];
    }

    /// Tells whether a successor must know what the page says: a batch is not settled, or ended within a line.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        match self.entry() {
            Entry::Begun(record, is_consumed) => !is_consumed || record.open_lines[1].is_open,
            Entry::Idle => false,
        }
    }
}

/// Reads a page with slots of a length, which may hold anything.
#[must_use]
pub fn read(page: &[u8], slot_bytes: usize) -> Entry {
    parse(page, slot_bytes).unwrap_or(Entry::Idle)
}

fn parse(page: &[u8], slot_bytes: usize) -> Option<Entry> {
    if !page.starts_with(MAGIC) {
        return None;
    }
    let slot = match page.get(TELLING)? {
        1 => page.get(SLOTS..)?,
        2 => page.get(SLOTS + slot_bytes..)?,
        _ => return None,
    };
    let header = slot.get(..BODY)?;
    let length = u32::from_le_bytes(header[BODY_LENGTH..CHECKSUM].try_into().ok()?);
    let body = slot[BODY..].get(..usize::try_from(length).ok()?)?;
    let last_byte = header[LAST_BYTE];
    if u64::from_le_bytes(header[CHECKSUM..].try_into().ok()?) != checksum(last_byte, body) {
        return None;
    }
    let record = decode(body, last_byte)?;
    Some(Entry::Begun(record, header[LANDING] == last_byte))
}

fn encode(record: &Record, body: &mut Vec<u8>) {
    let Origin { pipe, boot, script } = record.origin;
    body.extend(pipe.0.to_le_bytes());
    body.extend(pipe.1.to_le_bytes());
    body.extend(boot.to_le_bytes());
    body.extend(script.to_le_bytes());
    body.extend(record.input_bytes.to_le_bytes());
    body.extend(record.labels[0].to_bytes());
    body.extend(record.labels[1].to_bytes());
    let [before, after] = &record.open_lines;
    body.extend([record.adds_newline, before.is_open, after.is_open].map(u8::from));
    body.extend(u32::try_from(record.currents.len()).expect("directories are few").to_le_bytes());
    for (number, extent) in record.currents.iter().enumerate() {
        body.extend(extent.identity.0.to_le_bytes());
        body.extend(extent.identity.1.to_le_bytes());
        body.extend(extent.offset_bytes.to_le_bytes());
        body.extend(extent.output_bytes.to_le_bytes());
        body.extend([before.goes_to[number], after.goes_to[number]].map(u8::from));
    }
}

fn decode(body: &[u8], last_byte: u8) -> Option<Record> {
    let mut rest = body;
    let mut number = || take(&mut rest).map(u64::from_le_bytes);
    let pipe = (number()?, number()?);
    let boot = u128::from_le_bytes(take(&mut rest)?);
    let mut number = || take(&mut rest).map(u64::from_le_bytes);
    let script = number()?;
    let input_bytes = number()?;
    let labels = [Label::from_bytes(take(&mut rest)?).ok()?, Label::from_bytes(take(&mut rest)?).ok()?];
    let [adds_newline, before_is_open, after_is_open] = take::<3>(&mut rest)?.map(|byte| byte != 0);
    let count = u32::from_le_bytes(take(&mut rest)?);
    let mut before = OpenLine { is_open: before_is_open, goes_to: vec![] };
    let mut after = OpenLine { is_open: after_is_open, goes_to: vec![] };
    let mut currents = Vec::new();
    for _ in 0..count {
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        currents.push(Extent { identity: (number()?, number()?), offset_bytes: number()?, output_bytes: number()? });
        let [goes_before, goes_after] = take::<2>(&mut rest)?.map(|byte| byte != 0);
        before.goes_to.push(goes_before);
        after.goes_to.push(goes_after);
    }
    let origin = Origin { pipe, boot, script };
    let open_lines = [before, after];
    (rest.is_empty() && input_bytes > 0).then_some(Record {
        origin,
        input_bytes,
        adds_newline,
        last_byte,
        labels,
        open_lines,
        currents,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn checksum(last_byte: u8, body: &[u8]) -> u64 {
    hash([&[last_byte][..], body])
}

/// FNV-1a, 64 bits: to tell records and scripts apart, not to withstand anybody.
#[must_use]
#[allow(single_use_lifetimes)] // Nothing else can be written here.
pub fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sys::clock::UnixTime;

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

    fn record(directories: usize, input_bytes: u64, last_byte: u8) -> Record {
        let label = Label::from(UnixTime { seconds: 1, nanoseconds: 2 });
        Record {
            origin: Origin { pipe: (1, 2), boot: 3, script: 4 },
            input_bytes,
            adds_newline: directories % 2 == 1,
            last_byte,
            labels: [label, label.next().unwrap()],
            open_lines: [
                OpenLine { is_open: true, goes_to: vec![true; directories] },
                OpenLine { is_open: false, goes_to: vec![false; directories] },
            ],
            currents: (0..directories as u64)
                .map(|number| Extent { identity: (7, number), offset_bytes: number * 1000, output_bytes: 17 })
                .collect(),
        }
    }

    #[test]
    fn a_batch_is_begun_until_its_last_byte_lands() {
        let record = record(3, 17, b'\n');
        let mut journal = Journal::new(vec![0; page_bytes(3)], 3);
        assert_eq!(journal.entry(), Entry::Idle);

        journal.begin(&record);
        assert_eq!(journal.entry(), Entry::Begun(record.clone(), false));
        journal.land(|last| last[0] = b'\n');
        assert_eq!(journal.entry(), Entry::Begun(record, true));
        journal.clear();
        assert_eq!(journal.entry(), Entry::Idle);
    }

    #[test]
    fn a_batch_that_is_being_noted_leaves_the_one_before_it_told() {
        let (before, next) = (record(2, 5, b'a'), record(2, 9, b'b'));
        for stores in 0..=6 {
            let mut journal = Journal::new(Limited { page: vec![0; page_bytes(2)], stores: usize::MAX }, 2);
            journal.begin(&before);
            journal.land(|last| last[0] = b'a');
            journal.memory.stores = stores;
            journal.begin(&next);

            let told = read(&journal.memory.page, slot_bytes(2));

            assert_eq!(
                told,
                if stores < 6 { Entry::Begun(before.clone(), true) } else { Entry::Begun(next.clone(), false) }
            );
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
        let mut journal = Journal::new(vec![0; page_bytes(3)], 3);

        journal.begin(&before);
        journal.land(|last| last[0] = b'x');
        journal.begin(&after);
        journal.retract();

        assert_eq!(journal.entry(), Entry::Begun(before, true));
        assert!(!journal.is_needed());
        journal.begin(&after);
        assert_eq!(journal.entry(), Entry::Begun(after, false));
        assert!(journal.is_needed());
    }

    #[test]
    fn what_was_forgotten_does_not_come_back() {
        let mut journal = Journal::new(vec![0; page_bytes(3)], 3);

        journal.begin(&record(3, 17, b'x'));
        journal.clear();
        journal.begin(&record(3, 4, b'y'));
        journal.retract();

        assert_eq!(journal.entry(), Entry::Idle);
    }

    #[test]
    fn a_page_holds_as_many_directories_as_it_is_made_for() {
        for directories in [0, 1, 100, 200, 1000] {
            let record = record(directories, 1, 0);
            let mut journal = Journal::new(vec![0; page_bytes(directories)], directories);

            journal.begin(&record);

            assert_eq!(journal.entry(), Entry::Begun(record, false));
        }
    }

    proptest! {
        #[test]
        fn a_page_with_one_wrong_byte_says_nothing_or_the_same(at in 0..300_usize, wrong in 1..=255_u8) {
            let record = record(3, 17, b'x');
            let mut journal = Journal::new(vec![0; page_bytes(3)], 3);
            journal.begin(&record);
            journal.memory[at] ^= wrong;

            match journal.entry() {
                Entry::Idle => {}
                Entry::Begun(read, _) => prop_assert_eq!(read, record),
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(mut page in prop::collection::vec(any::<u8>(), 0..500)) {
            prop_assert_eq!(read(&page, slot_bytes(1)), Entry::Idle);
            for (byte, magic) in page.iter_mut().zip(MAGIC.iter().chain(&[1])) {
                *byte = *magic;
            }
            let _ = read(&page, slot_bytes(1));
        }
    }
}
