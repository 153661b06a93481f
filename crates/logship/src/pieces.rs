//! The lines of an archive, in batches that fit in memory.

use bytes::Bytes;
use logyard::sys::Result;
use logyard::tai64n::{Label, Stamp};

use crate::archive::ArchiveBytes;

/// A batch ends at so many lines, or so many bytes.
pub(crate) const BATCH_LINES: usize = 131_072;
pub(crate) const BATCH_BYTES: usize = 8 << 20;
/// A longer line becomes several rows.
const ROW_BYTES_MAX: usize = 4 << 20;
/// How much is read at once.
pub(crate) const CHUNK_BYTES: usize = 1 << 18;

/// When a line was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Microseconds since 1970.
    pub(crate) micros: i64,
    /// The nanoseconds beyond.
    pub(crate) nanos: i32,
}

impl Time {
    /// The time of a label; `None` if it is beyond what 64 bits of microseconds can say.
    pub(crate) fn of(label: Label) -> Option<Time> {
        let (micros, nanos) = (label.nanoseconds() / 1000, label.nanoseconds() % 1000);
        let micros = label.unix_seconds().checked_mul(1_000_000)?.checked_add(i64::from(micros))?;
        Some(Time { micros, nanos: nanos.cast_signed() })
    }

    /// The time in RFC 3339, in microseconds; `None` beyond its calendar.
    pub(crate) fn to_rfc3339(self) -> Option<String> {
        jiff::Timestamp::from_microsecond(self.micros).ok().map(|moment| format!("{moment:.6}"))
    }

    /// The label of a time; `None` if the nanoseconds are not those of a time.
    pub(crate) fn label(self) -> Option<Label> {
        let micros = u32::try_from(self.micros.rem_euclid(1_000_000)).ok()?;
        let nanos = u32::try_from(self.nanos).ok().filter(|&nanos| nanos < 1000)?;
        let seconds = self.micros.div_euclid(1_000_000);
        Some(Label::from(logyard::sys::clock::UnixTime { seconds, nanoseconds: micros * 1000 + nanos }))
    }
}

/// A row of the table: a line, or a piece of one that is very long or was cut at the end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number of the line in its archive, from 1.
    pub(crate) line: u64,
    /// The time in the stamp; `None` if there is no stamp.
    pub(crate) time: Option<Time>,
    /// What comes behind the stamp, without the newline.
    pub(crate) message: Bytes,
    /// Whether the row continues the one before it.
    pub(crate) continues: bool,
    /// Whether the next row continues this one.
    pub(crate) continued: bool,
}

/// The rows of an archive, in batches.
pub(crate) struct Pieces {
    archive: ArchiveBytes,
    /// Bytes that have been read and are in no row.
    rest: Vec<u8>,
    /// How much of `rest` has been searched for a newline.
    searched: usize,
    line: u64,
    continues: bool,
    is_at_end: bool,
}

impl Pieces {
    /// Begins to read the lines of an archive. `continues_line` tells whether the archive before it ends within a line; it is
    /// asked only if the first line has no stamp.
    pub(crate) fn of(mut archive: ArchiveBytes, continues_line: impl FnOnce() -> bool) -> Result<Pieces> {
        let mut rest = Vec::with_capacity(CHUNK_BYTES);
        let is_at_end = read_chunk(&mut archive, &mut rest)?;
        let continues = !rest.is_empty() && split_stamp(&rest).0.is_none() && continues_line();
        Ok(Pieces { archive, rest, searched: 0, line: 1, continues, is_at_end })
    }

    /// Puts the next rows in the place of those in `rows`; none at the end.
    pub(crate) fn next_batch(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        rows.clear();
        let mut bytes = 0;
        while rows.len() < BATCH_LINES && bytes < BATCH_BYTES {
            if let Some(at) = memchr::memchr(b'\n', &self.rest[self.searched..]) {
                // A whole chunk is split at once: each row is a view into it.
                let whole = memchr::memrchr(b'\n', &self.rest).unwrap_or(self.searched + at) + 1;
                let tail = self.rest.split_off(whole);
                let chunk = Bytes::from(std::mem::replace(&mut self.rest, tail));
                self.searched = 0;
                bytes += chunk.len();
                self.split(&chunk, rows);
            } else if self.rest.len() > ROW_BYTES_MAX {
                self.cut(rows);
                bytes += ROW_BYTES_MAX;
            } else if !self.is_at_end {
                self.searched = self.rest.len();
                self.is_at_end = read_chunk(&mut self.archive, &mut self.rest)?;
            } else {
                if !self.rest.is_empty() {
                    let last = Bytes::from(std::mem::take(&mut self.rest));
                    self.searched = 0;
                    self.push(last, true, rows);
                }
                break;
            }
        }
        Ok(())
    }

    /// What there is to say about the archive, after the last batch.
    pub(crate) fn facts(self) -> crate::facts::Facts {
        self.archive.facts()
    }

    /// Makes a row of each line of a chunk.
    fn split(&mut self, chunk: &Bytes, rows: &mut Vec<Row>) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            self.push(chunk.slice(start..end), false, rows);
            self.line += 1;
            start = end + 1;
        }
    }

    /// Makes a row of the beginning of a very long line. It does not end within a character.
    fn cut(&mut self, rows: &mut Vec<Row>) {
        let is_within_character = |&at: &usize| self.rest[at] & 0xc0 == 0x80;
        let at = (ROW_BYTES_MAX - 3..=ROW_BYTES_MAX).rev().find(|at| !is_within_character(at)).unwrap_or(ROW_BYTES_MAX);
        let tail = self.rest.split_off(at);
        let piece = Bytes::from(std::mem::replace(&mut self.rest, tail));
        self.searched = 0;
        self.push(piece, true, rows);
    }

    fn push(&mut self, bytes: Bytes, continued: bool, rows: &mut Vec<Row>) {
        let (time, start) = if self.continues { (None, 0) } else { split_stamp(&bytes) };
        let message = if start == 0 { bytes } else { bytes.slice(start..) };
        rows.push(Row { line: self.line, time, message, continues: self.continues, continued });
        self.continues = continued;
    }
}

/// Reads on, and tells whether that was the end.
fn read_chunk(archive: &mut ArchiveBytes, rest: &mut Vec<u8>) -> Result<bool> {
    let filled = rest.len();
    rest.resize(filled + CHUNK_BYTES, 0);
    let answer = archive.read(&mut rest[filled..]);
    rest.truncate(filled + answer.unwrap_or(0));
    Ok(answer? == 0)
}

/// The time in a line's stamp, and where the message begins. Only the exact stamp counts, so that the line can be rebuilt.
fn split_stamp(line: &[u8]) -> (Option<Time>, usize) {
    let stamped = |line: &[u8]| {
        let (label, rest) = line.split_at_checked(Label::TEXT_BYTES)?;
        if rest.first() != Some(&b' ') {
            return None;
        }
        let time = Time::of(Label::parse(label).ok()?)?;
        // The last seconds of the range have no way back.
        (time.label().map(Label::to_text).as_ref().map(|text| &text[..]) == Some(label)).then_some(time)
    };
    match stamped(line) {
        Some(time) => (Some(time), Stamp::BYTES),
        None => (None, 0),
    }
}

/// Appends a row as it was logged, its newline included.
pub(crate) fn write_row(row: &Row, out: &mut Vec<u8>) {
    if let Some(label) = row.time.and_then(Time::label) {
        out.extend_from_slice(Stamp::from(label).as_bytes());
    }
    out.extend_from_slice(&row.message);
    if !row.continued {
        out.push(b'\n');
    }
}
