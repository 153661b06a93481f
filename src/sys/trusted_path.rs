//! Whether only root and this program's own user can change what a path leads to.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};

use crate::sys::process::pidfd;
use crate::sys::stat::{FileId, Stat};
use crate::sys::{Errno, uninterrupted};

/// More links than this are a loop; the kernel's own limit.
const LINKS_MAX: u32 = 40;
/// Others than the owner can write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// In such a directory, others cannot replace what they do not own.
const STICKY: u32 = 0o1000;

/// A file as it was at one moment: another one has taken its place, or it was written to, if it is not equal any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    identity: FileId,
    size_bytes: u64,
    changed: (i64, i64),
}

/// Why a path is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A system call failed.
    System(Errno),
    /// This file, directory or link belongs to another user.
    Foreign(Vec<u8>),
    /// Others can write to this file or directory.
    Writable(Vec<u8>),
    /// It is not a plain file.
    NotPlain,
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        Fault::System(errno)
    }
}

/// The way from the root to where a check has come.
struct Way {
    dir: OwnedFd,
    names: Vec<Vec<u8>>,
    /// The directories on it, for `..`.
    above: Vec<OwnedFd>,
    is_sticky: bool,
}

impl fmt::Debug for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.names).finish()
    }
}

/// Checks the file at a path from the root, all directories on the way, and all links. Each must belong to root or to this
/// program's user, and nobody else may write to it; in a directory with the sticky bit others may write, as they cannot
/// replace what they do not own.
pub fn check(path: &[u8]) -> Result<Version, Fault> {
    let mut way = Way::root()?;
    let mut left: VecDeque<Vec<u8>> = path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        match &name[..] {
            b"" | b"." => continue,
            b".." => {
                way.leave();
                continue;
            }
            _ => {}
        }
        let stat = uninterrupted(|| fstatat(&way.dir, &name[..], AtFlags::AT_SYMLINK_NOFOLLOW))?;
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFLNK => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::ELOOP.into());
                }
                // Elsewhere nobody can replace the link, whoever it belongs to.
                if way.is_sticky && !is_trusted(stat.st_uid) {
                    return Err(Fault::Foreign(way.path(&name)));
                }
                let target = uninterrupted(|| readlinkat(&way.dir, &name[..]))?.into_vec();
                if target.first() == Some(&b'/') {
                    way = Way::root()?;
                }
                for part in target.split(|&byte| byte == b'/').rev() {
                    left.push_front(part.to_vec());
                }
            }
            libc::S_IFDIR if !left.is_empty() => way.enter(name)?,
            libc::S_IFREG if left.is_empty() => {
                guard(&stat, || way.path(&name))?;
                return Ok(Version::of(&stat));
            }
            _ => return Err(if left.is_empty() { Fault::NotPlain } else { Errno::ENOTDIR.into() }),
        }
    }
    Err(Fault::NotPlain)
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == pidfd::own_user()
}

fn guard(stat: &FileStat, path: impl Fn() -> Vec<u8>) -> Result<(), Fault> {
    if !is_trusted(stat.st_uid) {
        return Err(Fault::Foreign(path()));
    }
    if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(Fault::Writable(path()));
    }
    Ok(())
}

impl Way {
    fn root() -> Result<Way, Fault> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = uninterrupted(|| open("/", flags, Mode::empty()))?;
        guard(&fstat(&dir)?, || b"/".to_vec())?;
        Ok(Way { dir, names: Vec::new(), above: Vec::new(), is_sticky: false })
    }

    fn enter(&mut self, name: Vec<u8>) -> Result<(), Fault> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = uninterrupted(|| openat(self.dir.as_fd(), &name[..], flags, Mode::empty()))?;
        let stat = fstat(&dir)?;
        if !is_trusted(stat.st_uid) {
            return Err(Fault::Foreign(self.path(&name)));
        }
        let is_sticky = stat.st_mode & STICKY != 0;
        if !is_sticky {
            guard(&stat, || self.path(&name))?;
        }
        self.is_sticky = is_sticky;
        self.names.push(name);
        self.above.push(std::mem::replace(&mut self.dir, dir));
        Ok(())
    }

    /// Goes one directory up; above the root is the root.
    fn leave(&mut self) {
        if let Some(dir) = self.above.pop() {
            self.dir = dir;
            self.names.pop();
            self.is_sticky = fstat(&self.dir).is_ok_and(|stat| stat.st_mode & STICKY != 0);
        }
    }

    fn path(&self, name: &[u8]) -> Vec<u8> {
        self.names.iter().map(Vec::as_slice).chain([name]).flat_map(|part| [b"/", part].concat()).collect()
    }
}

impl Version {
    // The C types differ from one machine to the next.
    #[allow(clippy::useless_conversion)]
    fn of(stat: &FileStat) -> Version {
        let Stat { identity, size_bytes, .. } = Stat::from(stat);
        Version { identity, size_bytes, changed: (stat.st_ctime.into(), stat.st_ctime_nsec.into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn check_path(path: &Path) -> Result<Version, Fault> {
        check(path.as_os_str().as_bytes())
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    /// A directory with `bin/program`, without links on the way to it.
    fn tree() -> (tempfile::TempDir, std::path::PathBuf) {
        let holder = tempfile::TempDir::with_prefix("logyard-").expect("the temporary directory can be written");
        let directory = holder.path().canonicalize().expect("it is there");
        set_mode(&directory, 0o755);
        fs::create_dir(directory.join("bin")).expect("a directory can be made");
        set_mode(&directory.join("bin"), 0o755);
        fs::write(directory.join("bin/program"), "1").expect("a file can be written");
        set_mode(&directory.join("bin/program"), 0o755);
        (holder, directory)
    }

    #[test]
    fn a_file_that_others_can_write_to_or_replace_is_not_trusted() {
        let (_holder, directory) = tree();
        let program = directory.join("bin/program");
        let first = check_path(&program).expect("nobody else can write to it");

        for (path, mode) in [(program.clone(), 0o775), (program.clone(), 0o757), (directory.join("bin"), 0o777)] {
            set_mode(&path, mode);
            assert_eq!(check_path(&program), Err(Fault::Writable(path.as_os_str().as_bytes().to_vec())));
            set_mode(&path, 0o755);
        }
        set_mode(&directory.join("bin"), 0o1777);
        assert!(check_path(&program).is_ok(), "the sticky bit keeps others from replacing it");
        assert_ne!(check_path(&program), Ok(first), "its permissions have changed");
    }

    #[test]
    fn links_are_followed_and_what_they_lead_through_is_checked() {
        let (_holder, directory) = tree();
        symlink("bin", directory.join("command")).expect("a link can be made");
        symlink("../bin/./program", directory.join("bin/other")).expect("a link can be made");
        symlink("loop", directory.join("loop")).expect("a link can be made");
        let program = check_path(&directory.join("bin/program")).expect("it is trusted");

        assert_eq!(check_path(&directory.join("command/other")), Ok(program));
        assert_eq!(check_path(&directory.join("loop")), Err(Fault::System(Errno::ELOOP)));
        set_mode(&directory.join("bin"), 0o775);
        let bin = directory.join("bin").as_os_str().as_bytes().to_vec();
        assert_eq!(check_path(&directory.join("command/other")), Err(Fault::Writable(bin)));
    }

    #[test]
    fn what_is_no_program_is_an_error() {
        let (_holder, directory) = tree();

        assert_eq!(check_path(&directory.join("none")), Err(Fault::System(Errno::ENOENT)));
        assert_eq!(check_path(&directory.join("bin")), Err(Fault::NotPlain));
        assert_eq!(check_path(&directory.join("bin/program/x")), Err(Fault::System(Errno::ENOTDIR)));
        assert_eq!(check(b"/"), Err(Fault::NotPlain));
    }
}
