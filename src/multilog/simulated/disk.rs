//! Files and names in memory, with what of them a power cut would leave.
//!
//! A sync, of a file or of the directory, makes all names durable as they are (file systems with a journal commit what
//! came before), and the bytes of the file. Of what came later a power cut leaves the names up to some call, and of each
//! file either what was synced or all.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faults::{Calls, lock};
use crate::logdir::memory::Memory;
use crate::logdir::names::{DONE_BIT, MODE_OPEN, PREVIOUS, PROCESSED, STATE};
use crate::multilog::writer::directory::{Directory, LogFile, Processor};
use crate::sys::clock::UnixTime;
use crate::sys::file::Times;
use crate::sys::process::ended::Ended;
use crate::sys::stat::{FileId, Space, Stat};
use crate::sys::{Errno, Result};
use crate::tai64n::Label;

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    mode: u32,
    synced: Vec<u8>,
    synced_mode: u32,
    /// A sync has failed: the next one says that all is well, and brings nothing to the disk.
    is_refused: bool,
}

type Names = BTreeMap<String, u64>;

#[derive(Clone, Debug, Default)]
struct DiskState {
    /// The number of the disk.
    device: u64,
    contents: BTreeMap<u64, Content>,
    names: Names,
    /// The names as the last sync left them, and as each call since has.
    history: Vec<Names>,
    clock_nanoseconds: i64,
    /// What each look at the clock adds; may be 0 or less.
    clock_step_nanoseconds: i64,
    /// What the disk is said to hold; it never refuses more.
    capacity_bytes: u64,
    /// What was ever synced in a file that is a log.
    safe: Vec<u8>,
    /// Each file is said to have one name, as FUSE says for up to a second after a second name was given.
    has_old_link_counts: bool,
}

/// A disk with one log directory.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<DiskState>>);

impl Disk {
    /// An empty disk, and a clock that goes so fast.
    pub(super) fn new(device: u64, clock_step_nanoseconds: i64) -> Disk {
        let state = DiskState { device, history: vec![Names::new()], clock_step_nanoseconds, ..DiskState::default() };
        Disk(Arc::new(Mutex::new(state)))
    }

    /// From now on each file is said to have one name.
    pub(super) fn show_old_link_counts(&self) {
        lock(&self.0).has_old_link_counts = true;
    }

    /// The directory, for a process whose calls are counted.
    pub(super) fn directory(&self, calls: &Calls) -> DiskDirectory {
        DiskDirectory { disk: self.clone(), calls: calls.clone() }
    }

    /// The names and bytes of all files.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = lock(&self.0);
        state.names.iter().map(|(name, inode)| (name.clone(), state.contents[inode].bytes.clone())).collect()
    }

    /// The archives that are said to be safe and are not on the disk.
    pub(super) fn lies(&self) -> Vec<String> {
        let state = lock(&self.0);
        let is_lie = |&(name, inode): &(&String, &u64)| {
            let content = &state.contents[inode];
            name.ends_with(".s") && content.bytes != content.synced
        };
        state.names.iter().filter(is_lie).map(|(name, _)| name.clone()).collect()
    }

    /// Somebody makes a file.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = lock(&self.0);
        let inode = state.create(name, MODE_OPEN);
        state.contents.get_mut(&inode).expect("it was just made").bytes = bytes;
    }

    /// Somebody overwrites a file in place.
    pub(super) fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        let mut state = lock(&self.0);
        let inode = state.find(name).expect("it is there");
        state.contents.get_mut(&inode).expect("contents are never dropped").bytes = bytes;
    }

    /// Says how much the disk holds.
    pub(super) fn set_capacity(&self, bytes: u64) {
        lock(&self.0).capacity_bytes = bytes;
    }

    /// Sets the clock.
    pub(super) fn set_clock(&self, seconds: i64) {
        lock(&self.0).clock_nanoseconds = seconds * 1_000_000_000;
    }

    /// How many images [`Disk::after_power_cut`] can make.
    pub(super) fn image_count(&self) -> usize {
        lock(&self.0).history.len() * 2
    }

    /// What is left when the power goes now: one of several images.
    pub(super) fn after_power_cut(&self, image: usize) -> Disk {
        let mut state = lock(&self.0).clone();
        let keeps_bytes = image % 2 == 1;
        state.names = state.history[image / 2].clone();
        for content in state.contents.values_mut() {
            if !keeps_bytes {
                content.bytes.clone_from(&content.synced);
                content.mode = content.synced_mode;
            }
            content.synced.clone_from(&content.bytes);
            content.is_refused = false;
        }
        state.history = vec![state.names.clone()];
        Disk(Arc::new(Mutex::new(state)))
    }
}

impl DiskState {
    fn find(&self, name: &str) -> Result<u64> {
        self.names.get(name).copied().ok_or(Errno::ENOENT)
    }

    fn create(&mut self, name: &str, mode: u32) -> u64 {
        let inode = self.create_nameless(mode);
        self.names.insert(name.into(), inode);
        self.note_names();
        inode
    }

    fn create_nameless(&mut self, mode: u32) -> u64 {
        let inode = self.contents.keys().last().map_or(1, |last| last + 1);
        self.contents.insert(inode, Content { mode, synced_mode: mode, ..Content::default() });
        inode
    }

    fn note_names(&mut self) {
        self.history.push(self.names.clone());
    }

    fn sync_names(&mut self) {
        self.history = vec![self.names.clone()];
    }

    fn stat(&self, inode: u64) -> Stat {
        let content = &self.contents[&inode];
        Stat {
            is_plain: true,
            mode: content.mode,
            size_bytes: content.bytes.len() as u64,
            allocated_bytes: content.bytes.len() as u64,
            owner: 0,
            links: match self.has_old_link_counts {
                true => 1,
                false => self.names.values().filter(|&&other| other == inode).count() as u64,
            },
            identity: FileId::new(self.device, inode),
        }
    }
}

#[derive(Debug)]
pub(super) struct DiskDirectory {
    disk: Disk,
    calls: Calls,
}

impl DiskDirectory {
    fn call<T>(&self, act: impl FnOnce(&mut DiskState) -> Result<T>) -> Result<T> {
        self.calls.call()?;
        act(&mut lock(&self.disk.0))
    }

    fn open(&self, inode: u64) -> DiskFile {
        DiskFile { disk: self.disk.clone(), calls: self.calls.clone(), inode }
    }
}

impl Directory for DiskDirectory {
    const FINISHES_IN_THREAD: bool = false;
    const PREALLOCATED_BYTES_MIN: u64 = 4096;
    type File = DiskFile;
    type Lock = ();
    type Memory = DiskPage;
    type Processor = DiskProcessor;

    fn append_to(&self, name: &str, mode: u32) -> Result<DiskFile> {
        let inode = self.call(|state| Ok(state.find(name).unwrap_or_else(|_| state.create(name, mode))))?;
        Ok(self.open(inode))
    }

    fn create(&self, name: &str, mode: u32) -> Result<DiskFile> {
        let create = |state: &mut DiskState| match state.find(name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(_) => Ok(state.create(name, mode)),
        };
        let inode = self.call(create)?;
        Ok(self.open(inode))
    }

    fn open_to_read(&self, name: &[u8]) -> Result<DiskFile> {
        let name = std::str::from_utf8(name).expect("names here are text");
        self.call(|state| state.find(name)).map(|inode| self.open(inode))
    }

    fn may_take_over(&self, stat: Stat) -> bool {
        stat.is_plain && stat.links == 1
    }

    fn nameless(&self, _room_bytes: u64, _free_bytes: u64) -> Result<DiskFile> {
        let inode = self.call(|state| Ok(state.create_nameless(MODE_OPEN)))?;
        Ok(self.open(inode))
    }

    fn give_name(&self, file: &DiskFile, name: &str) -> Result<()> {
        self.call(|state| {
            if state.names.contains_key(name) {
                return Err(Errno::EEXIST);
            }
            state.names.insert(name.into(), file.inode);
            state.note_names();
            Ok(())
        })
    }

    fn replace(&self, name: &str, mode: u32) -> Result<DiskFile> {
        let file = self.append_to(name, mode)?;
        lock(&self.disk.0).contents.entry(file.inode).or_default().bytes.clear();
        Ok(file)
    }

    fn lock(&self, _name: &str, _mode: u32) -> Result<()> {
        Ok(())
    }

    fn load(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        self.call(|state| {
            let bytes = state.find(name).ok().map(|inode| state.contents[&inode].bytes.clone());
            Ok(bytes.map(|mut bytes| {
                bytes.truncate(bytes_max);
                bytes
            }))
        })
    }

    fn memory(&self, name: &str, bytes: usize) -> Result<DiskPage> {
        let file = self.append_to(name, 0o600)?;
        lock(&self.disk.0).contents.entry(file.inode).or_default().bytes.resize(bytes, 0);
        Ok(DiskPage { file })
    }

    fn stat(&self, name: impl AsRef<[u8]>) -> Result<Option<Stat>> {
        let name = std::str::from_utf8(name.as_ref()).expect("names here are text");
        self.call(|state| Ok(state.find(name).ok().map(|inode| state.stat(inode))))
    }

    fn times(&self, name: &str) -> Result<Option<Times>> {
        self.call(|state| {
            let written = UnixTime { seconds: 0, nanoseconds: 0 };
            Ok(state.find(name).ok().map(|_| Times { made: None, written }))
        })
    }

    fn space(&self) -> Result<Space> {
        self.call(|state| {
            let used: u64 = state.names.values().map(|inode| state.contents[inode].bytes.len() as u64).sum();
            let total_bytes = state.capacity_bytes;
            Ok(Space { free_bytes: total_bytes.saturating_sub(used), total_bytes })
        })
    }

    fn identity(&self) -> Result<FileId> {
        Ok(FileId::new(lock(&self.disk.0).device, 0))
    }

    fn is_removed(&self) -> Result<bool> {
        Ok(false)
    }

    fn restore(&self) -> Result<()> {
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.call(|state| {
            let inode = state.find(from)?;
            state.names.remove(from);
            state.names.insert(to.into(), inode);
            state.note_names();
            Ok(())
        })
    }

    fn rename_to_new(&self, from: &str, to: &str) -> Result<()> {
        self.call(|state| {
            let inode = state.find(from)?;
            if state.names.contains_key(to) {
                return Err(Errno::EEXIST);
            }
            state.names.remove(from);
            state.names.insert(to.into(), inode);
            state.note_names();
            Ok(())
        })
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.call(|state| {
            let inode = state.find(from)?;
            if state.names.contains_key(to) {
                return Err(Errno::EEXIST);
            }
            state.names.insert(to.into(), inode);
            state.note_names();
            Ok(())
        })
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        self.call(|state| {
            let name = std::str::from_utf8(name).expect("names here are text");
            state.names.remove(name).map(drop).ok_or(Errno::ENOENT)?;
            state.note_names();
            Ok(())
        })
    }

    fn visit(&self, see: &mut dyn FnMut(&[u8], bool) -> bool) -> Result<()> {
        let names: Vec<String> = self.call(|state| Ok(state.names.keys().cloned().collect()))?;
        // Whoever looks may make further calls.
        let _ = names.iter().all(|name| see(name.as_bytes(), true));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.call(|state| {
            state.sync_names();
            Ok(())
        })
    }

    fn now(&self) -> Label {
        let mut state = lock(&self.disk.0);
        state.clock_nanoseconds += state.clock_step_nanoseconds;
        let time = state.clock_nanoseconds;
        Label::from(UnixTime {
            seconds: time.div_euclid(1_000_000_000),
            nanoseconds: u32::try_from(time.rem_euclid(1_000_000_000)).expect("below a second"),
        })
    }

    /// A processor that keeps everything, and counts its runs in its state. It is quick unless it is called `slow`.
    fn start_processor(&self, command: &CStr) -> Result<DiskProcessor> {
        let bytes = self.call(|state| Ok(state.contents[&state.find(PREVIOUS)?].bytes.clone()))?;
        // Anew, as the real one is.
        if self.stat(PROCESSED)?.is_some() {
            self.unlink(PROCESSED.as_bytes())?;
        }
        let processed = self.replace(PROCESSED, 0o644)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            rest = &rest[processed.write(rest)?..];
        }
        let kept = self.call(|state| Ok(state.contents[&state.find(STATE)?].bytes.clone()))?;
        self.replace("newstate", 0o644)?.write(&[&kept[..], b"x"].concat())?;
        Ok(DiskProcessor { is_slow: command == c"slow" })
    }
}

/// A processor that has done its work, and is seen to end at once or later.
#[derive(Debug)]
pub(super) struct DiskProcessor {
    is_slow: bool,
}

impl Processor for DiskProcessor {
    fn wait_for(&self, _time: Duration, _exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>> {
        Ok((!self.is_slow).then_some(Ended::Exited(0)))
    }

    fn wait(self, _exit_request: Option<BorrowedFd<'_>>) -> Result<Option<Ended>> {
        Ok(Some(Ended::Exited(0)))
    }
}

/// A file that is open; it stays when its names go.
#[derive(Debug)]
pub(super) struct DiskFile {
    disk: Disk,
    calls: Calls,
    inode: u64,
}

impl DiskFile {
    fn call<T>(&self, act: impl FnOnce(&mut Content) -> T) -> Result<T> {
        self.calls.call()?;
        Ok(act(lock(&self.disk.0).contents.get_mut(&self.inode).expect("contents are never dropped")))
    }
}

impl LogFile for DiskFile {
    /// Writes in small pieces, as a disk may that fills up.
    fn write(&self, bytes: &[u8]) -> Result<usize> {
        let length = bytes.len().min(700);
        self.call(|content| content.bytes.extend_from_slice(&bytes[..length]))?;
        Ok(length)
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> Result<usize> {
        self.call(|content| {
            let rest = content.bytes.get(usize::try_from(offset).expect("small")..).unwrap_or_default();
            let length = rest.len().min(room.len());
            room[..length].copy_from_slice(&rest[..length]);
            length
        })
    }

    fn truncate(&self, length_bytes: u64) -> Result<()> {
        self.call(|content| content.bytes.truncate(usize::try_from(length_bytes).expect("small")))
    }

    fn sync(&self) -> Result<()> {
        let answer = self.calls.call();
        let mut state = lock(&self.disk.0);
        let content = state.contents.get_mut(&self.inode).expect("contents are never dropped");
        content.is_refused |= answer.is_err();
        answer?;
        if !content.is_refused {
            content.synced.clone_from(&content.bytes);
        }
        content.synced_mode = content.mode;
        let (bytes, is_done) = (content.synced.clone(), content.mode & DONE_BIT != 0);
        state.sync_names();
        // The output of a processor takes the place of its input once its mode says that it is complete.
        if is_done || state.find(PROCESSED) != Ok(self.inode) {
            state.safe.extend(bytes);
        }
        Ok(())
    }

    fn check_writeback(&self) -> Result<()> {
        let answer = self.calls.call();
        let mut state = lock(&self.disk.0);
        state.contents.get_mut(&self.inode).expect("contents are never dropped").is_refused |= answer.is_err();
        answer
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        self.call(|content| content.mode = mode)
    }

    fn stat(&self) -> Result<Stat> {
        self.calls.call()?;
        Ok(lock(&self.disk.0).stat(self.inode))
    }
}

impl Disk {
    /// All bytes that a successful fsync ever wrote to the disk.
    pub(super) fn safe(&self) -> Vec<u8> {
        lock(&self.0).safe.clone()
    }
}

/// A page of a file. Between two stores the process can be killed.
#[derive(Debug)]
pub(super) struct DiskPage {
    file: DiskFile,
}

impl Memory for DiskPage {
    fn store(&mut self, at: usize, bytes: &[u8]) {
        // A store does not fail; but a kill can come between any two.
        let _ = self.file.calls.call();
        let mut state = lock(&self.file.disk.0);
        let content = state.contents.get_mut(&self.file.inode).expect("contents are never dropped");
        content.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn load(&self) -> Vec<u8> {
        lock(&self.file.disk.0).contents[&self.file.inode].bytes.clone()
    }

    fn lend<T>(&mut self, at: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut byte = [self.load()[at]];
        let answer = read(&mut byte);
        lock(&self.file.disk.0).contents.get_mut(&self.file.inode).expect("contents are never dropped").bytes[at] =
            byte[0];
        answer
    }

    fn is_lost(&self) -> bool {
        false
    }
}
