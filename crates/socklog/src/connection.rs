//! One sender that is connected.
//!
//! What has not been written stays in the kernel: so it is there for a successor, and a connection that says nothing costs no
//! memory. Only the beginning of a message that a sender cannot finish, because the kernel has no more room for it, is taken
//! out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use logyard::sys::{Errno, Result, socket};

use crate::frame::{self, Frame, MESSAGE_BYTES_MAX};
use crate::line::Form;
use crate::ring::Ring;

/// Room for the longest message and its length.
pub const PEEKED_BYTES: usize = MESSAGE_BYTES_MAX + 16;
/// Output that is made at a time.
const LINES_BYTES: usize = 128 * 1024;
/// From so many bytes on, an unfinished message is not looked at for each byte more.
const LONG_BYTES: usize = 64 * 1024;

/// What a look at a connection has found.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Messages. So many bytes are to be taken out of the kernel when their lines have been written.
    Lines {
        /// The number of bytes.
        bytes: usize,
    },
    /// No whole message yet.
    Nothing,
    /// The connection is to be closed, for a reason if it is not at its end.
    Closed(Option<String>),
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    descriptor: OwnedFd,
    /// Its number for as long as the system runs.
    pub cookie: u64,
    /// What is put before each line.
    origin: Vec<u8>,
    is_unix: bool,
    /// The other end sends no more.
    pub has_ended: bool,
    /// What has been taken out of the kernel and is not a whole message.
    aside: Vec<u8>,
    /// How many bytes of an unfinished message are in the kernel.
    waiting: usize,
    /// The same when it was last looked at because of the time.
    waited: usize,
    low_water: usize,
}

impl Connection {
    /// Takes charge of a connection.
    pub fn new(descriptor: OwnedFd, origin: Vec<u8>) -> Result<Connection> {
        let (cookie, is_unix) = (socket::cookie(&descriptor)?, socket::is_unix(&descriptor)?);
        // A predecessor may have waited for the rest of a message.
        if !is_unix {
            socket::set_low_water(&descriptor, 1)?;
        }
        Ok(Connection {
            descriptor,
            cookie,
            origin,
            is_unix,
            has_ended: false,
            aside: Vec::new(),
            waiting: 0,
            waited: 0,
            low_water: 1,
        })
    }

    /// The name under which it is stored.
    #[must_use]
    pub fn name(&self) -> String {
        format!("connection-{}", self.cookie)
    }

    /// Looks for whole messages, and appends their lines.
    pub fn look(&mut self, room: &mut [u8], form: Form, lines: &mut Vec<u8>) -> Look {
        let peeked = match socket::peek(&self.descriptor, room) {
            Ok(0) => {
                self.has_ended = true;
                0
            }
            Ok(count) => count,
            Err(Errno::EAGAIN) => 0,
            Err(_) => return Look::Closed(None),
        };
        let joined;
        let stream = if self.aside.is_empty() {
            &room[..peeked]
        } else {
            joined = [&self.aside, &room[..peeked]].concat();
            &joined
        };
        let mut at = 0;
        let mut needed = 1;
        while lines.len() < LINES_BYTES && at < stream.len() {
            match frame::first(&stream[at..]) {
                Frame::Message { start, end, next } => {
                    append(lines, form, &self.origin, &stream[at + start..at + end]);
                    at += next;
                }
                Frame::Partial { needed: more } => {
                    needed = more;
                    break;
                }
                Frame::TooLong { length } if at == 0 => {
                    return Look::Closed(Some(format!(
                        "a message of {length} bytes was announced, {MESSAGE_BYTES_MAX} are possible"
                    )));
                }
                Frame::TooLong { .. } => break,
            }
        }
        if at == 0 && self.has_ended {
            if stream.is_empty() {
                return Look::Closed(None);
            }
            append(lines, form, &self.origin, stream);
            at = stream.len();
        }
        if at == 0 {
            self.waiting = peeked;
            self.wait_for(needed.saturating_sub(self.aside.len()));
            return Look::Nothing;
        }
        let from_aside = at.min(self.aside.len());
        self.aside.drain(..from_aside);
        self.waiting = 0;
        Look::Lines { bytes: at - from_aside }
    }

    /// Has the kernel tell only when so many bytes are there. A long message of unknown length must double, so that a
    /// sender of single bytes does not have all of it copied for each.
    fn wait_for(&mut self, needed: usize) {
        if self.is_unix {
            return;
        }
        let is_next_byte = needed == self.waiting + 1;
        let least = if is_next_byte && self.waiting >= LONG_BYTES { 2 * needed } else { needed };
        if least != self.low_water && socket::set_low_water(&self.descriptor, least.min(MESSAGE_BYTES_MAX)).is_ok() {
            self.low_water = least;
        }
    }

    /// How many bytes are in memory.
    #[must_use]
    pub fn aside_bytes(&self) -> usize {
        self.aside.len()
    }

    /// Tells whether it has to be looked at again after some time, without being told of.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.waiting > 0 && (self.is_unix || self.waiting >= LONG_BYTES)
    }

    /// Some time has passed. What a sender could not finish is taken out if `may_take`, so that it can go on.
    pub fn pass_time(&mut self, ring: &mut Ring, may_take: bool) {
        if may_take && self.waiting > 0 && self.waiting == self.waited {
            let bytes = self.waiting.min(MESSAGE_BYTES_MAX);
            if let Ok(taken) = ring.take_aside(&self.descriptor, bytes) {
                self.aside.extend_from_slice(&taken);
                self.waiting = 0;
            }
        }
        self.waited = self.waiting;
    }
}

/// Appends the line of a message, of which an empty one has none.
fn append(lines: &mut Vec<u8>, form: Form, origin: &[u8], message: &[u8]) {
    if message.iter().any(|byte| !matches!(byte, b'\n' | 0)) {
        form.append(lines, origin, message);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
