//! A line whose beginning has been written and whose end has not arrived yet.

/// Whether a batch ends within a line, and where that line goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenLine {
    /// The beginning of the line has been written, and its end has not arrived.
    pub is_open: bool,
    /// Of each directory, whether the line goes there.
    pub goes_to: Vec<bool>,
    /// Whether it goes to standard output.
    pub is_copied: bool,
}

impl OpenLine {
    /// No line is open.
    #[must_use]
    pub fn closed(directories: usize) -> OpenLine {
        OpenLine { is_open: false, goes_to: vec![false; directories], is_copied: false }
    }

    /// Becomes the same as another, in the memory that it has.
    pub fn set(&mut self, other: &OpenLine) {
        let OpenLine { is_open, goes_to, is_copied } = other;
        self.is_open = *is_open;
        self.goes_to.clone_from(goes_to);
        self.is_copied = *is_copied;
    }

    /// The line has ended.
    pub fn close(&mut self) {
        self.is_open = false;
        self.is_copied = false;
        self.goes_to.fill(false);
    }
}
