//! A file that a report goes to: opened before the first run, so that a path that cannot be written to is refused at once.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::stop::Stop;

/// An open file; removed when dropped if it is new and nothing was written to it.
#[derive(Debug)]
pub(crate) struct ReportFile {
    path: PathBuf,
    file: File,
    is_unwanted: bool,
}

impl ReportFile {
    /// Opens the file. What it holds stays until the report is written.
    pub(crate) fn open(path: &Path) -> Result<ReportFile, Stop> {
        let unable = |error| Stop::file("write", path, &error);
        let (file, is_new) = match File::create_new(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (File::options().write(true).create(true).truncate(false).open(path).map_err(unable)?, false)
            }
            Err(error) => return Err(unable(error)),
        };
        Ok(ReportFile { path: path.to_owned(), file, is_unwanted: is_new })
    }

    /// Writes the report.
    pub(crate) fn write(mut self, report: &str) -> Result<(), Stop> {
        self.is_unwanted = false;
        // A device or a pipe has no length to be cut.
        let _ = self.file.set_len(0);
        self.file.write_all(report.as_bytes()).map_err(|error| Stop::file("write", &self.path, &error))
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if self.is_unwanted {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
