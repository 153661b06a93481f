//! The journal: what a logger that was killed leaves its successor.
//!
//! - [`journal_file`]: the file `journal` of a log directory, mapped. [`publish`](mod@publish): how it gets its name.
//! - [`layout`]: where in the file what stands. [`record`]: what it says. [`hash`](mod@hash): its checksum.
//! - [`replay`](mod@replay): a successor completes what the journal says was begun.

pub mod hash;
pub mod journal_file;
pub mod layout;
pub mod publish;
pub mod record;
pub mod replay;
