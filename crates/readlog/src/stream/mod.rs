//! The lines of a directory in order, across its files, as groups. A group is a stamped line and the lines without a stamp
//! that follow it.
//!
//! - [`span`]: a part of a file that is to be read.
//! - [`joined_files`]: the bytes of all spans as one stream, in a buffer. [`marks`]: where in it each file begins.
//! - [`groups`]: [`Stream`] finds the groups in the buffer. A group is a range of the buffer, so only the bytes that are
//!   left over are copied when the buffer is filled again. [`pass_over`]: skips groups that cannot match a pattern.
//!
//! A stream may be live: a writer still appends to its last file, and at the end of that file there are no more lines *now*.

mod groups;
mod joined_files;
mod marks;
mod pass_over;
mod span;

pub(super) use groups::{GROUP_BYTES_MAX, LabelCount, Printed, Stream};
pub(super) use joined_files::LINE_BYTES_MAX;
pub(super) use marks::FilePosition;
pub(super) use span::Span;
