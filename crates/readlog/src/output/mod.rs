//! How groups are printed, and where they are written.
//!
//! - [`Printer`]: puts a group into bytes, in one of the [`Style`]s.
//! - [`fast_printer`]: the same for whole blocks, in the most ordinary case.
//! - [`json`]: one object a line.
//! - [`width`]: how many columns text takes.
//! - [`Writer`]: collects what is printed, and writes it in batches, through a cursor file if there is one.
//! - [`Sink`]: standard output, a pager, or a terminal that turns out to be too small.

mod fast_printer;
mod json;
mod printer;
mod sink;
mod width;
mod writer;

pub(super) use json::Field;
pub(super) use printer::{Printer, Style, View};
pub(super) use sink::{Paging, Sink};
pub(super) use width::width;
pub(super) use writer::Writer;
