//! The settings of a log directory, as the script gives them.

use std::ffi::{CStr, CString};
use std::time::Duration;

use crate::logdir::limits::Limits;

/// A log directory, with what was in force where it stands in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Relative to the directory that multilog was started in.
    pub path: &'static CStr,
    /// No file grows beyond this.
    pub size_max_bytes: u64,
    /// What of the archives is kept.
    pub limits: Limits,
    /// What each finished file is filtered through, by the shell.
    pub processor: Option<CString>,
    /// What is written is on the disk so much later.
    pub sync_interval: Option<Duration>,
}
