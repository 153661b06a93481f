//! The files of a log directory, and their modes.

/// Locked while a writer runs.
pub const LOCK: &str = "lock";
/// What is being appended to.
pub const CURRENT: &str = "current";
/// What was current, on its way to become an archive.
pub const PREVIOUS: &str = "previous";
/// A copy of previous, while the disk may not have taken the original.
pub const REWRITTEN: &str = "rewritten";
/// What the processor makes of previous.
pub const PROCESSED: &str = "processed";
/// What the processor kept the last time, on its descriptor 4.
pub const STATE: &str = "state";
/// What the processor keeps this time, on its descriptor 5.
pub const NEWSTATE: &str = "newstate";

/// What a successor must know to lose and repeat nothing; only while a logger reads from a pipe.
pub const JOURNAL: &str = "journal";
/// A journal that is being made.
pub const NEWJOURNAL: &str = "newjournal";

/// The mode of a file that is being written.
pub const MODE_OPEN: u32 = 0o644;
/// The mode of a file that is complete and on the disk.
pub const MODE_DONE: u32 = 0o744;
/// The bit that differs between the two.
pub const DONE_BIT: u32 = 0o100;
/// The mode of private files.
pub const MODE_PRIVATE: u32 = 0o600;
/// The mode of a directory that multilog makes.
pub const MODE_DIRECTORY: u32 = 0o700;
/// The mode of a directory that a group may read, and nobody else.
pub const MODE_SHARED_DIRECTORY: u32 = 0o750;
/// What the files of such a directory lose of their modes.
pub const OTHERS_BITS: u32 = 0o007;
/// The mode of a journal that a group may read.
pub const MODE_SHARED_JOURNAL: u32 = 0o640;
