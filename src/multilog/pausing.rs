//! Pausing: announces a step that failed and retries it after a while; no data is dropped.

use std::os::fd::BorrowedFd;

use crate::cli::Exit;
use crate::logdir::logger_state::Task;
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::journal::showing::Showing;
use crate::multilog::name::PROGRAM;
use crate::multilog::pace::{Pace, failed_task};
use crate::multilog::patience::Patience;
use crate::sys::memory;

/// The patience of the engine: it ends when TERM comes.
#[derive(Debug)]
pub struct Pausing<'i, I> {
    input: &'i mut I,
    /// Shows others that a step has failed; `None` before there is a journal.
    showing: Option<Showing<'i>>,
    pace: Pace,
}

impl<'i, I: Input> Pausing<'i, I> {
    /// For one step. As long as it fails that is shown.
    pub fn new(input: &'i mut I, showing: Option<Showing<'i>>) -> Pausing<'i, I> {
        Pausing { input, showing, pace: Pace::default() }
    }
}

impl<I: Input> Patience for Pausing<'_, I> {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        if error.is_want_of_memory() && memory::is_scarce() {
            // The limit is this process's own: waiting does not help. It leaves its files as a killed logger does.
            let Exit(code) = PROGRAM.fatal(&error);
            std::process::exit(code);
        }
        if let Some(showing) = &mut self.showing {
            showing.show(failed_task(&error, showing.activity()));
        }
        let pause = self.pace.announce(&error);
        if self.input.rest(pause) { Ok(()) } else { Err(error) }
    }

    fn complain(&mut self, error: &Error) {
        PROGRAM.warn(error);
    }

    fn begin(&mut self, task: Task) {
        if let Some(showing) = &mut self.showing {
            showing.show(task);
        }
    }

    fn is_hurried(&self) -> bool {
        self.input.is_leaving()
    }

    fn hurry(&self) -> Option<BorrowedFd<'_>> {
        self.input.leaving()
    }
}

/// The patience of the engine before the first line and after the last: what takes long is given up when TERM comes.
#[derive(Debug)]
pub struct Interruptible<'i, I>(pub &'i mut I);

impl<I: Input> Patience for Interruptible<'_, I> {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        if error.is_interruption() { Err(error) } else { Pausing::new(self.0, None).pause(error) }
    }

    fn complain(&mut self, error: &Error) {
        PROGRAM.warn(error);
    }

    fn is_interrupted(&mut self) -> bool {
        self.0.has_term()
    }
}
