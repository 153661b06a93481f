//! A directory that is followed: what of it has been opened, and what comes next.

use std::rc::Rc;
use std::sync::Arc;

use crate::arguments::Request;
use crate::backward::Backward;
use crate::files::{self, LogFile, open_plain};
use crate::follow::tracker::{Tracker, Whereabouts};
use crate::log_dir::LogDir;
use crate::ranges::plan;
use crate::resume::Position;
use crate::stream::{Common, Span, Stream, reopen_renamed};
use logyard::logdir::names::{CURRENT, PREVIOUS};
use logyard::sys::clock::UnixTime;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::inotify::{Event, Notifier, Watch};
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result};

/// How many files are held open that have not been read.
const HELD_MAX: usize = 64;

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing before something happens, or before what is held has been read.
    Wait,
    /// Done: look again.
    Skip,
    /// The directory is gone, and its last file has been read.
    Leave,
    /// Events were lost.
    FindAgain,
    /// A file was opened by a name that may have moved on.
    Check(Opened),
}

/// A file that was opened, and as what.
#[derive(Debug)]
pub(super) struct Opened {
    generation: u64,
    as_what: Whereabouts,
    file: File,
}

/// A directory that is open.
#[derive(Debug)]
struct Open {
    place: Rc<LogDir>,
    /// None where it must be looked at.
    watch: Option<Watch>,
    /// What was seen when it was looked at last.
    seen: Option<Seen>,
    tracker: Tracker,
    /// The generation that is to be opened next.
    next: u64,
    /// The file of the generation before, while it is not known to be finished.
    last: Option<Arc<File>>,
    /// How many events there were that concern names.
    events: u64,
    is_lost: bool,
    has_lost_track: bool,
    is_after_gap: bool,
}

/// What shows that names in a directory have changed: its time, and which file is `current`.
type Seen = (Result<UnixTime>, Option<FileId>);

/// A directory that is followed.
#[derive(Debug)]
pub(super) struct Directory {
    path: Vec<u8>,
    service: Vec<u8>,
    open: Option<Open>,
    complaint: Option<Errno>,
    /// Where an earlier run stopped.
    position: Option<Position>,
}

impl Directory {
    /// A directory that has not been looked at.
    pub(super) fn new(path: &[u8], service: Vec<u8>, position: Option<Position>) -> Directory {
        Directory { path: path.to_vec(), service, open: None, complaint: None, position }
    }

    /// The path.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The directory, if it is open.
    pub(super) fn place(&self) -> Option<Rc<LogDir>> {
        self.open.as_ref().map(|open| Rc::clone(&open.place))
    }

    /// What tells the directory from others.
    pub(super) fn identity(&self) -> Option<FileId> {
        Some(self.open.as_ref()?.place.directory.stat_self().ok()?.identity)
    }

    /// Tells whether it is worth saying that the directory cannot be opened: once for each reason.
    pub(super) fn complains_about(&mut self, errno: Errno) -> bool {
        self.complaint.replace(errno) != Some(errno)
    }

    /// Opens and watches the directory, unless it is one of those that are taken. Says why it must be looked at if it cannot
    /// be watched.
    pub(super) fn open(&mut self, notifier: Option<&Notifier>, taken: &[FileId]) -> Result<Result<()>> {
        use std::os::fd::{AsFd, AsRawFd};
        let directory = Dir::open(&self.path[..])?;
        if taken.contains(&directory.stat_self()?.identity) {
            return Err(Errno::EALREADY);
        }
        // By its descriptor: the path may have been given to another since.
        let by_descriptor = format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd());
        let watch =
            notifier.map(|notifier| notifier.watch(&by_descriptor[..]).or_else(|_| notifier.watch(&self.path[..])));
        let watched = watch.map_or(Ok(()), |watch| watch.map(drop));
        let place = LogDir { path: self.path.clone(), service: self.service.clone(), directory };
        self.complaint = None;
        self.open = Some(Open {
            place: Rc::new(place),
            watch: watch.and_then(Result::ok),
            seen: None,
            tracker: Tracker::new([], false),
            next: 1,
            last: None,
            events: 0,
            is_lost: false,
            has_lost_track: false,
            is_after_gap: false,
        });
        Ok(watched)
    }

    /// Looks whether names have changed in a directory that is not watched.
    pub(super) fn look(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| open.watch.is_none()) else { return };
        let directory = &open.place.directory;
        let current = directory.stat(CURRENT.as_bytes()).ok().flatten();
        let seen = Some((directory.changed(), current.map(|stat| stat.identity)));
        if open.seen != seen {
            open.seen = seen;
            self.lose_track();
        }
    }

    /// Closes the directory, and says what it was watched by.
    pub(super) fn leave(&mut self) -> Option<Watch> {
        self.open.take().and_then(|open| open.watch)
    }

    /// Tells whether a watch is this directory's.
    pub(super) fn is_watched_by(&self, watch: Watch) -> bool {
        self.open.as_ref().is_some_and(|open| open.watch == Some(watch))
    }

    /// How many events there were that concern names.
    pub(super) fn events(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.events)
    }

    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event) {
        let Some(open) = &mut self.open else { return };
        match event {
            Event::Changed(_) | Event::Itself => {}
            Event::Lost => open.is_lost = true,
            _ => {
                open.events += 1;
                open.tracker.note(event);
            }
        }
    }

    /// Looks whether the path still leads to the directory.
    pub(super) fn check_path(&mut self) {
        let Some(open) = &mut self.open else { return };
        let identity = |directory: &Dir| directory.stat_self().ok().map(|stat| stat.identity);
        open.is_lost |= match Dir::open(&self.path[..]) {
            Ok(now) => identity(&now) != identity(&open.place.directory),
            // Anything else, such as too many open files, says nothing about the directory.
            Err(errno) => matches!(errno, Errno::ENOENT | Errno::ENOTDIR),
        };
    }

    /// Events were lost.
    pub(super) fn lose_track(&mut self) {
        if let Some(open) = &mut self.open {
            open.has_lost_track = true;
            open.events += 1;
        }
    }

    /// The files that are there.
    pub(super) fn list(&self, common: &Common) -> Vec<LogFile> {
        let Some(open) = &self.open else { return Vec::new() };
        files::list(&open.place, &common.warnings).unwrap_or_else(|errno| {
            common.warnings.unable_to_read(&open.place.path, b".", errno);
            Vec::new()
        })
    }

    /// Begins to keep track, from files that stood still while they were listed.
    pub(super) fn track(&mut self, mut pieces: Vec<LogFile>) -> Vec<LogFile> {
        let Some(open) = &mut self.open else { return pieces };
        // What may be removed before its turn comes is held, as far as that goes.
        let archives = pieces.iter().filter(|piece| piece.held.is_none()).count();
        let mut is_short = false;
        for piece in pieces.iter_mut().filter(|piece| piece.held.is_none()).skip(archives.saturating_sub(HELD_MAX)) {
            match piece.open(&open.place.directory) {
                Ok(file) => piece.held = Some(file),
                // Descriptors are needed for reading: whatever is not held is opened when its turn comes.
                Err(Errno::EMFILE | Errno::ENFILE) => {
                    is_short = true;
                    break;
                }
                Err(_) => {}
            }
        }
        if is_short {
            pieces.iter_mut().filter(|piece| piece.label.is_some()).for_each(|piece| piece.held = None);
        }
        let is_current = |piece: &LogFile| piece.name == CURRENT.as_bytes();
        let is_one_waiting = pieces.iter().any(|piece| piece.label.is_none() && !is_current(piece));
        open.tracker = Tracker::new(pieces.iter().map(|piece| piece.name.clone()), is_one_waiting);
        open.has_lost_track = false;
        let current = pieces.iter().find(|piece| is_current(piece));
        open.last = current.and_then(|piece| piece.held.clone());
        open.next = if current.is_some() { open.tracker.generation() + 1 } else { open.tracker.generation() };
        pieces
    }

    /// The stream of what is there when following begins.
    pub(super) fn first_stream(
        &mut self,
        place: Rc<LogDir>,
        pieces: Vec<LogFile>,
        request: &Request,
        common: &Rc<Common>,
    ) -> Stream {
        let has_current = pieces.last().is_some_and(|piece| piece.name == CURRENT.as_bytes());
        let mut stream = match self.position.take() {
            Some(position) => position.resume(&place, pieces, common),
            None => {
                let spans = plan(&place, pieces, &request.filter.window, true, common);
                Stream::new(place, Rc::clone(common), spans)
            }
        };
        if has_current {
            stream.keep_last_live();
        }
        stream.set_endless(true);
        stream
    }

    /// Adds files to a stream that has none.
    pub(super) fn add(&mut self, pieces: Vec<LogFile>, stream: &mut Stream) {
        let has_current = pieces.last().is_some_and(|piece| piece.name == CURRENT.as_bytes());
        match self.position.take() {
            Some(position) => {
                stream.go_on_with(position.resume(&Rc::clone(&stream.place), pieces, &Rc::clone(stream.common())));
            }
            None => {
                for piece in pieces {
                    stream.push(Span::whole(Rc::new(piece)));
                }
            }
        }
        if has_current {
            stream.keep_last_live();
        }
        stream.set_endless(true);
    }

    /// Goes on after events were lost, from files that stood still while they were listed; `false` if what is held must be
    /// read first.
    pub(super) fn find_again(&mut self, pieces: Vec<LogFile>, stream: &mut Stream) -> bool {
        let last = self.open.as_ref().and_then(|open| open.last.as_ref()).and_then(|last| last.stat().ok());
        let current = pieces.last().filter(|piece| piece.name == CURRENT.as_bytes());
        let current = current.and_then(|piece| piece.held.as_ref()?.stat().ok());
        if current.is_some() && current.map(|stat| stat.identity) == last.map(|stat| stat.identity) {
            self.track(pieces);
            return true;
        }
        if stream.spans_left() > 0 {
            stream.seal();
            return false;
        }
        let pieces = self.track(pieces);
        match Position::of(stream) {
            Some(position) => {
                let found = position.resume(&Rc::clone(&stream.place), pieces, &Rc::clone(stream.common()));
                stream.go_on_with(found);
                if current.is_some() {
                    stream.keep_last_live();
                }
            }
            None => self.add(pieces, stream),
        }
        true
    }

    /// Says what is to be done next. A step that opens a file by a name that moves on is to be checked.
    pub(super) fn next_step(&mut self, stream: &mut Stream) -> Step {
        let Some(open) = &mut self.open else { return Step::Wait };
        if open.has_lost_track {
            return Step::FindAgain;
        }
        if open.is_lost {
            stream.seal();
            stream.set_endless(false);
            return if stream.spans_left() == 0 { Step::Leave } else { Step::Wait };
        }
        if open.next > open.tracker.generation() {
            return Step::Wait;
        }
        // Everything opened so far has ended.
        stream.seal();
        open.last = None;
        if stream.spans_left() >= HELD_MAX {
            return Step::Wait;
        }
        open.tracker.forget_before(open.next);
        let as_what = open.tracker.find(open.next);
        let name = match &as_what {
            Whereabouts::Current => CURRENT,
            Whereabouts::Waiting => PREVIOUS,
            Whereabouts::Gone => {
                open.next += 1;
                return Step::Skip;
            }
            Whereabouts::Archive(name) => {
                let name = name.clone();
                open.add_archive(name, stream);
                return Step::Skip;
            }
        };
        match open_plain(&open.place.directory, name.as_bytes()) {
            Ok(file) => Step::Check(Opened { generation: open.next, as_what, file }),
            // Not made yet, or in the hands of a processor; or it has just moved on, and that will be told.
            Err(_) => Step::Wait,
        }
    }

    /// Takes over a file that was opened by a name, if the name has not moved on.
    pub(super) fn confirm(&mut self, opened: Opened, stream: &mut Stream) {
        let Some(open) = &mut self.open else { return };
        if open.has_lost_track || open.tracker.find(opened.generation) != opened.as_what {
            return;
        }
        let is_current = opened.as_what == Whereabouts::Current;
        let piece = LogFile::held(if is_current { CURRENT } else { PREVIOUS }, opened.file);
        open.last = piece.held.clone().filter(|_| is_current);
        open.push(Span { is_live: is_current, ..Span::whole(Rc::new(piece)) }, stream);
    }

    /// Tells whether there is more to do than to wait.
    pub(super) fn has_more(&self, stream: &Stream) -> bool {
        let Some(open) = &self.open else { return false };
        open.has_lost_track
            || open.is_lost
            || (stream.spans_left() > 1)
            || (open.next <= open.tracker.generation()
                && matches!(open.tracker.find(open.next), Whereabouts::Archive(_) | Whereabouts::Gone))
    }

    /// Leaves out all but what will be written, and hands over what is left out, to be read from its end.
    pub(super) fn skip_to_end(&mut self, stream: &mut Stream, common: &Rc<Common>) -> Backward {
        let (place, spans) = stream.skip_to_end();
        Backward::new(place, Rc::clone(common), spans)
    }
}

impl Open {
    fn push(&mut self, span: Span, stream: &mut Stream) {
        stream.push(Span { is_after_gap: std::mem::take(&mut self.is_after_gap), ..span });
        self.next += 1;
    }

    /// Adds an archive, which is held from now on, or takes note that it is gone.
    fn add_archive(&mut self, name: Vec<u8>, stream: &mut Stream) {
        let Some(mut piece) = LogFile::archive(name) else {
            self.next += 1;
            return;
        };
        match piece.open(&self.place.directory).or_else(|errno| reopen_renamed(&self.place, &piece, errno)) {
            Ok(file) => {
                piece.held = Some(file);
                self.push(Span::whole(Rc::new(piece)), stream);
            }
            Err(Errno::ENOENT) => {
                self.is_after_gap = true;
                self.next += 1;
            }
            // Any other trouble is told when its turn comes.
            Err(_) => self.push(Span::whole(Rc::new(piece)), stream),
        }
    }
}
