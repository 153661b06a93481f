//! Limits on what a process may use.

use nix::sys::resource::{getrlimit, setrlimit};

pub use nix::sys::resource::Resource;

use crate::sys::Result;

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
