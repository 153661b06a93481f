//! A directory that is followed and open: which of its files have been opened, and which one comes next.

use std::rc::Rc;
use std::sync::Arc;

use crate::files::{LogFile, open_plain};
use crate::follow::tracker::{Tracker, Whereabouts};
use crate::log_dir::LogDir;
use crate::stream::{Span, Stream};
use logyard::logdir::names::{CURRENT, PREVIOUS};
use logyard::sys::clock::UnixTime;
use logyard::sys::file::File;
use logyard::sys::inotify::{Event, Watch};
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result};

/// How many files that have not been read are held open.
const HELD_MAX: usize = 64;

/// What a follower does next.
#[derive(Debug)]
pub(super) enum Action {
    /// It waits until something happens, or until the open files have been read.
    Wait,
    /// It asks again.
    AskAgain,
    /// It closes the directory, which is gone: the last file has been read.
    Close,
    /// It lists the directory again, because events were lost.
    Relocate,
    /// It checks whether the name of a file that was just opened has moved on.
    Check(Opened),
}

/// A file that was opened, and under which name.
#[derive(Debug)]
pub(super) struct Opened {
    generation: u64,
    whereabouts: Whereabouts,
    file: File,
}

/// What shows that names in a directory have changed.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    changed: Result<UnixTime>,
    /// The identity of `current`.
    current: Option<FileId>,
}

/// A directory that is open.
#[derive(Debug)]
pub(super) struct OpenDir {
    pub(super) log_dir: Rc<LogDir>,
    /// `None` if the directory cannot be watched and must be polled.
    pub(super) watch: Option<Watch>,
    /// What the last poll found.
    snapshot: Option<Snapshot>,
    tracker: Tracker,
    /// The generation that is opened next.
    next: u64,
    /// The file of the generation before, until it is known to be finished.
    last: Option<Arc<File>>,
    /// How many events concerned names.
    pub(super) events: u64,
    /// Whether the directory was removed, or its path leads elsewhere.
    pub(super) is_gone: bool,
    /// Whether events were lost.
    has_lost_track: bool,
    is_after_gap: bool,
}

impl OpenDir {
    /// A directory that has just been opened.
    pub(super) fn new(log_dir: LogDir, watch: Option<Watch>) -> OpenDir {
        OpenDir {
            log_dir: Rc::new(log_dir),
            watch,
            snapshot: None,
            tracker: Tracker::new([], false),
            next: 1,
            last: None,
            events: 0,
            is_gone: false,
            has_lost_track: false,
            is_after_gap: false,
        }
    }

    /// Checks whether names have changed, if the directory is not watched.
    pub(super) fn poll(&mut self) {
        if self.watch.is_some() {
            return;
        }
        let directory = &self.log_dir.dir;
        let current = directory.stat(CURRENT.as_bytes()).ok().flatten().map(|stat| stat.identity);
        let snapshot = Some(Snapshot { changed: directory.changed(), current });
        if self.snapshot != snapshot {
            self.snapshot = snapshot;
            self.lose_track();
        }
    }

    /// Notes an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Changed(_) | Event::Itself => {}
            Event::Lost => self.is_gone = true,
            _ => {
                self.events += 1;
                self.tracker.note(event);
            }
        }
    }

    /// Notes that events were lost.
    pub(super) fn lose_track(&mut self) {
        self.has_lost_track = true;
        self.events += 1;
    }

    /// Begins to keep track, with files that did not change while they were listed.
    pub(super) fn track(&mut self, files: &mut [LogFile]) {
        self.hold(files);
        let is_current = |log_file: &LogFile| log_file.name == CURRENT.as_bytes();
        let is_one_waiting = files.iter().any(|log_file| log_file.label.is_none() && !is_current(log_file));
        self.tracker = Tracker::new(files.iter().map(|log_file| log_file.name.clone()), is_one_waiting);
        self.has_lost_track = false;
        let current = files.iter().find(|log_file| is_current(log_file));
        self.last = current.and_then(|log_file| log_file.held.clone());
        self.next = if current.is_some() { self.tracker.generation() + 1 } else { self.tracker.generation() };
    }

    /// Opens the newest archives, so that they can be read even if the logger removes them first.
    fn hold(&self, files: &mut [LogFile]) {
        let archives = files.iter().filter(|log_file| log_file.held.is_none()).count();
        let newest = archives.saturating_sub(HELD_MAX);
        let mut is_short = false;
        for log_file in files.iter_mut().filter(|log_file| log_file.held.is_none()).skip(newest) {
            match log_file.open(&self.log_dir.dir) {
                Ok(file) => log_file.held = Some(file),
                // Descriptors are needed for reading, so no archive is held: each is opened when its turn comes.
                Err(Errno::EMFILE | Errno::ENFILE) => {
                    is_short = true;
                    break;
                }
                Err(_) => {}
            }
        }
        if is_short {
            files.iter_mut().filter(|log_file| log_file.label.is_some()).for_each(|log_file| log_file.held = None);
        }
    }

    /// Tells whether an open file is the one that was `current` last.
    pub(super) fn is_last(&self, current: Option<&Arc<File>>) -> bool {
        let identity = |file: &Arc<File>| file.stat().ok().map(|stat| stat.identity);
        let current = current.and_then(identity);
        current.is_some() && current == self.last.as_ref().and_then(identity)
    }

    /// Says what to do next. A file that was opened under a name that moves on must be checked.
    pub(super) fn next_action(&mut self, stream: &mut Stream) -> Action {
        if self.has_lost_track {
            return Action::Relocate;
        }
        if self.is_gone {
            stream.files.seal();
            stream.files.set_endless(false);
            return if stream.files.spans_left() == 0 { Action::Close } else { Action::Wait };
        }
        if self.next > self.tracker.generation() {
            return Action::Wait;
        }
        // No writer appends to the files that were opened so far.
        stream.files.seal();
        self.last = None;
        if stream.files.spans_left() >= HELD_MAX {
            return Action::Wait;
        }
        self.tracker.forget_before(self.next);
        let whereabouts = self.tracker.find(self.next);
        let name = match &whereabouts {
            Whereabouts::Current => CURRENT,
            Whereabouts::Waiting => PREVIOUS,
            Whereabouts::Gone => {
                self.next += 1;
                return Action::AskAgain;
            }
            Whereabouts::Archive(name) => {
                let name = name.clone();
                self.push_archive(name, stream);
                return Action::AskAgain;
            }
        };
        match open_plain(&self.log_dir.dir, name.as_bytes()) {
            Ok(file) => Action::Check(Opened { generation: self.next, whereabouts, file }),
            // The file does not exist yet, or a processor has it; or it has just moved on, and an event will say so.
            Err(_) => Action::Wait,
        }
    }

    /// Accepts a file that was opened under a name, if the name has not moved on.
    pub(super) fn confirm(&mut self, opened: Opened, stream: &mut Stream) {
        if self.has_lost_track || self.tracker.find(opened.generation) != opened.whereabouts {
            return;
        }
        let is_current = opened.whereabouts == Whereabouts::Current;
        let log_file = LogFile::held(if is_current { CURRENT } else { PREVIOUS }, opened.file);
        self.last = log_file.held.clone().filter(|_| is_current);
        self.push(Span { is_live: is_current, ..Span::whole(Rc::new(log_file)) }, stream);
    }

    /// Tells whether there is more to do than to wait.
    pub(super) fn has_more(&self, stream: &Stream) -> bool {
        self.has_lost_track
            || self.is_gone
            || stream.files.spans_left() > 1
            || (self.next <= self.tracker.generation()
                && matches!(self.tracker.find(self.next), Whereabouts::Archive(_) | Whereabouts::Gone))
    }

    fn push(&mut self, span: Span, stream: &mut Stream) {
        stream.files.push(Span { is_after_gap: std::mem::take(&mut self.is_after_gap), ..span });
        self.next += 1;
    }

    /// Adds an archive, which stays open from now on. If it was removed, that is a gap.
    fn push_archive(&mut self, name: Vec<u8>, stream: &mut Stream) {
        let Some(mut log_file) = LogFile::archive(name) else {
            self.next += 1;
            return;
        };
        match log_file.open_or_renamed(&self.log_dir.dir) {
            Ok(file) => {
                log_file.held = Some(file);
                self.push(Span::whole(Rc::new(log_file)), stream);
            }
            Err(Errno::ENOENT) => {
                self.is_after_gap = true;
                self.next += 1;
            }
            // The reader warns of any other failure when it opens the file.
            Err(_) => self.push(Span::whole(Rc::new(log_file)), stream),
        }
    }
}
