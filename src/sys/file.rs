//! Files that are open.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::fcntl::{FallocateFlags, FcntlArg, OFlag, fallocate, fcntl, open};
use nix::libc;
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::sys::statvfs::fstatvfs;
use nix::sys::uio::pread;
use nix::unistd::{Gid, fchown, ftruncate};

use crate::sys::clock::UnixTime;
use crate::sys::process::pid::Pid;
use crate::sys::stat::{FileId, Stat};
use crate::sys::{Errno, Result, fd, uninterrupted};

/// An open file, closed on drop and on exec.
#[derive(Debug)]
pub struct File(OwnedFd);

/// When a file was made, if the file system notes that, and last written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was made.
    pub made: Option<UnixTime>,
    /// When it was last written to.
    pub written: UnixTime,
}

impl File {
    /// Opens a file by its path for reading. Links are followed: the path is the user's.
    pub fn open(path: &CStr) -> Result<File> {
        uninterrupted(|| open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())).map(File)
    }

    /// Opens a file by its path for writing from the beginning, made with `mode` if it is not there. Links are followed:
    /// the path is the user's.
    pub fn open_or_create(path: &CStr, mode: u32) -> Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        uninterrupted(|| open(path, flags, Mode::from_bits_truncate(mode))).map(File)
    }

    /// Opens a file by its path for reading and writing; a symbolic link is an error.
    pub fn open_to_change<P: NixPath + ?Sized>(path: &P) -> Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        uninterrupted(|| open(path, flags, Mode::empty())).map(File)
    }

    /// Makes a file by its path for reading and writing. What has the name, a link or a leftover, is removed first.
    pub fn create_new<P: NixPath + ?Sized>(path: &P, mode: u32) -> Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let create = || uninterrupted(|| open(path, flags, Mode::from_bits_truncate(mode))).map(File);
        match create() {
            Err(Errno::EEXIST) => {
                nix::unistd::unlink(path)?;
                create()
            }
            answer => answer,
        }
    }

    /// Appends (or writes, by how it was opened) some of `bytes`, and says how many.
    pub fn write(&self, bytes: &[u8]) -> Result<usize> {
        fd::write(&self.0, bytes)
    }

    /// Reads what stands at `offset`, at most as much as `room` holds; 0 means end of file.
    pub fn read_at(&self, offset: u64, room: &mut [u8]) -> Result<usize> {
        let offset = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        uninterrupted(|| pread(&self.0, room, offset))
    }

    /// Leaves the file's access time as it is when it is read from now on, which saves a write to the disk. Only its owner and root
    /// may ask for that; for others nothing changes.
    pub fn leave_access_time(&self) {
        if let Ok(flags) = fcntl(&self.0, FcntlArg::F_GETFL) {
            let flags = OFlag::from_bits_retain(flags) | OFlag::O_NOATIME;
            let _ = fcntl(&self.0, FcntlArg::F_SETFL(flags));
        }
    }

    /// Cuts the file to a length.
    pub fn truncate(&self, length_bytes: u64) -> Result<()> {
        let length = i64::try_from(length_bytes).map_err(|_| Errno::EINVAL)?;
        uninterrupted(|| ftruncate(&self.0, length))
    }

    /// Asks how much room the file's file system has for everybody.
    pub fn free_bytes(&self) -> Result<u64> {
        let stat = uninterrupted(|| fstatvfs(&self.0))?;
        // The C types differ from one machine to the next.
        #[allow(clippy::useless_conversion)]
        let [blocks, block_bytes] = [u64::from(stat.blocks_available()), u64::from(stat.fragment_size())];
        Ok(blocks.saturating_mul(block_bytes))
    }

    /// Takes room for the first `room_bytes` bytes; the length stays.
    pub fn reserve(&self, room_bytes: u64) -> Result<()> {
        let length = i64::try_from(room_bytes).map_err(|_| Errno::EINVAL)?;
        uninterrupted(|| fallocate(&self.0, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length))
    }

    /// Asks when the file was made and written to, and closes it.
    pub fn times(self) -> Result<Times> {
        let errno = |error: std::io::Error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
        let about = std::fs::File::from(self.0).metadata().map_err(errno)?;
        Ok(Times { made: about.created().ok().map(UnixTime::from), written: about.modified().map_err(errno)?.into() })
    }

    /// Waits until the file's bytes are on the disk.
    pub fn sync(&self) -> Result<()> {
        uninterrupted(|| nix::unistd::fsync(&self.0))
    }

    /// Waits for what the system is writing to the disk already, and says whether the disk has refused any of it since this file
    /// was opened or last synced.
    pub fn check_writeback(&self) -> Result<()> {
        let answer = uninterrupted(|| {
            // SAFETY: a descriptor and plain numbers; a length of 0 is the whole file.
            Errno::result(unsafe { libc::sync_file_range(self.0.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WAIT_BEFORE) })
        });
        match answer {
            Ok(_) => Ok(()),
            // A sandbox, or a system that emulates Linux.
            Err(Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::ESPIPE) => self.sync(),
            Err(errno) => Err(errno),
        }
    }

    /// Gives the file to a group; its owner stays.
    pub fn set_group(&self, group: u32) -> Result<()> {
        uninterrupted(|| fchown(&self.0, None, Some(Gid::from_raw(group))))
    }

    /// Sets the permission bits.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        uninterrupted(|| fchmod(&self.0, Mode::from_bits_truncate(mode)))
    }

    /// Asks for the user that owns it.
    pub fn owner(&self) -> Result<u32> {
        fstat(&self.0).map(|stat| stat.st_uid)
    }

    /// Asks what the file is.
    pub fn stat(&self) -> Result<Stat> {
        fstat(&self.0).map(|stat| Stat::from(&stat))
    }

    /// The same file if it is a plain one; `ENXIO`, as for a socket, if it is a FIFO or a device.
    pub fn if_plain(self) -> Result<File> {
        if self.stat()?.is_plain { Ok(self) } else { Err(Errno::ENXIO) }
    }
}

impl From<OwnedFd> for File {
    fn from(descriptor: OwnedFd) -> File {
        File(descriptor)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Renames a file by its path, over what has the new name.
pub fn rename<P: NixPath + ?Sized>(from: &P, to: &P) -> Result<()> {
    uninterrupted(|| nix::fcntl::renameat(nix::fcntl::AT_FDCWD, from, nix::fcntl::AT_FDCWD, to))
}

/// The user that files made by this process belong to.
#[must_use]
pub fn process_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Which pipe or FIFO is open under a descriptor; `None` if the descriptor is anything else.
#[must_use]
pub fn pipe_identity(descriptor: impl AsFd) -> Option<FileId> {
    let stat = fstat(descriptor).ok()?;
    (stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFIFO).then(|| Stat::from(&stat).identity)
}

/// A file that is locked against everybody else who locks it, until dropped.
///
/// The lock is `flock`'s, as 0.76 takes it: the other kinds of locks do not exclude it.
#[derive(Debug)]
pub struct Lock(File);

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Lock {
    /// Locks a file, or fails at once with `EAGAIN` when somebody else holds the lock.
    pub fn try_exclusive(file: File) -> Result<Lock> {
        Lock::take(file, libc::LOCK_EX | libc::LOCK_NB)
    }

    /// Locks a file, or a directory, when everybody else has released it.
    pub fn exclusive(file: File) -> Result<Lock> {
        Lock::take(file, libc::LOCK_EX)
    }

    fn take(file: File, operation: i32) -> Result<Lock> {
        // By the plain call, and released by closing the file: nix's lock panics where it cannot be released.
        // SAFETY: a descriptor that is open, and flags.
        uninterrupted(|| Errno::result(unsafe { libc::flock(file.0.as_raw_fd(), operation) }))?;
        Ok(Lock(file))
    }
}

/// Which process holds a lock on a file, by its number in this process's view; `None` where the system does not say.
#[must_use]
pub fn lock_holder(stat: Stat) -> Option<Pid> {
    let FileId { device, inode } = stat.identity;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    find_holder(&locks, &format!("{:02x}:{:02x}:{inode}", nix::libc::major(device), nix::libc::minor(device)))
}

/// Finds in `/proc/locks` who has a `flock` on a file: `1: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF`.
fn find_holder(locks: &str, identity: &str) -> Option<Pid> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, process, file, ..] if file == identity => {
                process.parse().ok().filter(|&pid| pid != Pid::new(0))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:42 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 8 fe:00:42 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 9 fe:00:42 0 EOF\n";

        assert_eq!(find_holder(locks, "fe:00:42"), Some(Pid::new(8)));
        assert_eq!(find_holder(locks, "fe:00:43"), None);
        assert_eq!(find_holder("garbage\n", "fe:00:42"), None);
    }
}
