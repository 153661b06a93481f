//! Following: what is in some directories, and then what is written to them, for as long as anybody reads.
//!
//! Nothing is asked for twice: inotify tells what happens to each name, in order, and the [`Tracker`] makes of it where
//! each file has gone that was once `current`. A file is opened while it is `current` where that is possible, and held,
//! and so it is read to its end under whatever name, or none.
//!
//! - A file is known to be finished when its generation has ended *before* its end was read: no writer appends to a file
//!   that is `current` no more.
//! - A file that was opened by a name that moves on (`current`, `previous`) counts as opened only if no event says
//!   afterwards that the name had moved on. A rename is told before whoever renamed can make its next call, so the file
//!   that was opened is the one that the tracker means.
//! - An archive that was removed before it could be opened is a gap, and is told.
//! - When the queue of events overflows, everything that is held is read, and the place is found again as it is for a
//!   cursor: see [`locate`](crate::resume).
//! - Where the system allows no more watches, directories are looked at from time to time instead, and whatever has
//!   changed in one is found as after an overflow.

mod directory;
mod tracker;

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::arguments::Request;
use crate::follow::directory::Directory;
use crate::log_dir::tell_apart;
use crate::merge::Merge;
use crate::output::Writer;
use crate::stop::Stop;
use crate::stream::{Common, Stream};
use crate::warnings::PROGRAM;
use logyard::cli::{Shown, cause};
use logyard::sys::inotify::{Event, Notification, Notifier, Watch};
use logyard::sys::signal::{self, Signal};
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result, fd, poll};

/// The exit code of a reader that was interrupted, as a shell has it.
const INTERRUPTED: i32 = 130;

/// How often directories are looked at that cannot be watched.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What is followed.
#[derive(Debug)]
struct Follow<'r> {
    request: &'r Request,
    common: Rc<Common>,
    /// None where the system has none for this process.
    notifier: Option<Notifier>,
    directories: Vec<Directory>,
    /// Directories in which one may appear that is not there, and disappear that is.
    ancestors: Vec<Watch>,
    /// Whether something may have appeared.
    may_have_come: bool,
    /// Whether not everything can be watched, so that it must be looked at.
    looks: bool,
}

/// Prints what is there and what comes, until nobody reads it any more.
pub(super) fn follow(request: &Request, common: &Rc<Common>, writer: &mut Writer) -> std::result::Result<(), Stop> {
    signal::leave_on(Signal::SIGINT, INTERRUPTED).map_err(Stop::Follow)?;
    let notifier = Notifier::new();
    let services = tell_apart(&request.directories);
    let directory =
        |(path, service): (&Vec<u8>, Vec<u8>)| Directory::new(path, service, writer.position(path).cloned());
    let directories = request.directories.iter().zip(services).map(directory).collect();
    let mut follow = Follow {
        request,
        common: Rc::clone(common),
        notifier: None,
        directories,
        ancestors: Vec::new(),
        may_have_come: true,
        looks: false,
    };
    match notifier {
        Ok(notifier) => follow.notifier = Some(notifier),
        Err(errno) => follow.look_instead(errno),
    }
    follow.run(writer)
}

impl Follow<'_> {
    fn run(&mut self, writer: &mut Writer) -> std::result::Result<(), Stop> {
        // What a directory that is not there will be read as.
        let mut merge = Merge::new(Vec::new(), self.request.filter.clone());
        for i in 0..self.directories.len() {
            let stream = self.begin(i).map_err(Stop::Follow)?;
            merge.streams.push(stream);
        }
        self.print_last_lines(writer, &mut merge)?;
        let is_pipe = fd::pipe_size(fd::stdout()).is_ok();
        loop {
            self.catch_up(&mut merge).map_err(Stop::Follow)?;
            writer.print_merge(&mut merge)?;
            // What has come while printing is dealt with before waiting; the queue is awake as long as it is not empty.
            if self.has_more(&merge) {
                continue;
            }
            if self.wait(is_pipe).map_err(Stop::Follow)? {
                return Err(Stop::Output(Errno::EPIPE));
            }
        }
    }

    /// Waits until something happens, or until it is time to look; `true` if nobody reads the output any more.
    fn wait(&mut self, is_pipe: bool) -> Result<bool> {
        let timeout = self.looks.then_some(LOOK_INTERVAL);
        // A pipe is "readable" at its writing end when its reader has gone.
        let sources = [self.notifier.as_ref().map(AsFd::as_fd), is_pipe.then(fd::stdout)];
        let is_gone = match (sources, timeout) {
            ([None, None], Some(timeout)) => {
                std::thread::sleep(timeout);
                false
            }
            _ => poll::readable_among(sources, timeout)?[1],
        };
        if self.looks {
            self.may_have_come = true;
            self.directories.iter_mut().for_each(Directory::look);
        }
        Ok(is_gone)
    }

    /// Takes note that something cannot be watched, and says so once.
    fn look_instead(&mut self, errno: Errno) {
        if std::mem::replace(&mut self.looks, true) {
            return;
        }
        let why = match errno {
            Errno::EMFILE => "no more inotify instances are allowed (fs.inotify.max_user_instances)",
            Errno::ENOSPC => "no more inotify watches are allowed (fs.inotify.max_user_watches)",
            errno => cause(errno),
        };
        PROGRAM.warn(format_args!("unable to watch directories, looking at them twice a second: {why}"));
    }

    /// Opens a directory, or makes an empty stream in its place.
    fn begin(&mut self, i: usize) -> Result<Stream> {
        match self.open(i)? {
            Some(pieces) => {
                let place = self.directories[i].place().expect("it has just been opened");
                let (request, common) = (self.request, Rc::clone(&self.common));
                Ok(self.directories[i].first_stream(place, pieces, request, &common))
            }
            None => Stream::nowhere(self.directories[i].path(), Rc::clone(&self.common)),
        }
    }

    /// Opens a directory that has come, or watches for it.
    fn open(&mut self, i: usize) -> Result<Option<Vec<crate::files::LogFile>>> {
        loop {
            let taken: Vec<FileId> = self.directories.iter().filter_map(Directory::identity).collect();
            match self.directories[i].open(self.notifier.as_ref(), &taken) {
                Ok(watched) => {
                    if let Err(errno) = watched {
                        self.look_instead(errno);
                    }
                    self.watch_ancestor(i);
                    break;
                }
                Err(errno) => {
                    if self.directories[i].complains_about(errno) {
                        let path = Shown(&self.request.directories[i]);
                        PROGRAM.warn(format_args!("unable to open directory {path}: {}, waiting for it", cause(errno)));
                    }
                    // What has come between is seen at the second look.
                    if !self.watch_ancestor(i) {
                        return Ok(None);
                    }
                }
            }
        }
        // Names are read until nothing happens to them meanwhile.
        for _ in 0..1000 {
            self.drain()?;
            let pieces = self.directories[i].list(&self.common);
            if !self.drain_for(i)? {
                return Ok(Some(self.directories[i].track(pieces)));
            }
        }
        let pieces = self.directories[i].list(&self.common);
        Ok(Some(self.directories[i].track(pieces)))
    }

    /// Watches the nearest directory above one that is there, or is not; `false` if that was watched already. A directory
    /// that is held open does not tell that it was removed, but the one above it does.
    fn watch_ancestor(&mut self, i: usize) -> bool {
        let path = PathBuf::from(OsStr::from_bytes(&self.request.directories[i]));
        let path = std::path::absolute(&path).unwrap_or(path);
        let Some(notifier) = &self.notifier else { return false };
        let watch = path.ancestors().skip(1).find_map(|ancestor| match notifier.watch_names(ancestor) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => None,
            answer => Some(answer),
        });
        let watch = match watch {
            Some(Ok(watch)) => watch,
            Some(Err(errno)) => {
                self.look_instead(errno);
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

    /// Takes what has happened, and hands it to the directories it happened in.
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

    /// Takes what has happened, and tells whether it concerns names in a directory.
    fn drain_for(&mut self, i: usize) -> Result<bool> {
        let before = self.directories[i].events();
        self.drain()?;
        Ok(self.directories[i].events() != before)
    }

    /// Opens what can be opened of what comes next in each directory.
    fn catch_up(&mut self, merge: &mut Merge) -> Result<()> {
        self.drain()?;
        if self.may_have_come {
            self.directories.iter_mut().for_each(Directory::check_path);
        }
        for i in 0..self.directories.len() {
            while self.take_step(i, &mut merge.streams[i])? {}
        }
        if std::mem::take(&mut self.may_have_come) {
            for i in 0..self.directories.len() {
                if self.directories[i].place().is_none() && merge.streams[i].spans_left() == 0 {
                    self.reopen(i, merge)?;
                }
            }
        }
        Ok(())
    }

    fn reopen(&mut self, i: usize, merge: &mut Merge) -> Result<()> {
        let Some(pieces) = self.open(i)? else { return Ok(()) };
        let place = self.directories[i].place().expect("it has just been opened");
        let stream = &mut merge.streams[i];
        stream.move_to(place);
        self.directories[i].add(pieces, stream);
        Ok(())
    }

    /// Takes a step towards what is `current` now; `false` if there is none to take (now).
    fn take_step(&mut self, i: usize, stream: &mut Stream) -> Result<bool> {
        let step = self.directories[i].next_step(stream);
        match step {
            directory::Step::Wait => Ok(false),
            directory::Step::Skip => Ok(true),
            directory::Step::Leave => {
                if let (Some(watch), Some(notifier)) = (self.directories[i].leave(), &self.notifier) {
                    notifier.forget(watch);
                }
                self.may_have_come = true;
                Ok(true)
            }
            directory::Step::FindAgain => self.find_again(i, stream),
            directory::Step::Check(opened) => {
                // Does the name still stand for what it stood for?
                self.drain()?;
                self.directories[i].confirm(opened, stream);
                Ok(true)
            }
        }
    }

    /// Finds the place again after events were lost; `false` if what is held must be read first.
    fn find_again(&mut self, i: usize, stream: &mut Stream) -> Result<bool> {
        for _ in 0..1000 {
            self.drain()?;
            let pieces = self.directories[i].list(&self.common);
            if !self.drain_for(i)? {
                return Ok(self.directories[i].find_again(pieces, stream));
            }
        }
        Ok(false)
    }

    fn has_more(&self, merge: &Merge) -> bool {
        self.directories.iter().zip(&merge.streams).any(|(directory, stream)| directory.has_more(stream))
            || (self.may_have_come && self.directories.iter().any(|directory| directory.place().is_none()))
    }

    /// With `-n`: the last lines of what is there.
    fn print_last_lines(&mut self, writer: &mut Writer, merge: &mut Merge) -> std::result::Result<(), Stop> {
        let Some(lines) = self.request.lines_max else { return Ok(()) };
        let mut sources = Vec::new();
        for (directory, stream) in self.directories.iter_mut().zip(&mut merge.streams) {
            sources.push(directory.skip_to_end(stream, &self.common));
        }
        crate::last_lines::print_last(self.request, writer, sources, lines)
    }
}
