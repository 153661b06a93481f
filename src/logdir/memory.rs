//! Memory that outlives the process.

use crate::sys::page::Page;

/// Memory that a successor can read after this process has ended.
pub trait Memory {
    /// Stores bytes, after all that was stored before.
    fn store(&mut self, at: usize, bytes: &[u8]);
    /// Loads everything.
    fn load(&self) -> Vec<u8>;
    /// Lends one byte to a read that stores into it.
    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T;
    /// Tells whether the memory can no longer be found, because its file was removed.
    fn is_lost(&self) -> bool;
}

impl Memory for Page {
    fn store(&mut self, at: usize, bytes: &[u8]) {
        Page::store(self, at, bytes);
    }

    fn load(&self) -> Vec<u8> {
        Page::load(self)
    }

    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(self.landing(at))
    }

    fn is_lost(&self) -> bool {
        Page::is_lost(self)
    }
}

/// Plain memory: a copy of a page, or one that is made up.
impl Memory for Vec<u8> {
    fn store(&mut self, at: usize, bytes: &[u8]) {
        self[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn load(&self) -> Vec<u8> {
        self.clone()
    }

    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(&mut self[at..=at])
    }

    fn is_lost(&self) -> bool {
        false
    }
}
