//! Removes archives, and frees their space in a thread of its own where that takes long: a file system that tells its disk of
//! each block that is no longer in use takes as long for that as for an fsync.
//!
//! The name is removed first. The file is held open meanwhile, so that its space is freed by the one who closes it; if the
//! logger is killed, that is the kernel.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::multilog::writer::directory::{Directory, LogFile};
use crate::sys::{Result, memory, small_thread};

/// The thread makes one call.
const STACK_BYTES: usize = 64 * 1024;

/// What takes less time than this is not worth a thread.
const TIME_MIN: Duration = Duration::from_micros(200);

/// On a disk that has less room than this many of the files, the space is freed before anybody goes on.
const FILES_OF_ROOM_MIN: u64 = 4;

/// Removes the archives of a directory.
#[derive(Debug, Default)]
pub(super) struct Freeing {
    /// The space of the last archive took long to free.
    takes_long: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Freeing {
    /// Removes a file. Its space may be freed after that if `may_be_later`.
    pub(super) fn remove<D: Directory>(&self, directory: &D, name: &[u8], may_be_later: bool) -> Result<()> {
        let takes_long = may_be_later && self.takes_long.load(Ordering::Relaxed);
        let held = if takes_long { hold(directory, name) } else { None };
        let start = Instant::now();
        directory.unlink(name)?;
        match held {
            Some(file) => self.close(file),
            None => self.takes_long.store(start.elapsed() >= TIME_MIN, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Closes a removed file in a thread, or here if none can be started. Waits for the one before.
    fn close<F: Send + 'static>(&self, file: F) {
        self.wait();
        let takes_long = Arc::clone(&self.takes_long);
        let close = move || {
            let start = Instant::now();
            drop(file);
            takes_long.store(start.elapsed() >= TIME_MIN, Ordering::Relaxed);
        };
        let thread = small_thread::start(STACK_BYTES, Box::new(close)).ok();
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }

    /// Waits until the space is free; returns whether there was any to wait for.
    pub(super) fn wait(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.is_some_and(|thread| thread.join().is_ok())
    }
}

/// Opens a file that is about to be removed, if its space can be freed later.
fn hold<D: Directory>(directory: &D, name: &[u8]) -> Option<D::File> {
    if !D::FINISHES_IN_THREAD || memory::is_scarce() {
        return None;
    }
    let file = directory.open_to_read(name).ok()?;
    let (size_bytes, space) = (file.stat().ok()?.size_bytes, directory.space().ok()?);
    (size_bytes.saturating_mul(FILES_OF_ROOM_MIN) <= space.free_bytes).then_some(file)
}
