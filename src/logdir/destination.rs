//! The settings of a log directory, as the script gives them.

use std::ffi::{CStr, CString};
use std::time::Duration;

/// A log directory, with the settings at its place in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Relative to the directory that multilog was started in.
    pub path: &'static CStr,
    /// No file grows beyond this.
    pub size_max_bytes: u64,
    /// How many files are kept, current included; at least 2.
    pub files_max: u64,
    /// What each finished file is filtered through, by the shell.
    pub processor: Option<CString>,
    /// The longest time from a write to its fsync.
    pub sync_interval: Option<Duration>,
}
