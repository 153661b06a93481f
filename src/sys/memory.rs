//! The memory allocator, what it does when there is no more, and what of the memory a child gets.

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// The program that ends when there is no more memory.
static ENDING: OnceLock<&'static str> = OnceLock::new();
/// There may be too little memory for what is done usually.
static SCARCE: AtomicBool = AtomicBool::new(false);

/// The system's allocator. Rust's own answer to a refusal is to abort with a backtrace.
#[derive(Debug)]
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: every call is the system allocator's, with what the caller vouches for.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        or_end(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        or_end(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        // SAFETY: the caller's.
        or_end(unsafe { System.realloc(place, layout, new_bytes) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Ends the process if it asked for that and there is no memory.
fn or_end(place: *mut u8) -> *mut u8 {
    if place.is_null()
        && let Some(name) = ENDING.get()
    {
        let mut asked = [PollFd::new(crate::sys::fd::stderr(), PollFlags::POLLOUT)];
        // Nobody waits for a reader that does not read.
        if matches!(poll(&mut asked, PollTimeout::ZERO), Ok(1)) {
            let pieces = [name.as_bytes(), b": fatal: out of memory\n"].map(std::io::IoSlice::new);
            let _ = nix::sys::uio::writev(crate::sys::fd::stderr(), &pieces);
        }
        // SAFETY: ends the process at once, from whichever thread.
        unsafe { libc::_exit(111) };
    }
    place
}

/// From now on the process says so and exits with 111 when there is no more memory. It must leave things right at any
/// moment, as for SIGKILL.
pub fn end_when_exhausted(name: &'static str) {
    // Said once.
    let _ = ENDING.set(name);
}

/// Finds out whether the process may have so much more memory.
pub fn look_whether_scarce(bytes: usize) {
    let Some(length) = NonZeroUsize::new(bytes) else { return };
    // Writable and private: what limits on address space and on data count.
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice, which nobody uses.
    let answer = unsafe { mmap_anonymous(None, length, protection, flags) };
    SCARCE.store(answer.is_err(), Ordering::Relaxed);
    match answer {
        // SAFETY: the mapping that was just made.
        Ok(start) => drop(unsafe { munmap(start, bytes) }),
        Err(_) => spend_sparingly(),
    }
}

/// Tells whether there may be too little memory for what is done usually.
#[must_use]
pub fn is_scarce() -> bool {
    SCARCE.load(Ordering::Relaxed)
}

/// Asks the system for no more than is needed.
fn spend_sparingly() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only sets a parameter, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, 0);
    }
}

/// From how many bytes on memory is mapped by itself.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES: libc::c_int = 64 * 1024;

/// Keeps all threads to one pool of memory: a second one would reserve address space that `softlimit -m` counts. What is
/// large is taken from the system and given back to it: it costs nothing before it is used, and nothing afterwards.
pub fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only sets parameters, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
    }
}

/// Keeps up to so many bytes that have been freed, for a program that needs the same again at once: [`give_back`] ends that.
pub fn keep_freed(bytes: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: only sets parameters.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
        libc::mallopt(libc::M_TRIM_THRESHOLD, bytes);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = bytes;
}

/// Gives back to the system what has been freed.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the allocator looks through what is free, under its own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps the whole pages of a list out of the copies that fork makes, which is then as quick as without them. A child
/// must not look at them.
pub fn keep_from_children<T>(list: &[T]) {
    let page = 4096;
    let start = (list.as_ptr() as usize).next_multiple_of(page);
    let end = (list.as_ptr() as usize + size_of_val(list)) / page * page;
    if start < end {
        // SAFETY: changes nothing in this process, and a child of ours executes another program at once. What answers an
        // error forks more slowly, and that is all.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTFORK) };
    }
}
