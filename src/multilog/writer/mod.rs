//! The log directory: `current` and the archives it becomes, never more than asked for, on disk in an order that
//! survives a crash between any two calls.
//!
//! The parts, in the order in which a file meets them:
//!
//! - [`LockedDirectory`]: the directory is opened and locked, before anything in it is touched.
//! - [`recover`]: what is found at start is put right, so that `current` can be appended to.
//! - `current`: `current` is made, whatever somebody put in its place.
//! - [`LogDir`]: appends to `current`, and starts a rotation.
//! - [`finisher`]: takes `previous` to its archive: to disk, through the processor, to its name.
//! - [`spare`]: makes the next `current` ahead, where files are full soon.
//! - [`worker`]: a thread in which it does.
//! - [`archive`]: gives a file its name, greater than every name before it.
//! - [`trim`]: removes the oldest archives.
//!
//! All of them act through [`Directory`], one narrow interface, so that tests put a simulated directory and clock behind
//! it, in which any call can fail and after any call the process can die. Nothing here waits or retries: a call that
//! fails is told as [`Error`], and calling again resumes at the step that failed.

pub mod archive;
mod copy;
mod current;
pub mod directory;
pub mod extent;
pub mod finisher;
mod lock;
pub mod locked_directory;
pub mod log_dir;
pub mod place;
pub mod preallocated;
pub mod processor;
pub mod recover;
pub mod schedule;
pub mod trim;
pub mod worker;
