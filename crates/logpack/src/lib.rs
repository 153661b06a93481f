//! `logpack`: compresses a log file so that readers can find a time in it. multilog runs it as a processor.
//!
//! The output is a zstd file in the *seekable format*, which every zstd tool reads: independent frames, and a table of their
//! sizes at the end. Frames are cut at line ends. Before the table stands a frame that zstd tools skip: the first and the last
//! label of each frame.
//!
//! ```text
//! options ────── the command line
//! program ────── carries it out
//!   pack ─────── reads, compresses and writes frames, with threads
//!     cutter ─── cuts the input into frames at line ends
//!     labels ─── the labels of a frame's lines
//!   unpack ───── -d
//!   list ─────── -l
//! index ──────── the labels and the table at the end of the file: writes them, and reads them without trusting them
//! ```
//!
//! `readlog` uses [`index`] too, and its tests [`mod@pack`].
//!
//! What it promises:
//!
//! - The exit code is 0 only if the output is complete. Otherwise a message gives the reason, and a processor is run again.
//! - The same input and options give the same output, with any number of threads.
//! - Memory does not depend on the size of the input.
#![forbid(unsafe_code)]

mod cutter;
pub mod index;
mod labels;
mod list;
mod options;
pub mod pack;
mod program;
mod unpack;

pub use program::run;
