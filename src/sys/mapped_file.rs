//! A file that is mapped to be read: its bytes as one slice, which takes no memory that the kernel cannot take back.

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::libc::c_void;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::file::File;
use crate::sys::{Errno, Result};

/// The bytes of a file that has no name.
#[derive(Debug)]
pub struct MappedFile {
    /// None if the file is empty: the system maps no empty file.
    start: Option<NonNull<c_void>>,
    length: usize,
    /// Kept open. Nobody else has the file.
    _file: File,
}

impl MappedFile {
    /// Maps a whole file. `EBUSY` if the file has a name: whoever can open it could truncate it, and a read of the lost part
    /// would end the process with SIGBUS.
    pub fn of_nameless(file: File) -> Result<MappedFile> {
        let stat = file.stat()?;
        if stat.links != 0 {
            return Err(Errno::EBUSY);
        }
        let length = usize::try_from(stat.size_bytes).map_err(|_| Errno::EFBIG)?;
        let start = match NonZeroUsize::new(length) {
            None => None,
            Some(size) => {
                let (protection, flags) = (ProtFlags::PROT_READ, MapFlags::MAP_SHARED);
                // SAFETY: a new mapping at an address of the kernel's choice, which is only read, and only through this object.
                Some(unsafe { mmap(None, size, protection, flags, file.as_fd(), 0) }?)
            }
        };
        Ok(MappedFile { start, length, _file: file })
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        match self.start {
            None => &[],
            // SAFETY: the mapping is this long and lives as long as this object. This process does not write to the file
            // after it was mapped, and no other process can open it.
            Some(start) => unsafe { std::slice::from_raw_parts(start.cast().as_ptr(), self.length) },
        }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            // SAFETY: the mapping was made by this object, and nobody borrows from it any more.
            let _ = unsafe { munmap(start, self.length) };
        }
    }
}

// SAFETY: the mapping belongs to the process, and it is only read.
unsafe impl Send for MappedFile {}
// SAFETY: the same.
unsafe impl Sync for MappedFile {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dir::Dir;
    use crate::sys::fd;

    #[test]
    fn the_bytes_of_a_file_without_a_name_are_mapped_and_a_file_with_a_name_is_refused() {
        let workdir = tempfile::tempdir().expect("a directory");
        let dir = Dir::open(workdir.path()).expect("it can be opened");
        for bytes in [&b""[..], b"hello"] {
            let file = dir.make_nameless(0o600).expect("a file");
            fd::write_all(&file, bytes).expect("it can be written");
            assert_eq!(MappedFile::of_nameless(file).expect("a mapping").as_ref(), bytes);
        }
        let named = dir.open_to_append(b"named", 0o600).expect("a file");
        assert_eq!(MappedFile::of_nameless(named).expect_err("it has a name"), Errno::EBUSY);
    }
}
