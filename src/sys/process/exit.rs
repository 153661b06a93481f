//! Ends a child that could not become what it was started for.

use nix::libc;

/// The exit code of such a child.
const CANNOT_RUN: i32 = 111;

/// Exits immediately, without running what the parent has registered for its own end.
pub(super) fn exit_child() -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(CANNOT_RUN) }
}
