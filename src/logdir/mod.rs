//! The format of a log directory, which multilog writes and readlog reads.
//!
//! ```text
//! lock        locked while a writer runs
//! current     what is being appended to: 0644, and 0744 once its writer has exited cleanly
//! previous    what was current, on its way to become an archive; 0744 once it is on the disk
//! rewritten   a copy of previous, for a moment, where the disk refused the original
//! processed   what the processor makes of previous; 0744 once it is complete and on the disk
//! state       what the processor wrote to descriptor 5 the last time
//! journal     what a successor must know if this writer is killed: 0600, removed when the writer exits cleanly
//! newjournal  a journal that is being made
//! newstate    what it is writing to descriptor 5 this time
//! shipped     how far logship has shipped the archives
//! lost        what the writer removed before it was shipped; newlost: a new one that is being made
//! @label.s    an archive, safely written (and processed), named after the moment it was finished
//! @label.u    an archive that an outage may have cut short
//! ```
//!
//! - [`names`]: the files and their modes. [`archive_name`]: the names that finished files get.
//! - [`room`]: where a file ends. [`destination`]: size, limits, processor and disk interval of a directory. [`limits`]: how
//!   many archives stay, and how large and old they may become.
//! - [`restraint`]: which lines a directory does not get.
//! - [`script_file`]: the file that a logger may have its actions in.
//! - [`memory`]: the memory behind `journal`. [`logger_state`]: the part of it that other programs read.
//!   [`checksum`](mod@checksum): the function behind the checksums in it.
//! - [`shipping`]: what `shipped` and `lost` say. [`packed`]: how compressed files begin.
#![forbid(unsafe_code)]

pub mod archive_name;
pub mod checksum;
pub mod destination;
pub mod limits;
pub mod logger_state;
pub mod memory;
pub mod names;
pub mod packed;
pub mod restraint;
pub mod room;
pub mod script_file;
pub mod shipping;
