//! Frees the space of a removed archive in a thread of its own: a file system that tells its disk of each block that is no
//! longer in use takes as long for that as for an fsync.
//!
//! The name is removed first. The file is held open meanwhile, so that its space is freed by the one who closes it; if the
//! logger is killed, that is the kernel.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::multilog::writer::directory::{Directory, LogFile};
use crate::sys::{memory, small_thread};

/// The thread makes one call.
const STACK_BYTES: usize = 64 * 1024;

/// On a disk that has less room than this many of the files, the space is freed before anybody goes on.
const FILES_OF_ROOM_MIN: u64 = 4;

/// The thread that frees space, if there is one.
#[derive(Debug, Default)]
pub(super) struct Freeing(Mutex<Option<JoinHandle<()>>>);

impl Freeing {
    /// Opens a file that is about to be removed, if its space can be freed later.
    pub(super) fn hold<D: Directory>(directory: &D, name: &[u8]) -> Option<D::File> {
        if !D::FINISHES_IN_THREAD || memory::is_scarce() {
            return None;
        }
        let file = directory.open_to_read(name).ok()?;
        let (size_bytes, space) = (file.stat().ok()?.size_bytes, directory.space().ok()?);
        (size_bytes.saturating_mul(FILES_OF_ROOM_MIN) <= space.free_bytes).then_some(file)
    }

    /// Closes a removed file, here if no thread can be started. Waits for the one before.
    pub(super) fn close<F: Send + 'static>(&self, file: F) {
        self.wait();
        let thread = small_thread::start(STACK_BYTES, Box::new(move || drop(file))).ok();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }

    /// Waits until the space is free; returns whether there was any to wait for.
    pub(super) fn wait(&self) -> bool {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.is_some_and(|thread| thread.join().is_ok())
    }
}
