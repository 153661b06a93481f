//! Memory that outlives the process without a file: its descriptor can be kept by another process.
//!
//! What is stored is in the kernel's hands at once and without a call. A process that is killed has stored all that came
//! before. The pages are never written to a disk, so the kernel can store here even for a process that is being killed.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::{Errno, Result, fd, pipe, uninterrupted};

/// A descriptor from which these bytes can be read once, up to the end.
pub fn holding(bytes: &[u8]) -> Result<OwnedFd> {
    match memfd_create(c"logyard", MFdFlags::MFD_CLOEXEC) {
        Ok(memory) => {
            fd::write_all(&memory, bytes)?;
            fd::rewind(&memory)?;
            Ok(memory)
        }
        // A kernel before 3.17, or a sandbox: a pipe holds some, too.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            let (reads, writes) = pipe::new()?;
            if bytes.len() > fd::pipe_size(&writes)? {
                fd::set_pipe_size(&writes, bytes.len())?;
            }
            fd::set_nonblocking(&writes)?;
            fd::write_all(&writes, bytes)?;
            Ok(reads)
        }
        Err(errno) => Err(errno),
    }
}

/// A mapped piece of memory with a descriptor.
#[derive(Debug)]
pub struct SharedMemory {
    descriptor: OwnedFd,
    start: NonNull<u8>,
    length: usize,
}

impl SharedMemory {
    /// Makes such memory, all zero. Pages cost nothing before something is stored in them.
    pub fn new(length: usize) -> Result<SharedMemory> {
        let descriptor = memfd_create(c"logyard", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        nix::unistd::ftruncate(&descriptor, libc::off_t::try_from(length).map_err(|_| Errno::EINVAL)?)?;
        // Nobody who gets the descriptor can take pages away under us.
        fcntl(&descriptor, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW))?;
        SharedMemory::map(descriptor, length)
    }

    /// Maps what another process has made; `EINVAL` if it is not such memory or has another length.
    pub fn of(descriptor: OwnedFd, length: usize) -> Result<SharedMemory> {
        let seals = SealFlag::from_bits_truncate(fcntl(&descriptor, FcntlArg::F_GET_SEALS)?);
        let size = nix::sys::stat::fstat(&descriptor)?.st_size;
        if usize::try_from(size) != Ok(length) || !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(Errno::EINVAL);
        }
        SharedMemory::map(descriptor, length)
    }

    fn map(descriptor: OwnedFd, length: usize) -> Result<SharedMemory> {
        let size = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; it is reached only through this object.
        let start = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, &descriptor, 0) }?.cast();
        Ok(SharedMemory { descriptor, start, length })
    }

    /// Loads a number.
    #[must_use]
    pub fn load(&self, at: usize) -> u64 {
        self.check(at, size_of::<u64>());
        // SAFETY: within the mapping. Volatile, as the kernel stores here too.
        unsafe { ptr::read_volatile(self.start.as_ptr().add(at).cast()) }
    }

    /// Stores a number in one step, after all that was stored before. `at` is a multiple of 8.
    pub fn store(&mut self, at: usize, number: u64) {
        self.check(at, size_of::<u64>());
        assert_eq!(at % size_of::<u64>(), 0, "a number that is stored in one step");
        // SAFETY: within the mapping. Volatile, so that the compiler neither leaves it out nor moves it.
        unsafe { ptr::write_volatile(self.start.as_ptr().add(at).cast(), number) };
    }

    /// Copies bytes to here. A number that is stored afterwards is stored after them.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        self.check(at, bytes.len());
        // SAFETY: within the mapping, and `bytes` is not in it as nothing of it is borrowed.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(at), bytes.len()) };
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }

    /// The bytes that are here now.
    #[must_use]
    pub fn bytes(&self, at: usize, length: usize) -> &[u8] {
        self.check(at, length);
        // SAFETY: within the mapping. Nothing stores there while it is borrowed: calls that let the kernel store borrow
        // the memory mutably, and other processes only keep the descriptor.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(at), length) }
    }

    /// Makes sure that the pages of a range are there, so that the kernel needs none when it stores to them.
    pub fn populate(&mut self, at: usize, length: usize) {
        const PAGE: usize = 4096;
        self.check(at, length);
        for page in (at..at + length).step_by(PAGE) {
            // SAFETY: within the mapping.
            unsafe {
                let byte = self.start.as_ptr().add(page);
                ptr::write_volatile(byte, ptr::read_volatile(byte));
            }
        }
    }

    /// Gives back the pages of a range, which holds zeros from then on.
    pub fn discard(&mut self, at: usize, length: usize) {
        use nix::fcntl::{FallocateFlags, fallocate};
        self.check(at, length);
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let offset = |number| libc::off_t::try_from(number).expect("a mapping is shorter");
        // A kernel that refuses this keeps the pages.
        let _ = fallocate(&self.descriptor, flags, offset(at), offset(length));
    }

    /// Moves up to `most` bytes to a pipe without copying them, from the offset that is stored at `offset_at` and that the
    /// kernel moves forward within the call: a kill takes effect before or after both. Never waits.
    ///
    /// The pipe refers to these pages until its reader has read them.
    pub fn splice(&mut self, offset_at: usize, pipe: impl AsFd, most: usize) -> Result<usize> {
        self.populate(offset_at, size_of::<u64>());
        // SAFETY: within the mapping by `populate`'s check.
        let offset = unsafe { self.start.as_ptr().add(offset_at) }.cast::<libc::loff_t>();
        let (from, to) = (self.raw(), std::os::fd::AsRawFd::as_raw_fd(&pipe.as_fd()));
        uninterrupted(|| {
            // SAFETY: two descriptors, and a number in the mapping that the kernel loads and stores.
            let answer = unsafe { libc::splice(from, offset, to, ptr::null_mut(), most, libc::SPLICE_F_NONBLOCK) };
            Errno::result(answer).map(isize::unsigned_abs)
        })
    }

    fn raw(&self) -> libc::c_int {
        std::os::fd::AsRawFd::as_raw_fd(&self.descriptor)
    }

    /// The address of a range, for the kernel.
    pub(in crate::sys) fn address(&mut self, at: usize, length: usize) -> *mut u8 {
        self.check(at, length);
        // SAFETY: within the mapping.
        unsafe { self.start.as_ptr().add(at) }
    }

    fn check(&self, at: usize, length: usize) {
        assert!(at <= self.length && length <= self.length - at, "within the memory");
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this object's, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{fd, pipe};

    #[test]
    fn a_splice_moves_the_stored_offset() {
        let mut memory = SharedMemory::new(16384).unwrap();
        memory.write(4096, b"hello");
        memory.store(8, 4096);
        let (reads, writes) = pipe::new().unwrap();

        assert_eq!(memory.splice(8, &writes, 5), Ok(5));

        assert_eq!(memory.load(8), 4101);
        let mut room = [0; 8];
        assert_eq!(fd::read(&reads, &mut room), Ok(5));
        assert_eq!(&room[..5], b"hello");
    }

    #[test]
    fn memory_is_mapped_again_only_with_its_length() {
        let mut memory = SharedMemory::new(8192).unwrap();
        memory.store(0, 7);
        let again = memory.descriptor.try_clone().unwrap();

        assert_eq!(SharedMemory::of(again.try_clone().unwrap(), 4096).err(), Some(Errno::EINVAL));
        assert_eq!(SharedMemory::of(again, 8192).unwrap().load(0), 7);
        assert!(SharedMemory::of(pipe::new().unwrap().0, 8192).is_err());
    }
}
