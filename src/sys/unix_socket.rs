//! Sockets that have a path, such as that of a syslog daemon.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::{Errno, Result, poll::milliseconds, uninterrupted};

/// How many datagrams wait in a socket before its senders wait: of each socket that is made from now on.
const QUEUE_LIMIT: &str = "/proc/sys/net/unix/max_dgram_qlen";
/// How long its lock may take.
const LOCKED_WITHIN: Duration = Duration::from_millis(500);

/// A connection to the process that listens at a path. Sending never waits.
#[derive(Debug)]
pub enum Peer {
    /// Each message arrives as it was sent.
    Datagram(UnixDatagram),
    /// The receiver has to see for itself where a message ends.
    Stream(UnixStream),
}

impl Peer {
    /// Connects to a path: by datagrams, and where the socket is no such socket, by a stream.
    pub fn connect(path: &[u8]) -> Result<Peer> {
        let path = OsStr::from_bytes(path);
        let datagram = UnixDatagram::unbound().and_then(|socket| {
            socket.connect(path)?;
            socket.set_nonblocking(true)?;
            Ok(Peer::Datagram(socket))
        });
        match datagram {
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => UnixStream::connect(path)
                .and_then(|socket| {
                    socket.set_nonblocking(true)?;
                    Ok(Peer::Stream(socket))
                })
                .map_err(|error| errno(&error)),
            answer => answer.map_err(|error| errno(&error)),
        }
    }

    /// Sends a message, or some of it through a stream, and says how many bytes; `EAGAIN` while there is no room.
    ///
    /// A stream whose reader is gone raises SIGPIPE unless that is ignored.
    pub fn send(&self, bytes: &[u8]) -> Result<usize> {
        uninterrupted(|| {
            match self {
                Peer::Datagram(socket) => socket.send(bytes),
                Peer::Stream(socket) => (&*socket).write(bytes),
            }
            .map_err(|error| errno(&error))
        })
    }

    /// Asks whether the receiver has taken everything that was sent. Of a receiver that is gone this is true as well.
    pub fn is_taken(&self) -> Result<bool> {
        let mut unread: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (which has TIOCOUTQ's number) writes one int, to a variable of ours.
        Errno::result(unsafe { libc::ioctl(self.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) })?;
        Ok(unread == 0)
    }

    /// Waits until there is room to send, or until `other` can be read, at most for `timeout` (`None`: without a limit).
    pub fn wait_for_room(&self, other: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout
            .map_or(PollTimeout::NONE, |time| PollTimeout::try_from(milliseconds(time)).unwrap_or(PollTimeout::MAX));
        let mut asked = [PollFd::new(self.as_fd(), PollFlags::POLLOUT), PollFd::new(other, PollFlags::POLLIN)];
        match poll(&mut asked, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Peer::Datagram(socket) => socket.as_fd(),
            Peer::Stream(socket) => socket.as_fd(),
        }
    }
}

/// Sends a datagram to a path, or to the abstract name behind `@`. Never waits: `EAGAIN` if there is no room.
pub fn send_datagram(path: &[u8], bytes: &[u8]) -> Result<()> {
    let address = match path {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(OsStr::from_bytes(path)),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(bytes, &address)
    });
    sent.map(drop).map_err(|error| errno(&error))
}

/// Makes a datagram socket at a path, for this user alone, which says who sends. Reading it never waits.
pub fn bind_datagram(path: &[u8]) -> Result<OwnedFd> {
    let path = OsStr::from_bytes(path);
    let bound = UnixDatagram::bind(path).and_then(|socket| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    let socket = OwnedFd::from(bound.map_err(|error| errno(&error))?);
    crate::sys::socket::want_credentials(&socket)?;
    Ok(socket)
}

/// Makes sockets while the system's limit for datagrams that wait in one is at least `datagrams`: a socket keeps the limit
/// that it was made with. Afterwards the limit is what it was before. Without the right to change it, it stays.
pub fn with_queue<T>(datagrams: u32, make: impl FnOnce() -> T) -> T {
    let limit = raise_queue_limit(datagrams);
    let made = make();
    if let Ok(Some((file, before))) = limit {
        let _ = file.write_all_at(before.as_bytes(), 0);
    }
    made
}

/// Raises the limit; answers with its file, which is locked so that two processes do not mistake each other's limit for the
/// system's, and with the contents before.
fn raise_queue_limit(datagrams: u32) -> io::Result<Option<(File, String)>> {
    let file = File::options().read(true).write(true).open(QUEUE_LIMIT)?;
    // Everybody may lock it, and nobody may keep a syslog daemon from starting by that.
    let start = Instant::now();
    while file.try_lock().is_err() {
        if start.elapsed() > LOCKED_WITHIN {
            return Ok(None);
        }
        std::thread::sleep(LOCKED_WITHIN / 50);
    }
    let before = std::fs::read_to_string(QUEUE_LIMIT)?;
    if before.trim().parse().unwrap_or(u32::MAX) >= datagrams {
        return Ok(None);
    }
    // The kernel ignores what is written elsewhere than at the beginning.
    file.write_all_at(datagrams.to_string().as_bytes(), 0)?;
    Ok(Some((file, before)))
}

/// A path that is too long for a socket has no number of its own.
fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENAMETOOLONG))
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn a_socket_keeps_the_queue_that_it_was_made_with() {
        // A thread with a network of its own, where the limit is nobody else's.
        let seen = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            std::fs::write(QUEUE_LIMIT, "10").ok()?;
            let queued = |name: &str| {
                let workdir = testkit::Workdir::new();
                let _receiver = with_queue(100, || UnixDatagram::bind(workdir.join(name))).unwrap();
                let sender = UnixDatagram::unbound().unwrap();
                sender.connect(workdir.join(name)).unwrap();
                sender.set_nonblocking(true).unwrap();
                (0..1000).take_while(|_| sender.send(b"x").is_ok()).count()
            };
            let long = queued("long");
            let limit = std::fs::read_to_string(QUEUE_LIMIT).unwrap();
            // Somebody keeps the lock.
            let other = File::open(QUEUE_LIMIT).unwrap();
            other.lock().unwrap();
            Some((long, limit.trim().to_owned(), queued("short")))
        });
        match seen.join().unwrap() {
            Some(seen) => assert_eq!(seen, (101, "10".to_owned(), 11)),
            None => testkit::skipped(format_args!("the system refuses a network of its own")),
        }
    }
}
