//! What writes rows to an object, whatever its format.

use crate::facts::Facts;
use crate::pieces::Row;

/// A file that is being written.
pub(crate) trait RowWriter: Sized {
    type Error: std::error::Error + 'static;

    /// Writes rows of one archive.
    fn write(&mut self, archive: &str, rows: &[Row]) -> Result<(), Self::Error>;

    /// Writes the end of the file.
    fn finish(self, facts: &Facts) -> Result<(), Self::Error>;
}
