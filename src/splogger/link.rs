//! The connection to the syslog daemon, which may exit and come back.
//!
//! Nobody confirms a message. The kernel can be asked, though, whether everything that was sent has been taken; so what
//! was sent since it last said yes is what a daemon that goes away may have left unread. That number is kept, and said.

use std::borrow::Cow;
use std::env;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::thread::sleep;
use std::time::Duration;

use crate::cli::{Messages, Shown, cause};
use crate::sys::unix_socket::Peer;
use crate::sys::{Errno, Result, clock, poll};

/// Where syslog daemons listen.
const DEV_LOG: &[u8] = b"/dev/log";
/// The variable that names another place.
const SOCKET_VARIABLE: &str = "SPLOGGER_SOCKET";

/// Between two attempts to reach the daemon.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);
/// Between two looks whether everything was taken.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Where this process finds its daemon.
#[must_use]
pub fn path() -> Vec<u8> {
    match env::var_os(SOCKET_VARIABLE) {
        Some(path) if !path.is_empty() => path.into_vec(),
        _ => DEV_LOG.to_vec(),
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Whole,
    /// The daemon has to read first: wait for room, and send it again.
    NoRoom,
    /// There is no daemon: send it again after a pause.
    Later(Duration),
}

/// The connection, as far as there is one.
#[derive(Debug)]
pub struct Link {
    path: Vec<u8>,
    peer: Option<Peer>,
    /// How many bytes of the message in hand went into the stream.
    begun_bytes: usize,
    /// Messages sent since the daemon had taken everything.
    unconfirmed: u64,
    /// Messages that were sent to daemons that went away, and perhaps not taken; not said yet.
    lost_max: u64,
    /// Whether it was said that there is no daemon.
    is_away: bool,
    messages: Messages,
}

impl Link {
    /// A link to a path; it connects when there is something to send.
    #[must_use]
    pub fn new(path: Vec<u8>, messages: Messages) -> Link {
        Link { path, peer: None, begun_bytes: 0, unconfirmed: 0, lost_max: 0, is_away: false, messages }
    }

    /// Sends a message, or what is left of it.
    pub fn send(&mut self, message: &[u8]) -> Sent {
        loop {
            let peer = match &self.peer {
                Some(peer) => peer,
                None => match Peer::connect(&self.path) {
                    Ok(peer) => self.peer.insert(peer),
                    Err(errno) => return self.wait_for_daemon(errno),
                },
            };
            let is_taken = peer.is_taken().unwrap_or(false);
            let whole = match peer {
                Peer::Datagram(_) => Cow::Borrowed(message),
                // In a stream NUL ends a message.
                Peer::Stream(_) => Cow::Owned([message, b"\0"].concat()),
            };
            match peer.send(&whole[self.begun_bytes..]) {
                Ok(count) => {
                    // The daemon was there a moment ago: all that was unconfirmed has been taken, and not thrown away.
                    if is_taken && self.begun_bytes == 0 {
                        self.unconfirmed = 0;
                    }
                    self.announce_return();
                    self.begun_bytes += count;
                    if self.begun_bytes < whole.len() {
                        return Sent::NoRoom;
                    }
                    self.begun_bytes = 0;
                    self.unconfirmed += 1;
                    return Sent::Whole;
                }
                Err(Errno::EAGAIN) => return Sent::NoRoom,
                Err(Errno::ENOBUFS | Errno::ENOMEM) => return Sent::Later(BETWEEN_ATTEMPTS),
                Err(_) => {
                    self.peer = None;
                    self.begun_bytes = 0;
                    self.lost_max += self.unconfirmed;
                    self.unconfirmed = 0;
                }
            }
        }
    }

    /// Waits until it makes sense to send again, or until `other` can be read, at most for `timeout`.
    pub fn wait(&self, other: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<()> {
        match &self.peer {
            Some(peer) => peer.wait_for_room(other, timeout),
            None => poll::readable([other], timeout).map(drop),
        }
    }

    /// Waits until the daemon has taken everything, at most until the uptime `end`; says whether it has.
    #[must_use]
    pub fn wait_until_taken(&self, end: Duration) -> bool {
        let Some(peer) = &self.peer else { return true };
        while !peer.is_taken().unwrap_or(true) {
            if clock::uptime() >= end {
                return false;
            }
            sleep(BETWEEN_LOOKS);
        }
        true
    }

    /// How many messages were sent since the daemon had taken everything.
    #[must_use]
    pub fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    /// How many messages, at most, were sent to daemons that went away before they had taken them; not said yet.
    #[must_use]
    pub fn lost_max(&self) -> u64 {
        self.lost_max
    }

    fn wait_for_daemon(&mut self, errno: Errno) -> Sent {
        if !self.is_away {
            self.is_away = true;
            self.messages.warn(format_args!("unable to write to {}, pausing: {}", Shown(&self.path), cause(errno)));
        }
        Sent::Later(BETWEEN_ATTEMPTS)
    }

    fn announce_return(&mut self) {
        if !self.is_away && self.lost_max == 0 {
            return;
        }
        let path = Shown(&self.path);
        match self.lost_max {
            0 => self.messages.warn(format_args!("writing to {path} again, nothing is lost")),
            lost => {
                self.messages.warn(format_args!("writing to {path} again, up to {lost} messages sent before are lost"));
            }
        }
        self.is_away = false;
        self.lost_max = 0;
    }
}
