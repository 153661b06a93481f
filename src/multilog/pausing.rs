//! Pausing: a step that failed is announced and tried again after a while; the data waits too.

use std::os::fd::BorrowedFd;

use crate::multilog::PROGRAM;
use crate::multilog::input::Intake;
use crate::multilog::logdir::{Patience, Trouble};

/// The patience of the engine: it ends when TERM comes.
#[derive(Debug)]
pub struct Pausing<'i, I>(pub &'i mut I);

impl<I: Intake> Patience for Pausing<'_, I> {
    fn pause(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        PROGRAM.warn(trouble.pausing());
        if self.0.rest(trouble.pause()) { Ok(()) } else { Err(trouble) }
    }

    fn complain(&mut self, trouble: &Trouble) {
        PROGRAM.warn(trouble);
    }

    fn is_hurried(&self) -> bool {
        self.0.is_leaving()
    }

    fn hurry(&self) -> Option<BorrowedFd<'_>> {
        self.0.leaving()
    }
}
