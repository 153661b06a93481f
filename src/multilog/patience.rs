//! Decides whether a step that failed is tried again.

use std::os::fd::BorrowedFd;

use crate::cli::Messages;
use crate::logdir::logger_state::Task;
use crate::multilog::error::Error;

/// Announces a failure, waits a while, and decides: `Ok` to retry, `Err` to give up.
pub trait Patience {
    /// A step failed that can be tried again. Announces the failure and waits.
    fn pause(&mut self, error: Error) -> Result<(), Error>;

    /// Something failed that nothing depends on. Announces it.
    fn complain(&mut self, error: &Error);

    /// Something that may take long begins. Shows it to other programs.
    fn begin(&mut self, _task: Task) {}

    /// Where a thread that is started meanwhile sends its messages.
    fn messages(&self) -> Messages;

    /// Tells whether the logger is about to exit: it skips everything that the next start can do.
    fn is_exiting(&self) -> bool {
        false
    }

    /// Tells whether a long step must stop half-way: TERM has come, and nothing has been read yet.
    fn is_interrupted(&mut self) -> bool {
        false
    }

    /// Becomes readable when the logger begins to exit.
    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Repeats a step until it succeeds or patience ends.
    fn retry<T>(&mut self, mut step: impl FnMut(&mut Self) -> Result<T, Error>) -> Result<T, Error>
    where
        Self: Sized,
    {
        loop {
            match step(self) {
                Ok(done) => return Ok(done),
                Err(error) => self.pause(error)?,
            }
        }
    }
}
