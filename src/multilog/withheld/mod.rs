//! Lines that a log directory does not get, because the script limits their rate, leaves out repeated lines, or drops lines
//! that the disk cannot take. The log says how many, where they are missing.
//!
//! - [`tally`]: how many lines, and the line of the log that says so. [`bucket`]: how many lines may be written.
//! - [`state`]: what is counted for one directory. The journal notes it, so that a kill loses no count.
//! - [`restrained`]: what one batch does to the states of all directories.

pub mod bucket;
pub mod restrained;
pub mod state;
pub mod tally;
