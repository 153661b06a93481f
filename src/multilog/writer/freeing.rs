//! Removes archives, and frees their space in a thread of its own where that takes long: a file system that tells its disk of
//! each block that is no longer in use takes as long for that as for an fsync.
//!
//! The name is removed first. The file is held open meanwhile, so that its space is freed by the one who closes it; if the
//! logger is killed, that is the kernel.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::multilog::writer::directory::{Directory, LogFile};
use crate::sys::{Result, memory, small_thread};

/// The thread makes one call.
const STACK_BYTES: usize = 64 * 1024;

/// What takes less time than this, on average, is not worth a thread.
const MICROSECONDS_MIN: u32 = 200;

/// On a disk that has less room than this many of the files, the space is freed before anybody goes on.
const FILES_OF_ROOM_MIN: u64 = 4;

/// Removes the archives of a directory.
#[derive(Debug, Default)]
pub(super) struct Freeing {
    /// How long it took to free the space of an archive.
    time: Arc<AverageTime>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Freeing {
    /// Removes a file. Its space may be freed after that if `may_be_later`.
    pub(super) fn remove<D: Directory>(&self, directory: &D, name: &[u8], may_be_later: bool) -> Result<()> {
        let held = if may_be_later && self.time.is_long() { hold(directory, name) } else { None };
        let start = Instant::now();
        directory.unlink(name)?;
        match held {
            Some(file) => self.close(file),
            None => self.time.add(start.elapsed()),
        }
        Ok(())
    }

    /// Closes a removed file in a thread, or here if none can be started. Waits for the one before.
    fn close<F: Send + 'static>(&self, file: F) {
        self.wait();
        let time = Arc::clone(&self.time);
        let close = move || {
            let start = Instant::now();
            drop(file);
            time.add(start.elapsed());
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

/// An average in microseconds to which the last time contributes a quarter.
#[derive(Debug, Default)]
struct AverageTime(AtomicU32);

impl AverageTime {
    /// One thread at a time adds to it.
    fn add(&self, time: Duration) {
        let before = u64::from(self.0.load(Ordering::Relaxed));
        let now = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let average = before.saturating_mul(3).saturating_add(now) / 4;
        self.0.store(u32::try_from(average).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MICROSECONDS_MIN
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
