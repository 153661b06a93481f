//! Reads lines from a descriptor, stamps them and writes them. multilog and the filters use it.
//!
//! - [`reader`]: one buffer between the input and the lines borrowed from it; [`page_buffer`]: its memory.
//! - [`window`]: whole lines at the front of the input, and their stamps.
//! - [`prefix`]: copies lines and prefixes each with its stamp; [`heads`]: or with another text.
//! - [`line_pattern`]: the form of a regular expression that finds its lines in a whole buffer.
//! - [`worker_thread`]: a thread that runs jobs in the background: writing, finishing files, reading ahead.
#![forbid(unsafe_code)]

pub mod heads;
pub mod line_pattern;
pub mod page_buffer;
pub mod prefix;
pub mod reader;
pub mod window;
pub mod worker_thread;
