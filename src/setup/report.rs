//! Reports on standard output what is done, or would be done.

use std::fmt::Display;

use crate::sys::fd;

/// Says what is done.
#[derive(Debug)]
pub struct Report {
    /// Nothing is done, and what would be is said.
    pub is_dry: bool,
    /// Something was said that is, or would be, done.
    pub did_anything: bool,
}

impl Report {
    /// Says of a thing that it is done.
    pub fn say(&mut self, what: impl Display) {
        self.did_anything = true;
        self.note(format_args!("{}{what}", if self.is_dry { "would " } else { "" }));
    }

    /// Says something besides.
    pub fn note(&self, what: impl Display) {
        // Nobody reads a closed standard output.
        let _ = fd::write_all(fd::stdout(), format!("{what}\n").as_bytes());
    }

    /// Says so if there was nothing to do.
    pub fn end(&self) {
        if !self.did_anything {
            self.note("nothing to do");
        }
    }
}
