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
//! The page has two places for a batch, used in turn: while one is written the other still tells of the batch before,
//! and whether that ended within a line. The later of those that are complete counts.
//!
//! ```text
//! 0   "LOGYARD" and the version
//! 8   two places of equal size
//!
//! a place:
//! 0   phase: 1 while a batch is begun
//! 1   the landing: the last byte of the batch once it has been read off the pipe, its complement before
//! 2   the last byte of the batch
//! 4   length of the body     8   number of the batch     16  checksum of byte 2, the number and the body
//! 24  the body
//! ```

use crate::multilog::PROGRAM;
use crate::multilog::batch::{OpenLine, Stamps};
use crate::multilog::logdir::{Directory, JOURNAL, Place, Trouble};
use crate::sys::page::Page;
use crate::tai64n::{Label, Stamp};

/// What the page begins with; the last byte is the version.
const MAGIC: &[u8; 8] = b"LOGYARD\x02";
/// How many batches the page tells of.
const PLACES: usize = 2;
/// Where things are in a place.
const PHASE: usize = 0;
const LANDING: usize = 1;
const LAST_BYTE: usize = 2;
const BODY_LENGTH: usize = 4;
const NUMBER: usize = 8;
const CHECKSUM: usize = 16;
const BODY: usize = 24;
/// A batch is begun.
const BEGUN: u8 = 1;

/// What a page is rounded up to.
const PAGE_BYTES: usize = 4096;
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
    /// How many bytes there are.
    fn length(&self) -> usize;
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

    fn length(&self) -> usize {
        Page::length(self)
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
    /// The place of the latest batch; the next one goes to the other.
    place: usize,
    /// The number of the latest batch.
    number: u64,
    /// Kept from batch to batch.
    body: Vec<u8>,
}

/// How large the page of a script with so many directories is.
#[must_use]
pub fn page_bytes(directories: usize) -> usize {
    let place_bytes = BODY + FIXED_BODY_BYTES + directories * DIRECTORY_BODY_BYTES;
    (MAGIC.len() + PLACES * place_bytes.next_multiple_of(8)).next_multiple_of(PAGE_BYTES)
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
        let (place, number) = latest(&memory.load()).map_or((0, 0), |found| (found.place, found.number));
        Journal { memory, place, number, body: Vec::new() }
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

    /// Notes a batch that is about to be written. Killed at any point within, the page tells of the batch before or of
    /// this one.
    pub fn begin(&mut self, record: &Record) {
        let place = (self.place + 1) % PLACES;
        let at = self.place_start(place);
        let number = self.number.wrapping_add(1);
        self.memory.store(at + PHASE, &[0]);
        self.body.clear();
        encode(record, &mut self.body);
        self.memory.store(0, MAGIC);
        self.memory.store(at + LANDING, &[!record.last_byte, record.last_byte]);
        let length = u32::try_from(self.body.len()).expect("a body fits its place");
        self.memory.store(at + BODY_LENGTH, &length.to_le_bytes());
        self.memory.store(at + NUMBER, &number.to_le_bytes());
        self.memory.store(at + CHECKSUM, &checksum(record.last_byte, number, &self.body).to_le_bytes());
        self.memory.store(at + BODY, &self.body);
        self.memory.store(at + PHASE, &[BEGUN]);
        (self.place, self.number) = (place, number);
    }

    /// Where the last byte of the batch is to be read to.
    pub fn landing(&mut self) -> &mut [u8] {
        let at = self.place_start(self.place);
        self.memory.landing(at + LANDING)
    }

    /// Takes the latest batch back, of which nothing is written any more: the page tells of the one before.
    pub fn retract(&mut self) {
        let at = self.place_start(self.place);
        self.memory.store(at + PHASE, &[0]);
    }

    /// Forgets all batches: they mean nothing any more.
    pub fn forget(&mut self) {
        // The older one first, or it would count once the later is gone.
        for place in [(self.place + 1) % PLACES, self.place] {
            let at = self.place_start(place);
            self.memory.store(at + PHASE, &[0]);
        }
    }

    /// Tells whether a successor must know what the page says: a batch is not settled, or ended within a line.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        match self.entry() {
            Entry::Begun(record, is_consumed) => !is_consumed || record.open_lines[1].is_open,
            Entry::Idle => false,
        }
    }

    fn place_start(&self, place: usize) -> usize {
        MAGIC.len() + place * place_bytes(self.memory.length())
    }
}

/// How large each place of a page of that length is.
fn place_bytes(page_bytes: usize) -> usize {
    (page_bytes.saturating_sub(MAGIC.len()) / PLACES) & !7
}

/// A batch that a page tells of.
struct Found {
    place: usize,
    number: u64,
    record: Record,
    is_consumed: bool,
}

/// Reads a page, which may hold anything.
#[must_use]
pub fn read(page: &[u8]) -> Entry {
    latest(page).map_or(Entry::Idle, |found| Entry::Begun(found.record, found.is_consumed))
}

fn latest(page: &[u8]) -> Option<Found> {
    let places = page.strip_prefix(MAGIC)?;
    let place_bytes = place_bytes(page.len());
    let found = (0..PLACES).filter_map(|place| {
        let (number, record, is_consumed) = parse(places.get(place * place_bytes..)?.get(..place_bytes)?)?;
        Some(Found { place, number, record, is_consumed })
    });
    found.max_by_key(|found| found.number)
}

fn parse(place: &[u8]) -> Option<(u64, Record, bool)> {
    let header = place.get(..BODY)?;
    if header[PHASE] != BEGUN {
        return None;
    }
    let length = u32::from_le_bytes(header[BODY_LENGTH..NUMBER].try_into().ok()?);
    let number = u64::from_le_bytes(header[NUMBER..CHECKSUM].try_into().ok()?);
    let body = place[BODY..].get(..usize::try_from(length).ok()?)?;
    let last_byte = header[LAST_BYTE];
    if u64::from_le_bytes(header[CHECKSUM..].try_into().ok()?) != checksum(last_byte, number, body) {
        return None;
    }
    let record = decode(body, last_byte)?;
    Some((number, record, header[LANDING] == last_byte))
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

fn checksum(last_byte: u8, number: u64, body: &[u8]) -> u64 {
    hash([&[last_byte][..], &number.to_le_bytes()[..], body])
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

        fn length(&self) -> usize {
            self.len()
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
            currents: (0..directories as u64)
                .map(|number| Extent { identity: (7, number), offset_bytes: number * 1000, output_bytes: 17 })
                .collect(),
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
        journal.forget();
        assert_eq!(journal.entry(), Entry::Idle);
    }

    #[test]
    fn a_batch_taken_back_leaves_the_one_before() {
        let (before, after) = (record(3, 17, b'x'), record(3, 4, b'y'));
        let mut journal = Journal::new(vec![0; page_bytes(3)]);

        journal.begin(&before);
        journal.landing()[0] = b'x';
        journal.begin(&after);
        journal.retract();

        assert_eq!(journal.entry(), Entry::Begun(before, true));
        assert!(!journal.is_needed());
        journal.begin(&after);
        assert_eq!(journal.entry(), Entry::Begun(after, false));
        assert!(journal.is_needed());
    }

    /// Memory that keeps what it held after each store of a byte: whoever is killed leaves one of these.
    #[derive(Debug)]
    struct Film(Vec<Vec<u8>>);

    impl Memory for Film {
        fn store(&mut self, at: usize, bytes: &[u8]) {
            for (offset, &byte) in bytes.iter().enumerate() {
                let mut next = self.load();
                next[at + offset] = byte;
                self.0.push(next);
            }
        }

        fn load(&self) -> Vec<u8> {
            self.0.last().expect("it starts with one").clone()
        }

        fn length(&self) -> usize {
            self.0[0].len()
        }

        fn landing(&mut self, at: usize) -> &mut [u8] {
            &mut self.0.last_mut().expect("it starts with one")[at..=at]
        }

        fn is_lost(&self) -> bool {
            false
        }
    }

    #[test]
    fn killed_at_any_store_the_page_tells_of_the_batch_before_or_of_the_next() {
        let mut journal = Journal::new(Film(vec![vec![0; page_bytes(3)]]));
        let mut before = Entry::Idle;
        for round in 1..5 {
            let next = record(3, round, b'x');
            journal.memory.0.drain(..journal.memory.0.len() - 1);
            journal.begin(&next);

            let next = Entry::Begun(next, false);
            let seen: Vec<Entry> = journal.memory.0.iter().map(|page| read(page)).collect();
            let switch = seen.iter().position(|entry| *entry == next).unwrap();
            assert!(seen[..switch].iter().all(|entry| *entry == before), "round {round}");
            assert!(seen[switch..].iter().all(|entry| *entry == next), "round {round}");

            journal.landing()[0] = b'x';
            before = journal.entry();
            journal = Journal::new(journal.memory);
        }
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
