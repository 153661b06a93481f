//! `-f`: readlog prints the lines of some directories, and then the lines that loggers write to them, until nobody reads its
//! output any more.
//!
//! inotify reports each change of a name, in order, and the [`tracker`] concludes where each file is that was once `current`.
//! readlog opens a file while it is `current`, if it can, and keeps it open. So it reads the file to its end, whatever its
//! name is by then, and even if it has been removed.
//!
//! - [`directory`]: a directory that is followed. [`open_dir`]: which of its files have been opened, and which comes next.
//! - [`tail`](crate::tail): where following begins with `-n`.
//! - A file is finished if its generation ended *before* its end was read: no writer appends to a file that is not `current`
//!   any more.
//! - A file that was opened under a name that moves on (`current`, `previous`) is accepted only if no event says afterwards
//!   that the name had moved on. The kernel queues the event of a rename before the call returns to the writer, so the file
//!   that was opened is the one that the tracker means.
//! - An archive that was removed before it could be opened is a gap, and a warning says so.
//! - If the queue of events overflows, readlog reads all open files to their ends and finds its position again as it does for
//!   a cursor: see [`resume`](crate::resume).
//! - If the system allows no more watches, readlog polls the directories, and treats a change as an overflow.

mod directory;
mod open_dir;
mod tracker;

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::arguments::Request;
use crate::context::Context;
use crate::error::Error;
use crate::follow::directory::Directory;
use crate::follow::open_dir::Action;
use crate::hosts::announcement::announce_caught_up;
use crate::log_dir::tell_apart;
use crate::merge::Merge;
use crate::output::Writer;
use crate::sources::Source;
use crate::stream::Stream;
use logyard::cli::{Shown, cause};
use logyard::sys::inotify::{Event, Notification, Notifier, Watch};
use logyard::sys::signal::{self, Signal};
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result, fd, poll};

/// The exit code of a reader that was interrupted, as a shell has it.
pub(super) const INTERRUPTED: i32 = 130;

/// How often directories that cannot be watched are polled.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What is followed.
#[derive(Debug)]
struct Follow<'r> {
    request: &'r Request,
    sources: &'r [Source],
    context: Rc<Context>,
    /// `None` if the system allows no inotify instance.
    notifier: Option<Notifier>,
    directories: Vec<Directory>,
    /// The watches of the directories above: there a directory that is followed appears and disappears.
    ancestors: Vec<Watch>,
    /// Whether a directory may have appeared.
    may_have_come: bool,
    /// Whether something cannot be watched, so that directories are polled.
    polls: bool,
}

/// Prints all lines, and those that are written from then on, until nobody reads the output any more.
pub(super) fn follow(
    request: &Request,
    sources: &[Source],
    context: &Rc<Context>,
    writer: &mut Writer,
) -> std::result::Result<(), Error> {
    signal::exit_on(Signal::SIGINT, INTERRUPTED).map_err(Error::Follow)?;
    let notifier = Notifier::new();
    let paths: Vec<Vec<u8>> = sources.iter().map(|source| source.directory.clone()).collect();
    let directory = |(source, service): (&Source, Vec<u8>)| {
        let position = writer.position(&source.directory).cloned();
        Directory::new(&source.directory, service, position, source.is_optional)
    };
    let directories = sources.iter().zip(tell_apart(&paths)).map(directory).collect();
    let mut follow = Follow {
        request,
        sources,
        context: Rc::clone(context),
        notifier: None,
        directories,
        ancestors: Vec::new(),
        may_have_come: true,
        polls: false,
    };
    match notifier {
        Ok(notifier) => follow.notifier = Some(notifier),
        Err(errno) => follow.poll_instead(errno),
    }
    follow.run(writer)
}

impl Follow<'_> {
    fn run(&mut self, writer: &mut Writer) -> std::result::Result<(), Error> {
        let mut merge = Merge::new(Vec::new(), self.request.read_filter());
        for i in 0..self.directories.len() {
            let stream = self.begin(i).map_err(Error::Follow)?;
            merge.streams.push(stream);
        }
        self.print_last_lines(writer, &mut merge)?;
        let is_pipe = fd::pipe_size(fd::stdout()).is_ok();
        let mut is_to_announce = self.request.announces;
        loop {
            self.catch_up(&mut merge).map_err(Error::Follow)?;
            writer.print_merge(&mut merge)?;
            // First the events that came while printing. poll does not wait as long as there are any in the queue.
            if self.has_more(&merge) {
                continue;
            }
            if std::mem::take(&mut is_to_announce) {
                announce_caught_up(self.context.announcements, writer.written_bytes());
            }
            if self.wait(is_pipe).map_err(Error::Follow)? {
                return Err(Error::Output(Errno::EPIPE));
            }
        }
    }

    /// Waits until something happens, or until it is time to poll; `true` if nobody reads the output any more.
    fn wait(&mut self, is_pipe: bool) -> Result<bool> {
        let timeout = self.polls.then_some(POLL_INTERVAL);
        // A pipe is "readable" at its writing end when its reader has gone.
        // At the other end of ssh, the end of the input says so too.
        let input = self.request.announces.then(fd::stdin);
        let sources = [self.notifier.as_ref().map(AsFd::as_fd), is_pipe.then(fd::stdout), input];
        let is_gone = match (sources, timeout) {
            ([None, None, None], Some(timeout)) => {
                std::thread::sleep(timeout);
                false
            }
            _ => {
                let [_, output, input] = poll::readable_among(sources, timeout)?;
                output || input
            }
        };
        if self.polls {
            self.may_have_come = true;
            self.directories.iter_mut().for_each(Directory::poll);
        }
        Ok(is_gone)
    }

    /// Polls from now on, because something cannot be watched. Warns once.
    fn poll_instead(&mut self, errno: Errno) {
        if std::mem::replace(&mut self.polls, true) {
            return;
        }
        let why = match errno {
            Errno::EMFILE => "no more inotify instances are allowed (fs.inotify.max_user_instances)",
            Errno::ENOSPC => "no more inotify watches are allowed (fs.inotify.max_user_watches)",
            errno => cause(errno),
        };
        self.context
            .warnings
            .announce(format_args!("unable to watch directories, checking them twice a second: {why}"));
    }

    /// The stream of a directory; an empty one if the directory cannot be opened.
    fn begin(&mut self, i: usize) -> Result<Stream> {
        match self.open(i)? {
            Some(files) => {
                let log_dir = self.directories[i].log_dir().expect("it has just been opened");
                let (request, context) = (self.request, Rc::clone(&self.context));
                Ok(self.directories[i].first_stream(log_dir, files, request, &context))
            }
            None => Stream::nowhere(self.directories[i].path(), Rc::clone(&self.context)),
        }
    }

    /// Opens a directory. If that fails, watches for it to appear.
    fn open(&mut self, i: usize) -> Result<Option<Vec<crate::files::LogFile>>> {
        loop {
            let taken: Vec<FileId> = self.directories.iter().filter_map(Directory::identity).collect();
            match self.directories[i].open(self.notifier.as_ref(), &taken) {
                Ok(watched) => {
                    if let Err(errno) = watched {
                        self.poll_instead(errno);
                    }
                    self.watch_ancestor(i);
                    break;
                }
                Err(errno) => {
                    if self.directories[i].is_new_failure(errno) {
                        let path = Shown(&self.sources[i].directory);
                        self.context.warnings.announce(format_args!(
                            "unable to open directory {path}: {}, waiting for it",
                            cause(errno)
                        ));
                    }
                    // The second attempt finds a directory that appeared before the watch began.
                    if !self.watch_ancestor(i) {
                        return Ok(None);
                    }
                }
            }
        }
        // The names are read until no event comes meanwhile.
        for _ in 0..1000 {
            self.drain()?;
            let files = self.directories[i].list(&self.context);
            if !self.drain_for(i)? {
                return Ok(Some(self.directories[i].track(files)));
            }
        }
        let files = self.directories[i].list(&self.context);
        Ok(Some(self.directories[i].track(files)))
    }

    /// Watches the nearest existing directory above; `false` if it was watched already. The system does not report that a
    /// directory was removed as long as it is open, but it reports that its name has gone from the one above.
    fn watch_ancestor(&mut self, i: usize) -> bool {
        let path = PathBuf::from(OsStr::from_bytes(&self.sources[i].directory));
        let path = std::path::absolute(&path).unwrap_or(path);
        let Some(notifier) = &self.notifier else { return false };
        let watch = path.ancestors().skip(1).find_map(|ancestor| match notifier.watch_names(ancestor) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => None,
            answer => Some(answer),
        });
        let watch = match watch {
            Some(Ok(watch)) => watch,
            Some(Err(errno)) => {
                self.poll_instead(errno);
                return false;
            }
            None => return false,
        };
        let is_new = !self.ancestors.contains(&watch);
        if is_new {
            self.ancestors.push(watch);
        }
        is_new
    }

    /// Takes all events, and passes each to the directory that it concerns.
    fn drain(&mut self) -> Result<()> {
        let Some(notifier) = &self.notifier else { return Ok(()) };
        for notifications in notifier.take()? {
            match notifications {
                Notification::Overflow => {
                    self.may_have_come = true;
                    self.directories.iter_mut().for_each(Directory::lose_track);
                }
                // Of a directory that is no longer watched.
                Notification::Of(_, Event::Itself) => {}
                Notification::Of(watch, event) => {
                    self.may_have_come |= self.ancestors.contains(&watch);
                    if let Some(directory) =
                        self.directories.iter_mut().find(|directory| directory.is_watched_by(watch))
                    {
                        directory.note(&event);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes all events, and tells whether any of them concerns names in a directory.
    fn drain_for(&mut self, i: usize) -> Result<bool> {
        let before = self.directories[i].events();
        self.drain()?;
        Ok(self.directories[i].events() != before)
    }

    /// Opens the next files of each directory, as far as they can be opened.
    fn catch_up(&mut self, merge: &mut Merge) -> Result<()> {
        self.drain()?;
        if self.may_have_come {
            self.directories.iter_mut().for_each(Directory::check_path);
        }
        for i in 0..self.directories.len() {
            while self.act(i, &mut merge.streams[i])? {}
        }
        if std::mem::take(&mut self.may_have_come) {
            for i in 0..self.directories.len() {
                if self.directories[i].log_dir().is_none() && merge.streams[i].files.spans_left() == 0 {
                    self.reopen(i, merge)?;
                }
            }
        }
        Ok(())
    }

    fn reopen(&mut self, i: usize, merge: &mut Merge) -> Result<()> {
        let Some(files) = self.open(i)? else { return Ok(()) };
        let log_dir = self.directories[i].log_dir().expect("it has just been opened");
        let stream = &mut merge.streams[i];
        stream.move_to(log_dir);
        self.directories[i].add(files, stream);
        Ok(())
    }

    /// Does one thing on the way to the file that is `current` now; `false` if there is nothing to do (now).
    fn act(&mut self, i: usize, stream: &mut Stream) -> Result<bool> {
        match self.directories[i].next_action(stream) {
            Action::Wait => Ok(false),
            Action::AskAgain => Ok(true),
            Action::Close => {
                if let (Some(watch), Some(notifier)) = (self.directories[i].close(), &self.notifier) {
                    notifier.forget(watch);
                }
                self.may_have_come = true;
                Ok(true)
            }
            Action::Relocate => self.relocate(i, stream),
            Action::Check(opened) => {
                // Events that are waiting say whether the name has moved on.
                self.drain()?;
                self.directories[i].confirm(opened, stream);
                Ok(true)
            }
        }
    }

    /// Continues after events were lost; `false` if the open files must be read first.
    fn relocate(&mut self, i: usize, stream: &mut Stream) -> Result<bool> {
        for _ in 0..1000 {
            self.drain()?;
            let files = self.directories[i].list(&self.context);
            if !self.drain_for(i)? {
                return Ok(self.directories[i].relocate(files, stream));
            }
        }
        Ok(false)
    }

    fn has_more(&self, merge: &Merge) -> bool {
        self.directories.iter().zip(&merge.streams).any(|(directory, stream)| directory.has_more(stream))
            || (self.may_have_come && self.directories.iter().any(|directory| directory.log_dir().is_none()))
    }

    /// With `-n`: prints the last lines of the files, unless a cursor says where to begin.
    fn print_last_lines(&mut self, writer: &mut Writer, merge: &mut Merge) -> std::result::Result<(), Error> {
        let Some(lines) = self.request.lines_max else { return Ok(()) };
        if !writer.is_first_run() {
            return Ok(());
        }
        let mut sources = Vec::new();
        for (directory, stream) in self.directories.iter_mut().zip(&mut merge.streams) {
            sources.push(directory.skip_to_end(stream, &self.context));
        }
        crate::last_lines::print_last(self.request, writer, sources, lines)
    }
}
