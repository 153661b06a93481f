//! Directories that are held open: what is in them is named relative to them, so that nothing that happens to the path
//! moves a program elsewhere.
//!
//! No call here follows a symbolic link in the last place, and files are opened without waiting, so that a FIFO or a
//! link that somebody planted is an error and not a trap.
//!
//! Each call by a name makes room for the name on the stack, a kilobyte. Those that a supervisor makes again and again are not
//! inlined: otherwise its loop would hold the room of all of them together.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::dir::Dir as Listing;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, open, openat, readlinkat, renameat, renameat2};
use nix::libc;
use nix::sys::stat::{Mode, fchmod, fstatat, mkdirat};
use nix::sys::statfs::FsType;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{AccessFlags, Gid, LinkatFlags, UnlinkatFlags, faccessat, fchown, linkat, unlinkat};

use crate::sys::clock::UnixTime;
use crate::sys::file::File;
use crate::sys::process::pid::Pid;
use crate::sys::stat::{FileId, Space, Stat};
use crate::sys::{Errno, Result, uninterrupted};

/// What every file is opened with.
const SAFELY: OFlag = OFlag::O_NONBLOCK.union(OFlag::O_CLOEXEC).union(OFlag::O_NOFOLLOW);

/// A directory that is open.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Opens a directory by its path; the path may lead through links.
    pub fn open<P: NixPath + ?Sized>(path: &P) -> Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        uninterrupted(|| open(path, flags, Mode::empty())).map(Dir)
    }

    /// Opens a directory by its path to reach what is in it; as for `chdir`, it need not be readable.
    pub fn enter<P: NixPath + ?Sized>(path: &P) -> Result<Dir> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = Dir(uninterrupted(|| open(path, flags, Mode::empty()))?);
        // Opened in this way it has been found and not yet been searched, which may be forbidden.
        dir.stat(b".")?;
        Ok(dir)
    }

    /// Takes hold of a directory by its path, to reach what is in it: no right to list it is needed.
    pub fn reach<P: NixPath + ?Sized>(path: &P) -> Result<Dir> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        uninterrupted(|| open(path, flags, Mode::empty())).map(Dir)
    }

    /// Takes hold of the directory that a process works in, whatever its name is by now. Needs `/proc`.
    pub fn of_process(process: Pid) -> Result<Dir> {
        Dir::reach(format!("/proc/{process}/cwd").as_str())
    }

    /// Makes a directory by its path, one level.
    pub fn create<P: NixPath + ?Sized>(path: &P, mode: u32) -> Result<()> {
        mkdirat(nix::fcntl::AT_FDCWD, path, Mode::from_bits_truncate(mode))
    }

    /// Puts another directory in the place of this one, for all who hold it.
    pub fn replace_with(&self, other: &Dir) -> Result<()> {
        // SAFETY: the number stays open and stays this object's; only what it stands for changes, in one call.
        Errno::result(unsafe { libc::dup3(other.0.as_raw_fd(), self.0.as_raw_fd(), libc::O_CLOEXEC) }).map(drop)
    }

    /// Takes hold of a directory in this one, to reach what is in it; the name may be a link to it.
    #[inline(never)]
    pub fn reach_dir(&self, name: &[u8]) -> Result<Dir> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        uninterrupted(|| openat(&self.0, name, flags, Mode::empty())).map(Dir)
    }

    /// Makes a directory in this one. Where the name is a link that leads to nothing yet, its target is made.
    pub fn make_dir(&self, name: &[u8], mode: u32) -> Result<()> {
        let mode = Mode::from_bits_truncate(mode);
        match mkdirat(&self.0, name, mode) {
            Err(Errno::EEXIST) => {}
            answer => return answer,
        }
        match readlinkat(&self.0, name) {
            Ok(target) => match mkdirat(&self.0, target.as_os_str(), mode) {
                Err(Errno::EEXIST) => Ok(()),
                answer => answer,
            },
            Err(_) => Ok(()),
        }
    }

    /// Makes a file for writing that was not there before: `EEXIST` if the name is taken.
    pub fn open_new(&self, name: &[u8], mode: u32) -> Result<File> {
        self.open_file(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, mode)
    }

    /// Opens a device for reading and writing.
    pub fn open_device(&self, name: &[u8]) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR, 0)
    }

    /// Opens a file for reading.
    pub fn open_to_read(&self, name: &[u8]) -> Result<File> {
        self.open_file(name, OFlag::O_RDONLY, 0)
    }

    /// Opens a file for reading; a symbolic link is followed. A FIFO without a writer is at its end.
    #[inline(never)]
    pub fn open_to_read_through_links(&self, name: &[u8]) -> Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        uninterrupted(|| openat(&self.0, name, flags, Mode::empty())).map(File::from)
    }

    /// Opens a file for appending and reading, made with `mode` if it is not there.
    pub fn open_to_append(&self, name: &[u8], mode: u32) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT, mode)
    }

    /// Makes a file for appending and reading that was not there before: `EEXIST` if the name is taken.
    pub fn create_to_append(&self, name: &[u8], mode: u32) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_EXCL, mode)
    }

    /// Opens a file for reading and writing at any place, made with `mode` if it is not there.
    pub fn open_to_change(&self, name: &[u8], mode: u32) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_CREAT, mode)
    }

    /// Makes a file without a name for appending and reading. It is gone when it is closed, unless it was given a name.
    pub fn make_nameless(&self, mode: u32) -> Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        uninterrupted(|| openat(&self.0, c".", flags, Mode::from_bits_truncate(mode))).map(File::from)
    }

    /// Gives a name to a file that has none, unless the name is taken: then `EEXIST`.
    pub fn give_name(&self, file: &File, name: &[u8]) -> Result<()> {
        // By its path among the descriptors: without one only a privileged process may.
        let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
        uninterrupted(|| linkat(nix::fcntl::AT_FDCWD, &path[..], &self.0, name, AtFlags::AT_SYMLINK_FOLLOW))
    }

    /// Opens a file for writing, emptied, made with `mode` if it is not there.
    pub fn open_to_replace(&self, name: &[u8], mode: u32) -> Result<File> {
        self.open_file(name, OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_CREAT, mode)
    }

    #[inline(never)]
    fn open_file(&self, name: &[u8], flags: OFlag, mode: u32) -> Result<File> {
        uninterrupted(|| openat(&self.0, name, flags | SAFELY, Mode::from_bits_truncate(mode))).map(File::from)
    }

    /// Asks what a name stands for; `None` if for nothing.
    #[inline(never)]
    pub fn stat(&self, name: &[u8]) -> Result<Option<Stat>> {
        match uninterrupted(|| fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(Stat::from(&stat))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Asks what a name stands for in the end, through links; `None` if for nothing.
    #[inline(never)]
    pub fn target(&self, name: &[u8]) -> Result<Option<Target>> {
        match uninterrupted(|| fstatat(&self.0, name, AtFlags::empty())) {
            Ok(stat) => Ok(Some(Target {
                is_directory: stat.st_mode & libc::S_IFMT == libc::S_IFDIR,
                is_sticky: stat.st_mode & libc::S_ISVTX != 0,
                identity: FileId::new(stat.st_dev, stat.st_ino),
            })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Whether this process may execute what a name stands for in the end.
    #[must_use]
    #[inline(never)]
    pub fn is_executable(&self, name: &[u8]) -> bool {
        let ask = |flags| uninterrupted(|| faccessat(&self.0, name, AccessFlags::X_OK, flags));
        match ask(AtFlags::AT_EACCESS) {
            // Refused is the call, not the file: that would be EACCES. The old one asks for the real user.
            Err(Errno::EPERM | Errno::ENOSYS) => ask(AtFlags::empty()).is_ok(),
            answer => answer.is_ok(),
        }
    }

    /// Gives the directory to a group, with these permission bits; its owner stays.
    pub fn share_with(&self, group: u32, mode: u32) -> Result<()> {
        uninterrupted(|| fchown(&self.0, None, Some(Gid::from_raw(group))))?;
        uninterrupted(|| fchmod(&self.0, Mode::from_bits_truncate(mode)))
    }

    /// Asks what the directory itself is.
    pub fn stat_self(&self) -> Result<Stat> {
        nix::sys::stat::fstat(&self.0).map(|stat| Stat::from(&stat))
    }

    /// Asks how much space the directory's file system has.
    pub fn space(&self) -> Result<Space> {
        uninterrupted(|| fstatvfs(&self.0)).map(|stat| Space::from(&stat))
    }

    /// Renames within the directory, over what has the new name.
    #[inline(never)]
    pub fn rename(&self, from: &[u8], to: &[u8]) -> Result<()> {
        uninterrupted(|| renameat(&self.0, from, &self.0, to))
    }

    /// Renames within the directory, unless the new name is taken: then `EEXIST`.
    pub fn rename_to_new(&self, from: &[u8], to: &[u8]) -> Result<()> {
        match uninterrupted(|| renameat2(&self.0, from, &self.0, to, RenameFlags::RENAME_NOREPLACE)) {
            // A kernel before 3.15, a sandbox, or a file system that knows only the plain call, which refuses by itself
            // what may not be renamed.
            Err(Errno::ENOSYS | Errno::EPERM | Errno::EINVAL) => match self.stat(to)? {
                Some(_) => Err(Errno::EEXIST),
                None => self.rename(from, to),
            },
            answer => answer,
        }
    }

    /// Gives a file a second name.
    pub fn link(&self, from: &[u8], to: &[u8]) -> Result<()> {
        uninterrupted(|| linkat(&self.0, from, &self.0, to, LinkatFlags::empty()))
    }

    /// Takes a name away from a file. A name that is not there is an error.
    #[inline(never)]
    pub fn unlink(&self, name: &[u8]) -> Result<()> {
        uninterrupted(|| unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// When a name in the directory last came or went, as exact as the file system has it, which may be some milliseconds.
    pub fn changed(&self) -> Result<UnixTime> {
        let stat = nix::sys::stat::fstat(&self.0)?;
        // The C types differ from one machine to the next.
        #[allow(clippy::useless_conversion)]
        Ok(UnixTime {
            seconds: i64::from(stat.st_mtime),
            nanoseconds: u32::try_from(stat.st_mtime_nsec).map_err(|_| Errno::EINVAL)?,
        })
    }

    /// The names in the directory, `.` and `..` left out, in no order, each with whether it stands for a plain file.
    pub fn names(&self) -> Result<Vec<(Vec<u8>, bool)>> {
        let mut names = Vec::new();
        self.visit(&mut |name, is_plain| {
            names.push((name.to_vec(), is_plain));
            true
        })?;
        Ok(names)
    }

    /// Shows the same names one by one, for as long as `see` answers true: a directory may hold more than fits in memory.
    pub fn visit(&self, see: &mut dyn FnMut(&[u8], bool) -> bool) -> Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut listing = uninterrupted(|| Listing::openat(&self.0, c".", flags, Mode::empty()))?;
        for entry in listing.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let is_plain = match entry.file_type() {
                Some(kind) => kind == nix::dir::Type::File,
                // A file system that does not say: a second question, and a name that is gone by now is no file.
                None => self.stat(name)?.is_some_and(|stat| stat.is_plain),
            };
            if !see(name, is_plain) {
                break;
            }
        }
        Ok(())
    }

    /// The kind of network or cluster file system that the directory is on; `None` where it is on none that is known.
    #[must_use]
    pub fn network_file_system(&self) -> Option<&'static str> {
        nix::sys::statfs::fstatfs(&self.0).ok().and_then(|about| network_name(about.filesystem_type()))
    }

    /// Waits until the directory's names are on the disk.
    pub fn sync(&self) -> Result<()> {
        uninterrupted(|| nix::unistd::fsync(&self.0))
    }
}

/// What other machines may write to beside this one, or a server may refuse later: `include/uapi/linux/magic.h` and the
/// file systems' own sources.
fn network_name(kind: FsType) -> Option<&'static str> {
    // The C type differs from one machine to the next; each number fits 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let magic = kind.0 as u32;
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x0bd0_0bd0 => "Lustre",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x2003_0528 => "OrangeFS",
        0x4750_4653 => "GPFS",
        _ => return None,
    })
}

impl From<OwnedFd> for Dir {
    fn from(descriptor: OwnedFd) -> Dir {
        Dir(descriptor)
    }
}

/// What a name stands for in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it has the sticky bit.
    pub is_sticky: bool,
    /// Which file it is.
    pub identity: FileId,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Makes a directory the one that this process works in.
pub fn change_to<P: NixPath + ?Sized>(path: &P) -> Result<()> {
    nix::unistd::chdir(path)
}

/// Sets the bits that files and directories are made without.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(Mode::from_bits_truncate(mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(network_name(nix::sys::statfs::NFS_SUPER_MAGIC), Some("NFS"));
        assert_eq!(network_name(nix::sys::statfs::SMB_SUPER_MAGIC), Some("SMB"));
        assert_eq!(network_name(nix::sys::statfs::EXT4_SUPER_MAGIC), None);
        assert_eq!(network_name(nix::sys::statfs::TMPFS_MAGIC), None);
    }
}
