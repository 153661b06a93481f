//! Unpacking and searching files before their turn, on the other processors.
//!
//! One thread handles a whole file, and the number of files at a time is limited over all directories. A thread never
//! waits, and a file that no thread has is read in the ordinary way, so there can be no deadlock.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use memchr::{memchr, memrchr};

use crate::clock::LocalClock;
use crate::content::Content;
use crate::filter::Pattern;
use crate::finder::Finder;
use crate::frames::Chunk;
use crate::stamp::recognise;
use crate::time_scale::TimeScale;
use logyard::lines::worker_thread::WorkerThread;
use logyard::sys::file::File;

/// A file that unpacks to more is unpacked when its turn comes, a bit at a time.
const UNPACKED_BYTES_MAX: usize = 32 << 20;
/// The maximum number of files unpacked at the same time, on any number of processors.
const WORKERS_MAX: usize = 16;
/// The default of the system, because decoders need a large stack.
const STACK_BYTES: usize = 2 << 20;
/// The room that a file is read into first.
const ROOM_BYTES: usize = 1 << 20;

/// What a thread looks for in a file, so that only what may be wanted is handed on.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// What a group must match.
    pub(super) pattern: Pattern,
    /// How labels count.
    pub(super) scale: TimeScale,
}

/// The threads that may run.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    free: Rc<Cell<usize>>,
    search: Option<Arc<Search>>,
    rooms: Rooms,
}

/// Buffers of earlier files, for reuse: new memory costs more than reading into it.
type Rooms = Arc<Mutex<Vec<Vec<u8>>>>;

impl Workers {
    /// As many as there are processors, and one that waits for its result to be fetched.
    pub(super) fn new(search: Option<Search>) -> Workers {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Workers {
            free: Rc::new(Cell::new(processors.min(WORKERS_MAX) + 1)),
            search: search.map(Arc::new),
            rooms: Rooms::default(),
        }
    }

    /// What finds the lines that are searched for.
    pub(super) fn finder(&self) -> Option<&Finder> {
        self.search.as_ref().and_then(|search| search.pattern.finder_of_wanted())
    }

    /// Tells whether a thread is free.
    pub(super) fn is_free(&self) -> bool {
        self.free.get() > 0
    }

    /// Has an archive, or a chunk of it, unpacked and searched, if there is anything to gain and a thread can be had.
    pub(super) fn start(&self, file: Arc<File>, chunk: Option<Chunk>) -> Option<Job> {
        if chunk.as_ref().is_some_and(|chunk| chunk.bytes > UNPACKED_BYTES_MAX as u64) {
            return None;
        }
        let is_packed = crate::content::is_packed(&file).unwrap_or(false);
        if !is_packed && (self.search.is_none() || file.stat().ok()?.size_bytes > UNPACKED_BYTES_MAX as u64) {
            return None;
        }
        let search = self.search.clone();
        let rooms = Arc::clone(&self.rooms);
        let mut file = Some(file);
        let prefetch = move |()| {
            // Closed once it has been read: the thread stays until its result is fetched.
            let file = file.take()?;
            let Some(search) = &search else {
                let mut bytes = Vec::new();
                let length = read_whole(&file, chunk.as_ref(), &mut bytes)?;
                bytes.truncate(length);
                return Some(bytes);
            };
            let mut room = lock(&rooms).pop().unwrap_or_default();
            let kept = read_whole(&file, chunk.as_ref(), &mut room).map(|length| thin_out(&room[..length], search));
            lock(&rooms).push(room);
            kept
        };
        let mut thread = WorkerThread::start(STACK_BYTES, 1, prefetch).ok()?;
        thread.hand_over(());
        self.free.set(self.free.get() - 1);
        Some(Job { thread, free: Rc::clone(&self.free) })
    }
}

/// A file that is being unpacked and searched.
#[derive(Debug)]
pub(super) struct Job {
    thread: WorkerThread<(), Option<Vec<u8>>>,
    free: Rc<Cell<usize>>,
}

impl Job {
    /// Waits for the bytes; `None` if the file must be read in the ordinary way.
    pub(super) fn wait(mut self) -> Option<Vec<u8>> {
        let bytes = self.thread.take_back(0).flatten();
        self.free.set(self.free.get() + 1);
        bytes
    }
}

fn lock(rooms: &Rooms) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unpacks a file, or a chunk of it, into a room that grows, and says how much it is; `None` if it is too big, or damaged: the
/// ordinary reader then gets further, and warns.
fn read_whole(file: &Arc<File>, chunk: Option<&Chunk>, room: &mut Vec<u8>) -> Option<usize> {
    let mut content = match chunk {
        Some(chunk) => Content::of_chunk(Arc::clone(file), chunk),
        None => Content::of(Arc::clone(file), 0),
    }
    .ok()?;
    // As many as there will be, and one to see that there are no more.
    let expected =
        chunk.map_or(0, |chunk| usize::try_from(chunk.bytes).unwrap_or(usize::MAX).min(UNPACKED_BYTES_MAX) + 1);
    if room.len() < expected {
        room.resize(expected, 0);
    }
    let mut length = 0;
    loop {
        if length > UNPACKED_BYTES_MAX {
            return None;
        }
        if length == room.len() {
            room.resize((room.len() * 2).clamp(ROOM_BYTES, UNPACKED_BYTES_MAX + 1), 0);
        }
        match content.read(&mut room[length..]).ok()? {
            0 => return Some(length),
            read => length += read,
        }
    }
}

/// Leaves out the groups that do not match. What comes before the first stamp and the last group stay: whether they match
/// depends on the files around.
fn thin_out(bytes: &[u8], search: &Search) -> Vec<u8> {
    let groups = Groups { bytes, scale: search.scale, clock: LocalClock::system() };
    let Some(first) = groups.first(0) else { return bytes.to_vec() };
    let last = groups.last(bytes.len()).unwrap_or(first);
    let mut kept = bytes[..first].to_vec();
    let mut at = first;
    while at < last {
        let found = match search.pattern.finder() {
            Some(finder) => finder.find(&bytes[at..last]).map(|found| at + found),
            None => Some(at),
        };
        // The group that the place is in, or at the end of.
        let group = found.and_then(|found| groups.last(groups.line_end(found.max(at + 1) - 1).min(last)));
        let (start, end) = match group {
            Some(start) => {
                (start.max(at), groups.first(groups.line_end(start.max(at))).map_or(last, |next| next.min(last)))
            }
            None => (last, last),
        };
        if search.pattern.is_inverted() {
            kept.extend_from_slice(&bytes[at..start]);
        }
        if start < end {
            let is_selected = search.pattern.selects(&bytes[start + groups.stamp_bytes(start)..end]);
            if is_selected {
                kept.extend_from_slice(&bytes[start..end]);
            }
            if is_selected == search.pattern.is_inverted()
                && let Some(finder) = search.pattern.finder()
            {
                finder.miss();
            }
        }
        at = end;
    }
    kept.extend_from_slice(&bytes[last..]);
    kept
}

/// The groups in some bytes, by where they begin.
struct Groups<'b> {
    bytes: &'b [u8],
    scale: TimeScale,
    clock: LocalClock,
}

impl Groups<'_> {
    fn stamp_bytes(&self, line: usize) -> usize {
        recognise(&self.bytes[line..], self.scale, &self.clock).map_or(0, |stamp| stamp.bytes)
    }

    /// Where the line ends that a place is in, newline included.
    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |newline| at + newline + 1)
    }

    /// Where the first group begins of those from the line at `line` on.
    fn first(&self, mut line: usize) -> Option<usize> {
        while line < self.bytes.len() {
            if self.stamp_bytes(line) > 0 {
                return Some(line);
            }
            line = self.line_end(line);
        }
        None
    }

    /// Where the last group begins of those in the lines that end at `end`.
    fn last(&self, end: usize) -> Option<usize> {
        let mut line = end;
        while line > 0 {
            line = memrchr(b'\n', &self.bytes[..line - 1]).map_or(0, |newline| newline + 1);
            if self.stamp_bytes(line) > 0 {
                return Some(line);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::Case;

    /// The plain twin of `thin_out`.
    fn group_by_group(bytes: &[u8], search: &Search) -> Vec<u8> {
        let clock = LocalClock::utc();
        let mut groups: Vec<(Option<usize>, Vec<u8>)> = vec![(None, Vec::new())];
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if let Some(stamp) = recognise(line, search.scale, &clock) {
                groups.push((Some(stamp.bytes), Vec::new()));
            }
            groups.last_mut().expect("there is one at least").1.extend_from_slice(line);
        }
        let last = groups.len() - 1;
        let is_kept = |(i, (message, group)): &(usize, &(Option<usize>, Vec<u8>))| {
            *i == last || message.is_none_or(|message| search.pattern.selects(&group[message..]))
        };
        groups.iter().enumerate().filter(is_kept).flat_map(|(_, (_, group))| group.clone()).collect()
    }

    proptest! {
        #[test]
        fn whole_buffers_are_thinned_out_as_group_by_group(
            text in "((@400000003ce2403d0000000[0-9] ?)?(a|b|error|x| |12:34|é|@4)?(a|b|error|x| |12:34|é|@4)?\n?){0,40}",
            pattern in proptest::sample::select(vec![
                "a", "^a", "b$", "^$", "", "\\s", "[^a]", "error", "4.*error", "[0-9]{2}:.*(error|fail)", "0", "@4", "(a|b){2}",
                "\\berror", "x*", "é.*a", "(?m)^error$", "a\\sb",
            ]),
            is_inverted in any::<bool>(),
            repeats in prop_oneof![4 => Just(1_usize), 1 => Just(400)],
        ) {
            // Often enough repeated, a pattern that finds too much is given up.
            let text = text.repeat(repeats);
            let search = Search {
                pattern: Pattern::new(pattern, Case::Regarded, is_inverted).expect("a pattern"), scale: TimeScale::Djb,
            };

            let kept = thin_out(text.as_bytes(), &search);

            let expected = group_by_group(text.as_bytes(), &search);
            prop_assert_eq!(String::from_utf8_lossy(&kept), String::from_utf8_lossy(&expected));
        }
    }

    #[test]
    fn what_may_belong_to_another_file_is_kept() {
        let search =
            Search { pattern: Pattern::new("b", Case::Regarded, false).expect("a pattern"), scale: TimeScale::Djb };
        let label = "@400000003ce2403d00000000";
        let bytes =
            format!("head\n{label} a\n{label} b\n trace\n{label} c\n b in a trace\n{label} d\n{label} e\n tail");

        let kept = thin_out(bytes.as_bytes(), &search);

        let expected = format!("head\n{label} b\n trace\n{label} c\n b in a trace\n{label} e\n tail");
        assert_eq!(String::from_utf8_lossy(&kept), expected);
    }
}
