//! Memory that outlives the process: a page of a file, mapped.
//!
//! What is stored is in the kernel's hands at once and without a call; a process that is killed has stored all that came
//! before. It does not wait for the disk and is not meant to survive the machine.
//!
//! If somebody truncates the file, a store to the page would end the process with SIGBUS. Instead the page is replaced by
//! anonymous memory and the store goes on; [`Page::is_lost`] says so, and a new page can be made. A SIGBUS that somebody
//! sent ends the process, as it would without us.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::uio::{pread, pwrite};

use crate::sys::{Errno, Result, uninterrupted};

/// Where the one page of this process is, for the handler; 0 if there is none.
static START: AtomicUsize = AtomicUsize::new(0);
/// Its length.
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// Its file went away under it.
static LOST: AtomicBool = AtomicBool::new(false);

/// A mapped page. A process has one at a time.
#[derive(Debug)]
pub struct Page {
    start: NonNull<u8>,
    length: usize,
}

impl Page {
    /// Maps the first `length` bytes of a file that is open for reading and writing, and not for appending, with room on
    /// the disk made sure of.
    pub fn map(file: impl AsFd, length: usize) -> Result<Page> {
        assert_eq!(START.load(Ordering::Relaxed), 0, "one page at a time");
        take_room(file.as_fd(), length)?;
        let size = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; it is reached only through this object.
        let start = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, file.as_fd(), 0) }?.cast();
        START.store(start.as_ptr() as usize, Ordering::Relaxed);
        LENGTH.store(length, Ordering::Relaxed);
        LOST.store(false, Ordering::Relaxed);
        let page = Page { start, length };
        catch_bus_errors()?;
        Ok(page)
    }

    /// Tells whether the file was truncated under the page, so that what is stored is seen by nobody.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        LOST.load(Ordering::Relaxed)
    }

    /// Stores bytes, after all that was stored before.
    pub fn store(&mut self, at: usize, bytes: &[u8]) {
        assert!(at <= self.length && bytes.len() <= self.length - at, "within the page");
        // SAFETY: within the mapping by the assertion.
        let start = unsafe { self.start.as_ptr().add(at) };
        let (before, rest) = bytes.split_at(start.align_offset(size_of::<u64>()).min(bytes.len()));
        let (words, after) = rest.as_chunks();
        // Volatile, so that the compiler neither leaves out nor moves what nobody in this process reads.
        for (offset, &byte) in before.iter().enumerate() {
            // SAFETY: within the mapping by the assertion.
            unsafe { ptr::write_volatile(start.add(offset), byte) };
        }
        for (number, &word) in words.iter().enumerate() {
            // SAFETY: within the mapping by the assertion, and behind the bytes that lead to the first multiple of a word.
            unsafe {
                let place = start.add(before.len() + size_of::<u64>() * number);
                ptr::write_volatile(place.cast::<u64>(), u64::from_ne_bytes(word));
            }
        }
        for (offset, &byte) in after.iter().enumerate() {
            // SAFETY: within the mapping by the assertion.
            unsafe { ptr::write_volatile(start.add(bytes.len() - after.len() + offset), byte) };
        }
    }

    /// Loads all of the page.
    #[must_use]
    pub fn load(&self) -> Vec<u8> {
        // SAFETY: within the mapping. Volatile, as the kernel stores here too.
        (0..self.length).map(|at| unsafe { ptr::read_volatile(self.start.as_ptr().add(at)) }).collect()
    }

    /// One byte, for the kernel to store into.
    pub fn landing(&mut self, at: usize) -> &mut [u8] {
        assert!(at < self.length, "within the page");
        // A page that has been written to the disk since must be asked for again. Better here than within the call: a
        // process that is being killed is refused it there.
        // SAFETY: within the mapping by the assertion, and nothing else borrows from it.
        unsafe {
            let byte = self.start.as_ptr().add(at);
            ptr::write_volatile(byte, ptr::read_volatile(byte));
        }
        // SAFETY: within the mapping, and borrowed for as long as the page is.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(at), 1) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        START.store(0, Ordering::Relaxed);
        // SAFETY: the mapping is this object's, and nothing borrows from it any more. That it cannot fail for a mapping
        // that exists is all there is to say.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

/// Makes sure that the disk has room for the first `length` bytes of a file, and that the file is so long: a store into a
/// hole fails when the disk is full. What is in the file stays.
fn take_room(file: BorrowedFd<'_>, length: usize) -> Result<()> {
    let size = i64::try_from(length).map_err(|_| Errno::EINVAL)?;
    match uninterrupted(|| fallocate(file, FallocateFlags::empty(), 0, size)) {
        // ext2, ext3, FUSE and others do not know the call; a sandbox may forbid it. Where it finds no room, the file may
        // have it already. The C library's own substitute refuses some files and keeps away from what is not a hole.
        Err(_) => rewrite(file, length),
        answer => answer,
    }
}

/// Writes what a file holds to where it stands, and zeros behind it: then there is no hole.
fn rewrite(file: BorrowedFd<'_>, length: usize) -> Result<()> {
    let mut bytes = vec![0; length];
    let mut from = 0;
    while from < length {
        match uninterrupted(|| pread(file, &mut bytes[from..], offset(from)))? {
            0 => break,
            read => from += read,
        }
    }
    let mut from = 0;
    while from < length {
        match uninterrupted(|| pwrite(file, &bytes[from..], offset(from)))? {
            0 => return Err(Errno::ENOSPC),
            written => from += written,
        }
    }
    Ok(())
}

fn offset(at: usize) -> libc::off_t {
    libc::off_t::try_from(at).unwrap_or(libc::off_t::MAX)
}

fn catch_bus_errors() -> Result<()> {
    let action = SigAction::new(SigHandler::SigAction(replace_page), SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handler makes only system calls and touches only atomics.
    unsafe { sigaction(Signal::SIGBUS, &action) }.map(drop)
}

extern "C" fn replace_page(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO a valid siginfo.
    let code = unsafe { (*info).si_code };
    if code <= 0 {
        // Sent by a process (SI_USER, SI_QUEUE, SI_TKILL): nothing that would happen again when we return.
        // SAFETY: both may be called from a handler. The signal is blocked within it and ends the process behind it.
        unsafe {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
            libc::raise(libc::SIGBUS);
        }
        return;
    }
    // SAFETY: of a SIGBUS that the kernel raised the siginfo holds the address.
    let address = unsafe { (*info).si_addr() } as usize;
    let (start, length) = (START.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    if start != 0 && (start..start + length).contains(&address) {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: replaces the mapping that is ours, page for page; the access that failed is then repeated.
        let answer = unsafe { libc::mmap(start as *mut libc::c_void, length, protection, flags, -1, 0) };
        if answer != libc::MAP_FAILED {
            LOST.store(true, Ordering::Relaxed);
            return;
        }
    }
    // SAFETY: whatever else it was, it happens again and ends the process as it would have.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn bytes_are_stored_where_they_belong() {
        let bytes: Vec<u8> = (1..=40).collect();
        for (at, length) in (0..16).flat_map(|at| (0..=bytes.len()).map(move |length| (at, length))) {
            let mut memory = vec![0; 64];
            let start = NonNull::new(memory.as_mut_ptr()).unwrap();
            // It is no mapping that could be undone.
            let mut page = ManuallyDrop::new(Page { start, length: memory.len() });

            page.store(at, &bytes[..length]);

            let mut expected = vec![0; 64];
            expected[at..at + length].copy_from_slice(&bytes[..length]);
            assert_eq!(memory, expected, "{length} bytes at {at}");
        }
    }
}
