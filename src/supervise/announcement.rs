//! The announcement: svscan tells those who started it that its services have been started, and that it is stopping them.
//!
//! It sends `READY=1` and `STOPPING=1` to the socket that `NOTIFY_SOCKET` names, as a service of systemd or of supervise does,
//! and writes a newline to a descriptor, as a service of s6 does. It never waits for anybody: what cannot be sent now is sent
//! later.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crate::cli::{Messages, cause};
use crate::supervise::report::Report;
use crate::supervise::state::Want;
use crate::sys::dir::Dir;
use crate::sys::{Errno, Result, prompt, unix_socket};

/// Who is told.
#[derive(Debug, Default)]
pub struct Announcement {
    /// The path of a socket; with `@` in front, its abstract name.
    socket: Option<Vec<u8>>,
    descriptor: Option<OwnedFd>,
    /// Services that have not been started yet when they were first seen, and how often they had been started before.
    starts: BTreeMap<Vec<u8>, Option<u64>>,
    /// Somebody waits to hear that all services have been started.
    is_awaited: bool,
    /// The directory has been read.
    has_scanned: bool,
    is_stopping: bool,
}

impl Announcement {
    /// Tells a socket, or a descriptor, or both.
    #[must_use]
    pub fn new(socket: Option<Vec<u8>>, descriptor: Option<OwnedFd>) -> Announcement {
        let is_awaited = socket.is_some() || descriptor.is_some();
        Announcement { socket, descriptor, is_awaited, ..Announcement::default() }
    }

    /// Tells whether somebody waits to hear that all services have been started.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// The directory has been read, so all services are known.
    pub fn note_scan(&mut self) {
        self.has_scanned = true;
    }

    /// Tells that all of these services have been started, if they have.
    pub fn tell_when_started<N: AsRef<CStr>>(&mut self, mut services: impl Iterator<Item = N>, messages: Messages) {
        if self.is_awaited && self.has_scanned && services.all(|name| self.has_started(name.as_ref())) {
            self.tell_ready(messages);
        }
    }

    /// Tells whether a service has been started, or is not to be: its supervisor is in charge, and its process runs, has run or
    /// is not wanted.
    fn has_started(&mut self, name: &CStr) -> bool {
        let Some(report) = Dir::reach(name).ok().and_then(|service| Report::of(&service).ok()) else { return false };
        if report.status.process.is_some() || report.status.want != Want::Up {
            return true;
        }
        let before = self.starts.entry(name.to_bytes().to_vec()).or_insert(report.starts);
        *before != report.starts
    }

    /// All services have been started.
    fn tell_ready(&mut self, messages: Messages) {
        if let Some(descriptor) = self.descriptor.take() {
            // Otherwise it is closed: nothing else is written there.
            if prompt::write_if_room(descriptor.as_fd(), b"\n", Duration::ZERO) == Err(Errno::EAGAIN) {
                self.descriptor = Some(descriptor);
            }
        }
        self.is_awaited = !self.tell("READY=1", messages) || self.descriptor.is_some();
        if !self.is_awaited {
            self.starts.clear();
        }
    }

    /// svscan begins to stop the services.
    pub fn tell_stopping(&mut self, messages: Messages) {
        if !self.is_stopping {
            self.is_stopping = self.tell("STOPPING=1", messages);
        }
    }

    /// Returns false if there was no room.
    fn tell(&mut self, text: &str, messages: Messages) -> bool {
        let Some(path) = &self.socket else { return true };
        match unix_socket::send_datagram(path, text.as_bytes()) {
            Ok(()) => true,
            Err(Errno::EAGAIN) => false,
            Err(errno) => {
                messages.warn(format_args!("unable to send {text} to NOTIFY_SOCKET: {}", cause(errno)));
                self.socket = None;
                true
            }
        }
    }
}

/// Takes the value of `NOTIFY_SOCKET` out of the environment: it is not meant for the services.
///
/// # Errors
///
/// If the environment cannot be changed.
pub fn take_socket() -> Result<Option<Vec<u8>>> {
    crate::sys::program::take_variable(c"NOTIFY_SOCKET")
}
