//! A log directory that is held open, with its name.

use std::sync::Arc;

/// A log directory that is held open, with the name that messages give it.
#[derive(Debug)]
pub struct Place<D> {
    /// The path as the script has it.
    pub name: String,
    /// The directory.
    pub directory: D,
}

/// A place that the writer and the finisher share.
pub type SharedPlace<D> = Arc<Place<D>>;
