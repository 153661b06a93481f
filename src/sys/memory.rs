//! The memory allocator, and what of the memory a child gets.

use nix::libc;

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
