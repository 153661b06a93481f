//! The interface through which the writer acts on a log directory: the real one, or a simulated one in tests.

use std::ffi::CStr;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cli::{Program, cause};
use crate::logdir::memory::Memory;
use crate::logdir::names::{
    JOURNAL, MODE_DIRECTORY, MODE_OPEN, MODE_PRIVATE, MODE_SHARED_DIRECTORY, MODE_SHARED_JOURNAL, OTHERS_BITS,
};
use crate::multilog::writer::processor;
use crate::sys::dir::Dir;
use crate::sys::file::{File, Lock, Times, process_user};
use crate::sys::page::Page;
use crate::sys::process::child::Child;
use crate::sys::process::ended::Ended;
use crate::sys::stat::{FileId, Space, Stat};
use crate::sys::{Errno, Result, fd, prompt};
use crate::tai64n::Label;

/// How long the child that cannot run a processor waits until it can write its message to standard error.
const MESSAGE_PATIENCE: Duration = Duration::from_millis(300);

/// What a log directory asks of the system: calls on names, and the clock. Names are relative to the directory and never
/// followed through symbolic links.
pub trait Directory: Send + Sync + 'static {
    /// Whether files may be finished by another thread.
    const FINISHES_IN_THREAD: bool;
    /// Smaller files are not preallocated, because it would save no time.
    const PREALLOCATED_BYTES_MIN: u64;
    /// An open file of the directory.
    type File: LogFile + fmt::Debug + Send + 'static;
    /// A lock that is held until it is dropped.
    type Lock: fmt::Debug;
    /// Memory that outlives the process.
    type Memory: Memory + fmt::Debug;
    /// A processor that was started.
    type Processor: Processor;

    /// Opens a plain file for appending and reading back, made with `mode` if it is not there; `ENXIO` or another error if
    /// it is anything else.
    fn append_to(&self, name: &str, mode: u32) -> Result<Self::File>;
    /// Makes a file for appending and reading back; `EEXIST` if the name is taken.
    fn create(&self, name: &str, mode: u32) -> Result<Self::File>;
    /// Opens a plain file for reading.
    fn open_to_read(&self, name: &[u8]) -> Result<Self::File>;
    /// Tells whether a file that somebody put into the directory may be written to: a plain file of this process's user or
    /// of the directory's owner, without another name.
    fn may_take_over(&self, stat: Stat) -> bool;
    /// Makes a file without a name, of the mode of a file that is written to, with room for `room_bytes`; `ENOSPC` unless
    /// there are `free_bytes`.
    fn nameless(&self, room_bytes: u64, free_bytes: u64) -> Result<Self::File>;
    /// Gives a file that has no name one, unless that is taken: then `EEXIST`.
    fn give_name(&self, file: &Self::File, name: &str) -> Result<()>;
    /// Opens a file for writing, emptied, made with `mode` if it is not there.
    fn replace(&self, name: &str, mode: u32) -> Result<Self::File>;
    /// Locks a file, made with `mode` if it is not there; `EAGAIN` when another process holds the lock.
    fn lock(&self, name: &str, mode: u32) -> Result<Self::Lock>;
    /// Reads a private file; `None` if it is not there, `EPERM` if it is not ours alone. Of one that is longer than
    /// `bytes_max`, the beginning.
    fn load(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>>;
    /// Maps the first `bytes` bytes of a private file, made if it is not there; what is in it stays.
    fn memory(&self, name: &str, bytes: usize) -> Result<Self::Memory>;
    /// Returns what a name leads to; `None` if it does not exist.
    fn stat(&self, name: impl AsRef<[u8]>) -> Result<Option<Stat>>;
    /// Asks when a file was made and written to; `None` if there is none, or it is not known.
    fn times(&self, name: &str) -> Result<Option<Times>>;
    /// Asks how much space the directory's file system has.
    fn space(&self) -> Result<Space>;
    /// Lets a group read the directory and its files from now on, those that are written to, and nobody else but the owner;
    /// `None`: files that are made or finished from now on get their usual modes again.
    fn share_with(&self, _group: Option<u32>) -> Result<()> {
        Ok(())
    }
    /// Sets the permission bits of a file, as far as the directory is not shared with a group.
    fn set_mode(&self, file: &Self::File, mode: u32) -> Result<()> {
        file.set_mode(mode)
    }
    /// Which directory it is.
    fn identity(&self) -> Result<FileId>;
    /// Asks whether the directory has been removed.
    fn is_removed(&self) -> Result<bool>;
    /// Creates the directory again at its path, and replaces the removed one with it.
    fn restore(&self) -> Result<()>;
    /// Renames, over what has the new name.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Renames, unless the new name is taken: then `EEXIST`.
    fn rename_to_new(&self, from: &str, to: &str) -> Result<()>;
    /// Gives a file a second name, unless that is taken: then `EEXIST`.
    fn link(&self, from: &str, to: &str) -> Result<()>;
    /// Takes a name away.
    fn unlink(&self, name: &[u8]) -> Result<()>;
    /// Calls `see` with each name, in no order, and with whether it is a plain file, until `see` returns false.
    fn visit(&self, see: &mut dyn FnMut(&[u8], bool) -> bool) -> Result<()>;
    /// Waits until the names are on the disk.
    fn sync(&self) -> Result<()>;
    /// The current time, from a clock that may stand still or be set back.
    fn now(&self) -> Label;
    /// Starts a processor from `previous` to `processed` and from `state` to `newstate`.
    fn start_processor(&self, command: &CStr) -> Result<Self::Processor>;
}

/// A processor that was started. It must be waited for.
pub trait Processor {
    /// Waits for its end; `None` if it still runs after `time`, or when `exit_request` becomes readable.
    fn wait_for(&self, time: Duration, exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>>;
    /// Waits for its end. If `exit_request` becomes readable before that, the processor is killed and the answer is `None`.
    fn wait(self, exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>>;
}

/// What a log directory asks of an open file.
pub trait LogFile {
    /// Appends some of `bytes`, and says how many.
    fn write(&self, bytes: &[u8]) -> Result<usize>;
    /// Reads what stands at `offset`, at most as much as `room` holds; 0 means end of file.
    fn read_at(&self, offset: u64, room: &mut [u8]) -> Result<usize>;
    /// Cuts the file to a length.
    fn truncate(&self, length_bytes: u64) -> Result<()>;
    /// Waits until the bytes are on the disk.
    fn sync(&self) -> Result<()>;
    /// Asks whether the disk has refused bytes, of those that the system has written of its own accord.
    fn check_writeback(&self) -> Result<()>;
    /// Sets the permission bits.
    fn set_mode(&self, mode: u32) -> Result<()>;
    /// Asks what the file is.
    fn stat(&self) -> Result<Stat>;
}

/// A directory that can be found again by its path.
#[derive(Debug)]
pub struct PathDir {
    dir: Dir,
    path: &'static CStr,
    /// The group that may read it; [`NO_GROUP`] if it is not shared.
    group: AtomicU64,
}

/// More than any group's number.
const NO_GROUP: u64 = u64::MAX;

impl PathDir {
    /// Makes the directory if it is not there, and opens it.
    pub fn open(path: &'static CStr) -> Result<PathDir> {
        // As in 0.76, an error is ignored here: opening the directory shows whether it exists.
        let _ = Dir::create(path, MODE_DIRECTORY);
        Dir::open(path).map(|dir| PathDir { dir, path, group: AtomicU64::new(NO_GROUP) })
    }

    /// A directory that is there, to look at: it is not made, and its path is not kept.
    pub fn reach(path: &[u8]) -> Result<PathDir> {
        Dir::open(path).map(|dir| PathDir { dir, path: c".", group: AtomicU64::new(NO_GROUP) })
    }

    /// The group that may read the directory.
    fn group(&self) -> Option<u32> {
        u32::try_from(self.group.load(Ordering::Relaxed)).ok()
    }

    /// Lets the group read a journal, or nobody.
    fn share_journal(&self, file: &File) -> Result<()> {
        let Some(group) = self.group() else { return file.set_mode(MODE_PRIVATE) };
        file.set_group(group)?;
        file.set_mode(MODE_SHARED_JOURNAL)
    }

    /// The kind of network file system that the directory is on; `None` where it is on none that is known.
    #[must_use]
    pub fn network_file_system(&self) -> Option<&'static str> {
        self.dir.network_file_system()
    }
}

impl Directory for PathDir {
    const FINISHES_IN_THREAD: bool = true;
    // Measured in memory: a fifth faster at 1000000 bytes, nothing gained below this, and a loss at 32768.
    const PREALLOCATED_BYTES_MIN: u64 = 256 * 1024;
    type File = File;
    type Lock = Lock;
    type Memory = Page;
    type Processor = Child;

    fn append_to(&self, name: &str, mode: u32) -> Result<File> {
        self.dir.open_to_append(name.as_bytes(), mode)?.if_plain()
    }

    fn create(&self, name: &str, mode: u32) -> Result<File> {
        self.dir.create_to_append(name.as_bytes(), mode)
    }

    fn open_to_read(&self, name: &[u8]) -> Result<File> {
        self.dir.open_to_read(name)?.if_plain()
    }

    fn may_take_over(&self, stat: Stat) -> bool {
        let is_ours = |owner| owner == process_user() || self.dir.stat_self().is_ok_and(|about| about.owner == owner);
        stat.is_plain && stat.links == 1 && is_ours(stat.owner)
    }

    fn nameless(&self, room_bytes: u64, free_bytes: u64) -> Result<File> {
        let file = self.dir.make_nameless(MODE_OPEN)?;
        if file.free_bytes()? < free_bytes {
            return Err(Errno::ENOSPC);
        }
        file.reserve(room_bytes)?;
        Ok(file)
    }

    fn give_name(&self, file: &File, name: &str) -> Result<()> {
        self.dir.give_name(file, name.as_bytes())
    }

    fn replace(&self, name: &str, mode: u32) -> Result<File> {
        let file = self.dir.open_to_replace(name.as_bytes(), mode)?.if_plain()?;
        if self.group().is_some() {
            self.set_mode(&file, mode)?;
        }
        Ok(file)
    }

    fn lock(&self, name: &str, mode: u32) -> Result<Lock> {
        Lock::try_exclusive(self.dir.open_to_append(name.as_bytes(), mode)?.if_plain()?)
    }

    fn load(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        // Looked at first: opening a device may do anything.
        let Some(stat) = self.stat(name)? else { return Ok(None) };
        check_is_ours(stat)?;
        let file = self.dir.open_to_read(name.as_bytes())?;
        let stat = file.stat()?;
        check_is_ours(stat)?;
        let mut bytes = vec![0; usize::try_from(stat.size_bytes).unwrap_or(usize::MAX).min(bytes_max)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(filled as u64, &mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(Some(bytes))
    }

    fn memory(&self, name: &str, bytes: usize) -> Result<Page> {
        let file = self.dir.open_to_change(name.as_bytes(), MODE_PRIVATE)?;
        check_is_ours(file.stat()?)?;
        if self.group().is_some() {
            // A journal that only its owner can read is as good a journal.
            let _ = self.share_journal(&file);
        }
        Page::map(&file, bytes)
    }

    fn stat(&self, name: impl AsRef<[u8]>) -> Result<Option<Stat>> {
        self.dir.stat(name.as_ref())
    }

    fn times(&self, name: &str) -> Result<Option<Times>> {
        match self.dir.open_to_read(name.as_bytes()) {
            Ok(file) => file.times().map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn space(&self) -> Result<Space> {
        self.dir.space()
    }

    fn share_with(&self, group: Option<u32>) -> Result<()> {
        self.group.store(NO_GROUP, Ordering::Relaxed);
        if let Some(group) = group {
            self.dir.share_with(group, MODE_SHARED_DIRECTORY)?;
            self.group.store(u64::from(group), Ordering::Relaxed);
        }
        let journal = self.dir.open_to_read(JOURNAL.as_bytes());
        if let Ok(journal) = journal.and_then(|file| check_is_ours(file.stat()?).map(|()| file)) {
            let _ = self.share_journal(&journal);
        }
        Ok(())
    }

    fn set_mode(&self, file: &File, mode: u32) -> Result<()> {
        let Some(group) = self.group() else { return file.set_mode(mode) };
        // Where that is refused, the log goes on, and the group cannot read this file.
        let _ = file.set_group(group);
        file.set_mode(mode & !OTHERS_BITS)
    }

    fn identity(&self) -> Result<FileId> {
        self.dir.stat_self().map(|stat| stat.identity)
    }

    fn is_removed(&self) -> Result<bool> {
        self.dir.stat_self().map(|stat| stat.links == 0)
    }

    fn restore(&self) -> Result<()> {
        let _ = Dir::create(self.path, MODE_DIRECTORY);
        let dir = Dir::open(self.path)?;
        if let Some(group) = self.group() {
            // Where that is refused now, only the owner can read it.
            let _ = dir.share_with(group, MODE_SHARED_DIRECTORY);
        }
        self.dir.replace_with(&dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename(from.as_bytes(), to.as_bytes())
    }

    fn rename_to_new(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename_to_new(from.as_bytes(), to.as_bytes())
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.dir.link(from.as_bytes(), to.as_bytes())
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        self.dir.unlink(name)
    }

    fn visit(&self, see: &mut dyn FnMut(&[u8], bool) -> bool) -> Result<()> {
        self.dir.visit(see)
    }

    fn sync(&self) -> Result<()> {
        self.dir.sync()
    }

    fn now(&self) -> Label {
        Label::now()
    }

    fn start_processor(&self, command: &CStr) -> Result<Child> {
        let files = processor::Files::open(&self.dir)?;
        let complain = |errno: Errno| {
            // Between fork and exec nothing may be allocated, so the message goes out in pieces; and nobody may read it.
            let Program(name) = crate::multilog::name::PROGRAM;
            for piece in [name, ": fatal: unable to run ", "", ": ", cause(errno), "\n"] {
                let piece = if piece.is_empty() { command.to_bytes() } else { piece.as_bytes() };
                if prompt::write_if_room(fd::stderr(), piece, MESSAGE_PATIENCE).is_err() {
                    return;
                }
            }
        };
        Child::start_shell(command, self.dir.as_fd(), files.descriptors(), complain)
    }
}

impl Processor for Child {
    fn wait_for(&self, time: Duration, exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>> {
        Child::wait_for(self, time, exit_request)
    }

    fn wait(self, exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>> {
        match exit_request {
            None => Child::wait(&self).map(Some),
            Some(exit_request) => self.wait_unless(exit_request),
        }
    }
}

/// A file of another user, or with another name elsewhere, is neither trusted nor written to.
fn check_is_ours(stat: Stat) -> Result<()> {
    let is_ours = stat.is_plain && stat.links == 1 && stat.owner == process_user();
    if is_ours { Ok(()) } else { Err(Errno::EPERM) }
}

impl LogFile for File {
    fn write(&self, bytes: &[u8]) -> Result<usize> {
        File::write(self, bytes)
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> Result<usize> {
        File::read_at(self, offset, room)
    }

    fn truncate(&self, length_bytes: u64) -> Result<()> {
        File::truncate(self, length_bytes)
    }

    fn sync(&self) -> Result<()> {
        File::sync(self)
    }

    fn check_writeback(&self) -> Result<()> {
        File::check_writeback(self)
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        File::set_mode(self, mode)
    }

    fn stat(&self) -> Result<Stat> {
        File::stat(self)
    }
}
