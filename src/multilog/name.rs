//! The name of multilog in messages.

use crate::cli::Program;

/// The name in messages.
pub(super) const PROGRAM: Program = Program("multilog");
