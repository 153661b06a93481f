//! The resources that setup makes: directories, files, links, and lines in files that belong to others.
//!
//! A [`Resource`] knows whether it exists, how to create it and how to record it in the manifest; `--remove` removes
//! everything in the manifest. Files are written under another name first, so that they appear complete and a running
//! program keeps its old file.

use std::fmt;

use crate::setup::config_line::LineFile;
use crate::setup::error::Error;
use crate::setup::manifest::ManifestEntry;
use crate::setup::whole_file::{read_all, replace, split};
use crate::sys::root_dir::Tree;
use crate::sys::{Errno, Result as Answer};

/// A resource of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A directory, mode 0755.
    Directory {
        /// Absolute, as all paths here.
        path: String,
    },
    /// A file of ours.
    File {
        /// Where it is.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// What is in it.
        content: Content,
    },
    /// A symbolic link.
    Link {
        /// Where it is.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// A line in a file that is not ours.
    Line {
        /// Which file.
        path: String,
        /// The line, without its newline.
        line: String,
        /// What the file says around it.
        style: LineFile,
    },
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This text.
    Text(&'static str),
    /// What a command beside logyard-setup consists of.
    Program(String),
}

/// The state of a resource on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// It does not exist.
    Absent,
    /// It is as it should be.
    Ready,
    /// It is ours, from another version.
    Outdated,
    /// Something else is in its place.
    Foreign,
}

impl Resource {
    /// A directory.
    #[must_use]
    pub fn directory(path: String) -> Resource {
        Resource::Directory { path }
    }

    /// A file.
    #[must_use]
    pub fn file(path: String, mode: u32, content: Content) -> Resource {
        Resource::File { path, mode, content }
    }

    /// A link.
    #[must_use]
    pub fn link(path: String, target: String) -> Resource {
        Resource::Link { path, target }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Resource::Directory { path }
            | Resource::File { path, .. }
            | Resource::Link { path, .. }
            | Resource::Line { path, .. } => path,
        }
    }

    /// Its manifest entry.
    #[must_use]
    pub fn entry(&self) -> ManifestEntry {
        match self.clone() {
            Resource::Directory { path } => ManifestEntry::Directory(path),
            Resource::File { path, .. } => ManifestEntry::File(path),
            Resource::Link { path, target } => ManifestEntry::Link(path, target),
            Resource::Line { path, line, .. } => ManifestEntry::Line(path, line),
        }
    }

    /// Checks its state. `is_ours` tells whether the manifest has it; `bytes` is the contents of a file.
    pub fn find(&self, tree: &Tree, is_ours: bool, bytes: &[u8]) -> Result<ResourceState, Error> {
        let (parent, name) = split(self.path());
        let other = if is_ours { ResourceState::Outdated } else { ResourceState::Foreign };
        let dir = match tree.dir(parent) {
            Ok(dir) => dir,
            Err(Errno::ENOENT) => return Ok(ResourceState::Absent),
            Err(errno) => return Err(Error::at("read", parent)(errno)),
        };
        let state = || -> Answer<ResourceState> {
            let Some(stat) = dir.stat(name)? else { return Ok(ResourceState::Absent) };
            Ok(match self {
                Resource::Directory { path } => match tree.dir(path) {
                    Ok(_) => ResourceState::Ready,
                    Err(_) => ResourceState::Foreign,
                },
                Resource::File { mode, .. } if stat.is_plain => {
                    let is_same = stat.mode == *mode && read_all(&dir, name)? == bytes;
                    if is_same { ResourceState::Ready } else { other }
                }
                Resource::File { .. } => ResourceState::Foreign,
                Resource::Link { target, .. } => match dir.read_link(name)? {
                    Some(found) if found == target.as_bytes() => ResourceState::Ready,
                    Some(_) => other,
                    None => ResourceState::Foreign,
                },
                Resource::Line { style, .. } => {
                    let has_line = style.has_svscanboot(&read_all(&dir, name)?);
                    if has_line { ResourceState::Ready } else { ResourceState::Absent }
                }
            })
        };
        state().map_err(Error::at("read", self.path()))
    }

    /// Creates it, or replaces an outdated one. `bytes` is the contents of a file.
    pub fn make(&self, tree: &Tree, bytes: &[u8]) -> Result<(), Error> {
        let (parent, name) = split(self.path());
        let dir = tree.dir(parent).map_err(Error::at("read", parent))?;
        match self {
            Resource::Directory { path } => dir.create_dir(name, 0o755).map_err(Error::at("make directory", path)),
            Resource::File { path, mode, .. } => replace(&dir, name, bytes, *mode).map_err(Error::at("write", path)),
            Resource::Link { path, target } => {
                let made = dir.read_link(name).and_then(|old| {
                    if old.is_some() {
                        dir.unlink(name)?;
                    }
                    dir.symlink(target.as_bytes(), name)
                });
                made.map_err(Error::at("link", path))
            }
            Resource::Line { path, line, style } => style.add(&dir, name, line).map_err(Error::at("write", path)),
        }
    }
}

impl fmt::Display for Resource {
    /// Finishes the sentence "this is going to …".
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Directory { path } => write!(out, "make directory {path}"),
            Resource::File { path, content: Content::Text(_), .. } => write!(out, "write {path}"),
            Resource::File { path, content: Content::Program(name), .. } => write!(out, "copy {name} to {path}"),
            Resource::Link { path, target } => write!(out, "link {path} to {target}"),
            Resource::Line { path, line, .. } => write!(out, "add to {path}: {line}"),
        }
    }
}
