//! Forks this process, and starts a session.

use nix::libc;
use nix::unistd::{ForkResult, fork as fork_process, setsid};

use crate::sys::Result;
use crate::sys::process::child::Child;

/// Copies this process, carries out `life` in the copy, and makes the copy exit with the code that `life` returns.
///
/// For programs without threads: another thread would be missing from the copy, with whatever it had locked.
pub fn fork(life: impl FnOnce() -> i32) -> Result<Child> {
    // SAFETY: the copy may allocate: glibc puts its allocator in order on both sides of a fork. The programs that call
    // this start no threads, so no lock of ours is held for ever in the copy.
    match unsafe { fork_process() }? {
        ForkResult::Parent { child } => Ok(Child::from(child)),
        ForkResult::Child => {
            let code = life();
            // SAFETY: exits immediately, without running what the parent has registered for its own end.
            unsafe { libc::_exit(code) }
        }
    }
}

/// Starts a session and with it a process group, without a terminal. Fails for the leader of a process group.
pub fn start_session() -> Result<()> {
    setsid().map(drop)
}
