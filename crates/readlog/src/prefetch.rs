//! Unpacking and searching files before their turn, on the other processors.
//!
//! A thread has one file at a time, and is only a few segments ahead of the reader, so memory is bounded however long the file
//! is. A file is given to a thread that waits for one, or else read in the ordinary way. So no file waits for a thread that
//! waits for the reader of another, and there can be no deadlock.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use memchr::memrchr;

use crate::block_search::{BlockSearch, Search};
use crate::content::Content;
use crate::finder::Finder;
use crate::frames::Chunk;
use crate::stream::GROUP_BYTES_MAX;
use logyard::lines::worker_thread::{Inbox, WorkerThread};
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};

/// The maximum number of files unpacked at the same time, on any number of processors.
const WORKERS_MAX: usize = 16;
/// The default of the system, because decoders need a large stack.
const STACK_BYTES: usize = 2 << 20;
/// How much is read and searched at a time: it stays in the processor's cache.
const BLOCK_BYTES: usize = 1 << 17;
/// A segment that is longer is sent.
const SEGMENT_BYTES: usize = 1 << 18;
/// How many segments wait for the reader.
const SEGMENTS_MAX: usize = 8;

/// The threads that may run.
#[derive(Debug)]
pub(super) struct Workers {
    /// Those that wait for a file.
    idle: Rc<RefCell<Vec<Thread>>>,
    /// How many more may be started.
    startable: Cell<usize>,
    search: Option<Search>,
    rooms: Rooms,
}

type Thread = WorkerThread<Task, ()>;

/// A file for a thread.
#[derive(Debug)]
struct Task {
    file: Arc<File>,
    chunk: Option<Chunk>,
    is_packed: bool,
    sender: SyncSender<Found>,
}

/// What a thread sends.
#[derive(Debug)]
enum Found {
    Segment(Segment),
    /// The file is better read in the ordinary way. Comes first, and alone.
    Nothing,
}

/// Some bytes of a file, without those that are known to be unwanted.
#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    /// Those that are known to be wanted: whole groups, each with a label.
    wanted: Range<usize>,
    /// How reading ended, in the last segment.
    end: Option<Result<()>>,
}

/// Buffers of earlier segments, for reuse: new memory costs more than filling it.
#[derive(Clone, Debug, Default)]
struct Rooms(Arc<Mutex<Vec<Vec<u8>>>>);

impl Rooms {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put_back(&self, mut room: Vec<u8>) {
        room.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}

impl Workers {
    /// As many as there are processors, and one that waits for its segments to be read.
    pub(super) fn new(search: Option<Search>) -> Workers {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Workers {
            idle: Rc::default(),
            startable: Cell::new(processors.min(WORKERS_MAX) + 1),
            search,
            rooms: Rooms::default(),
        }
    }

    /// What finds the lines that are searched for.
    pub(super) fn finder(&self) -> Option<&Finder> {
        self.search.as_ref().and_then(|search| search.pattern.finder_of_wanted())
    }

    /// Tells whether lines are left out of what is read.
    pub(super) fn leave_lines_out(&self) -> bool {
        self.search.is_some()
    }

    /// Tells whether a thread is free.
    pub(super) fn is_free(&self) -> bool {
        self.startable.get() > 0 || !self.idle.borrow().is_empty()
    }

    /// Has a file, or a chunk of it, unpacked and searched, if there is anything to gain and a thread can be had.
    pub(super) fn start(&self, file: &Arc<File>, chunk: Option<Chunk>, is_packed: bool) -> Option<Job> {
        if !is_packed && self.search.is_none() {
            return None;
        }
        let thread = self.free_thread()?;
        let (sender, receiver) = sync_channel(SEGMENTS_MAX);
        thread.give(Task { file: Arc::clone(file), chunk, is_packed, sender });
        let lease = Lease { thread: Some(thread), idle: Rc::clone(&self.idle) };
        Some(Job(Segments {
            receiver,
            segment: Segment::default(),
            at: 0,
            is_wanted: false,
            rooms: self.rooms.clone(),
            _lease: lease,
        }))
    }

    fn free_thread(&self) -> Option<Thread> {
        if let Some(thread) = self.idle.borrow_mut().pop() {
            return Some(thread);
        }
        let left = self.startable.get().checked_sub(1)?;
        self.startable.set(left);
        let worker = (self.search.clone(), self.rooms.clone());
        WorkerThread::start_loop(STACK_BYTES, 1, worker, |worker, inbox, _| work(worker, &inbox)).ok()
    }
}

/// The use of a thread, which is free again afterwards.
#[derive(Debug)]
struct Lease {
    thread: Option<Thread>,
    idle: Rc<RefCell<Vec<Thread>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.idle.borrow_mut().extend(self.thread.take());
    }
}

/// A file that is being unpacked and searched.
#[derive(Debug)]
pub(super) struct Job(Segments);

impl Job {
    /// Waits for the first bytes; `None` if the file must be read in the ordinary way.
    pub(super) fn wait(self) -> Option<Segments> {
        let mut segments = self.0;
        match segments.receiver.recv() {
            Ok(Found::Segment(segment)) => {
                segments.segment = segment;
                Some(segments)
            }
            Ok(Found::Nothing) | Err(_) => None,
        }
    }
}

/// The bytes of a file that a thread reads, without those that are known to be unwanted.
#[derive(Debug)]
pub(super) struct Segments {
    receiver: Receiver<Found>,
    segment: Segment,
    /// Where the bytes begin that have not been read.
    at: usize,
    /// Whether the bytes read last are known to be wanted.
    is_wanted: bool,
    rooms: Rooms,
    /// Comes last: a thread that is lent again has lost the receiver of what it sent.
    _lease: Lease,
}

impl Segments {
    /// Reads some of the bytes; 0 means that there are no more. Wanted ones are whole lines, if they fit.
    pub(super) fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        let end = loop {
            match self.bound() {
                Some(end) => break end,
                None if !self.receive()? => return Ok(0),
                None => {}
            }
        };
        let mut part = &self.segment.bytes[self.at..end];
        if part.len() > room.len() {
            part = &part[..room.len()];
            if self.is_wanted {
                part = memrchr(b'\n', part).map_or(part, |newline| &part[..=newline]);
            }
        }
        room[..part.len()].copy_from_slice(part);
        self.at += part.len();
        Ok(part.len())
    }

    /// Tells whether the bytes read last are known to be wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Takes the next bytes, if they are known to be wanted and have arrived.
    pub(super) fn take_wanted(&mut self) -> Option<&[u8]> {
        while self.bound().is_none() {
            if !matches!(self.receive(), Ok(true)) {
                return None;
            }
        }
        let end = self.bound().filter(|_| self.is_wanted)?;
        let start = std::mem::replace(&mut self.at, end);
        Some(&self.segment.bytes[start..end])
    }

    /// Up to where the bytes of the segment are wanted, or up to where it is not known.
    fn bound(&mut self) -> Option<usize> {
        let Segment { bytes, wanted, .. } = &self.segment;
        self.is_wanted = wanted.contains(&self.at);
        let end = if self.is_wanted {
            wanted.end
        } else if self.at < wanted.start {
            wanted.start
        } else {
            bytes.len()
        };
        (self.at < end).then_some(end)
    }

    /// Waits for the next segment; `false` if there is none.
    fn receive(&mut self) -> Result<bool> {
        match self.segment.end {
            Some(Ok(())) => return Ok(false),
            Some(Err(errno)) => {
                self.segment.end = Some(Ok(()));
                return Err(errno);
            }
            None => {}
        }
        let read = std::mem::take(&mut self.segment);
        self.rooms.put_back(read.bytes);
        self.at = 0;
        self.segment = match self.receiver.recv() {
            Ok(Found::Segment(segment)) => segment,
            // The thread has panicked.
            Ok(Found::Nothing) | Err(_) => Segment { end: Some(Err(Errno::EIO)), ..Segment::default() },
        };
        Ok(true)
    }
}

/// Why a thread stops before the end of a file.
enum Stop {
    /// It cannot be read.
    Failed(Errno),
    /// It is better read in the ordinary way.
    Declined,
    /// Nobody reads its segments.
    Abandoned,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Failed(errno)
    }
}

/// What a thread does.
fn work((search, rooms): (Option<Search>, Rooms), inbox: &Inbox<Task>) {
    let mut search = search.as_ref().map(BlockSearch::new);
    let mut room = Vec::new();
    while let Some(Task { file, chunk, is_packed, sender }) = inbox.wait() {
        let mut output =
            Output { segment: Segment { bytes: rooms.take(), ..Segment::default() }, sender, rooms: &rooms };
        let answer = match chunk {
            Some(chunk) => Content::of_chunk(file, &chunk),
            None if is_packed => Content::of(file, 0),
            None => Ok(Content::Plain { file, offset: 0 }),
        };
        // The file is closed once it has been read: the thread may have to wait.
        let answer = answer.map_err(Stop::Failed).and_then(|mut content| match &mut search {
            Some(search) => output.search(&mut content, search, &mut room, is_packed),
            None => output.copy(&mut content),
        });
        output.finish(&answer);
    }
}

/// What a thread sends of a file.
struct Output<'r> {
    segment: Segment,
    sender: SyncSender<Found>,
    rooms: &'r Rooms,
}

impl Output<'_> {
    /// Sends all of a file.
    fn copy(&mut self, content: &mut Content) -> std::result::Result<(), Stop> {
        loop {
            if self.segment.bytes.len() >= SEGMENT_BYTES {
                self.send()?;
            }
            let bytes = &mut self.segment.bytes;
            let mut filled = bytes.len();
            bytes.resize(SEGMENT_BYTES, 0);
            while filled < SEGMENT_BYTES {
                let answer = content.read(&mut bytes[filled..]);
                filled += answer.unwrap_or(0);
                if matches!(answer, Ok(0) | Err(_)) {
                    bytes.truncate(filled);
                    return answer.map(drop).map_err(Stop::Failed);
                }
            }
        }
    }

    /// Sends what may be wanted of a file. What comes before the first stamp and the last group are sent: whether they match
    /// depends on the files around.
    fn search(
        &mut self,
        content: &mut Content,
        search: &mut BlockSearch,
        room: &mut Vec<u8>,
        is_packed: bool,
    ) -> std::result::Result<(), Stop> {
        search.begin_file();
        // Once there has been a stamp, the room begins with a group.
        let (mut filled, mut has_stamp) = (0, false);
        loop {
            let answer = fill(content, room, &mut filled);
            let is_end = !matches!(answer, Ok(true));
            // A stamp may still be cut short in what comes behind the last newline.
            let lines = &room[..memrchr(b'\n', &room[..filled]).map_or(0, |newline| newline + 1)];
            let mut done = 0;
            if !has_stamp {
                let first = search.first_group(lines);
                if first.is_none() && !is_packed && !is_end {
                    return Err(Stop::Declined);
                }
                has_stamp = first.is_some();
                done = first.unwrap_or(lines.len());
                self.segment.bytes.extend_from_slice(&lines[..done]);
            }
            if has_stamp && let Some(last) = search.last_group(&lines[done..]) {
                let start = self.segment.bytes.len();
                search.keep_wanted(&lines[done..done + last], &mut self.segment.bytes);
                self.note_wanted(start, search.saw_only_labels());
                done += last;
            }
            if is_end || filled - done >= GROUP_BYTES_MAX {
                self.segment.bytes.extend_from_slice(&room[done..filled]);
                answer?;
                // A group that is so long is divided by its reader.
                return if is_end { Ok(()) } else { self.copy(content) };
            }
            room.copy_within(done..filled, 0);
            filled -= done;
            if self.segment.bytes.len() >= SEGMENT_BYTES {
                self.send()?;
            }
        }
    }

    /// Notes that the bytes from `start` on are wanted.
    fn note_wanted(&mut self, start: usize, are_labelled: bool) {
        let Segment { bytes, wanted, .. } = &mut self.segment;
        // Other stamps may have to be converted.
        if are_labelled && start < bytes.len() {
            wanted.start = if wanted.start == wanted.end { start } else { wanted.start };
            wanted.end = bytes.len();
        }
    }

    /// Sends what has been collected.
    fn send(&mut self) -> std::result::Result<(), Stop> {
        let next = Segment { bytes: self.rooms.take(), ..Segment::default() };
        let segment = std::mem::replace(&mut self.segment, next);
        self.sender.send(Found::Segment(segment)).map_err(|_| Stop::Abandoned)
    }

    /// Sends the last segment.
    fn finish(mut self, answer: &std::result::Result<(), Stop>) {
        self.segment.end = Some(match answer {
            Err(Stop::Failed(errno)) => Err(*errno),
            _ => Ok(()),
        });
        // If nobody reads it, it is not wanted any more.
        let _ = match answer {
            Err(Stop::Declined) => self.sender.send(Found::Nothing),
            Err(Stop::Abandoned) => Ok(()),
            _ => self.sender.send(Found::Segment(self.segment)),
        };
    }
}

/// Reads until a room is full, which grows if it is; `false` at the end of the file.
fn fill(content: &mut Content, room: &mut Vec<u8>, filled: &mut usize) -> Result<bool> {
    if *filled == room.len() {
        room.resize((2 * *filled).max(BLOCK_BYTES), 0);
    }
    // A room that has grown for one file stays, but only a part of it is used for the next.
    let limit = if *filled < BLOCK_BYTES { BLOCK_BYTES } else { room.len() };
    while *filled < limit {
        match content.read(&mut room[*filled..limit])? {
            0 => return Ok(false),
            bytes => *filled += bytes,
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::LocalClock;
    use crate::filter::{Case, Pattern};
    use crate::stamp::recognise;
    use crate::time_scale::TimeScale;

    fn search(pattern: &str, is_inverted: bool) -> Search {
        let pattern = Pattern::new(pattern, Case::Regarded, is_inverted).expect("a pattern");
        Search { pattern, scale: TimeScale::Djb }
    }

    /// What a thread sends of a file: what comes before the lines that are known to be wanted, these, and what comes behind.
    fn sent(bytes: &[u8], search: &Search) -> [String; 3] {
        let (sender, receiver) = sync_channel(1000);
        let rooms = Rooms::default();
        let mut output = Output { segment: Segment::default(), sender, rooms: &rooms };
        let mut content = Content::Packed(Box::new(Cursor::new(bytes.to_vec())));
        let answer = output.search(&mut content, &mut BlockSearch::new(search), &mut Vec::new(), true);
        output.finish(&answer);
        let mut sent = [Vec::new(), Vec::new(), Vec::new()];
        for found in receiver {
            let Found::Segment(Segment { bytes, wanted, .. }) = found else { panic!("the file was declined") };
            assert!(wanted.start == wanted.end || sent[2].is_empty(), "wanted lines follow each other");
            if wanted.start == wanted.end {
                let i = if sent[1].is_empty() { 0 } else { 2 };
                sent[i].extend_from_slice(&bytes);
            } else {
                assert!(wanted.start == 0 || sent[1].is_empty(), "wanted lines follow each other");
                sent[0].extend_from_slice(&bytes[..wanted.start]);
                sent[1].extend_from_slice(&bytes[wanted.clone()]);
                sent[2].extend_from_slice(&bytes[wanted.end..]);
            }
        }
        sent.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The plain twin.
    fn group_by_group(bytes: &[u8], search: &Search) -> [String; 3] {
        let clock = LocalClock::utc();
        let lines = memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        let mut groups: Vec<(Option<usize>, Vec<u8>)> = vec![(None, Vec::new())];
        for line in bytes[..lines].split_inclusive(|&byte| byte == b'\n') {
            if let Some(stamp) = recognise(line, search.scale, &clock) {
                groups.push((Some(stamp.bytes), Vec::new()));
            }
            groups.last_mut().expect("there is one at least").1.extend_from_slice(line);
        }
        let head = groups.remove(0).1;
        let mut tail = groups.pop().map_or(Vec::new(), |(_, group)| group);
        tail.extend_from_slice(&bytes[lines..]);
        let is_wanted =
            |(message, group): &&(Option<usize>, Vec<u8>)| search.pattern.selects(&group[message.unwrap_or(0)..]);
        let wanted: Vec<u8> = groups.iter().filter(is_wanted).flat_map(|(_, group)| group.clone()).collect();
        [head, wanted, tail].map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    proptest! {
        #[test]
        fn whole_buffers_are_thinned_out_as_group_by_group(
            text in "((@400000003ce2403d0000000[0-9] ?)?(a|b|error|x| |12:34|é|@4)?(a|b|error|x| |12:34|é|@4)?\n?){0,40}",
            pattern in proptest::sample::select(vec![
                "a", "^a", "b$", "^$", "$", "", "\\s", "[^a]", "error", "4.*error", "[0-9]{2}:.*(error|fail)", "0", "@4",
                "(a|b){2}", "\\berror", "x*", "é.*a", "(?m)^error$", "a\\sb", "0 a", "[0-9]+ ?a", "\\d+$", "3d0.*error", "0.?b",
                "[^ ]b", "(?i)ERROR", "(0|d) error|b",
            ]),
            is_inverted in any::<bool>(),
            repeats in prop_oneof![4 => Just(1_usize), 1 => Just(400)],
        ) {
            // Often enough repeated, a pattern that finds too much is given up, and the text is longer than a block.
            let text = text.repeat(repeats);
            let search = search(pattern, is_inverted);

            let [head, wanted, tail] = sent(text.as_bytes(), &search);

            let [head_expected, wanted_expected, tail_expected] = group_by_group(text.as_bytes(), &search);
            if wanted_expected.is_empty() {
                prop_assert_eq!(head + &wanted + &tail, head_expected + &tail_expected);
            } else {
                prop_assert_eq!((head, wanted, tail), (head_expected, wanted_expected, tail_expected));
            }
        }
    }

    #[test]
    fn what_may_belong_to_another_file_is_not_judged() {
        let label = "@400000003ce2403d00000000";
        let bytes = format!(
            "head\n{label} a\n{label} b\n trace\n{label} c\n b in a trace\n{label} d\n{label} e\n tail\n{label}"
        );

        let sent = sent(bytes.as_bytes(), &search("b", false));

        let expected = [
            "head\n".to_owned(),
            format!("{label} b\n trace\n{label} c\n b in a trace\n"),
            format!("{label} e\n tail\n{label}"),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn other_stamps_than_labels_are_left_to_the_reader() {
        let text = "2026-11-22_11:06:00.54536 a\n2026-11-22_11:06:00.54537 b\n2026-11-22_11:06:00.54538 c\n";

        let [head, wanted, tail] = sent(text.as_bytes(), &search("a", false));

        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert_eq!((head + &tail, &*wanted), (lines[0].to_owned() + lines[2], ""));
    }

    #[test]
    fn other_stamps_are_noticed_where_the_pattern_finds_nothing() {
        let label = "@400000006b02cca200000000";
        let text = format!("{label} a\n{label} b\n2026-11-22_11:06:00.54537 c\n{label} d\n{label} e\n");

        let [head, wanted, tail] = sent(text.as_bytes(), &search("x", true));

        assert_eq!((head + &tail, &*wanted), (text, ""));
    }

    #[test]
    fn a_group_that_its_reader_divides_is_not_judged() {
        let label = "@400000003ce2403d00000000";
        let long = format!("{label} long\n{}", " trace\n".repeat(GROUP_BYTES_MAX / 7 + 1));
        let text = format!("{label} a\n{long}{label} c\n{label} d\n");

        let [head, wanted, tail] = sent(text.as_bytes(), &search("a", false));

        assert_eq!((head, wanted), (String::new(), format!("{label} a\n")));
        assert_eq!(tail, format!("{long}{label} c\n{label} d\n"));
    }
}
