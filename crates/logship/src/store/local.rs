//! A directory as a store.
//!
//! An object is written to a file without a name, fsynced, and linked: a kill leaves nothing. A file system that has no such
//! files gets a name that begins with a dot, which every engine skips.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use logyard::cli::{Shown, cause};
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::{Errno, fd};
use logyard::tai64n::Label;

use super::{Created, Listed, StoreError, no_facts};
use crate::facts::Facts;
use crate::key::Format;
use crate::object::{Object, errno, errno_in, handle};
use crate::{ndjson, table};

/// The mode of objects and directories; the umask of the process restricts it.
const MODE_OBJECT: u32 = 0o666;
const MODE_DIRECTORY: u32 = 0o777;

/// How often a note is written if its folder is removed meanwhile.
const ATTEMPTS: u32 = 20;
/// The pause before the second attempt; later ones are longer.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// A directory as a store.
#[derive(Debug)]
pub(crate) struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    pub(super) fn new(path: &str) -> LocalStore {
        LocalStore { root: PathBuf::from(path) }
    }

    pub(super) fn spool(&self, key: &str) -> logyard::sys::Result<File> {
        let (folder, name) = self.place(key);
        let dir = make_folders(&folder)?;
        match dir.make_nameless(MODE_OBJECT) {
            Err(errno) if has_no_nameless(errno) => {
                // The file is opened anew each time, and a shipper that was killed left it.
                let hidden = hidden_name(name);
                match dir.unlink(&hidden) {
                    Ok(()) | Err(Errno::ENOENT) => dir.create_to_append(&hidden, MODE_OBJECT),
                    Err(errno) => Err(errno),
                }
            }
            answer => answer,
        }
    }

    pub(super) fn create(&self, key: &str, object: &Object) -> Result<Created, StoreError> {
        let (folder, name) = self.place(key);
        let publish = || {
            let dir = make_folders(&folder)?;
            object.file.sync()?;
            let created = publish(&dir, &object.file, name.as_bytes());
            dir.sync()?;
            created
        };
        publish().map_err(|errno| unable("create", &folder.join(name), errno))
    }

    pub(super) fn create_note(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let (folder, name) = self.place(key);
        let create = || {
            let file = self.spool(key)?;
            fd::write_all(&file, bytes)?;
            file.sync()?;
            let dir = make_folders(&folder)?;
            let created = publish(&dir, &file, name.as_bytes());
            dir.sync()?;
            created
        };
        // Another shipper may remove the folder at any moment. ext4 makes no nameless file in a folder that is going, and says
        // EPERM for as long as the one that removes it is not finished with that.
        let is_gone = |answer: &Result<Created, Errno>| matches!(answer, Err(Errno::ENOENT | Errno::EPERM));
        let mut answer = create();
        for attempt in 1..ATTEMPTS {
            if !is_gone(&answer) {
                break;
            }
            std::thread::sleep(PAUSE * attempt);
            answer = create();
        }
        answer.map_err(|errno| unable("create", &folder.join(name), errno))
    }

    pub(super) fn facts(&self, key: &str) -> Result<Option<Facts>, StoreError> {
        let mut file = match fs::File::open(self.root.join(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unable("read", &self.root.join(key), errno(&error))),
        };
        let facts = match Format::of_key(key) {
            Some(Format::Parquet) => match table::reader::Reader::open(file) {
                Ok(reader) => reader.facts(),
                Err(error) => match errno_in(&error) {
                    // The disk, not the object.
                    Some(errno) => return Err(unable("read", &self.root.join(key), errno)),
                    None => None,
                },
            },
            Some(Format::Ndjson) => {
                ndjson::facts(&mut file).map_err(|error| unable("read", &self.root.join(key), errno(&error)))?
            }
            None => None,
        };
        facts.map(Some).ok_or_else(|| no_facts(key))
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let (mut listed, mut folders) = (Vec::new(), vec![self.root.join(folder)]);
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unable("list", &folder, errno(&error))),
            };
            for entry in entries {
                let about = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
                // Another process has removed it: a probe, for one.
                if about.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                    continue;
                }
                let (path, stat) = about.map_err(|error| unable("list", &folder, errno(&error)))?;
                let is_hidden = path.file_name().is_none_or(|name| name.as_bytes().starts_with(b"."));
                match path.strip_prefix(&self.root).ok().and_then(Path::to_str) {
                    _ if is_hidden => {}
                    _ if stat.is_dir() => folders.push(path),
                    Some(key) => listed.push(Listed { key: key.to_owned(), bytes: stat.len() }),
                    None => {}
                }
            }
        }
        Ok(listed)
    }

    pub(super) fn fetch(&self, key: &str) -> Result<fs::File, StoreError> {
        let path = self.root.join(key);
        fs::File::open(&path).map_err(|error| unable("read", &path, errno(&error)))
    }

    pub(super) fn remove(&self, key: &str) -> Result<(), StoreError> {
        let (folder, name) = self.place(key);
        match Dir::open(&folder).and_then(|dir| dir.unlink(name.as_bytes())) {
            // A directory that another shipper still uses stays.
            Ok(()) | Err(Errno::ENOENT) => {
                let _ = fs::remove_dir(&folder);
                Ok(())
            }
            Err(errno) => Err(unable("remove", &folder.join(name), errno)),
        }
    }

    /// The folder of an object, and its name there.
    fn place<'k>(&self, key: &'k str) -> (PathBuf, &'k str) {
        match key.rsplit_once('/') {
            Some((folder, name)) => (self.root.join(folder), name),
            None => (self.root.clone(), key),
        }
    }
}

/// Gives a written file its name, unless the name is taken.
fn publish(dir: &Dir, file: &File, name: &[u8]) -> Result<Created, Errno> {
    let is_nameless = file.stat()?.links == 0;
    let linked = if is_nameless {
        match dir.give_name(file, name) {
            // Without /proc it cannot be named: it is copied.
            Err(Errno::ENOENT) => copy(dir, file, name),
            answer => answer,
        }
    } else {
        link_hidden(dir, name)
    };
    match linked {
        Ok(()) => Ok(Created::New),
        Err(Errno::EEXIST) => Ok(Created::AlreadyThere),
        Err(errno) => Err(errno),
    }
}

/// Gives the file with the hidden name its own, and removes the hidden names of this object: also those of shippers that were
/// killed. If a shipper that still runs loses its file in this way, the object is there.
fn link_hidden(dir: &Dir, name: &[u8]) -> Result<(), Errno> {
    let linked = match dir.link(&hidden_name_of(name), name) {
        Err(Errno::ENOENT) if dir.stat(name)?.is_some() => Err(Errno::EEXIST),
        answer => answer,
    };
    if matches!(linked, Ok(()) | Err(Errno::EEXIST)) {
        let start = [b".", name, b"."].concat();
        for (hidden, _) in dir.names()?.into_iter().filter(|(hidden, _)| hidden.starts_with(&start)) {
            let _ = dir.unlink(&hidden);
        }
    }
    linked
}

/// Writes a file again, with a hidden name, and links that.
fn copy(dir: &Dir, file: &File, name: &[u8]) -> Result<(), Errno> {
    let hidden = hidden_name_of(name);
    match dir.unlink(&hidden) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let copied = dir.create_to_append(&hidden, MODE_OBJECT)?;
    let mut source = handle(file).map_err(|error| errno(&error))?;
    let mut target = handle(&copied).map_err(|error| errno(&error))?;
    let copied = std::io::Seek::rewind(&mut source).and_then(|()| std::io::copy(&mut source, &mut target));
    copied.and_then(|_| target.sync_all()).map_err(|error| errno(&error))?;
    link_hidden(dir, name)
}

/// The name of an object that has none yet. It belongs to this process. Processes in two containers may have the same number,
/// so the time is in it too.
fn hidden_name(name: &str) -> Vec<u8> {
    hidden_name_of(name.as_bytes())
}

fn hidden_name_of(name: &[u8]) -> Vec<u8> {
    static ENDING: OnceLock<String> = OnceLock::new();
    let ending = ENDING.get_or_init(|| format!(".{}{}", std::process::id(), Label::now()));
    [b".", name, ending.as_bytes()].concat()
}

/// How file systems say that they have no files without a name.
fn has_no_nameless(errno: Errno) -> bool {
    matches!(errno, Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT)
}

/// Makes a folder and those above it, fsyncs what is new, and opens it.
fn make_folders(folder: &Path) -> Result<Dir, Errno> {
    match Dir::open(folder) {
        Err(Errno::ENOENT) => {}
        answer => return answer,
    }
    let parent = folder.parent().ok_or(Errno::ENOENT)?;
    let above = make_folders(parent)?;
    let name = folder.file_name().ok_or(Errno::EINVAL)?.as_bytes();
    above.make_dir(name, MODE_DIRECTORY)?;
    above.sync()?;
    Dir::open(folder)
}

/// The error of a system call.
fn unable(verb: &str, path: &Path, errno: Errno) -> StoreError {
    let text = format!("unable to {verb} {}: {}", Shown(path.as_os_str().as_bytes()), cause(errno));
    match errno {
        Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG => {
            StoreError::Refused(text)
        }
        _ => StoreError::Away(text),
    }
}
