//! Reads lines from a descriptor, stamps them and writes them. multilog and the filters use it.
//!
//! - [`reader`]: one buffer between the input and the lines borrowed from it; [`page_buffer`]: its memory.
//! - [`window`]: whole lines at the front of the input, and their stamps.
//! - [`prefix`]: copies lines, each behind its stamp.
//! - [`background_writer`]: a thread that writes while its owner reads on.
#![forbid(unsafe_code)]

pub mod background_writer;
pub mod page_buffer;
pub mod prefix;
pub mod reader;
pub mod window;
