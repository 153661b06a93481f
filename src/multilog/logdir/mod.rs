//! The log directory: `current` and the archives it becomes, never more than asked for, on disk in an order that
//! survives a crash between any two calls.
//!
//! ```text
//! lock        locked while a writer runs
//! current     what is being appended to: 0644, and 0744 once its writer has left in good order
//! previous    what was current, on its way to become an archive; 0744 once it is on the disk
//! rewritten   a copy of previous, for a moment, where the disk refused the original
//! processed   what the processor makes of previous; 0744 once it is complete and on the disk
//! state       what the processor wrote to descriptor 5 the last time
//! journal     what a successor must know if this writer is killed: 0600, gone once it has left in good order
//! newjournal  a journal that is being made
//! newstate    what it is writing to descriptor 5 this time
//! @label.s    an archive, safely written (and processed), named after the moment it was finished
//! @label.u    an archive that an outage may have cut short
//! ```
//!
//! The parts, in the order in which a file meets them:
//!
//! - [`Claim`]: the directory is opened and locked, before anything in it is touched.
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
//! fails is told as [`Trouble`], and calling again resumes at the step that failed.

use std::sync::{Arc, Mutex, PoisonError};

use crate::tai64n::Label;

mod append;
pub mod archive;
mod claim;
mod copy;
mod current;
mod directory;
pub mod finisher;
pub mod processor;
pub mod recover;
mod retry;
pub mod spare;
pub mod trim;
pub mod upkeep;
pub mod worker;

pub use append::{LogDir, Room};
pub use claim::Claim;
pub use directory::{Directory, LogFile, PathDir};

pub use retry::{Patience, Trouble};

/// Locked while a writer runs.
pub const LOCK: &str = "lock";
/// What is being appended to.
pub const CURRENT: &str = "current";
/// What was current, on its way to become an archive.
pub const PREVIOUS: &str = "previous";
/// A copy of previous, while the disk may not have taken the original.
pub const REWRITTEN: &str = "rewritten";
/// What the processor makes of previous.
pub const PROCESSED: &str = "processed";
/// What the processor kept the last time, on its descriptor 4.
pub const STATE: &str = "state";
/// What the processor keeps this time, on its descriptor 5.
pub const NEWSTATE: &str = "newstate";

/// What a successor must know to lose and repeat nothing; only while a logger reads from a pipe.
pub const JOURNAL: &str = "journal";
/// A journal that is being made.
pub const NEWJOURNAL: &str = "newjournal";

/// The mode of a file that is being written.
pub const MODE_OPEN: u32 = 0o644;
/// The mode of a file that is complete and on the disk.
pub const MODE_DONE: u32 = 0o744;
/// The bit that tells the two apart.
pub const DONE_BIT: u32 = 0o100;
/// The mode of files that are nobody else's business.
pub const MODE_PRIVATE: u32 = 0o600;
/// The mode of a directory that multilog makes.
pub const MODE_DIRECTORY: u32 = 0o700;

/// A log directory that is held open, with the name that messages give it.
#[derive(Debug)]
pub struct Place<D> {
    /// The path as the script has it.
    pub name: String,
    /// The directory.
    pub directory: D,
    /// The newest label that a file has been given here: the engine and the worker may both name files.
    newest: Mutex<Option<Label>>,
}

impl<D: Directory> Place<D> {
    /// A directory in which no file has been given a label yet.
    pub fn new(name: impl Into<String>, directory: D) -> Place<D> {
        Place { name: name.into(), directory, newest: Mutex::new(None) }
    }

    /// Gives a label that is later than `seen` and than every label given here before, and not before now.
    fn give_label(&self, seen: Option<Label>) -> Label {
        let now = self.directory.now();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let after = |label: Option<Label>| label.and_then(Label::next);
        let label = [after(seen), after(*newest)].into_iter().flatten().fold(now, Label::max);
        *newest = Some(label);
        label
    }
}

/// A place that the writer and the finisher share.
pub type SharedPlace<D> = Arc<Place<D>>;
