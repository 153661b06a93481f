//! Frees the space of a removed archive in a thread of its own: a file system that tells its disk of each block that is no
//! longer in use takes as long for that as for an fsync.
//!
//! The name is removed first. The file is held open meanwhile, so that its space is freed by the one who closes it.

use std::thread::JoinHandle;

use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::sys::{memory, small_thread};

/// The thread makes one call.
const STACK_BYTES: usize = 64 * 1024;

/// On a disk that has less room than this many of the files, the space is freed before anybody goes on.
const FILES_OF_ROOM_MIN: u64 = 4;

/// The thread that frees space, if there is one.
#[derive(Debug, Default)]
pub(super) struct Freeing(Option<JoinHandle<()>>);

impl Freeing {
    /// Opens a file that is about to be removed, if its space can be freed later.
    pub(super) fn hold<D: Directory>(place: &Place<D>, name: &[u8]) -> Option<D::File> {
        if !D::FINISHES_IN_THREAD || memory::is_scarce() {
            return None;
        }
        let file = place.directory.open_to_read(name).ok()?;
        let (size_bytes, space) = (file.stat().ok()?.size_bytes, place.directory.space().ok()?);
        (size_bytes.saturating_mul(FILES_OF_ROOM_MIN) <= space.free_bytes).then_some(file)
    }

    /// Closes a removed file, here if no thread can be started. Waits for the one before.
    pub(super) fn close<F: Send + 'static>(&mut self, file: F) {
        if let Some(before) = self.0.take() {
            let _ = before.join();
        }
        self.0 = small_thread::start(STACK_BYTES, Box::new(move || drop(file))).ok();
    }
}
