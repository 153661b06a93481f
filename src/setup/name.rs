//! The name of logyard-setup in messages.

use crate::cli::Program;

/// The name in messages.
pub(super) const SETUP: Program = Program("logyard-setup");
