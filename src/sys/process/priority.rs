//! The priority of this process for processors and disks.

use nix::libc;

/// How much nicer a process becomes: of the 19 steps that there are, enough to give way to every ordinary process.
const NICER: libc::c_int = 10;

/// `ioprio_set` for this process; the class of ordinary processes, and its lowest level.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
const IOPRIO_LOWEST_BEST_EFFORT: libc::c_int = 2 << 13 | 7;

/// Lowers the priority of this thread, and of the threads and processes that it starts from now on. If the system refuses, the
/// priority stays as it is.
pub fn lower() {
    // SAFETY: both calls take numbers only.
    unsafe {
        libc::nice(NICER);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_LOWEST_BEST_EFFORT);
    }
}
