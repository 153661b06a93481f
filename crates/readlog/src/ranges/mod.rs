//! Which parts of which files a window of time can be in.
//!
//! An archive's name is the time at which it was finished: no line in it is later. Its first line is the earliest. So names
//! and first lines tell which files the window touches, and a binary search finds the lines at the window's ends.
//!
//! That holds as long as the clock was not set back. Where it was, names and first labels may disagree: a file begins later
//! than its name says, or earlier than the file before it. Such files are read from end to end; so is a file in which the
//! binary search finds a label that is out of order. But the clock may also have been set back within a file. Neither names
//! nor first labels show that, and only reading does. So the files that would be left out and those at the window's ends are
//! read line by line, the nearest to the window first, up to [`Context::survey_bytes_max`](crate::context::Context): all of
//! a usual directory, and of a large one the surroundings of the window.
//!
//! In a directory of very many archives that is too much: [`near`](crate::near) leaves out those that are far from the window, and
//! those between its ends are read without being looked into before.
//!
//! A compressed archive (a *packed* file, in the code) has no binary search: it can only be unpacked from its beginning. Its name
//! and that of the file before it tell whether the window can be in it. If the file before it was finished after the window's end,
//! the beginning is unpacked for its first label. If the window can be in the archive, all of it is read. A file that logpack
//! packed has an index, by which only the frames are read that the window can be in.
//!
//! A line without a label belongs to the last line with a label before it, in whatever file that is. So if a file is read to
//! its end, the beginning of the next file is read too, up to its first label. If it is not, that beginning is left out.
//!
//! - [`plan`]: chooses the parts.
//! - [`probe`]: what is needed to look into a file. [`first_label`], [`bisect`] and [`survey`]: three ways to do that, from
//!   its first bytes to all of them. [`framed`]: the same by the index of a packed file.

mod bisect;
mod first_label;
mod framed;
mod plan;
mod probe;
mod survey;

pub(super) use first_label::ASKED_MAX;
pub(super) use plan::{LastFile, plan};
pub(super) use probe::Probe;
