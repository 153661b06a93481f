//! All connections, and the order of their groups.
//!
//! A group is handed on once every host has sent its next one: the earliest of them is then the next of all. A host that
//! follows its log and has sent what was there need not have a next one; so a line is kept for a moment, because a line that
//! was written a little earlier may still be on its way from another host.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::arguments::Request;
use crate::context::Context;
use crate::error::Error;
use crate::hosts::command;
use crate::hosts::connection::Connection;
use crate::hosts::incoming::Head;
use crate::resolve::Operand;
use logyard::sys::{Errno, fd, poll};

/// More logins at a time are refused by sshd, by custom.
const LOGINS_MAX: usize = 8;
/// How long a line is kept while following.
const KEEP: Duration = Duration::from_millis(300);

/// What the reader has found.
#[derive(Debug)]
pub(crate) enum Found<'r> {
    /// The next group: the number of its place, what is known of it, and its bytes.
    Group(usize, Head, &'r [u8]),
    /// Nothing more at the moment. With `has_caught_up`, all that was there has been read.
    Pause { has_caught_up: bool },
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    Stop,
}

/// Reads the logs of several hosts.
#[derive(Debug)]
pub(crate) struct Reader<'r> {
    request: &'r Request,
    context: &'r Context,
    connections: Vec<Connection>,
    has_caught_up: bool,
}

impl<'r> Reader<'r> {
    /// The logs that are asked for, each once.
    pub(crate) fn new(request: &'r Request, context: &'r Context) -> Result<Reader<'r>, String> {
        let mut connections: Vec<Connection> = Vec::new();
        for operand in &request.operands {
            let (name, host, command) = match operand {
                Operand::Host(address) => {
                    (address.argument(), Some(address.host.clone()), command::on_host(request, address)?)
                }
                Operand::Path(_) | Operand::Service(_) => {
                    let path = operand.path();
                    let command = command::here(request, &path);
                    (path, None, command)
                }
            };
            if connections.iter().all(|connection| connection.name != name) {
                connections.push(Connection::new(name, host, command));
            }
        }
        Ok(Reader { request, context, connections, has_caught_up: false })
    }

    /// The arguments by which the logs were asked for.
    pub(crate) fn names(&self) -> Vec<Vec<u8>> {
        self.connections.iter().map(|connection| connection.name.clone()).collect()
    }

    /// Reads everything, and hands it on in order.
    pub(crate) fn read(&mut self, take: &mut dyn FnMut(Found<'_>) -> Result<Next, Error>) -> Result<(), Error> {
        let watches_output = fd::pipe_size(fd::stdout()).is_ok();
        loop {
            self.start_some();
            let mut kept_until = None;
            while let Some((i, head)) = self.next_head(&mut kept_until) {
                if take(Found::Group(i, head, self.connections[i].bytes(head)))? == Next::Stop {
                    return Ok(());
                }
                self.connections[i].take(head);
            }
            if self.connections.iter().all(Connection::has_ended) {
                return Ok(());
            }
            self.has_caught_up |= self.request.follows && self.connections.iter().all(Connection::has_caught_up);
            take(Found::Pause { has_caught_up: self.has_caught_up })?;
            self.wait(kept_until, watches_output)?;
        }
    }

    /// Runs the commands that are still to be run, as far as there may be more logins.
    fn start_some(&mut self) {
        let mut logins = self.connections.iter().filter(|connection| connection.is_logging_in()).count();
        for connection in self.connections.iter_mut().filter(|connection| connection.is_waiting()) {
            if connection.is_remote() {
                if logins == LOGINS_MAX {
                    continue;
                }
                logins += 1;
            }
            connection.start(self.context);
        }
    }

    /// The next group in the order of all, if it is known. `kept_until` says until when a line is kept.
    fn next_head(&mut self, kept_until: &mut Option<Instant>) -> Option<(usize, Head)> {
        let mut next: Option<(usize, Head)> = None;
        let mut is_sure = true;
        for (i, connection) in self.connections.iter_mut().enumerate() {
            let Some(head) = connection.head(self.request.follows, self.context) else {
                if connection.has_ended() {
                    continue;
                }
                if !self.request.follows || !connection.has_caught_up() {
                    return None;
                }
                is_sure = false;
                continue;
            };
            let is_earlier = |(_, other): (usize, Head)| {
                if self.request.is_reversed { head.key >= other.key } else { head.key < other.key }
            };
            if next.is_none_or(is_earlier) {
                next = Some((i, head));
            }
        }
        let (i, _) = next?;
        let until = self.connections[i].since() + KEEP;
        if !is_sure && self.has_caught_up && Instant::now() < until {
            *kept_until = Some(until);
            return None;
        }
        next
    }

    /// Waits until something has come, or a line has been kept for long enough, and reads it.
    fn wait(&mut self, kept_until: Option<Instant>, watches_output: bool) -> Result<(), Error> {
        let timeout = kept_until.map(|until| until.saturating_duration_since(Instant::now()));
        let asked: Vec<[Option<BorrowedFd<'_>>; 2]> = self.connections.iter().map(Connection::sources).collect();
        let mut sources: Vec<BorrowedFd<'_>> = asked.iter().flatten().flatten().copied().collect();
        if watches_output {
            // It is "readable" when its reader has gone.
            sources.push(fd::stdout());
        }
        let ready = poll::readable_of(&sources, timeout).map_err(Error::Follow)?;
        if watches_output && ready.last() == Some(&true) {
            return Err(Error::Output(Errno::EPIPE));
        }
        let mut answers = ready.into_iter();
        let answers: Vec<[bool; 2]> =
            asked.iter().map(|pair| pair.map(|source| source.is_some() && answers.next().unwrap_or(false))).collect();
        for (connection, answer) in self.connections.iter_mut().zip(answers) {
            connection.read(answer, self.context);
        }
        Ok(())
    }
}
