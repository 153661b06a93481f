//! What a log directory holds, in the order in which it was written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::torture::verdict::{Counts, Verdict};

/// Reads the archives of a directory as they come, and removes them.
pub struct Collected {
    directory: PathBuf,
    /// What has been read; the newest of it is still there.
    last: Option<OsString>,
    pub counts: Counts,
}

impl Collected {
    pub fn new(directory: PathBuf, counts: Counts) -> Collected {
        Collected { directory, last: None, counts }
    }

    /// Reads the archives that are new, while no logger runs. All but the newest are removed: the next name must be greater
    /// than that. One that is not brings its lines in the wrong order.
    pub fn gather(&mut self) {
        if !self.directory.exists() {
            return;
        }
        let names = archives(&self.directory);
        for name in names.iter().filter(|&name| Some(name) != self.last.as_ref()) {
            self.counts.read(&content(&self.directory.join(name)));
        }
        if let Some((newest, others)) = names.iter().collect::<Vec<_>>().split_last() {
            for name in others {
                fs::remove_file(self.directory.join(name)).unwrap();
            }
            self.last = Some((*newest).clone());
        }
    }

    /// Reads the rest, after the last logger has exited.
    pub fn finish(mut self, written: u64) -> Verdict {
        self.gather();
        self.counts.read(&fs::read(self.directory.join("current")).unwrap_or_default());
        self.counts.end(written)
    }
}

/// The names of the archives, oldest first.
pub fn archives(directory: &Path) -> BTreeSet<OsString> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.as_bytes().starts_with(b"@") && !name.as_bytes().ends_with(b".t"))
        .collect()
}

/// All that a directory holds: archives in the order of their names, then `current`.
pub fn all(directory: &Path) -> Vec<u8> {
    let mut all: Vec<u8> = archives(directory).iter().flat_map(|name| content(&directory.join(name))).collect();
    all.extend(fs::read(directory.join("current")).unwrap_or_default());
    all
}

/// What a file holds, unpacked if it is packed.
pub fn content(file: &Path) -> Vec<u8> {
    let raw = fs::read(file).unwrap();
    if !raw.starts_with(b"\x1f\x8b") {
        return raw;
    }
    let mut unpacked = Command::new("gzip").arg("-dc").stdin(fs::File::open(file).unwrap()).output().unwrap();
    if !unpacked.status.success() {
        unpacked.stdout.extend(b"(this is not all that was packed)\n");
    }
    unpacked.stdout
}
