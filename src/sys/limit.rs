//! Resource limits of a process.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{getrlimit, setrlimit};

pub use nix::sys::resource::Resource;

use crate::sys::Result;

/// The soft limit on descriptors that this process had before it raised it; `u64::MAX`: never raised.
static DESCRIPTORS_BEFORE: AtomicU64 = AtomicU64::new(u64::MAX);

/// The two limits on one resource, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What the kernel enforces.
    pub soft: u64,
    /// Up to where the process may raise the soft limit.
    pub hard: u64,
}

/// Asks for the limits on a resource.
pub fn get(resource: Resource) -> Result<Limit> {
    getrlimit(resource).map(|(soft, hard)| Limit { soft, hard })
}

/// Sets both limits on a resource.
pub fn set(resource: Resource, limit: Limit) -> Result<()> {
    setrlimit(resource, limit.soft, limit.hard)
}

/// Allows this process, not its children, as many descriptors as it may have.
pub fn raise_descriptors() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        DESCRIPTORS_BEFORE.store(soft, Ordering::Relaxed);
    }
    Ok(())
}

/// The soft limit that children get; `None` if it is this process's own.
#[must_use]
pub fn descriptors_of_children() -> Option<u64> {
    Some(DESCRIPTORS_BEFORE.load(Ordering::Relaxed)).filter(|before| *before != u64::MAX)
}

/// Gives children this soft limit: an earlier program in this process raised its own.
pub fn set_descriptors_of_children(soft: u64) {
    DESCRIPTORS_BEFORE.store(soft, Ordering::Relaxed);
}

/// Undoes in a child what [`raise_descriptors`] did. May be called between fork and exec.
pub fn restore_in_child() -> Result<()> {
    let before = DESCRIPTORS_BEFORE.load(Ordering::Relaxed);
    if before == u64::MAX {
        return Ok(());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, before, hard)
}

/// Has a command run with the limit that this process had before [`raise_descriptors`].
pub fn restore_for(command: &mut Command) {
    // SAFETY: between fork and exec two calls are made, which are async-signal-safe, and nothing is allocated.
    unsafe { command.pre_exec(|| restore_in_child().map_err(|errno| std::io::Error::from_raw_os_error(errno as i32))) };
}
