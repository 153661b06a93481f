//! A file that a report is written to. It is opened before the first run, so that logbench refuses a path that it cannot
//! write to before it spends minutes on measuring.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// An open file; removed when dropped if it is new and nothing was written to it.
#[derive(Debug)]
pub(crate) struct ReportFile {
    path: PathBuf,
    file: File,
    /// The file's own path, if it is new: `path` may be a link to it.
    unwritten: Option<PathBuf>,
}

impl ReportFile {
    /// Opens the file. What it holds stays until the report is written.
    pub(crate) fn open(path: &Path) -> Result<ReportFile, Error> {
        let unable = |error| Error::file("write", path, &error);
        match File::create_new(path) {
            Ok(file) => Ok(ReportFile { path: path.to_owned(), file, unwritten: Some(path.to_owned()) }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_dangling_link = matches!(path.try_exists(), Ok(false));
                let file = File::options().write(true).create(true).truncate(false).open(path).map_err(unable)?;
                let unwritten = if is_dangling_link { path.canonicalize().ok() } else { None };
                Ok(ReportFile { path: path.to_owned(), file, unwritten })
            }
            Err(error) => Err(unable(error)),
        }
    }

    /// Writes the report.
    pub(crate) fn write(mut self, report: &str) -> Result<(), Error> {
        self.unwritten = None;
        // A device or a pipe has no length to be cut.
        let _ = self.file.set_len(0);
        self.file.write_all(report.as_bytes()).map_err(|error| Error::file("write", &self.path, &error))
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if let Some(path) = &self.unwritten {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Workdir;

    #[test]
    fn a_comparison_that_ends_early_leaves_no_new_file() {
        let dir = Workdir::new();
        std::fs::write(dir.join("old"), "old").unwrap();
        std::os::unix::fs::symlink("old", dir.join("link")).unwrap();
        std::os::unix::fs::symlink("target", dir.join("dangling")).unwrap();

        for name in ["new", "old", "link", "dangling"] {
            drop(ReportFile::open(&dir.join(name)).unwrap());
        }

        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["dangling", "link", "old"]);
        assert_eq!(std::fs::read_to_string(dir.join("link")).unwrap(), "old");
    }

    #[test]
    fn a_report_is_written_where_a_dangling_link_leads() {
        let dir = Workdir::new();
        std::os::unix::fs::symlink("target", dir.join("dangling")).unwrap();

        ReportFile::open(&dir.join("dangling")).unwrap().write("report").unwrap();

        assert_eq!(std::fs::read_to_string(dir.join("target")).unwrap(), "report");
    }
}
