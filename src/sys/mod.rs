//! The home of system calls: typed wrappers, and every `unsafe` block of the house.
//!
//! Wrappers retry `EINTR`, set close-on-exec on what they open, and answer with an [`Errno`]; they decide nothing.
//!
//! - [`program`]: the C `main` through which every program enters.
//! - [`fd`]: reading and writing descriptors, and making sure that 0, 1 and 2 are taken.
//! - [`file`], [`dir`]: open files, and directories that are held open and named once.
//! - [`signal`], [`poll`]: signals as readable descriptors, and waiting for several things at once.
//! - [`inotify`]: being told what happens in a directory. [`terminal`]: what stands at the other end of a descriptor.
//! - [`handover`]: sending bytes so that a killed sender's successor knows how many arrived.
//! - [`clock`]: the wall clock. [`child`]: processes that we start.
#![allow(unsafe_code)]

pub mod child;
pub mod clock;
pub mod dir;
pub mod fd;
pub mod file;
pub mod handover;
pub mod inotify;
pub mod poll;
pub mod program;
pub mod signal;
pub mod terminal;

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
