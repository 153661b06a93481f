//! The things that setup makes: directories, files, links, and lines in files that belong to others.
//!
//! A [`Thing`] knows whether it is there, how to make it and how it is entered in the record; what is in the record was
//! made by setup and is taken away by `--remove`. Files appear whole, under another name first: a program that runs keeps
//! the file that it was started from.

use std::fmt;

use crate::cli::cause;
use crate::setup::line::LineFile;
use crate::setup::record::Entry;
use crate::sys::dir::Dir;
use crate::sys::tree::Tree;
use crate::sys::{Errno, Result as Answer};

/// Something that a host is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
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

/// How a thing is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is nothing.
    Absent,
    /// It is as it should be.
    Ready,
    /// It is ours, of another version.
    Outdated,
    /// Something else is in its place.
    Foreign,
}

/// What could not be done to which path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    verb: &'static str,
    path: String,
    errno: Errno,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to {} {}: {}", self.verb, self.path, cause(self.errno))
    }
}

impl Error {
    /// Names what failed, for `map_err`.
    pub fn at(verb: &'static str, path: &str) -> impl FnOnce(Errno) -> Error {
        let path = path.to_owned();
        move |errno| Error { verb, path, errno }
    }
}

impl Thing {
    /// A directory.
    #[must_use]
    pub fn directory(path: String) -> Thing {
        Thing::Directory { path }
    }

    /// A file.
    #[must_use]
    pub fn file(path: String, mode: u32, content: Content) -> Thing {
        Thing::File { path, mode, content }
    }

    /// A link.
    #[must_use]
    pub fn link(path: String, target: String) -> Thing {
        Thing::Link { path, target }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Thing::Directory { path }
            | Thing::File { path, .. }
            | Thing::Link { path, .. }
            | Thing::Line { path, .. } => path,
        }
    }

    /// How it is entered in the record.
    #[must_use]
    pub fn entry(&self) -> Entry {
        match self.clone() {
            Thing::Directory { path } => Entry::Directory(path),
            Thing::File { path, .. } => Entry::File(path),
            Thing::Link { path, target } => Entry::Link(path, target),
            Thing::Line { path, line, .. } => Entry::Line(path, line),
        }
    }

    /// Looks whether it is there. `is_ours` says whether the record has it; `bytes` is what a file is to hold.
    pub fn find(&self, tree: &Tree, is_ours: bool, bytes: &[u8]) -> Result<State, Error> {
        let (parent, name) = split(self.path());
        let other = if is_ours { State::Outdated } else { State::Foreign };
        let dir = match tree.dir(parent) {
            Ok(dir) => dir,
            Err(Errno::ENOENT) => return Ok(State::Absent),
            Err(errno) => return Err(Error::at("read", parent)(errno)),
        };
        let state = || -> Answer<State> {
            let Some(stat) = dir.stat(name)? else { return Ok(State::Absent) };
            Ok(match self {
                Thing::Directory { path } => match tree.dir(path) {
                    Ok(_) => State::Ready,
                    Err(_) => State::Foreign,
                },
                Thing::File { mode, .. } if stat.is_plain => {
                    let is_same = stat.mode == *mode && read_all(&dir, name)? == bytes;
                    if is_same { State::Ready } else { other }
                }
                Thing::File { .. } => State::Foreign,
                Thing::Link { target, .. } => match dir.read_link(name)? {
                    Some(found) if found == target.as_bytes() => State::Ready,
                    Some(_) => other,
                    None => State::Foreign,
                },
                Thing::Line { style, .. } => {
                    let has_line = style.has_svscanboot(&read_all(&dir, name)?);
                    if has_line { State::Ready } else { State::Absent }
                }
            })
        };
        state().map_err(Error::at("read", self.path()))
    }

    /// Makes it, over an outdated one. `bytes` is what a file is to hold.
    pub fn make(&self, tree: &Tree, bytes: &[u8]) -> Result<(), Error> {
        let (parent, name) = split(self.path());
        let dir = tree.dir(parent).map_err(Error::at("read", parent))?;
        match self {
            Thing::Directory { path } => dir.create_dir(name, 0o755).map_err(Error::at("make directory", path)),
            Thing::File { path, mode, .. } => replace(&dir, name, bytes, *mode).map_err(Error::at("write", path)),
            Thing::Link { path, target } => {
                let made = dir.read_link(name).and_then(|old| {
                    if old.is_some() {
                        dir.unlink(name)?;
                    }
                    dir.symlink(target.as_bytes(), name)
                });
                made.map_err(Error::at("link", path))
            }
            Thing::Line { path, line, style } => style.add(&dir, name, line).map_err(Error::at("write", path)),
        }
    }
}

impl fmt::Display for Thing {
    /// Finishes the sentence "this is going to …".
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Directory { path } => write!(out, "make directory {path}"),
            Thing::File { path, content: Content::Text(_), .. } => write!(out, "write {path}"),
            Thing::File { path, content: Content::Program(name), .. } => write!(out, "copy {name} to {path}"),
            Thing::Link { path, target } => write!(out, "link {path} to {target}"),
            Thing::Line { path, line, .. } => write!(out, "add to {path}: {line}"),
        }
    }
}

/// The directory and the name of an absolute path.
#[must_use]
pub fn split(path: &str) -> (&str, &[u8]) {
    let at = path.rfind('/').unwrap_or(0);
    (if at == 0 { "/" } else { &path[..at] }, &path.as_bytes()[at + 1..])
}

/// Reads a whole file; a link is refused.
pub fn read_all(dir: &Dir, name: &[u8]) -> Answer<Vec<u8>> {
    let file = dir.open_to_read(name)?;
    let mut bytes = Vec::new();
    let mut room = vec![0; 1 << 16];
    loop {
        match file.read_at(u64::try_from(bytes.len()).expect("it is in memory"), &mut room)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&room[..count]),
        }
    }
}

/// Puts a file in place at once: written under another name, brought to the disk, renamed.
pub fn replace(dir: &Dir, name: &[u8], bytes: &[u8], mode: u32) -> Answer<()> {
    let new = [name, b"{new}"].concat();
    let file = dir.open_to_replace(&new, mode)?;
    file.set_mode(mode)?;
    crate::sys::fd::write_all(&file, bytes)?;
    file.sync()?;
    dir.rename(&new, name)?;
    dir.sync()
}
