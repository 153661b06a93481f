//! The writer of a log directory: `current` and its archives. The directory is consistent between any two system calls.
//!
//! The parts, in the order in which a file passes through them:
//!
//! - [`locked_directory`]: the directory is opened and locked, before anything in it is touched. [`place`]: the directory
//!   with the name that messages give it.
//! - [`recover`]: repairs the directory at the start, so that `current` can be appended to.
//! - `current`: creates `current`, even if something else has its name. `open_log`: restores it if it was removed or
//!   replaced.
//! - [`log_dir`]: appends to `current`, and rotates it. `rotation`: `current` becomes `previous`. [`schedule`]: when fsync
//!   and checks are due. `timetable`: when it ends although it is not full.
//! - `finishing`: who finishes `previous`, the engine or a thread.
//! - [`finisher`]: makes `previous` an archive: fsync, [`processor`], name.
//! - [`preallocated`]: the next `current`, created in advance if files fill quickly. `reserve`: all preallocated space.
//! - [`worker`]: the thread that finishes files.
//! - [`archive`]: gives a file its name, later than every name before it. [`trim`]: removes the oldest archives. `survey`: which
//!   of them have to go. `freeing`: removes them. `freeing`: the space of one of them. `shipping`: how far `logship` has shipped them, and those that
//!   were lost; [`unshipped`]: the numbers.
//! - [`extent`]: the part of a batch that one directory gets, as the journal notes it.
//!
//! All of them act through the trait [`Directory`](directory::Directory). Tests put a simulated directory and clock behind
//! it, in which any call can fail and after any call the process can die. Nothing here waits or retries: a step that fails
//! returns an [`Error`](super::error::Error), and calling it again resumes at the step that failed.

pub mod archive;
mod copy;
mod current;
pub mod directory;
pub mod extent;
pub mod finisher;
mod finishing;
mod freeing;
mod lock;
pub mod locked_directory;
pub mod log_dir;
mod open_log;
pub mod place;
pub mod preallocated;
pub mod processor;
pub mod recover;
mod reserve;
mod rotation;
pub mod schedule;
mod shipping;
mod survey;
mod timetable;
pub mod trim;
pub mod unshipped;
pub mod worker;
