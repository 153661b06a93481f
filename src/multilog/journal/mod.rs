//! The journal: what a killed logger leaves for its successor.
//!
//! - [`journal_file`]: the file `journal` of a log directory, mapped. [`publish`](mod@publish): how it gets its name.
//! - [`layout`]: the layout of the file, and how it is read: a part with a wrong checksum is rejected there. [`record`]:
//!   what it says. [`left_behind`]: it is looked for beside the directories of a script file. [`showing`]: the part that other programs read.
//! - [`replay`](mod@replay): a successor completes the batch that the journal describes.
//!
//! A successor treats a journal with a wrong checksum as if it were not there. A `current` of a killed logger becomes an
//! unfinished archive (see [`recover`](mod@crate::multilog::writer::recover)), and the bytes that are still in the pipe
//! are logged, so the last batch may be logged twice.
//!
//! The unit tests of the layout are in [`journal_file`].

pub mod journal_file;
pub mod layout;
pub mod left_behind;
pub mod publish;
pub mod record;
pub mod replay;
pub mod showing;
