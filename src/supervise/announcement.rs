//! The announcement: svscan tells those who started it that its services have been started, and that it is stopping them.
//!
//! It sends `READY=1` and `STOPPING=1` to the socket that `NOTIFY_SOCKET` names, as a service of systemd or of supervise does,
//! and writes a newline to a descriptor, as a service of s6 does. It never waits for anybody: what cannot be sent now is sent
//! later.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::cli::{Messages, cause};
use crate::supervise::handed_state::{Rejection, StateReader, StateWriter};
use crate::supervise::report::Report;
use crate::supervise::state::Want;
use crate::sys::dir::Dir;
use crate::sys::passing::HandedOn;
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

/// An announcement that was handed on: its descriptor is a number.
#[derive(Debug)]
pub struct HandedAnnouncement {
    socket: Option<Vec<u8>>,
    descriptor: Option<RawFd>,
    is_awaited: bool,
    starts: BTreeMap<Vec<u8>, Option<u64>>,
}

impl HandedAnnouncement {
    /// Reads it from a state.
    pub fn read(from: &mut StateReader<'_>) -> std::result::Result<HandedAnnouncement, Rejection> {
        let mut handed = HandedAnnouncement {
            socket: from.bytes_if("notify-socket").map(<[u8]>::to_vec),
            descriptor: from.descriptor_if("notify-descriptor")?,
            is_awaited: from.flag("awaited")?,
            starts: BTreeMap::new(),
        };
        while let Some(name) = from.bytes_if("not-started") {
            handed.starts.insert(name.to_vec(), from.value_if("starts")?);
        }
        Ok(handed)
    }
}

impl Announcement {
    /// Writes it to a state that is handed on. Not while svscan is exiting.
    pub fn write(&self, out: &mut StateWriter) {
        if let Some(socket) = &self.socket {
            out.put_bytes("notify-socket", socket);
        }
        if let Some(descriptor) = &self.descriptor {
            out.put_descriptor("notify-descriptor", descriptor);
        }
        out.put("awaited", self.is_awaited);
        for (name, starts) in &self.starts {
            out.put_bytes("not-started", name);
            if let Some(starts) = starts {
                out.put("starts", starts);
            }
        }
    }

    /// Takes over what was handed on. The next scan reads the directory again.
    pub fn take_over(handed: HandedAnnouncement, descriptors: &mut HandedOn) -> Result<Announcement> {
        let HandedAnnouncement { socket, descriptor, is_awaited, starts } = handed;
        let descriptor = descriptor.map(|number| descriptors.take(number)).transpose()?;
        Ok(Announcement { socket, descriptor, starts, is_awaited, ..Announcement::default() })
    }

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
