//! What a logger that was killed leaves its successor.
//!
//! - [`journal_file`]: the file `journal` of a log directory, mapped. [`record`]: what it says. [`hash`](mod@hash): its checksum.
//! - [`replay`](mod@replay): what a successor makes of it.

pub mod hash;
pub mod journal_file;
pub mod record;
pub mod replay;
