//! A log directory that is open, and the name of the service whose log it holds.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use logyard::sys::dir::Dir;

/// A directory that is held open.
#[derive(Debug)]
pub(super) struct LogDir {
    /// The path as the user gave it.
    pub(super) path: Vec<u8>,
    /// The service, by the path.
    pub(super) service: Vec<u8>,
    /// The directory.
    pub(super) dir: Dir,
    /// The files that are read, if not all are.
    pub(super) only: Option<Vec<Vec<u8>>>,
}

/// The name of the service whose log is in a directory.
///
/// `/service/NAME/log/main` is the classic place, and `/var/log/NAME` another; what says nothing, `main` and `log`, is
/// left out at the end.
#[must_use]
pub fn service_name(path: &[u8]) -> Vec<u8> {
    let given = Path::new(OsStr::from_bytes(path));
    // A relative path may have too few names, `.` none at all.
    let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_path_buf());
    name_in(&absolute, path)
}

/// The same on another host, where a relative path begins at a place that is not known here.
pub(super) fn service_name_elsewhere(path: &[u8]) -> Vec<u8> {
    name_in(Path::new(OsStr::from_bytes(path)), path)
}

/// The name in a path, or the `fallback` if it has none.
fn name_in(path: &Path, fallback: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.as_bytes()),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    match names[..] {
        [.., name, b"log", b"main"] | [.., name, b"log"] if name != b"var" => name.to_vec(),
        [.., name, b"main"] if name != b"var" && name != b"log" => name.to_vec(),
        [.., name] => name.to_vec(),
        [] => fallback.to_vec(),
    }
}

/// Gives directories that would have the same name their paths instead.
pub(super) fn tell_apart(paths: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let names: Vec<Vec<u8>> = paths.iter().map(|path| service_name(path)).collect();
    let is_unique = |name: &Vec<u8>| names.iter().filter(|other| *other == name).count() == 1;
    names.iter().zip(paths).map(|(name, path)| if is_unique(name) { name.clone() } else { path.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_directory() {
        for (path, name) in [
            (&b"/service/qmail/log/main"[..], &b"qmail"[..]),
            (b"/service/qmail/log/main/", b"qmail"),
            (b"/service/qmail/log", b"qmail"),
            (b"/service/qmail/./log/../log/main", b"qmail"),
            (b"/var/log/nginx", b"nginx"),
            (b"/var/log/nginx/main", b"nginx"),
            (b"/var/log", b"log"),
            (b"/var/log/main", b"main"),
            (b"/", b"/"),
        ] {
            assert_eq!(service_name(path), name, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn two_of_one_name_are_told_apart_by_their_paths() {
        let paths = [b"/a/x/log/main".to_vec(), b"/b/x/log/main".to_vec(), b"/b/y/log/main".to_vec()];

        assert_eq!(tell_apart(&paths), [b"/a/x/log/main".to_vec(), b"/b/x/log/main".to_vec(), b"y".to_vec()]);
    }
}
