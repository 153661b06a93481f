//! Sends bytes in such a way that the successor of a killed sender knows how many arrived.
//!
//! `write` tells only its caller how much it wrote, and a caller that is killed before it takes a note takes the answer
//! with it. `sendfile` has the kernel take the note: it writes back the offset up to which it read, within the same call,
//! and a call that has begun to send is not left without it. Here that offset lies in a page that is mapped from a file,
//! which outlives the process.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::file::File;
use crate::sys::{Errno, Result, uninterrupted};

/// How much of a file's beginning is mapped.
const MAPPED_BYTES: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// A note in a file, 8 bytes in the machine's byte order, of how far the file was sent.
#[derive(Debug)]
pub struct SentMark {
    page: NonNull<libc::c_void>,
    /// Where in the page the note lies; a multiple of 8, and 8 bytes before its end at the latest.
    at: usize,
}

impl SentMark {
    /// Maps the note at offset `at` of a file that is open for reading and writing and not shorter than a page.
    pub fn map(file: &File, at: usize) -> Result<SentMark> {
        if !at.is_multiple_of(8) || at + 8 > MAPPED_BYTES.get() || file.stat()?.size_bytes < MAPPED_BYTES.get() as u64 {
            return Err(Errno::EINVAL);
        }
        let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses.
        let page = unsafe { mmap(None, MAPPED_BYTES, rights, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(SentMark { page, at })
    }

    fn note(&self) -> *mut libc::off_t {
        // SAFETY: `at` is within the page, and the page stays mapped as long as `self`.
        unsafe { self.page.as_ptr().byte_add(self.at).cast() }
    }

    /// The offset up to which the file was sent.
    #[must_use]
    pub fn get(&self) -> i64 {
        // SAFETY: aligned and within the mapped page; any 8 bytes make a number.
        unsafe { self.note().read_volatile() }
    }

    /// Notes an offset.
    pub fn set(&mut self, offset: i64) {
        // SAFETY: as in `get`.
        unsafe { self.note().write_volatile(offset) }
    }

    /// Sends from the noted offset at most `bytes` to `sink`, has the kernel note the new offset, and says how many
    /// bytes went.
    pub fn send(&mut self, file: &File, sink: impl AsFd, bytes: usize) -> Result<usize> {
        // The page is made present and dirty now, so that the kernel's own store to it has nothing to wait for.
        self.set(self.get());
        let (sink, source) = (sink.as_fd().as_raw_fd(), file.as_fd().as_raw_fd());
        // SAFETY: the offset is 8 bytes of ours that nobody else reads or writes during the call.
        let sent = uninterrupted(|| Errno::result(unsafe { libc::sendfile(sink, source, self.note(), bytes) }))?;
        Ok(sent.unsigned_abs())
    }
}

impl Drop for SentMark {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, and nothing borrowed from it lives on.
        let _ = unsafe { munmap(self.page, MAPPED_BYTES.get()) };
    }
}
