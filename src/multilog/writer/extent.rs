//! The part of a batch that goes to one directory, as the journal notes it.

use crate::sys::stat::FileId;

/// What a batch does to one directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The directory.
    pub directory: FileId,
    /// Its `current`.
    pub current: FileId,
    /// How long `current` was before the batch.
    pub offset_bytes: u64,
    /// How much the batch adds.
    pub output_bytes: u64,
    /// An fsync of `current` has failed, or is in progress: some bytes may not be on the disk, even if the next fsync
    /// succeeds.
    pub is_doubtful: bool,
}

impl Extent {
    /// How long `current` is after the batch; `None` if no file can be so long.
    #[must_use]
    pub fn end_bytes(&self) -> Option<u64> {
        self.offset_bytes.checked_add(self.output_bytes)
    }

    /// The directory as the next batch finds it.
    #[must_use]
    pub fn after(&self) -> Option<Extent> {
        Some(Extent { offset_bytes: self.end_bytes()?, output_bytes: 0, ..*self })
    }
}
