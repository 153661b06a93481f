//! The name of splogger in messages.

use crate::cli::Program;

/// The name in messages.
pub(super) const SPLOGGER: Program = Program("splogger");
