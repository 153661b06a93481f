//! A line whose beginning has been written and whose end has not come yet.

/// Whether a batch ends within a line, and where that line goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenLine {
    /// The line has been begun and its end has not come.
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
