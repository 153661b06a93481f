//! What is known of archives that are not shipped: how many bytes they have, and how many had to go.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::logdir::shipping::Lost;

/// What a directory's writer knows of shipping. Nothing, if its script holds no archives.
#[derive(Debug, Default)]
pub struct Unshipped(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    /// The bytes of the archives that are not shipped, when they were counted last.
    pub(super) bytes: u64,
    pub(super) lost: Lost,
    /// Whether `lost` includes what the file says.
    pub(super) is_read: bool,
    /// Whether the file says less than `lost`, and whether a message said that it cannot be written.
    pub(super) is_behind: bool,
    pub(super) has_unwritten_file: bool,
    /// How many lost archives the last message named, and when.
    pub(super) said: u64,
    pub(super) said_at: Option<Instant>,
    /// `shipped` could not be read, and a message said so.
    pub(super) has_bad_mark: bool,
}

impl Unshipped {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of the archives that are not shipped, and the archives, lines and bytes that were lost.
    pub fn totals(&self) -> [u64; 4] {
        let state = self.state();
        let Lost { archives, lines, bytes, .. } = state.lost;
        [state.bytes, archives, lines, bytes]
    }

    /// Notes the bytes of the archives that are not shipped.
    pub(super) fn note_bytes(&self, bytes: u64) {
        self.state().bytes = bytes;
    }
}
