//! What the system says about a file.

use nix::sys::stat::FileStat;
use nix::sys::statvfs::Statvfs;

/// Which file it is, whatever its name: the file system that it is on, and its number there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The number.
    pub inode: u64,
}

impl FileId {
    /// The file with this number on this file system.
    #[must_use]
    pub const fn new(device: u64, inode: u64) -> FileId {
        FileId { device, inode }
    }
}

/// The space of a file system, as df counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What everybody may still use.
    pub free_bytes: u64,
    /// That, and what is in use. What is reserved for root is in neither.
    pub total_bytes: u64,
}

impl From<&Statvfs> for Space {
    // The C types differ from one machine to the next.
    #[allow(clippy::useless_conversion)]
    fn from(stat: &Statvfs) -> Space {
        let [all, free, available, block_bytes] = [
            stat.blocks().into(),
            stat.blocks_free().into(),
            stat.blocks_available().into(),
            stat.fragment_size().into(),
        ];
        let bytes = |blocks: u64| blocks.saturating_mul(block_bytes);
        let used = u64::saturating_sub(all, free);
        Space { free_bytes: bytes(available), total_bytes: bytes(used.saturating_add(available)) }
    }
}

/// What the system says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Whether it is a plain file: no directory, link, FIFO, socket or device.
    pub is_plain: bool,
    /// The permission bits, 0o7777 at most.
    pub mode: u32,
    /// The length.
    pub size_bytes: u64,
    /// The room it takes, which may reach beyond its end.
    pub allocated_bytes: u64,
    /// The user that it belongs to.
    pub owner: u32,
    /// How many names the file has.
    pub links: u64,
    /// Which file it is.
    pub identity: FileId,
}

impl From<&FileStat> for Stat {
    // The C types differ from one machine to the next.
    #[allow(clippy::useless_conversion)]
    fn from(stat: &FileStat) -> Stat {
        Stat {
            is_plain: stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG,
            mode: stat.st_mode & 0o7777,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            // In units of 512 bytes on every file system.
            allocated_bytes: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
            owner: stat.st_uid,
            links: u64::from(stat.st_nlink),
            identity: FileId::new(stat.st_dev, stat.st_ino),
        }
    }
}
