//! A root directory that no link leads out of. The links in an image are meant for the system that it will be: followed
//! as they stand, an absolute one would lead to the files of the host that prepares it.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use crate::sys::dir::Dir;
use crate::sys::file::{File, Lock};
use crate::sys::{Errno, Result, uninterrupted};

/// How every directory is opened.
const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// A root directory: `/`, or that of an image.
#[derive(Debug)]
pub struct Tree(OwnedFd);

impl Tree {
    /// Opens a root directory.
    pub fn open(path: &CStr) -> Result<Tree> {
        uninterrupted(|| open(path, DIRECTORY, Mode::empty())).map(Tree)
    }

    /// Locks the root directory itself against all who do the same, and waits for them. The lock leaves nothing behind.
    pub fn lock(&self) -> Result<Lock> {
        self.again().and_then(|root| Lock::exclusive(File::from(root)))
    }

    fn again(&self) -> Result<OwnedFd> {
        uninterrupted(|| openat(&self.0, c".", DIRECTORY, Mode::empty()))
    }

    /// Opens a directory; links are followed as the system that has this root would follow them.
    ///
    /// Kernels before 5.6, and some sandboxes, cannot do that. There, a path that leads through a link is an error
    /// unless the root is this process's own.
    pub fn dir(&self, path: &str) -> Result<Dir> {
        let how = OpenHow::new().flags(DIRECTORY).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        match uninterrupted(|| openat2(&self.0, path, how)) {
            Err(Errno::ENOSYS | Errno::EPERM) => self.walk(path).map(Dir::from),
            answer => answer.map(Dir::from),
        }
    }

    fn walk(&self, path: &str) -> Result<OwnedFd> {
        let mut at = self.again()?;
        let is_own = Dir::open(c"/")?.stat_self()?.identity == File::from(self.again()?).stat()?.identity;
        let flags = if is_own { DIRECTORY } else { DIRECTORY | OFlag::O_NOFOLLOW };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = uninterrupted(|| openat(&at, name, flags, Mode::empty()))?;
        }
        Ok(at)
    }
}

impl Dir {
    /// Makes a directory in this one: `EEXIST` if the name is taken.
    pub fn create_dir(&self, name: &[u8], mode: u32) -> Result<()> {
        uninterrupted(|| mkdirat(self.as_fd(), name, Mode::from_bits_truncate(mode)))
    }

    /// Removes a directory from this one; it must be empty.
    pub fn remove_dir(&self, name: &[u8]) -> Result<()> {
        uninterrupted(|| unlinkat(self.as_fd(), name, UnlinkatFlags::RemoveDir))
    }

    /// Makes a symbolic link: `EEXIST` if the name is taken.
    pub fn symlink(&self, target: &[u8], name: &[u8]) -> Result<()> {
        uninterrupted(|| symlinkat(target, self.as_fd(), name))
    }

    /// Where a symbolic link leads; `None` if the name stands for no link.
    pub fn read_link(&self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        match uninterrupted(|| readlinkat(self.as_fd(), name)) {
            Ok(target) => Ok(Some(target.into_vec())),
            Err(Errno::ENOENT | Errno::EINVAL) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, create_dir_all};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_an_image_does_not_lead_to_the_host() {
        let image = tempfile::TempDir::with_prefix("logyard-").expect("the temporary directory can be written");
        create_dir_all(image.path().join("real/sub")).expect("so can a directory in it");
        symlink("/real", image.path().join("alias")).expect("a link can be made");
        symlink("/etc", image.path().join("out")).expect("and another");
        let path = CString::new(image.path().as_os_str().as_bytes()).expect("paths hold no NUL");
        let tree = Tree::open(&path).expect("it is there");

        match tree.dir("/alias/sub") {
            Ok(dir) => dir.symlink(b"x", b"made").expect("the directory can be written"),
            // Where the kernel cannot follow it within the image, it is not followed.
            Err(errno) => assert_eq!(errno, Errno::ENOTDIR),
        }
        assert!(tree.walk("/real/sub").is_ok());
        assert_eq!(
            tree.walk("/alias/sub").map(drop),
            Err(Errno::ENOTDIR),
            "without the kernel's help no link is followed"
        );
        assert!(tree.dir("/out").is_err(), "the image has no /etc");
        assert!(fs::symlink_metadata("/real/sub/made").is_err());
        assert!(tree.dir("/real/../../../real").is_ok(), "above the root is the root");
    }
}
