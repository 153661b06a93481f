//! A directory that is followed: its path, and the open directory if there is one.

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use crate::arguments::Request;
use crate::backward::Backward;
use crate::context::Context;
use crate::files::{self, Listing, LogFile};
use crate::follow::open_dir::{Action, OpenDir, Opened};
use crate::log_dir::LogDir;
use crate::ranges::{LastFile, Probe, plan};
use crate::resume::Position;
use crate::stream::{Span, Stream};
use crate::tail::{SplitSpans, last_label, split_behind_last_line};
use logyard::logdir::names::CURRENT;
use logyard::sys::dir::Dir;
use logyard::sys::inotify::{Event, Notifier, Watch};
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result};

/// A directory that is followed.
#[derive(Debug)]
pub(super) struct Directory {
    path: Vec<u8>,
    service: Vec<u8>,
    open: Option<OpenDir>,
    /// Why the directory could not be opened, if no message is to say so again.
    last_failure: Option<Errno>,
    /// Where an earlier run stopped.
    position: Option<Position>,
}

impl Directory {
    /// A directory that has not been opened. If it is optional, no message says that it does not exist yet.
    pub(super) fn new(path: &[u8], service: Vec<u8>, position: Option<Position>, is_optional: bool) -> Directory {
        let last_failure = is_optional.then_some(Errno::ENOENT);
        Directory { path: path.to_vec(), service, open: None, last_failure, position }
    }

    /// The path.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The directory, if it is open.
    pub(super) fn log_dir(&self) -> Option<Rc<LogDir>> {
        self.open.as_ref().map(|open| Rc::clone(&open.log_dir))
    }

    /// What distinguishes the directory from others.
    pub(super) fn identity(&self) -> Option<FileId> {
        Some(self.open.as_ref()?.log_dir.dir.stat_self().ok()?.identity)
    }

    /// Tells whether a message should say that the directory cannot be opened: once for each reason.
    pub(super) fn is_new_failure(&mut self, errno: Errno) -> bool {
        self.last_failure.replace(errno) != Some(errno)
    }

    /// Opens and watches the directory, unless it is one of those that are `taken`. Returns why it must be polled if it
    /// cannot be watched.
    pub(super) fn open(&mut self, notifier: Option<&Notifier>, taken: &[FileId]) -> Result<Result<()>> {
        let dir = Dir::open(&self.path[..])?;
        if taken.contains(&dir.stat_self()?.identity) {
            return Err(Errno::EALREADY);
        }
        // By its descriptor: the path may lead to another directory by now.
        let by_descriptor = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
        let watch =
            notifier.map(|notifier| notifier.watch(&by_descriptor[..]).or_else(|_| notifier.watch(&self.path[..])));
        let watched = watch.map_or(Ok(()), |watch| watch.map(drop));
        let log_dir = LogDir { path: self.path.clone(), service: self.service.clone(), dir, only: None };
        self.last_failure = None;
        self.open = Some(OpenDir::new(log_dir, watch.and_then(Result::ok)));
        Ok(watched)
    }

    /// Checks whether names have changed in a directory that is not watched.
    pub(super) fn poll(&mut self) {
        if let Some(open) = &mut self.open {
            open.poll();
        }
    }

    /// Closes the directory, and returns its watch.
    pub(super) fn close(&mut self) -> Option<Watch> {
        self.open.take().and_then(|open| open.watch)
    }

    /// Tells whether a watch is this directory's.
    pub(super) fn is_watched_by(&self, watch: Watch) -> bool {
        self.open.as_ref().is_some_and(|open| open.watch == Some(watch))
    }

    /// How many events concerned names.
    pub(super) fn events(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.events)
    }

    /// Notes an event.
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(open) = &mut self.open {
            open.note(event);
        }
    }

    /// Notes that events were lost.
    pub(super) fn lose_track(&mut self) {
        if let Some(open) = &mut self.open {
            open.lose_track();
        }
    }

    /// Checks whether the path still leads to the directory.
    pub(super) fn check_path(&mut self) {
        let Some(open) = &mut self.open else { return };
        let identity = |dir: &Dir| dir.stat_self().ok().map(|stat| stat.identity);
        open.is_gone |= match Dir::open(&self.path[..]) {
            Ok(now) => identity(&now) != identity(&open.log_dir.dir),
            // Any other failure, such as too many open files, says nothing about the directory.
            Err(errno) => matches!(errno, Errno::ENOENT | Errno::ENOTDIR),
        };
    }

    /// The files in the directory.
    pub(super) fn list(&self, context: &Context) -> Vec<LogFile> {
        let Some(open) = &self.open else { return Vec::new() };
        files::list(&open.log_dir, &context.warnings).unwrap_or_else(|errno| {
            context.warnings.unable_to_read(&open.log_dir.path, b".", errno);
            Vec::new()
        })
    }

    /// Begins to keep track, with files that did not change while they were listed.
    pub(super) fn track(&mut self, mut files: Vec<LogFile>) -> Vec<LogFile> {
        if let Some(open) = &mut self.open {
            open.track(&mut files);
        }
        files
    }

    /// The stream with which following begins.
    pub(super) fn first_stream(
        &mut self,
        log_dir: Rc<LogDir>,
        files: Vec<LogFile>,
        request: &Request,
        context: &Rc<Context>,
    ) -> Stream {
        let has_current = files.last().is_some_and(is_current);
        let mut stream = match self.position.take() {
            Some(position) => position.resume(&log_dir, files, context),
            None => {
                let listing = Listing { files, is_part: false };
                let spans = plan(Probe::new(&log_dir, context), listing, &request.filter.window, LastFile::ToEnd);
                Stream::new(log_dir, Rc::clone(context), spans)
            }
        };
        if has_current {
            stream.files.keep_last_live();
        }
        stream.files.set_endless(true);
        stream
    }

    /// Adds files to a stream that has none.
    pub(super) fn add(&mut self, files: Vec<LogFile>, stream: &mut Stream) {
        let has_current = files.last().is_some_and(is_current);
        match self.position.take() {
            Some(position) => append_behind(&position, files, stream),
            None => {
                for log_file in files {
                    stream.files.push(Span::whole(Rc::new(log_file)));
                }
            }
        }
        if has_current {
            stream.files.keep_last_live();
        }
        stream.files.set_endless(true);
    }

    /// Continues after events were lost, with files that did not change while they were listed; `false` if the open files
    /// must be read first.
    pub(super) fn relocate(&mut self, files: Vec<LogFile>, stream: &mut Stream) -> bool {
        let current = files.last().filter(|last| is_current(last)).and_then(|last| last.held.clone());
        if self.open.as_ref().is_some_and(|open| open.is_last(current.as_ref())) {
            self.track(files);
            return true;
        }
        if stream.files.spans_left() > 0 {
            stream.files.seal();
            return false;
        }
        let files = self.track(files);
        match Position::of(stream) {
            Some(position) => {
                append_behind(&position, files, stream);
                if current.is_some() {
                    stream.files.keep_last_live();
                }
            }
            None => self.add(files, stream),
        }
        true
    }

    /// Says what to do next.
    pub(super) fn next_action(&mut self, stream: &mut Stream) -> Action {
        self.open.as_mut().map_or(Action::Wait, |open| open.next_action(stream))
    }

    /// Accepts a file that was opened under a name, if the name has not moved on.
    pub(super) fn confirm(&mut self, opened: Opened, stream: &mut Stream) {
        if let Some(open) = &mut self.open {
            open.confirm(opened, stream);
        }
    }

    /// Tells whether there is more to do than to wait.
    pub(super) fn has_more(&self, stream: &Stream) -> bool {
        self.open.as_ref().is_some_and(|open| open.has_more(stream))
    }

    /// Skips the lines that are in the files. Returns them, to be read from their end.
    pub(super) fn skip_to_end(&mut self, stream: &mut Stream, context: &Rc<Context>) -> Backward {
        let log_dir = Rc::clone(&stream.files.log_dir);
        let SplitSpans { before, behind } = split_behind_last_line(&log_dir, stream.files.take_spans(), context);
        behind.into_iter().for_each(|span| stream.files.push(span));
        // A cursor finds its place by this label if the file is gone.
        stream.resume_after(last_label(&log_dir, &before, context));
        Backward::new(log_dir, Rc::clone(context), before)
    }
}

fn is_current(log_file: &LogFile) -> bool {
    log_file.name == CURRENT.as_bytes()
}

/// Adds what comes behind a position to a stream that has no files.
fn append_behind(position: &Position, files: Vec<LogFile>, stream: &mut Stream) {
    let found = position.resume(&Rc::clone(&stream.files.log_dir), files, &Rc::clone(stream.context()));
    stream.append(found);
}
