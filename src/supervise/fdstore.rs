//! The descriptor store: descriptors that a service gives to its supervisor and gets back when it is started again.
//!
//! The conventions are those of `sd_notify` and of socket activation. The service finds the path of a socket in
//! `NOTIFY_SOCKET` and sends `FDSTORE=1` there, with descriptors and a name; it is started with the descriptors from 3 on,
//! and with `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. So a listening socket, and what the kernel has queued in it,
//! survives the process that reads it.
//!
//! With `READY=1` the service says through the same socket that it is ready, and with `RELOADING=1` or `STOPPING=1` that it is
//! not any more.
//!
//! The store accepts messages of the service's current process only. `supervise/stored` lists what is in it: a supervisor
//! that comes after a killed one finds those descriptors in the service that still runs, and takes them from there.

use std::ffi::CString;
use std::fmt::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use crate::supervise::error::Error;
use crate::supervise::files::{FDSTORE, Files, STORED, SUPERVISE};
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::{self, Pidfd};
use crate::sys::stat::FileId;
use crate::sys::{Errno, fd, passing, unix_socket};

/// How many descriptors a store keeps if no file says otherwise.
pub const DESCRIPTORS: usize = 16;
/// The longest message that is understood.
const MESSAGE_BYTES: usize = 4096;
/// The longest name, as the convention has it.
const NAME_BYTES: usize = 255;
/// The name of descriptors that come without one.
const NO_NAME: &str = "stored";
/// The longest path that a socket may be reached by.
const PATH_BYTES: usize = 107;

/// A descriptor in the store.
#[derive(Debug)]
struct Stored {
    name: String,
    descriptor: OwnedFd,
    identity: Identity,
}

/// Tells descriptors apart: two ends of a pipe are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    file: FileId,
    flags: i32,
}

impl Identity {
    fn of(descriptor: &OwnedFd) -> Result<Identity, Errno> {
        Ok(Identity { file: fd::stat(descriptor)?.identity, flags: fd::access(descriptor)? })
    }
}

/// The descriptors of one service.
#[derive(Debug, Default)]
pub struct FdStore {
    /// Where the service sends its messages; absent where the directory can be changed by others.
    socket: Option<OwnedFd>,
    /// The path of the socket, for the service.
    path: Option<CString>,
    stored: Vec<Stored>,
}

/// What a message of the service asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    stores: bool,
    removes: bool,
    /// The service says that it is ready, or that it is not any more.
    ready: Option<bool>,
    name: Option<String>,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The list of what is stored is another one.
    pub has_changed: bool,
    /// So many descriptors were refused because the store is full.
    pub refused: usize,
    /// The service says that it is ready, or that it is not any more: the last word.
    pub ready: Option<bool>,
}

impl FdStore {
    /// Makes the socket of the service in the current directory.
    pub fn open(files: &Files) -> Result<FdStore, Error> {
        // Whoever could put another socket in its place would be sent the service's descriptors.
        files.guard()?;
        files.remove(FDSTORE);
        let below = [SUPERVISE, FDSTORE].join(&b'/');
        let socket = unix_socket::bind_datagram(&below)?;
        let path = std::env::current_dir().ok().map(|here| [here.as_os_str().as_bytes(), &below].join(&b'/'));
        let path = path.filter(|path| path.len() <= PATH_BYTES).and_then(|path| CString::new(path).ok());
        Ok(FdStore { socket: Some(socket), path, stored: Vec::new() })
    }

    /// What can be read when the service has sent something.
    #[must_use]
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> Option<&CString> {
        self.path.as_ref()
    }

    /// What is stored, in the order in which it came.
    #[must_use]
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.stored.iter().map(|stored| stored.descriptor.as_fd()).collect()
    }

    /// Their names, separated by colons.
    #[must_use]
    pub fn names(&self) -> String {
        self.stored.iter().map(|stored| &*stored.name).collect::<Vec<_>>().join(":")
    }

    /// Carries out the messages that have come from `process`; others are dropped, and their descriptors closed. At most
    /// `most` descriptors are kept.
    pub fn take_messages(&mut self, process: Option<Pid>, most: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let mut room = [0; MESSAGE_BYTES];
        while let Some(Ok(message)) = self.socket.as_ref().map(|socket| passing::receive(socket, &mut room)) {
            let is_of_service = message.sender.is_some_and(|sender| Some(Pid::new(sender.process)) == process);
            if !is_of_service || message.is_cut {
                continue;
            }
            let Some(request) = Request::parse(&room[..message.length]) else { continue };
            outcome.ready = request.ready.or(outcome.ready);
            if request.removes {
                let count = self.stored.len();
                self.stored.retain(|stored| Some(&stored.name) != request.name.as_ref());
                outcome.has_changed |= self.stored.len() < count;
            } else if request.stores {
                let name = request.name.unwrap_or_else(|| NO_NAME.to_owned());
                for descriptor in message.descriptors {
                    match self.keep(&name, descriptor, most) {
                        Ok(is_new) => outcome.has_changed |= is_new,
                        Err(_) => outcome.refused += 1,
                    }
                }
            }
        }
        outcome
    }

    /// Keeps a descriptor unless there is no room; says whether it is new.
    fn keep(&mut self, name: &str, descriptor: OwnedFd, most: usize) -> Result<bool, Errno> {
        let identity = Identity::of(&descriptor)?;
        if self.stored.iter().any(|stored| stored.identity == identity && stored.name == name) {
            return Ok(false);
        }
        if self.stored.len() >= most {
            return Err(Errno::ENOSPC);
        }
        self.stored.push(Stored { name: name.to_owned(), descriptor, identity });
        Ok(true)
    }

    /// The list for the next supervisor: a line for each descriptor.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = String::new();
        for Stored { name, identity: Identity { file, flags }, .. } in &self.stored {
            writeln!(text, "{} {} {flags} {name}", file.device, file.inode).expect("text can be appended to");
        }
        text
    }

    /// Takes the descriptors of a list out of a process that has them; says how many it no longer has.
    pub fn take_back(&mut self, list: &str, process: &Pidfd, number: Pid) -> usize {
        let open: Vec<_> = passing::open_numbers(number)
            .into_iter()
            .filter_map(|descriptor| Some((descriptor, pidfd::open_by(number, descriptor)?)))
            .collect();
        let mut missing = 0;
        for (identity, name) in list.lines().filter_map(parse_line) {
            let candidates = open.iter().filter(|(_, file)| *file == identity.file);
            let found = candidates
                .filter_map(|(descriptor, _)| passing::take_from(process, *descriptor).ok())
                .find(|descriptor| Identity::of(descriptor) == Ok(identity));
            match found {
                Some(descriptor) => self.stored.push(Stored { name: name.to_owned(), descriptor, identity }),
                None => missing += 1,
            }
        }
        missing
    }

    /// Removes the socket and the list: the service is not supervised any more.
    pub fn close(&mut self, files: &Files) {
        if self.socket.take().is_some() {
            files.remove(FDSTORE);
            files.remove(STORED);
        }
    }
}

impl Request {
    /// Reads a message; `None` if its name is no name.
    fn parse(message: &[u8]) -> Option<Request> {
        let mut request = Request::default();
        for line in message.split(|&byte| byte == b'\n') {
            match line {
                b"FDSTORE=1" => request.stores = true,
                b"FDSTOREREMOVE=1" => request.removes = true,
                b"READY=1" => request.ready = Some(true),
                b"RELOADING=1" | b"STOPPING=1" => request.ready = Some(false),
                _ => {
                    if let Some(name) = line.strip_prefix(b"FDNAME=") {
                        request.name = Some(parse_name(name)?.to_owned());
                    }
                }
            }
        }
        Some(request)
    }
}

fn parse_name(name: &[u8]) -> Option<&str> {
    let is_good = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b':';
    let is_name = !name.is_empty() && name.len() <= NAME_BYTES && name.iter().all(is_good);
    std::str::from_utf8(name).ok().filter(|_| is_name)
}

fn parse_line(line: &str) -> Option<(Identity, &str)> {
    let mut parts = line.splitn(4, ' ');
    let file = FileId { device: parts.next()?.parse().ok()?, inode: parts.next()?.parse().ok()? };
    let flags = parts.next()?.parse().ok()?;
    Some((Identity { file, flags }, parse_name(parts.next()?.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pipe;

    #[test]
    fn a_message_is_read_line_by_line() {
        let parse = |text: &str| Request::parse(text.as_bytes());
        let request = |stores, removes, name: Option<&str>| {
            Some(Request { stores, removes, ready: None, name: name.map(str::to_owned) })
        };

        assert_eq!(parse("FDSTORE=1\nFDNAME=log\n"), request(true, false, Some("log")));
        assert_eq!(parse("STATUS=FDSTORE=1"), request(false, false, None));
        let ready = |text| parse(text).and_then(|request| request.ready);
        assert_eq!(ready("STATUS=READY=1\nREADY=1\nMAINPID=1"), Some(true));
        assert_eq!([ready("RELOADING=1\nMONOTONIC_USEC=5"), ready("STOPPING=1")], [Some(false); 2]);
        assert_eq!([ready("READY=0"), ready("READY=1x"), ready("ready=1"), ready("")], [None; 4]);
        assert_eq!(parse("FDSTOREREMOVE=1\nFDNAME=log"), request(false, true, Some("log")));
        assert_eq!(parse("FDSTORE=1\nFDNAME=a:b"), None);
        assert_eq!(parse("FDSTORE=1\nFDNAME=a\x1bb"), None);
        assert_eq!(parse("FDSTORE=1\nFDNAME="), None);
    }

    #[test]
    fn both_ends_of_a_pipe_are_kept_and_none_twice() {
        let (reads, writes) = pipe::new().unwrap();
        let mut store = FdStore::default();

        assert_eq!(store.keep("p", reads.try_clone().unwrap(), 2), Ok(true));
        assert_eq!(store.keep("p", writes, 2), Ok(true));
        assert_eq!(store.keep("p", reads.try_clone().unwrap(), 2), Ok(false));
        assert_eq!(store.keep("q", reads, 2), Err(Errno::ENOSPC));
        assert_eq!(store.names(), "p:p");
    }

    #[test]
    fn the_list_brings_descriptors_back_from_a_process() {
        let (reads, _writes) = pipe::new().unwrap();
        let mut store = FdStore::default();
        store.keep("a name", reads.try_clone().unwrap(), 2).unwrap();
        let list = store.list();
        drop(store);

        let mut next = FdStore::default();
        let process = Pidfd::open(pidfd::own()).unwrap();
        assert_eq!(next.take_back(&list, &process, pidfd::own()), 0);
        assert_eq!(next.names(), "a name");
        drop((next, reads));
        assert_eq!(FdStore::default().take_back(&list, &process, pidfd::own()), 1);
    }
}
