//! The log directory that a path means.
//!
//! A service stands for its log: `/service/NAME` and `/service/NAME/log` for `/service/NAME/log/main`, or for the only log
//! directory in `/service/NAME/log`. Any other directory is an error: it would look like a log without lines.

use crate::files::archive_label;
use logyard::cli::Shown;
use logyard::logdir::names::{CURRENT, LOCK, PREVIOUS};
use logyard::sys::Errno;
use logyard::sys::dir::Dir;

/// The file that every service directory has.
const RUN: &[u8] = b"run";
/// The directory of a service's log service.
const LOG: &[u8] = b"log";
/// The usual log directory of a log service.
const MAIN: &[u8] = b"main";

/// The meaning of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// This log directory; or a directory that does not exist, or may not be read, as opening it will show.
    Log(Vec<u8>),
    /// No log directory. One may appear at `path`.
    Nothing { path: Vec<u8>, warning: String },
    /// More than one log directory. The text is a warning.
    Several(String),
}

/// Finds the log directory that a path means.
pub(super) fn resolve(path: &[u8]) -> Resolved {
    if holds_log(path) != Some(false) {
        return Resolved::Log(path.to_vec());
    }
    let base = if is_there(&join(path, LOG)) { join(path, LOG) } else { path.to_vec() };
    let main = join(&base, MAIN);
    for candidate in [&base, &main] {
        // If it may not be read, a warning says so later.
        if is_there(candidate) && holds_log(candidate) != Some(false) {
            return Resolved::Log(candidate.clone());
        }
    }
    let logs = logs_in(&base);
    if let [only] = &logs[..] {
        return Resolved::Log(join(&base, only));
    }
    let shown = Shown(&base).to_string();
    if !logs.is_empty() {
        let names: Vec<String> = logs.iter().map(|name| Shown(name).to_string()).collect();
        return Resolved::Several(format!("several logs in {shown}, name one of them: {}", names.join(", ")));
    }
    let warning = format!("no log in {shown}: it has neither current nor archives");
    let is_service = base != path || has(&base, RUN);
    Resolved::Nothing { path: if is_service { main } else { base }, warning }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

/// Tells whether a path leads to a directory, even to one that may not be read.
fn is_there(path: &[u8]) -> bool {
    !matches!(Dir::open(path), Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
}

fn has(path: &[u8], name: &[u8]) -> bool {
    Dir::open(path).is_ok_and(|directory| matches!(directory.stat(name), Ok(Some(_))))
}

/// Tells whether a directory is one that a logger writes to; `None` if it cannot be read.
fn holds_log(path: &[u8]) -> Option<bool> {
    let directory = Dir::open(path).ok()?;
    // A service may keep a file of such a name beside its run script.
    let is_service = directory.stat(b"run").ok()?.is_some();
    let names: &[&str] = if is_service { &[CURRENT] } else { &[CURRENT, LOCK, PREVIOUS] };
    for name in names {
        if directory.stat(name.as_bytes()).ok()?.is_some() {
            return Some(true);
        }
    }
    Some(directory.names().ok()?.iter().any(|(name, _)| archive_label(name).is_some()))
}

/// The log directories in a directory, in the order of their names. Links are not followed.
fn logs_in(path: &[u8]) -> Vec<Vec<u8>> {
    let Ok(names) = Dir::open(path).and_then(|directory| directory.names()) else { return Vec::new() };
    let is_link =
        |name: &[u8]| std::fs::symlink_metadata(as_path(&join(path, name))).is_ok_and(|stat| stat.is_symlink());
    let is_other = |name: &[u8]| matches!(name, b"supervise" | b"env" | b"event") || name.starts_with(b".");
    let mut logs: Vec<Vec<u8>> = names.into_iter().map(|(name, _)| name).collect();
    logs.retain(|name| !is_other(name) && !is_link(name) && holds_log(&join(path, name)) == Some(true));
    logs.sort_unstable();
    logs
}

fn as_path(path: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt;
    std::path::Path::new(std::ffi::OsStr::from_bytes(path))
}
