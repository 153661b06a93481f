//! Reads lines from a descriptor, stamps them and writes them. multilog and the filters use it.
//!
//! - [`reader`]: one buffer between the input and the lines borrowed from it; [`page_buffer`]: its memory.
//! - [`window`]: whole lines at the front of the input, and their stamps.
//! - [`prefix`]: copies lines, each behind its stamp.
//! - [`worker_thread`]: a thread that does jobs while its owner goes on: it writes, finishes files, or reads ahead.
#![forbid(unsafe_code)]

pub mod page_buffer;
pub mod prefix;
pub mod reader;
pub mod window;
pub mod worker_thread;
