//! A log directory that is held open, with the name that messages give it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::logdir::limits::Limits;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::unshipped::Unshipped;
use crate::sys::{Errno, Result};
use crate::tai64n::Label;

/// A log directory that is held open, with the name that messages give it.
#[derive(Debug)]
pub struct Place<D> {
    /// The path as the script has it.
    pub name: String,
    /// The directory.
    pub directory: D,
    /// What of the archives it keeps.
    pub limits: Limits,
    /// How often the processor was run.
    pub processor_runs: AtomicU64,
    /// How often it failed.
    pub processor_failures: AtomicU64,
    /// What is known of archives that are not shipped.
    pub unshipped: Unshipped,
    /// The newest label that a file has been given here: the engine and the worker may both name files.
    newest: Mutex<Option<Label>>,
}

impl<D: Directory> Place<D> {
    /// A directory in which no file has been given a label yet.
    pub fn new(name: impl Into<String>, directory: D, limits: Limits) -> Place<D> {
        Place {
            name: name.into(),
            directory,
            limits,
            processor_runs: AtomicU64::new(0),
            processor_failures: AtomicU64::new(0),
            unshipped: Unshipped::default(),
            newest: Mutex::new(None),
        }
    }

    /// Removes a file; that it does not exist is no failure.
    pub fn remove(&self, file: &str) -> Result<()> {
        match self.directory.unlink(file.as_bytes()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Gives a label that is later than `seen` and than every label given here before, and not before now.
    pub(super) fn give_label(&self, seen: Option<Label>) -> Label {
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
