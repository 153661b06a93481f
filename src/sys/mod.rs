//! The home of system calls: typed wrappers, and every `unsafe` block of the house.
//!
//! Wrappers retry `EINTR`, set close-on-exec on what they open, and answer with an [`Errno`]; they decide nothing.
//!
//! - [`program`]: the C `main` through which every program enters.
//! - [`fd`]: reading and writing descriptors, and making sure that 0, 1 and 2 are taken.
//! - [`file`], [`dir`]: open files, and directories that are held open and named once.
//! - [`signal`], [`poll`], [`edge`], [`event`]: signals as readable descriptors, and waiting for several things at once.
//! - [`pipe`]: pipes, and looking into them. [`page`]: memory that outlives the process.
//! - [`clock`]: the wall clock. [`boot`]: which run of the system this is. [`child`]: processes that we start. [`memory`]: the allocator.
#![allow(unsafe_code)]

pub mod boot;
pub mod child;
pub mod clock;
pub mod dir;
pub mod edge;
pub mod event;
pub mod fd;
pub mod file;
pub mod memory;
pub mod page;
pub mod pipe;
pub mod poll;
pub mod program;
pub mod signal;

pub use nix::errno::Errno;

/// What a system call answers.
pub type Result<T> = std::result::Result<T, Errno>;

/// Repeats a call for as long as a signal interrupts it.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            answer => return answer,
        }
    }
}
