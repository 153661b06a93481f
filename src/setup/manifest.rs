//! The manifest: records what setup made. `--remove` removes this and nothing else.
//!
//! Each entry is written before its resource is created, in that order, so an interrupted run can be undone.

use std::fmt;

use crate::setup::error::Error;
use crate::setup::whole_file::{read_all, replace};
use crate::sys::Errno;
use crate::sys::root_dir::Tree;

/// The directory of the copies and the manifest.
pub const HOME: &str = "/usr/local/lib/logyard";
/// The file's name in [`HOME`].
const NAME: &[u8] = b"installed";

/// The suffix of a file that was moved aside.
pub(super) const ASIDE: &str = ".before-logyard";

/// One resource that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestEntry {
    /// A directory that did not exist.
    Directory(String),
    /// A file.
    File(String),
    /// A link, and where it leads.
    Link(String, String),
    /// A line, and the file that it is in.
    Line(String, String),
    /// A file that was moved aside.
    Moved(String),
}

impl fmt::Display for ManifestEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestEntry::Directory(path) => write!(out, "directory {path}"),
            ManifestEntry::File(path) => write!(out, "file {path}"),
            ManifestEntry::Link(path, target) => write!(out, "link {path} {target}"),
            ManifestEntry::Line(path, line) => write!(out, "line {path} {line}"),
            ManifestEntry::Moved(path) => write!(out, "moved {path}"),
        }
    }
}

impl ManifestEntry {
    fn parse(line: &str) -> Option<ManifestEntry> {
        let (kind, rest) = line.split_once(' ')?;
        let pair = || rest.split_once(' ').map(|(path, rest)| (path.to_owned(), rest.to_owned()));
        let path = rest.starts_with('/').then(|| rest.to_owned())?;
        match kind {
            "directory" => Some(ManifestEntry::Directory(path)),
            "file" => Some(ManifestEntry::File(path)),
            "link" => pair().map(|(path, target)| ManifestEntry::Link(path, target)),
            "line" => pair().map(|(path, line)| ManifestEntry::Line(path, line)),
            "moved" => Some(ManifestEntry::Moved(path)),
            _ => None,
        }
    }

    /// The path of the entry.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            ManifestEntry::Directory(path)
            | ManifestEntry::File(path)
            | ManifestEntry::Link(path, _)
            | ManifestEntry::Line(path, _) => path,
            ManifestEntry::Moved(path) => path,
        }
    }
}

/// The resources that setup has created, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(Vec<ManifestEntry>);

impl Manifest {
    /// Reads the manifest; it is empty if there is none.
    pub fn read(tree: &Tree) -> Result<Manifest, Error> {
        let text = match tree.dir(HOME).and_then(|dir| read_all(&dir, NAME)) {
            Ok(text) => text,
            Err(Errno::ENOENT) => return Ok(Manifest::default()),
            Err(errno) => return Err(Error::at("read", &format!("{HOME}/installed"))(errno)),
        };
        Ok(Manifest(String::from_utf8_lossy(&text).lines().filter_map(ManifestEntry::parse).collect()))
    }

    /// Writes the manifest.
    pub fn write(&self, tree: &Tree) -> Result<(), Error> {
        let text: String = self.0.iter().map(|entry| format!("{entry}\n")).collect();
        let written = tree.dir(HOME).and_then(|dir| replace(&dir, NAME, text.as_bytes(), 0o644));
        written.map_err(Error::at("write", &format!("{HOME}/installed")))
    }

    /// Removes the manifest itself.
    pub fn remove(tree: &Tree) -> Result<(), Error> {
        let removed = tree.dir(HOME).and_then(|dir| dir.unlink(NAME));
        removed.map_err(Error::at("remove", &format!("{HOME}/installed")))
    }

    /// Adds an entry, unless it exists.
    pub fn enter(&mut self, entry: ManifestEntry) {
        if !self.0.contains(&entry) {
            self.0.push(entry);
        }
    }

    /// Whether a file or link at a path was made by setup.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0
            .iter()
            .any(|entry| matches!(entry, ManifestEntry::File(_) | ManifestEntry::Link(..)) && entry.path() == path)
    }

    /// All entries, latest first.
    pub fn latest_first(&self) -> impl Iterator<Item = &ManifestEntry> {
        self.0.iter().rev()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for entry in [
            ManifestEntry::Directory("/service".into()),
            ManifestEntry::File("/usr/local/lib/logyard/svc".into()),
            ManifestEntry::Link("/command/svc".into(), "/usr/local/lib/logyard/svc".into()),
            ManifestEntry::Line("/etc/rc.local".into(), "/command/svscanboot &".into()),
            ManifestEntry::Moved("/command/svc".into()),
        ] {
            assert_eq!(ManifestEntry::parse(&entry.to_string()), Some(entry));
        }
        assert_eq!(ManifestEntry::parse("file relative"), None);
        assert_eq!(ManifestEntry::parse("device /dev/null"), None);
    }
}
