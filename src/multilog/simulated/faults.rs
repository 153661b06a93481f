//! Injected faults: which call fails or kills the process.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::sys::{Errno, Result};

/// What goes wrong at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing ever does.
    None,
    /// The call answers with an error, and none after it.
    Once { at: u64, errno: Errno },
    /// The call answers with an error, and so do those after it until the engine has paused so often.
    Fail { at: u64, errno: Errno, pauses: u32 },
    /// As `Fail`, and the process is killed when all that came is logged.
    FailAndIdle { at: u64, errno: Errno, pauses: u32 },
    /// The call answers with an error, and so does the call that comes so many calls later.
    Twice { at: u64, errno: Errno, later: u64 },
    /// The call answers with an error, and the process is killed before the call that comes so many calls later.
    FailAndKill { at: u64, errno: Errno, later: u64 },
    /// The call answers with an error, and so do those after it, until the process is killed while the engine pauses.
    FailUntilKilled { at: u64, errno: Errno },
    /// The process is killed before the call.
    Kill { at: u64 },
    /// The process is killed when all that came is logged, while it waits for more.
    KillIdle,
}

/// The process is gone: what the panic of a kill carries.
#[derive(Debug)]
pub(super) struct Killed;

#[derive(Debug)]
struct Count {
    fault: Fault,
    calls: u64,
    has_fired: bool,
    pauses: u32,
}

/// The calls of one process, counted.
#[derive(Clone, Debug)]
pub(super) struct Calls(Arc<Mutex<Count>>);

impl Calls {
    pub(super) fn new(fault: Fault) -> Calls {
        Calls(Arc::new(Mutex::new(Count { fault, calls: 0, has_fired: false, pauses: 0 })))
    }

    /// A call is made.
    pub(super) fn call(&self) -> Result<()> {
        let mut count = lock(&self.0);
        count.calls += 1;
        match count.fault {
            Fault::Fail { at, errno, pauses } | Fault::FailAndIdle { at, errno, pauses }
                if count.calls >= at && count.pauses < pauses =>
            {
                count.has_fired = true;
                Err(errno)
            }
            Fault::FailUntilKilled { at, errno } if count.calls >= at => {
                count.has_fired = true;
                Err(errno)
            }
            Fault::Once { at, errno } | Fault::FailAndKill { at, errno, .. } if count.calls == at => {
                count.has_fired = true;
                Err(errno)
            }
            Fault::Twice { at, errno, later } if count.calls == at || count.calls == at + later => {
                count.has_fired = true;
                Err(errno)
            }
            Fault::Kill { at } if count.calls == at => kill(count),
            Fault::FailAndKill { at, later, .. } if count.calls == at + later => kill(count),
            _ => Ok(()),
        }
    }

    /// The engine has nothing to do.
    pub(super) fn idle(&self) {
        let count = lock(&self.0);
        if matches!(count.fault, Fault::KillIdle | Fault::FailAndIdle { .. }) {
            kill(count);
        }
    }

    /// The engine pauses. One that pauses without end is found out.
    pub(super) fn pause(&self) {
        let mut count = lock(&self.0);
        count.pauses += 1;
        if matches!(count.fault, Fault::FailUntilKilled { .. }) {
            kill(count);
        }
        assert!(count.pauses < 50, "the trouble is over and the engine still pauses");
    }

    pub(super) fn has_fired(&self) -> bool {
        lock(&self.0).has_fired
    }
}

fn kill(mut count: MutexGuard<'_, Count>) -> ! {
    count.has_fired = true;
    drop(count);
    // As a panic, but without the words of one.
    std::panic::resume_unwind(Box::new(Killed))
}

/// A lock that a killed process held is free.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
