//! What is needed to look into the files of a directory.

use crate::context::Context;
use crate::log_dir::LogDir;
use logyard::tai64n::Label;

/// Looks into the files of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'p> {
    pub(super) log_dir: &'p LogDir,
    pub(super) context: &'p Context,
}

impl<'p> Probe<'p> {
    /// Looks into the files of a directory.
    pub(crate) fn new(log_dir: &'p LogDir, context: &'p Context) -> Probe<'p> {
        Probe { log_dir, context }
    }
}

/// A line with a label, and where it begins in its file, or in what that unpacks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LabelledLine {
    pub(crate) label: Label,
    pub(super) at: u64,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) from: u64,
    /// `None` means the end of the file.
    pub(super) to: Option<u64>,
}

impl Part {
    /// All of a file.
    pub(super) const WHOLE: Part = Part { from: 0, to: None };
}
