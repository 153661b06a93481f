//! A log directory that is held open, with the name that messages give it.

use std::ffi::CString;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::Messages;
use crate::logdir::limits::Limits;
use crate::multilog::error::Error;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::freeing::Freeing;
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
    /// How often the processor was run.
    pub processor_runs: AtomicU64,
    /// How often it failed.
    pub processor_failures: AtomicU64,
    /// What is known of archives that are not shipped.
    pub unshipped: Unshipped,
    /// Removes archives.
    pub(super) freeing: Freeing,
    /// The newest label that a file has been given here: the engine and the worker may both name files.
    newest: Mutex<Option<Label>>,
    /// A new script may change it while a file is being finished.
    rules: Mutex<FileRules>,
}

/// What becomes of finished files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRules {
    /// What of the archives is kept.
    pub limits: Limits,
    /// What each finished file is filtered through, by the shell.
    pub processor: Option<CString>,
    /// The script says how soon lines are on the disk.
    pub has_sync_interval: bool,
}

impl FileRules {
    /// Tells whether a finished file need not be on the disk if the output of its processor is there soon.
    pub(super) fn may_sync_output_only(&self) -> bool {
        self.processor.is_some() && !self.has_sync_interval
    }
}

impl<D: Directory> Place<D> {
    /// A directory in which no file has been given a label yet.
    pub fn new(name: impl Into<String>, directory: D, limits: Limits) -> Place<D> {
        Place {
            name: name.into(),
            directory,
            processor_runs: AtomicU64::new(0),
            processor_failures: AtomicU64::new(0),
            unshipped: Unshipped::default(),
            freeing: Freeing::default(),
            newest: Mutex::new(None),
            rules: Mutex::new(FileRules { limits, processor: None, has_sync_interval: false }),
        }
    }

    /// What becomes of finished files.
    pub fn rules(&self) -> FileRules {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what becomes of finished files, from the next step of each.
    pub fn set_rules(&self, rules: FileRules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Lets a group read the directory. Where that is refused, it stays as it is, and the logging goes on.
    pub fn share_with(&self, group: Option<u32>, messages: Messages) {
        if let Err(errno) = self.directory.share_with(group) {
            let number = group.unwrap_or_default();
            messages.warn(Error::unable(format_args!("give {} to group {number}", self.name), errno));
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
