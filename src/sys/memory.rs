//! The memory allocator.

use nix::libc;

/// Keeps all threads to one pool of memory: a second one would reserve address space that `softlimit -m` counts.
pub fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only sets a parameter, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
