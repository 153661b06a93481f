//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use logyard::cli::{Exit, Program, cause, message};
use logyard::sys::process::pidfd;
use logyard::sys::program::Arguments;
use logyard::sys::signal::{self, Signal};
use logyard::sys::{Errno, fd, limit, terminal as descriptor};
use ratatui::crossterm::event::KeyEvent;

use crate::app::{App, Mode, Notice, Reaction};
use crate::arguments::{self, Parsed, Request};
use crate::event::{self, Event};
use crate::follow::Follow;
use crate::order::Order;
use crate::services::Services;
use crate::terminal::{self, Terminal};
use crate::{guardian, input, screen};

/// The name in messages.
const PROGRAM: Program = Program("svtop");
/// How soon after a command its effect is looked for.
const SOON: Duration = Duration::from_millis(300);
/// A log that is followed is drawn so often at most.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(50);

/// Runs `svtop`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    let words = arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_os_string());
    let request = match arguments::parse(words.collect::<Vec<OsString>>()) {
        Parsed::Text(text) => return print(&text),
        Parsed::Usage(problem) => {
            message::say(format_args!("svtop: {problem}\n"));
            return PROGRAM.usage("svtop [options] [dir] (svtop --help tells more)");
        }
        Parsed::Request(request) => request,
    };
    if !descriptor::is_terminal(fd::stdin()) || !descriptor::is_terminal(fd::stdout()) {
        message::say(format_args!("svtop: standard input and standard output must be a terminal\n"));
        return PROGRAM.usage("svtop [options] [dir] (svtop --help tells more)");
    }
    // A supervisor may exit between the opening and the writing.
    if let Err(errno) = signal::ignore(Signal::SIGPIPE) {
        return PROGRAM.fatal(format_args!("unable to ignore SIGPIPE: {}", cause(errno)));
    }
    // If the limit cannot be raised, services that cannot be opened are shown with that error.
    let _ = limit::raise_descriptors();
    let (sender, events) = event::queue();
    if let Err(errno) = guardian::start(sender.clone()) {
        return PROGRAM.fatal(format_args!("unable to wait for signals: {}", cause(errno)));
    }
    let answer = Terminal::take().and_then(|terminal| {
        input::start(sender.clone());
        let mut view = View::new(request, terminal, sender, events);
        let answer = view.show();
        view.terminal.give_back();
        answer
    });
    answer.unwrap_or_else(|error| {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        PROGRAM.fatal(format_args!("unable to use the terminal: {}", cause(errno)))
    })
}

fn print(text: &[u8]) -> Exit {
    match fd::write_all(fd::stdout(), text) {
        Ok(()) => Exit::OK,
        Err(errno) => PROGRAM.fatal(format_args!("unable to write output: {}", cause(errno))),
    }
}

/// The loop and what it works with.
struct View {
    app: App,
    interval: Duration,
    terminal: Terminal,
    /// For the threads that read logs.
    sender: SyncSender<Event>,
    events: Receiver<Event>,
    next_look: Instant,
    /// How many logs were followed.
    followed: u64,
}

impl View {
    fn new(request: Request, terminal: Terminal, sender: SyncSender<Event>, events: Receiver<Event>) -> View {
        let order = Order { column: request.column, is_reversed: false, filter: request.filter, only_problems: false };
        View {
            app: App::new(Services::new(request.directory), order),
            interval: request.interval,
            terminal,
            sender,
            events,
            next_look: Instant::now(),
            followed: 0,
        }
    }

    fn show(&mut self) -> io::Result<Exit> {
        let mut drawn_at = Instant::now();
        let mut is_drawn = false;
        loop {
            let now = Instant::now();
            if now >= self.next_look {
                self.app.look(now);
                // After a look that took long, the next one is not at once.
                self.next_look = (self.next_look + self.interval).max(Instant::now() + self.interval / 2);
                is_drawn = false;
            } else if self.app.services.next_due.is_some_and(|due| now >= due) {
                self.app.look_at_due(now);
                is_drawn = false;
            }
            let next_look = self.app.services.next_due.map_or(self.next_look, |due| due.min(self.next_look));
            let is_log = matches!(self.app.mode, Mode::Follow(_));
            let next_drawing = drawn_at + if is_log { BETWEEN_DRAWINGS } else { Duration::ZERO };
            if !is_drawn && now >= next_drawing {
                let app = &mut self.app;
                self.terminal.draw(|frame| screen::draw(frame, app))?;
                (is_drawn, drawn_at) = (true, Instant::now());
            }
            let wake = if is_drawn { next_look } else { next_look.min(next_drawing) };
            match self.events.recv_timeout(wake.saturating_duration_since(Instant::now())) {
                Ok(Event::Exit(exit)) => return Ok(exit),
                Ok(Event::Key(key)) => {
                    if let Some(exit) = self.obey(key)? {
                        return Ok(exit);
                    }
                    // A key is answered at once.
                    drawn_at -= BETWEEN_DRAWINGS;
                }
                Ok(Event::Continued) => self.terminal.take_again()?,
                Ok(Event::Resized) => {}
                Ok(Event::Lines(number, lines)) => self.with_log(number, |follow| follow.add(lines)),
                Ok(Event::LinesEnded(number)) => self.with_log(number, |follow| follow.has_ended = true),
                Err(RecvTimeoutError::Timeout) => continue,
                // The guardian holds a sender.
                Err(RecvTimeoutError::Disconnected) => return Ok(Exit::TROUBLE),
            }
            is_drawn = false;
        }
    }

    /// Works on the log that is followed, if it is still this one.
    fn with_log(&mut self, number: u64, work: impl FnOnce(&mut Follow)) {
        if let Mode::Follow(follow) = &mut self.app.mode
            && follow.number == number
        {
            work(follow);
        }
    }

    /// Obeys a key. The answer is the code to exit with, if that is what it asks for.
    fn obey(&mut self, key: KeyEvent) -> io::Result<Option<Exit>> {
        match self.app.key(key) {
            Reaction::Draw => {}
            Reaction::DrawAll => self.terminal.take_again()?,
            Reaction::LookSoon => self.next_look = self.next_look.min(Instant::now() + SOON),
            Reaction::Suspend => return self.suspend(),
            Reaction::Follow(path) => {
                self.followed += 1;
                match Follow::start(self.followed, path, self.sender.clone()) {
                    Ok(follow) => self.app.mode = Mode::Follow(Box::new(follow)),
                    Err(text) => self.app.notice = Some(Notice { text, is_error: true }),
                }
            }
            Reaction::Quit => return Ok(Some(Exit::OK)),
        }
        Ok(None)
    }

    /// Gives the terminal to the shell, and stops until somebody continues the process.
    fn suspend(&mut self) -> io::Result<Option<Exit>> {
        terminal::restore();
        if signal::send(pidfd::own(), Signal::SIGSTOP).is_ok() {
            // The other threads may run for a moment before all are stopped.
            loop {
                match self.events.recv() {
                    Ok(Event::Exit(exit)) => return Ok(Some(exit)),
                    Ok(Event::Continued) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        self.terminal.take_again()?;
        Ok(None)
    }
}
