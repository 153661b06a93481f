//! The local time zone of a logger.

use crate::cli::Messages;
use crate::tai64n::Zone;

/// The local zone; UTC, with a warning, if it cannot be used.
pub fn local_zone(messages: Messages) -> Zone {
    Zone::local().unwrap_or_else(|error| {
        messages.warn(format_args!("{error}; using UTC"));
        Zone::utc()
    })
}
