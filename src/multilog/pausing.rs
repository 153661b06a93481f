//! Pausing: announces a step that failed and retries it after a while; no data is dropped.

use std::os::fd::BorrowedFd;

use crate::cli::{Exit, Messages};
use crate::logdir::logger_state::Task;
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::journal::showing::Showing;
use crate::multilog::pace::{Pace, failed_task};
use crate::multilog::patience::Patience;
use crate::sys::memory;

/// The patience of the engine: it ends when TERM comes.
#[derive(Debug)]
pub struct Pausing<'i, I> {
    /// The input that TERM interrupts.
    pub input: &'i mut I,
    /// Where failures are announced.
    pub messages: Messages,
    /// Shows others that a step has failed; `None` where there is no journal.
    showing: Option<Showing<'i>>,
    pace: Pace,
    /// The first failure ends it.
    is_impatient: bool,
}

impl<'i, I: Input> Pausing<'i, I> {
    /// Failures are announced and not shown.
    pub fn new(input: &'i mut I, messages: Messages) -> Pausing<'i, I> {
        Pausing { input, messages, showing: None, pace: Pace::default(), is_impatient: false }
    }

    /// For what the logger can do without: the first failure ends it, and is not announced.
    pub fn impatient(input: &'i mut I, messages: Messages) -> Pausing<'i, I> {
        Pausing { is_impatient: true, ..Pausing::new(input, messages) }
    }

    /// For one step: as long as it fails, that is shown.
    #[must_use]
    pub fn showing(self, showing: Showing<'i>) -> Pausing<'i, I> {
        Pausing { showing: Some(showing), ..self }
    }
}

impl<I: Input> Patience for Pausing<'_, I> {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        if error.is_want_of_memory() && memory::is_scarce() {
            // The process has reached its own memory limit, so waiting does not help. It exits like a logger that was
            // killed.
            let Exit(code) = self.messages.fatal(&error);
            std::process::exit(code);
        }
        if self.is_impatient {
            return Err(error);
        }
        if let Some(showing) = &mut self.showing {
            showing.show(failed_task(&error, showing.activity()));
        }
        let pause = self.pace.announce(&error, self.messages);
        if self.input.rest(pause) { Ok(()) } else { Err(error) }
    }

    fn complain(&mut self, error: &Error) {
        self.messages.warn(error);
    }

    fn begin(&mut self, task: Task) {
        if let Some(showing) = &mut self.showing {
            showing.show(task);
        }
    }

    fn messages(&self) -> Messages {
        self.messages
    }

    fn is_exiting(&self) -> bool {
        self.input.is_exiting()
    }

    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        self.input.exit_request()
    }
}

/// The patience of the engine before the first line and after the last: TERM interrupts whatever takes long.
#[derive(Debug)]
pub struct Interruptible<'i, I>(pub Pausing<'i, I>);

impl<I: Input> Patience for Interruptible<'_, I> {
    fn pause(&mut self, error: Error) -> Result<(), Error> {
        if error.is_interruption() { Err(error) } else { self.0.pause(error) }
    }

    fn complain(&mut self, error: &Error) {
        self.0.complain(error);
    }

    fn messages(&self) -> Messages {
        self.0.messages
    }

    fn is_interrupted(&mut self) -> bool {
        self.0.input.has_term()
    }
}
