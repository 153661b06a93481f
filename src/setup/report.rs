//! Reports on standard output what is done, or would be done.

use std::fmt::Display;

use crate::sys::fd;

/// Prints what is done.
#[derive(Debug)]
pub struct Report {
    /// Nothing is done; the report says what would be.
    pub is_dry: bool,
    /// Something was, or would be, done.
    pub did_anything: bool,
}

impl Report {
    /// Prints a step.
    pub fn say(&mut self, what: impl Display) {
        self.did_anything = true;
        self.note(format_args!("{}{what}", if self.is_dry { "would " } else { "" }));
    }

    /// Prints a note.
    pub fn note(&self, what: impl Display) {
        // If standard output is closed, nobody reads it.
        let _ = fd::write_all(fd::stdout(), format!("{what}\n").as_bytes());
    }

    /// Prints a note if there was nothing to do.
    pub fn end(&self) {
        if !self.did_anything {
            self.note("nothing to do");
        }
    }
}
