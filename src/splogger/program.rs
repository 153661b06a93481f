//! The program: reads lines, and sends them until the input ends.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Messages, Program, cause};
use crate::splogger::link;
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::{Errno, Result, clock, fd, poll};

use crate::splogger::facility::Facility;
use crate::splogger::fold::Folder;
use crate::splogger::link::{Link, Sent};
use crate::splogger::message::Writer;

/// The name in messages.
const PROGRAM: Program = Program("splogger");

/// How many bytes are read at once. More would be more to lose.
const READ_BYTES: usize = 4096;

/// How long what was read may take to be sent after TERM, and what was sent to be taken at the end.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::Allowed);
    let tag = arguments.get(1).map_or(&b"splogger"[..], |tag| tag.to_bytes());
    let facility = match arguments.get(2).map(|facility| Facility::parse(facility.to_bytes())) {
        None => Facility::MAIL,
        Some(Ok(facility)) => facility,
        Some(Err(unknown)) => {
            PROGRAM.warn(unknown);
            Facility::USER
        }
    };
    let started = signal::ignore(Signal::SIGPIPE).and_then(|()| SignalQueue::new(&[Signal::SIGTERM]));
    let exit = match started {
        Ok(signals) => Splogger {
            signals,
            exits_at: None,
            folder: Folder::default(),
            writer: Writer::new(tag, facility),
            outbox: VecDeque::new(),
            link: Link::new(link::path(), Messages::of(PROGRAM)),
        }
        .go_on(),
        Err(errno) => PROGRAM.fatal(format_args!("unable to catch signals: {}", cause(errno))),
    };
    standard_error::report_dropped();
    exit
}

#[derive(Debug)]
struct Splogger {
    signals: SignalQueue,
    /// The uptime at which it exits, whether or not everything is sent.
    exits_at: Option<Duration>,
    folder: Folder,
    writer: Writer,
    /// What was read and is not sent.
    outbox: VecDeque<Vec<u8>>,
    link: Link,
}

impl Splogger {
    fn go_on(mut self) -> Exit {
        let ended = self.log();
        let now = clock::now();
        self.outbox.extend(self.folder.end(now).map(|message| self.writer.write(&message)));
        let sent = self.send_all();
        if let Err(errno) = ended.and(sent) {
            return PROGRAM.fatal(format_args!("unable to read standard input: {}", cause(errno)));
        }
        let lost_max = self.link.lost_max() + u64::try_from(self.outbox.len()).expect("they are in memory");
        if lost_max > 0 {
            return PROGRAM.fatal(format_args!("exiting, up to {lost_max} messages are lost"));
        }
        if !self.link.wait_until_taken(self.exits_at.unwrap_or_else(|| clock::uptime() + GRACE)) {
            PROGRAM.warn(format_args!("exiting, {} messages wait for syslog to read them", self.link.unconfirmed()));
        }
        Exit::OK
    }

    /// Reads and sends until the input ends or TERM comes.
    fn log(&mut self) -> Result<()> {
        let mut room = [0; READ_BYTES];
        while !self.is_exiting() {
            let [_, has_input] = poll::readable([self.signals.as_fd(), fd::stdin()], None)?;
            if self.is_exiting() {
                break;
            }
            if !has_input {
                continue;
            }
            let count = match fd::read(fd::stdin(), &mut room) {
                Ok(0) => break,
                Ok(count) => count,
                // Somebody shares the descriptor and made it non-blocking.
                Err(Errno::EAGAIN) => continue,
                Err(errno) => return Err(errno),
            };
            let now = clock::now();
            self.folder.feed(&room[..count], now, |message| self.outbox.push_back(self.writer.write(&message)));
            self.send_all()?;
        }
        Ok(())
    }

    /// Sends what was read; comes back early only when there is no more time.
    fn send_all(&mut self) -> Result<()> {
        while let Some(message) = self.outbox.front() {
            let pause = match self.link.send(message) {
                Sent::Whole => {
                    self.outbox.pop_front();
                    continue;
                }
                Sent::NoRoom => None,
                Sent::Later(pause) => Some(pause),
            };
            let left = match (self.is_exiting(), self.exits_at) {
                (true, Some(end)) => Some(end.saturating_sub(clock::uptime())),
                _ => None,
            };
            if left == Some(Duration::ZERO) {
                break;
            }
            let pause = [pause, left].into_iter().flatten().min();
            self.link.wait(self.signals.as_fd(), pause)?;
        }
        Ok(())
    }

    /// Whether TERM has come.
    fn is_exiting(&mut self) -> bool {
        if self.signals.take().is_some() && self.exits_at.is_none() {
            self.exits_at = Some(clock::uptime() + GRACE);
            standard_error::shorten_waits();
        }
        self.exits_at.is_some()
    }
}
