//! A log directory whose archives are shipped.

use std::sync::Arc;

use logyard::cli::{Shown, cause};
use logyard::logdir::archive_name::Name;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};

use crate::identity::Identity;
use crate::key::{Format, Key};

/// A log directory that is open.
#[derive(Debug)]
pub(crate) struct LogDir {
    /// The path as the user gave it.
    pub(crate) path: Vec<u8>,
    pub(crate) dir: Dir,
    /// The names that it is shipped under.
    pub(crate) identity: Identity,
}

/// An archive of a log directory.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) log_dir: Arc<LogDir>,
    pub(crate) name: Name,
    /// The name of the archive before this one, if that is still there.
    pub(crate) before: Option<Name>,
}

impl LogDir {
    /// Opens a directory.
    pub(crate) fn open(path: &[u8]) -> std::result::Result<Dir, String> {
        Dir::open(path).map_err(|errno| format!("unable to open directory {}: {}", Shown(path), cause(errno)))
    }

    /// The archives, the oldest first.
    pub(crate) fn archives(self: &Arc<LogDir>) -> Result<Vec<Archive>> {
        let mut names: Vec<Name> = Vec::new();
        self.dir.visit(&mut |file, is_plain| {
            names.extend(Name::of_file(file).filter(|_| is_plain));
            true
        })?;
        names.sort_unstable_by_key(Name::to_string);
        // While an archive is compressed, it has two files.
        names.dedup();
        let before = std::iter::once(None).chain(names.iter().copied().map(Some));
        let archive = |(name, before)| Archive { log_dir: Arc::clone(self), name, before };
        Ok(names.iter().copied().zip(before).map(archive).collect())
    }
}

impl Archive {
    /// The key of its object.
    pub(crate) fn key(&self, format: Format) -> Key {
        let Identity { host, service } = &self.log_dir.identity;
        Key::new(host, service, self.name, format)
    }

    /// Opens the file of this archive. If it is being compressed, that is the file that is complete.
    pub(crate) fn open(&self) -> Result<Arc<File>> {
        open(&self.log_dir.dir, self.name)
    }

    /// Opens the archive before this one.
    pub(crate) fn open_before(&self) -> Option<Arc<File>> {
        open(&self.log_dir.dir, self.before?).ok()
    }
}

/// How often the names are read again if files are renamed meanwhile.
const ATTEMPTS_MAX: u32 = 100;

fn open(dir: &Dir, name: Name) -> Result<Arc<File>> {
    let text = name.to_string().into_bytes();
    for _ in 0..ATTEMPTS_MAX {
        match dir.open_to_read(&text).and_then(File::if_plain) {
            Err(Errno::ENOENT) => {}
            answer => return answer.map(Arc::new),
        }
        // It was compressed, or trimmed.
        let mut names: Vec<Vec<u8>> = dir.names()?.into_iter().map(|(file, _)| file).collect();
        names.retain(|file| Name::of_file(file) == Some(name));
        names.sort_unstable();
        let Some(file) = names.into_iter().next() else { return Err(Errno::ENOENT) };
        match dir.open_to_read(&file).and_then(File::if_plain) {
            Err(Errno::ENOENT) => {}
            answer => return answer.map(Arc::new),
        }
    }
    Err(Errno::ENOENT)
}
