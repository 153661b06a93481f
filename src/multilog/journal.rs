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
//! ```text
//! 0   "LOGYARD" and the version
//! 8   phase: 1 while a batch is begun
//! 9   the landing: the last byte of the batch once it has been read off the pipe, its complement before
//! 10  the last byte of the batch
//! 12  length of the body     16  checksum of byte 10 and the body     24  the body
//! ```

use crate::multilog::PROGRAM;
use crate::multilog::batch::{OpenLine, Stamps};
use crate::multilog::logdir::{Directory, JOURNAL, Place, Trouble};
use crate::sys::page::Page;
use crate::tai64n::{Label, Stamp};

/// What the page begins with; the last byte is the version.
const MAGIC: &[u8; 8] = b"LOGYARD\x01";
/// Where things are in the page.
const PHASE: usize = 8;
const LANDING: usize = 9;
const LAST_BYTE: usize = 10;
const BODY_LENGTH: usize = 12;
const CHECKSUM: usize = 16;
const BODY: usize = 24;
/// A batch is begun.
const BEGUN: u8 = 1;

/// What a page is rounded up to.
const PAGE_BYTES: usize = 4096;
/// The length of a body apart from its directories, and what each directory adds.
const FIXED_BODY_BYTES: usize = 16 + 16 + 8 + 8 + 12 + 12 + 3 + 4;
const DIRECTORY_BODY_BYTES: usize = 8 + 8 + 8 + 2;

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
    /// Each directory's `current`: the file's identity, and how long it was.
    pub currents: Vec<((u64, u64), u64)>,
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
    /// One byte, for a read to store into.
    fn landing(&mut self, at: usize) -> &mut [u8];
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

    fn landing(&mut self, at: usize) -> &mut [u8] {
        Page::landing(self, at)
    }

    fn is_lost(&self) -> bool {
        Page::is_lost(self)
    }
}

/// A journal that is kept.
#[derive(Debug)]
pub struct Journal<M> {
    memory: M,
    /// Kept from batch to batch.
    body: Vec<u8>,
}

/// How large the page of a script with so many directories is.
#[must_use]
pub fn page_bytes(directories: usize) -> usize {
    (BODY + FIXED_BODY_BYTES + directories * DIRECTORY_BODY_BYTES).next_multiple_of(PAGE_BYTES)
}

/// Opens the journal of a script with so many directories in its first one. Where that is not possible, nothing is lost
/// when the logger is killed, but up to a batch may be logged twice; that is announced.
pub fn open<D: Directory>(place: &Place<D>, directories: usize) -> Option<Journal<D::Memory>> {
    match place.directory.memory(JOURNAL, page_bytes(directories)) {
        Ok(memory) => Some(Journal::new(memory)),
        Err(errno) => {
            PROGRAM.warn(Trouble::new(format_args!("unable to keep {}/{JOURNAL}", place.name), errno));
            None
        }
    }
}

impl<M: Memory> Journal<M> {
    /// A journal in memory that may be fresh or a predecessor's; what that said is returned by [`Journal::entry`].
    pub fn new(memory: M) -> Journal<M> {
        Journal { memory, body: Vec::new() }
    }

    /// What the page says.
    #[must_use]
    pub fn entry(&self) -> Entry {
        read(&self.memory.load())
    }

    /// Tells whether the page's file went away.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.memory.is_lost()
    }

    /// Notes a batch that is about to be written. Killed at any point within, the page says either nothing or all of it.
    pub fn begin(&mut self, record: &Record) {
        self.memory.store(PHASE, &[0]);
        self.body.clear();
        encode(record, &mut self.body);
        self.memory.store(0, MAGIC);
        self.memory.store(LANDING, &[!record.last_byte, record.last_byte]);
        self.memory
            .store(BODY_LENGTH, &u32::to_le_bytes(u32::try_from(self.body.len()).expect("a body fits its page")));
        self.memory.store(CHECKSUM, &checksum(record.last_byte, &self.body).to_le_bytes());
        self.memory.store(BODY, &self.body);
        self.memory.store(PHASE, &[BEGUN]);
    }

    /// Where the last byte of the batch is to be read to.
    pub fn landing(&mut self) -> &mut [u8] {
        self.memory.landing(LANDING)
    }

    /// Forgets the batch: what it covered is settled otherwise.
    pub fn clear(&mut self) {
        self.memory.store(PHASE, &[0]);
    }
}

/// Reads a page, which may hold anything.
#[must_use]
pub fn read(page: &[u8]) -> Entry {
    parse(page).unwrap_or(Entry::Idle)
}

fn parse(page: &[u8]) -> Option<Entry> {
    let header = page.get(..BODY)?;
    if !header.starts_with(MAGIC) || header[PHASE] != BEGUN {
        return None;
    }
    let length = u32::from_le_bytes(header[BODY_LENGTH..CHECKSUM].try_into().ok()?);
    let body = page[BODY..].get(..usize::try_from(length).ok()?)?;
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
    for (number, (identity, offset)) in record.currents.iter().enumerate() {
        body.extend(identity.0.to_le_bytes());
        body.extend(identity.1.to_le_bytes());
        body.extend(offset.to_le_bytes());
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
        currents.push(((number()?, number()?), number()?));
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

        fn landing(&mut self, at: usize) -> &mut [u8] {
            &mut self[at..=at]
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
            currents: (0..directories as u64).map(|number| ((7, number), number * 1000)).collect(),
        }
    }

    #[test]
    fn a_batch_is_begun_until_its_last_byte_lands() {
        let record = record(3, 17, b'\n');
        let mut journal = Journal::new(vec![0; page_bytes(3)]);
        assert_eq!(journal.entry(), Entry::Idle);

        journal.begin(&record);
        assert_eq!(journal.entry(), Entry::Begun(record.clone(), false));
        journal.landing()[0] = b'\n';
        assert_eq!(journal.entry(), Entry::Begun(record, true));
        journal.clear();
        assert_eq!(journal.entry(), Entry::Idle);
    }

    #[test]
    fn a_page_holds_as_many_directories_as_it_is_made_for() {
        for directories in [0, 1, 100, 200, 1000] {
            let record = record(directories, 1, 0);
            let mut journal = Journal::new(vec![0; page_bytes(directories)]);

            journal.begin(&record);

            assert_eq!(journal.entry(), Entry::Begun(record, false));
        }
    }

    proptest! {
        #[test]
        fn a_page_with_one_wrong_byte_says_nothing_or_the_same(at in 0..300_usize, wrong in 1..=255_u8) {
            let record = record(3, 17, b'x');
            let mut journal = Journal::new(vec![0; page_bytes(3)]);
            journal.begin(&record);
            journal.memory[at] ^= wrong;

            match journal.entry() {
                Entry::Idle => {}
                Entry::Begun(read, _) => prop_assert_eq!(read, record),
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_danger(mut page in prop::collection::vec(any::<u8>(), 0..500)) {
            prop_assert_eq!(read(&page), Entry::Idle);
            for (byte, magic) in page.iter_mut().zip(MAGIC.iter().chain(&[BEGUN])) {
                *byte = *magic;
            }
            let _ = read(&page);
        }
    }
}
