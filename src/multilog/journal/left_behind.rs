//! Finds directories that a killed logger was writing to and that the script no longer names.
//!
//! A script file is often changed a moment before the logger is killed. The successor finds the journal only if it looks beyond
//! its own directories: it looks at those beside them, and in the directory that it runs in. It completes there the batch that
//! the journal describes, as in its own directories, and then seals them.

use std::ffi::{CStr, CString};

use crate::logdir::destination::Destination;
use crate::logdir::names::JOURNAL;
use crate::multilog::journal::layout::{self, Contents};
use crate::multilog::journal::record::Origin;
use crate::multilog::writer::directory::{Directory, PathDir};
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::sys::dir::Dir;

/// At so many names in one directory the search ends: log directories are few.
const NAMES_MAX: usize = 1000;

/// Locks the directories, beside those that are locked, in which the newest batch of a killed logger on this pipe has to be
/// completed.
pub fn lock_left_behind(origin: Origin, locked: &[LockedDirectory<PathDir>]) -> Vec<LockedDirectory<PathDir>> {
    let mut known = Vec::new();
    let mut newest: Option<Contents> = None;
    let mut look = |directory: &PathDir| {
        if let Some(contents) = journal_of(directory, origin)
            && newest.as_ref().is_none_or(|newest| newest.heading.number < contents.heading.number)
        {
            newest = Some(contents);
        }
    };
    for one in locked {
        known.extend(one.place().directory.identity());
        look(&one.place().directory);
    }
    let mut beside = Vec::new();
    for path in directories_beside(locked) {
        let Ok(directory) = PathDir::reach(&path) else { continue };
        let Ok(identity) = directory.identity() else { continue };
        // Two paths may lead to one directory.
        if !known.contains(&identity) {
            known.push(identity);
            look(&directory);
            beside.push((path, identity));
        }
    }
    let Some(newest) = newest.filter(|newest| !newest.is_consumed) else { return Vec::new() };
    let mut left_behind = Vec::new();
    for (path, identity) in beside {
        if newest.record.extents.iter().any(|extent| extent.directory == identity) {
            // One that another logger has locked is its own affair.
            left_behind.extend(destination(path).and_then(|destination| LockedDirectory::new(&destination).ok()));
        }
    }
    left_behind
}

/// The journal in a directory, if it is of this pipe and this boot.
fn journal_of(directory: &PathDir, origin: Origin) -> Option<Contents> {
    let file = directory.load(JOURNAL, layout::BYTES_MAX).ok()??;
    layout::read(&file).filter(|contents| contents.heading.origin == origin)
}

/// The paths of the directories beside the locked ones, and in the working directory.
fn directories_beside(locked: &[LockedDirectory<PathDir>]) -> Vec<Vec<u8>> {
    let mut parents: Vec<&[u8]> = vec![b"."];
    for one in locked {
        let parent = parent_of(one.destination().path.to_bytes());
        if !parents.contains(&parent) {
            parents.push(parent);
        }
    }
    let mut paths = Vec::new();
    for parent in parents {
        let Ok(directory) = Dir::open(parent) else { continue };
        let mut left = NAMES_MAX;
        let _ = directory.visit(&mut |name, is_plain| {
            if !is_plain {
                paths.push([parent, b"/", name].concat());
            }
            left -= 1;
            left > 0
        });
    }
    paths
}

/// The path of the directory that holds what a path leads to.
fn parent_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    match path[..end].iter().rposition(|&byte| byte == b'/') {
        Some(0) => b"/",
        Some(slash) => &path[..slash],
        None => b".",
    }
}

/// The settings of a directory in which one batch is completed. Its path lives as long as the process.
fn destination(path: Vec<u8>) -> Option<Destination> {
    let path: &'static CStr = Box::leak(CString::new(path).ok()?.into_boxed_c_str());
    Some(Destination::endless(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_beside_those_with_the_same_parent() {
        for (path, parent) in
            [("./main", "."), ("./logs/main/", "./logs"), ("/main", "/"), ("/var/log/x//", "/var/log"), (".", ".")]
        {
            assert_eq!(parent_of(path.as_bytes()), parent.as_bytes(), "{path}");
        }
    }
}
