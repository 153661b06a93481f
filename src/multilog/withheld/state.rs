//! What is counted for one directory, as the journal notes it.

use crate::multilog::withheld::bucket::{BUCKET_BYTES, Bucket};
use crate::multilog::withheld::tally::{TALLY_BYTES, Tally};

/// What a directory has not got, and what decides about the next line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// How many lines may be written.
    pub bucket: Bucket,
    /// The line that has begun and not ended counts as suppressed.
    pub is_within_suppressed: bool,
    /// Lines that are the same as the one before them, and that the log does not count yet.
    pub repeated: Tally,
    /// Lines beyond the rate, and that the log does not count yet.
    pub suppressed: Tally,
    /// Lines that were dropped from the memory before them, and that the log does not count yet.
    pub dropped: Tally,
}

/// The length of an encoded state.
const STATE_BYTES: usize = BUCKET_BYTES + 1 + 3 * TALLY_BYTES;

impl Withheld {
    /// Tells whether the log does not count every line yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        [&self.repeated, &self.suppressed, &self.dropped].into_iter().any(|tally| !tally.is_empty())
    }

    /// How many lines the log does not count yet.
    #[must_use]
    pub fn lines(&self) -> u64 {
        [&self.repeated, &self.suppressed, &self.dropped]
            .into_iter()
            .fold(0, |sum, tally| sum.saturating_add(tally.lines))
    }

    /// Appends the lines that say what is counted.
    pub fn report(&self, head: &[u8], text: &mut Vec<u8>) {
        self.repeated.report(head, "last line repeated", "times", text);
        self.suppressed.report(head, "suppressed", "lines", text);
        self.dropped.report(head, "dropped", "lines", text);
    }

    /// The log counts every line now.
    pub fn settle(&mut self) {
        (self.repeated, self.suppressed, self.dropped) = Default::default();
    }

    /// Writes it to the end of `bytes`.
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.bucket.encode(bytes);
        bytes.push(u8::from(self.is_within_suppressed));
        for tally in [&self.repeated, &self.suppressed, &self.dropped] {
            tally.encode(bytes);
        }
    }

    /// Reads what [`Withheld::encode`] wrote.
    fn decode(bytes: &[u8; STATE_BYTES]) -> Option<Withheld> {
        let (bucket, rest) = bytes.split_first_chunk::<BUCKET_BYTES>()?;
        let (&within, rest) = rest.split_first()?;
        let mut tallies = rest.chunks_exact(TALLY_BYTES).map(|chunk| Tally::decode(chunk.try_into().ok()?));
        Some(Withheld {
            bucket: Bucket::decode(bucket)?,
            is_within_suppressed: within != 0,
            repeated: tallies.next()??,
            suppressed: tallies.next()??,
            dropped: tallies.next()??,
        })
    }
}

/// What a batch does to the state of one directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The state before the batch, and after it.
    pub states: [Withheld; 2],
    /// How many of the first lines that the directory would get are the same as the last line before the batch. A
    /// successor does not know that line.
    pub first_repeats: u64,
}

/// The length of an encoded change.
pub const CHANGE_BYTES: usize = 2 * STATE_BYTES + 8;

impl Change {
    /// Writes it to the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        self.states.iter().for_each(|state| state.encode(bytes));
        bytes.extend(self.first_repeats.to_le_bytes());
    }

    /// Reads what [`Change::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8; CHANGE_BYTES]) -> Option<Change> {
        let (before, rest) = bytes.split_first_chunk()?;
        let (after, rest) = rest.split_first_chunk()?;
        Some(Change {
            states: [Withheld::decode(before)?, Withheld::decode(after)?],
            first_repeats: u64::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tai64n::Label;

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let mut change = Change { first_repeats: 7, ..Change::default() };
        change.states[0].is_within_suppressed = true;
        change.states[1].suppressed.add(3, 4, Label::now());
        change.states[1].dropped.add(5, 6, Label::now());
        let mut bytes = Vec::new();
        change.encode(&mut bytes);

        assert_eq!(Change::decode(bytes[..].try_into().unwrap()), Some(change));
    }
}
