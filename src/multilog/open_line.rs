//! A line whose beginning has been written and whose end has not arrived yet.

/// Whether a batch ends within a line, and where that line goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenLine {
    /// The beginning of the line has been written, and its end has not arrived.
    pub is_open: bool,
    /// Of each directory, whether the line goes there.
    pub goes_to: Vec<bool>,
}

impl OpenLine {
    /// The line has ended.
    pub fn close(&mut self) {
        self.is_open = false;
        self.goes_to.fill(false);
    }
}
