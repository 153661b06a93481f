//! The input: where bytes and signals come from.
//!
//! - [`standard`]: descriptor 0, with the signals that can come while it is waited for.
//! - [`pipe`]: looks into a pipe without taking the bytes out. [`turn`](mod@turn): two loggers on
//!   one pipe. [`stray`]: bytes that others who read the pipe make us consume.

pub mod pipe;
pub mod standard;
pub mod stray;
pub mod turn;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::lines::reader::Source;
use crate::multilog::journal::record::Origin;
use crate::sys::Result;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Bytes, or the end of the input.
    Input,
    /// TERM: finish the line that has been begun, and leave.
    Terminate,
    /// ALRM: rotate.
    Alarm,
    /// The time is over.
    Timeout,
}

/// Where bytes and signals come from.
pub trait Input: Source {
    /// Waits until there is something to do, at most for `timeout` (`None`: without a limit). Signals come before bytes.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Wake>;

    /// Waits for the whole time and returns true; or returns false as soon as TERM has come. Signals are not lost. Where
    /// what is taken is gone, TERM returns true once, for one attempt more.
    fn rest(&mut self, time: Duration) -> bool;

    /// Waits until `other` can be read, and returns true; or returns false as soon as TERM has come.
    fn wait_for(&mut self, other: BorrowedFd<'_>) -> Result<bool>;

    /// Tells whether TERM has come, told or not.
    fn is_exiting(&self) -> bool {
        false
    }

    /// What can be read when TERM has come and has not been taken; `None` where that cannot be had.
    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Tells whether TERM has come and has not been told.
    fn has_term(&mut self) -> bool {
        false
    }

    /// Tells whether what is taken and not consumed is still there for a successor.
    fn keeps_rest(&self) -> bool;

    /// The bytes that are no longer in the input and not logged. `unwritten` is what was taken and not consumed.
    fn removed<'r>(&'r self, unwritten: &'r [u8]) -> &'r [u8];

    /// Puts back the last `bytes` bytes that were taken, where what is taken is otherwise gone; false if that cannot be
    /// done.
    fn put_back(&mut self, bytes: usize) -> bool;

    /// Tells whether bytes have been consumed, in the place of others, that are still to be taken.
    fn has_stray(&self) -> bool {
        false
    }

    /// What a journal for this input belongs to; `None` where bytes are gone once taken.
    fn origin(&self) -> Option<Origin>;

    /// Shows the first `bytes` bytes of the input, or fewer if there are not so many. Nothing has been taken before.
    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>>;

    /// What was shown and not consumed will be taken as if it had not been shown.
    fn look_anew(&mut self);
}
