//! The input: where bytes and signals come from.
//!
//! - [`standard`]: descriptor 0, and the signals that can arrive during the wait.
//! - [`relief`]: a thread that moves bytes to memory while the disk takes none. [`backlog`]: those bytes.
//!   [`ledger`]: how many lines were dropped of them.
//! - [`pipe`]: peeks at a pipe without removing the bytes. [`turn`](mod@turn): two loggers on
//!   one pipe. [`stray`]: bytes that were consumed because another process read from the pipe.

pub mod backlog;
pub mod ledger;
pub mod pipe;
pub mod relief;
pub mod standard;
pub mod stray;
pub mod turn;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::lines::reader::Source;
use crate::multilog::journal::record::Origin;
use crate::multilog::script::buffer::Buffer;
use crate::multilog::withheld::tally::Tally;
use crate::sys::Result;
use crate::sys::stat::FileId;
use crate::tai64n::Label;

/// The reason why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Bytes, or the end of the input.
    Input,
    /// TERM: complete the current line, and exit.
    Terminate,
    /// ALRM: rotate.
    Alarm,
    /// HUP: read the script file again. Only where there is one.
    Reload,
    /// The time is over.
    Timeout,
}

/// Where bytes and signals come from.
pub trait Input: Source {
    /// Waits until there is something to do, at most for `timeout` (`None`: without a limit). Signals come before bytes.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Wake>;

    /// Waits for the whole time and returns true; or returns false as soon as TERM has come. Signals are not lost. If
    /// the input does not keep its bytes, it returns true once after TERM, for one more attempt.
    fn rest(&mut self, time: Duration) -> bool;

    /// Waits until `other` can be read, and returns true; or returns false as soon as TERM has come.
    fn wait_for(&mut self, other: BorrowedFd<'_>) -> Result<bool>;

    /// Tells whether TERM has come, even if `wait` has returned it already.
    fn is_exiting(&self) -> bool {
        false
    }

    /// Becomes readable when TERM has come; `None` if the system does not offer that.
    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Tells whether TERM has come and `wait` has not returned it yet.
    fn has_term(&mut self) -> bool {
        false
    }

    /// Tells whether bytes that were taken and not consumed stay in the input for a successor.
    fn keeps_rest(&self) -> bool;

    /// The bytes that are no longer in the input and not logged. `unwritten` is what was taken and not consumed.
    fn removed<'r>(&'r self, unwritten: &'r [u8]) -> &'r [u8];

    /// Puts back the last `bytes` bytes that were taken, for an input that does not keep them; returns false if that is
    /// impossible.
    fn put_back(&mut self, bytes: usize) -> bool;

    /// Tells whether there are stray bytes: consumed in place of others, and not taken yet.
    fn has_stray(&self) -> bool {
        false
    }

    /// Identifies the input in a journal; `None` if the input does not keep its bytes.
    fn origin(&self) -> Option<Origin>;

    /// Shows the first `bytes` bytes of the input, or fewer if there are not so many. Nothing has been taken before.
    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>>;

    /// Bytes that were shown and not consumed will be shown again.
    fn look_anew(&mut self);

    /// From now on bytes are kept in memory while the disk takes none. `is_within_line` tells whether the next byte
    /// continues a line. Where that is impossible, a warning says so.
    fn begin_relief(&mut self, _buffer: Buffer, _is_within_line: bool) {}

    /// Finds out what was dropped by this logger's predecessors, and by itself from now on: see [`ledger`]. `home` is the
    /// first log directory.
    fn open_ledger(&mut self, _home: FileId) -> Option<(Label, Tally)> {
        None
    }

    /// The log counts everything that was dropped.
    fn remove_ledger(&mut self) {}

    /// What was dropped before the next byte, all bytes before which are consumed.
    fn take_gap(&mut self) -> Option<Tally> {
        None
    }

    /// What was dropped and is not handed on: nothing more is.
    fn take_gaps(&mut self) -> Tally {
        Tally::default()
    }

    /// What is in memory, where no successor finds it: asked once, at the exit.
    fn lose_memory(&mut self) -> Option<Tally> {
        None
    }

    /// How long the input has waited for others: in [`Input::rest`] and [`Input::wait_for`].
    fn blocked(&self) -> Duration {
        Duration::ZERO
    }

    /// How many bytes wait in a pipe, those that were taken and not consumed too; `None` if that is not known.
    fn waiting_bytes(&self) -> Option<usize> {
        None
    }
}
