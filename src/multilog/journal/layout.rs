//! The layout of a journal's file, and how it is read.
//!
//! There are two slots. A new record goes into the slot that is not in use; then one byte makes that slot the valid one. So
//! the journal holds a complete record at every moment at which the logger can be killed. A new journal is written under
//! another name, and a rename puts it in the place of the old one.
//!
//! ```text
//! 0   "LOGYARD" and the version
//! 8   which slot tells: 1 or 2; 0 for neither
//! 16  length of the heading     20  length of a slot     24  checksum of the two lengths and the heading
//! 32  the heading, and behind it, from a multiple of 8, slot 1 and slot 2; in each:
//!     0   the landing: the last byte of the batch once it has been read off the pipe, its complement before
//!     1   the last byte of the batch
//!     4   length of the body     8  checksum of byte 1 and the body     16  the body
//! the last 1024 bytes: what other programs read, see [`logger_state`](crate::logdir::logger_state)
//! ```

use crate::lines::page_buffer::PAGE_BYTES;
use crate::logdir::checksum::{hash, hash_words};
use crate::logdir::logger_state::STATE_BYTES;
use crate::multilog::journal::record::{Heading, Record};

/// What every journal begins with.
const NAME: &[u8; 7] = b"LOGYARD";
/// What a journal of this version begins with.
pub(super) const MAGIC: &[u8; 8] = b"LOGYARD\x06";
/// Where in the file it stands which slot tells, in each version.
pub(super) const TELLING: usize = 8;
/// Where the lengths are, their checksum, and the heading.
pub(super) const LENGTHS: usize = 16;
pub(super) const LENGTHS_CHECKSUM: usize = 24;
pub(super) const HEADING: usize = 32;
/// Where things are in a slot.
pub(super) const LANDING: usize = 0;
pub(super) const LAST_BYTE: usize = 1;
pub(super) const BODY_LENGTH: usize = 4;
pub(super) const CHECKSUM: usize = 8;
pub(super) const BODY: usize = 16;

/// More than a journal can be: the kernel takes no more arguments.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where in a journal the slots are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    slots_at: usize,
    slot_bytes: usize,
}

impl Layout {
    pub(super) fn new(heading_bytes: usize, slot_bytes: usize) -> Option<Layout> {
        let slots_at = HEADING.checked_add(heading_bytes)?.checked_next_multiple_of(8)?;
        Some(Layout { slots_at, slot_bytes })
    }

    pub(super) fn slot_at(self, slot: usize) -> Option<usize> {
        self.slots_at.checked_add(slot.checked_mul(self.slot_bytes)?)
    }
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// What it says of all its batches.
    pub heading: Heading,
    /// The last batch, or the state since.
    pub record: Record,
    /// The bytes of the batch are no longer in the pipe.
    pub is_consumed: bool,
}

/// How large the file of a journal with a heading is.
#[must_use]
pub fn file_bytes(heading: &Heading) -> usize {
    let mut bytes = Vec::new();
    heading.encode(&mut bytes);
    (HEADING + bytes.len() + 8 + 2 * slot_bytes(heading.names.len()) + STATE_BYTES).next_multiple_of(PAGE_BYTES)
}

pub(super) fn slot_bytes(directories: usize) -> usize {
    (BODY + Record::encoded_bytes(directories)).next_multiple_of(8)
}

pub(super) fn lengths(heading_bytes: usize, slot_bytes: usize) -> [u8; 8] {
    let mut lengths = [0; 8];
    for (place, length) in lengths.chunks_exact_mut(4).zip([heading_bytes, slot_bytes]) {
        place.copy_from_slice(&u32::try_from(length).expect("arguments are few and short").to_le_bytes());
    }
    lengths
}

/// Reads a journal, which may hold anything.
#[must_use]
pub fn read(file: &[u8]) -> Option<Contents> {
    let (heading, layout) = read_heading(file)?;
    let (record, is_consumed) = read_slot(file, layout, latest_slot(file)?)?;
    (record.extents.len() == heading.names.len()).then_some(Contents { heading, record, is_consumed })
}

/// Tells whether a file that cannot be read is a journal of another version that tells something.
#[must_use]
pub fn is_foreign(file: &[u8]) -> bool {
    file.starts_with(NAME) && !file.starts_with(MAGIC) && file.get(TELLING).is_some_and(|&telling| telling != 0)
}

pub(super) fn read_heading(file: &[u8]) -> Option<(Heading, Layout)> {
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

pub(super) fn latest_slot(file: &[u8]) -> Option<usize> {
    match file.get(TELLING)? {
        1 => Some(0),
        2 => Some(1),
        _ => None,
    }
}

pub(super) fn read_slot(file: &[u8], layout: Layout, slot: usize) -> Option<(Record, bool)> {
    let slot = file.get(layout.slot_at(slot)?..)?;
    let header = slot.get(..BODY)?;
    let length = u32::from_le_bytes(header[BODY_LENGTH..CHECKSUM].try_into().ok()?);
    let body = slot[BODY..].get(..usize::try_from(length).ok()?)?;
    let last_byte = header[LAST_BYTE];
    if u64::from_le_bytes(header[CHECKSUM..].try_into().ok()?) != checksum(last_byte, body) {
        return None;
    }
    let record = Record::decode(body, last_byte)?;
    let is_consumed = record.is_state() || header[LANDING] == last_byte;
    Some((record, is_consumed))
}

pub(super) fn checksum(last_byte: u8, body: &[u8]) -> u64 {
    hash_words(last_byte, body)
}
