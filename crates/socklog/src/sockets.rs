//! The sockets that messages come from: those that the supervisor has kept, and new ones.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::{fs, io};

use logyard::cli::Shown;
use logyard::sys::socket::{self, SocketKind};
use logyard::sys::{Errno, dir, unix_socket};

use crate::arguments::Source;
use crate::frame::MESSAGE_BYTES_MAX;
use crate::store::{Returned, Store};

/// The memory's name in the store.
pub const RING: &str = "socklog-ring";
const DATAGRAMS: &str = "socklog-datagrams";
const LISTENER: &str = "socklog-listener";

/// So much can wait in the kernel while the output is blocked. Memory is used only for what waits.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// So many datagrams wait in a socket of the file system before their senders wait. With the system's limit (10, or 512 under
/// systemd), the kernel wakes a sender for each message that is read, which costs more than all else: measured with 8 senders,
/// half a switch between processes for each message. With more than the buffers of the senders hold, it wakes a sender
/// only when three quarters of its messages have been read. A message counts against its sender's memory, not the receiver's.
const QUEUED_DATAGRAMS: u32 = 4096;

/// The longest message fits, with what the kernel counts for its packets.
const CONNECTION_BUFFER_BYTES: usize = 4 * MESSAGE_BYTES_MAX;

/// The sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Those that receive datagrams.
    pub datagrams: Vec<OwnedFd>,
    /// Those that accept connections.
    pub listeners: Vec<OwnedFd>,
    /// Connections that a predecessor had accepted.
    pub connections: Vec<OwnedFd>,
    /// What a predecessor has left in memory.
    pub ring: Option<OwnedFd>,
    /// All sockets are new.
    pub are_new: bool,
}

/// Why a socket cannot be made.
#[derive(Debug)]
pub struct Error {
    /// What was tried.
    pub what: String,
    /// Why it failed.
    pub why: String,
}

impl Sockets {
    /// Sorts what the supervisor has kept. What is of another address is removed from the store, and dropped.
    #[must_use]
    pub fn returned(returned: Vec<Returned>, source: &Source, store: &Store) -> Sockets {
        let mut sockets = Sockets { are_new: true, ..Sockets::default() };
        for Returned { name, descriptor } in returned {
            if name == RING {
                sockets.ring = Some(descriptor);
                continue;
            }
            let place = match socket::kind(&descriptor) {
                Ok(SocketKind::Datagram) if is_at(&descriptor, source) => &mut sockets.datagrams,
                Ok(SocketKind::Listener) if is_at(&descriptor, source) => &mut sockets.listeners,
                Ok(SocketKind::Connection) => &mut sockets.connections,
                _ => {
                    store.remove(&name);
                    continue;
                }
            };
            place.push(descriptor);
            sockets.are_new = false;
        }
        sockets
    }

    /// Makes the sockets that are missing, and stores them.
    pub fn complete(&mut self, source: &Source, respects_umask: bool, store: &Store) -> Result<(), Error> {
        match source {
            Source::Unix { path, is_stream } => {
                let place = Path::new(OsStr::from_bytes(path));
                let kept = if *is_stream { &mut self.listeners } else { &mut self.datagrams };
                // Somebody may have removed it from the file system.
                let is_there = fs::symlink_metadata(place).is_ok_and(|metadata| metadata.file_type().is_socket());
                if kept.is_empty() || !is_there {
                    let socket = bind_unix(place, *is_stream, respects_umask)?;
                    store.add(if *is_stream { LISTENER } else { DATAGRAMS }, &socket);
                    kept.push(socket);
                }
            }
            Source::Inet { address, has_udp, has_tcp } => {
                if *has_udp && self.datagrams.is_empty() {
                    let socket = UdpSocket::bind(address).map_err(|error| cannot_bind(address, &error))?;
                    let _ = socket.set_nonblocking(true);
                    let socket = OwnedFd::from(socket);
                    // The system's own size does too.
                    let _ = socket::set_receive_buffer(&socket, RECEIVE_BUFFER_BYTES);
                    store.add(DATAGRAMS, &socket);
                    self.datagrams.push(socket);
                }
                if *has_tcp && self.listeners.is_empty() {
                    let socket = TcpListener::bind(address).map_err(|error| cannot_bind(address, &error))?;
                    let _ = socket.set_nonblocking(true);
                    // For the connections: an unfinished message stays in the kernel. Without the right to this, the
                    // system's own size grows.
                    let _ = socket::force_receive_buffer(&socket, CONNECTION_BUFFER_BYTES);
                    store.add(LISTENER, &socket);
                    self.listeners.push(socket.into());
                }
            }
            Source::Ucspi(_) => {}
        }
        Ok(())
    }
}

/// Tells whether a socket that was kept is the one that is asked for.
fn is_at(socket: &OwnedFd, source: &Source) -> bool {
    let Ok(copy) = socket.try_clone() else { return false };
    let is_datagram = socket::kind(socket) == Ok(SocketKind::Datagram);
    match source {
        Source::Unix { path, is_stream } => {
            let address = match is_datagram {
                true => UnixDatagram::from(copy).local_addr(),
                false => UnixListener::from(copy).local_addr(),
            };
            let is_path = address
                .is_ok_and(|address| address.as_pathname().is_some_and(|own| own.as_os_str().as_bytes() == path));
            is_path && *is_stream != is_datagram
        }
        Source::Inet { address, has_udp, has_tcp } => {
            let own = match is_datagram {
                true => UdpSocket::from(copy).local_addr(),
                false => TcpListener::from(copy).local_addr(),
            };
            let is_wanted = if is_datagram { *has_udp } else { *has_tcp };
            is_wanted && own.is_ok_and(|own| own == *address)
        }
        Source::Ucspi(_) => false,
    }
}

/// Binds a socket to a path, in the place of one that nobody reads any more.
fn bind_unix(path: &Path, is_stream: bool, respects_umask: bool) -> Result<OwnedFd, Error> {
    let what = format!("bind {}", Shown(path.as_os_str().as_bytes()));
    let fail = |why: String| Error { what: what.clone(), why };
    if is_read_by_somebody(path) {
        return Err(fail("another program reads it".to_owned()));
    }
    let is_socket = fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.file_type().is_socket() || metadata.file_type().is_symlink());
    if is_socket {
        fs::remove_file(path).map_err(|error| fail(cause(&error)))?;
    }
    if !respects_umask {
        dir::set_umask(0);
    }
    let bound = match is_stream {
        true => UnixListener::bind(path).and_then(|socket| socket.set_nonblocking(true).map(|()| socket.into())),
        false => unix_socket::with_queue(QUEUED_DATAGRAMS, || UnixDatagram::bind(path))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket.into())),
    };
    bound.map_err(|error| fail(cause(&error)))
}

fn is_read_by_somebody(path: &Path) -> bool {
    let datagram = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    match datagram {
        Ok(()) => true,
        Err(error) if error.raw_os_error() == Some(Errno::EPROTOTYPE as i32) => UnixStream::connect(path).is_ok(),
        Err(_) => false,
    }
}

fn cannot_bind(address: &SocketAddr, error: &io::Error) -> Error {
    Error { what: format!("bind {address}"), why: cause(error) }
}

fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |code| logyard::cli::cause(Errno::from_raw(code)).to_owned())
}

/// What is put before the lines of a connection.
pub fn origin(connection: impl AsFd, shows_credentials: bool) -> Vec<u8> {
    if socket::is_unix(&connection) == Ok(true) {
        let peer = socket::peer(&connection).ok().filter(|_| shows_credentials);
        return peer.map_or_else(Vec::new, |peer| format!("uid={},pid={}: ", peer.user, peer.process).into_bytes());
    }
    let copy = connection.as_fd().try_clone_to_owned();
    let peer = copy.and_then(|copy| std::net::TcpStream::from(copy).peer_addr());
    peer.map_or_else(|_| Vec::new(), |peer| format!("{}: ", peer.ip().to_canonical()).into_bytes())
}
