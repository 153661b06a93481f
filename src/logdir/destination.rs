//! The settings of a log directory, as the script gives them.

use std::ffi::{CStr, CString};
use std::time::Duration;

use crate::logdir::limits::Limits;
use crate::logdir::restraint::Restraint;
use crate::tai64n::Boundary;

/// When a file ends although it is not full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationTimes {
    /// This long after its first line.
    pub age_max: Option<Duration>,
    /// When the local clock begins a new hour or day.
    pub boundary: Option<Boundary>,
}

impl RotationTimes {
    /// Tells whether nothing is rotated by time.
    #[must_use]
    pub fn is_never(&self) -> bool {
        *self == RotationTimes::default()
    }
}

/// A log directory, with the settings at its place in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Relative to the directory that multilog was started in.
    pub path: &'static CStr,
    /// No file grows beyond this.
    pub size_max_bytes: u64,
    /// What of the archives is kept.
    pub limits: Limits,
    /// When a file ends although it is not full.
    pub rotation: RotationTimes,
    /// Which lines it does not get.
    pub restraint: Restraint,
    /// What each finished file is filtered through, by the shell.
    pub processor: Option<CString>,
    /// The group that may read the directory and its files; `None`: multilog does not care.
    pub group: Option<u32>,
    /// The longest time from a write to its fsync.
    pub sync_interval: Option<Duration>,
}

impl Destination {
    /// A directory with files that are never full, of which none is removed.
    #[must_use]
    pub fn endless(path: &'static CStr) -> Destination {
        Destination {
            path,
            size_max_bytes: u64::MAX,
            limits: Limits::of_number(u64::MAX),
            rotation: RotationTimes::default(),
            restraint: Restraint::default(),
            processor: None,
            group: None,
            sync_interval: None,
        }
    }
}
