//! System calls: typed wrappers, and every `unsafe` block of the project.
//!
//! Wrappers retry `EINTR`, set close-on-exec on what they open, and answer with an [`Errno`]; they decide nothing.
//!
//! - [`program`]: the C `main` through which every program enters. [`mod@without_resolver`]: parts of the C library that a
//!   program does without.
//! - [`fd`]: reading and writing descriptors, and making sure that 0, 1 and 2 are taken. [`prompt`]: writing without
//!   waiting for a reader.
//! - [`mod@file`], [`mod@stat`], [`dir`]: open files, what the system says of them, and directories that are held open and named once.
//! - [`replace`]: replacing a file in one step.
//! - [`signal`], [`poll`], [`epoll`], [`eventfd`]: signals as readable descriptors, and waiting for several things at once.
//! - [`pipe`], [`fifo`]: pipes without and with a name. [`waiting_peek`]: looking into a pipe once there is something.
//! - [`clock`]: the wall clock. [`boot_id`]: which run of the system this is. [`memory`]: the allocator. [`page`]: memory
//!   that outlives the process.
//! - [`process`]: this process, its children, and those of others. [`small_thread`]: threads.
//! - [`credentials`], [`limit`], [`lockfile`]: what a process has before it runs another program: users and groups, limits, a
//!   lock that stays. [`accounts`]: who the system's users are.
//! - [`trusted_path`]: whether only root and the own user can change what a path leads to.
//! - [`root_dir`]: a root directory that nothing leads out of. [`unix_socket`]: the way to a syslog daemon.
//! - [`inotify`]: watches directories. [`terminal`]: what stands at the other end of a descriptor.
//! - [`sendfile`]: sending bytes so that a killed sender's successor knows how many arrived.
//! - [`mapped_file`]: the bytes of a file without a name, mapped.
//! - [`socket`], [`datagrams`], [`passing`]: sockets, batches of datagrams, descriptors that are passed on.
//!   [`shared_memory`]: memory that outlives the process; [`watch`]: waits for any number of descriptors.
//! - [`newlines`]: vector instructions that find newlines. `kernel`: which one runs.
#![allow(unsafe_code)]

pub mod accounts;
pub mod boot_id;
pub mod clock;
pub mod credentials;
pub mod datagrams;
pub mod dir;
pub mod epoll;
pub mod eventfd;
pub mod fd;
pub mod fifo;
pub mod file;
pub mod inotify;
pub(crate) mod kernel;
pub mod limit;
pub mod lockfile;
pub mod mapped_file;
pub mod memory;
pub mod newlines;
pub mod page;
pub mod passing;
pub mod pipe;
pub mod poll;
pub mod process;
pub mod program;
pub mod prompt;
pub mod replace;
pub mod root_dir;
pub mod sendfile;
pub mod shared_memory;
pub mod signal;
pub mod small_thread;
pub mod socket;
pub mod stat;
pub mod terminal;
pub mod trusted_path;
pub mod unix_socket;
pub mod waiting_peek;
pub mod watch;
pub mod without_resolver;

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
