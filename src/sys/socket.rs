//! Sockets: what the standard library does not offer of them.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::libc;

use crate::sys::datagrams::Credentials;
use crate::sys::{Errno, Result, uninterrupted};

/// What a socket is, as far as it matters to whoever gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// Receives datagrams.
    Datagram,
    /// Accepts connections.
    Listener,
    /// A connection.
    Connection,
}

/// What kind of socket a descriptor is; `Err` if it is none.
pub fn kind(socket: impl AsFd) -> Result<SocketKind> {
    if option::<libc::c_int>(&socket, libc::SO_TYPE)? == libc::SOCK_DGRAM {
        return Ok(SocketKind::Datagram);
    }
    let accepts = option::<libc::c_int>(&socket, libc::SO_ACCEPTCONN)? != 0;
    Ok(if accepts { SocketKind::Listener } else { SocketKind::Connection })
}

/// Whether a socket is in the file system and not on the network.
pub fn is_unix(socket: impl AsFd) -> Result<bool> {
    option::<libc::c_int>(&socket, libc::SO_DOMAIN).map(|domain| domain == libc::AF_UNIX)
}

/// The number that a socket has as long as the system runs, and no other.
pub fn cookie(socket: impl AsFd) -> Result<u64> {
    option(&socket, libc::SO_COOKIE)
}

/// Asks for a receive buffer, above the system's limit if the process may.
pub fn set_receive_buffer(socket: impl AsFd, bytes: usize) -> Result<()> {
    let size = libc::c_int::try_from(bytes).map_err(|_| Errno::EINVAL)?;
    force_receive_buffer(&socket, bytes).or_else(|_| set_option(&socket, libc::SO_RCVBUF, size))
}

/// Sets a receive buffer of this size, whatever the system's limit is; `EPERM` if the process may not.
pub fn force_receive_buffer(socket: impl AsFd, bytes: usize) -> Result<()> {
    set_option(&socket, libc::SO_RCVBUFFORCE, libc::c_int::try_from(bytes).map_err(|_| Errno::EINVAL)?)
}

/// From now on a wait ends only when so many bytes can be read.
pub fn set_low_water(socket: impl AsFd, bytes: usize) -> Result<()> {
    set_option(&socket, libc::SO_RCVLOWAT, libc::c_int::try_from(bytes).map_err(|_| Errno::EINVAL)?)
}

/// From now on each datagram comes with its sender's credentials.
pub fn want_credentials(socket: impl AsFd) -> Result<()> {
    set_option(&socket, libc::SO_PASSCRED, 1)
}

/// Who has opened the other end of a connection.
pub fn peer(connection: impl AsFd) -> Result<Credentials> {
    let peer: libc::ucred = option(&connection, libc::SO_PEERCRED)?;
    Ok(Credentials { process: peer.pid, user: peer.uid })
}

/// How many datagrams the kernel has dropped because the receive buffer was full, since the socket was made. The number
/// begins again at zero after the greatest.
pub fn dropped(socket: impl AsFd) -> Result<u32> {
    /// `SK_MEMINFO_DROPS` of linux/sock_diag.h.
    const DROPS: usize = 8;
    let numbers: [u32; 9] = option(&socket, libc::SO_MEMINFO)?;
    Ok(numbers[DROPS])
}

/// Accepts a connection. Never waits if the socket is non-blocking: `EAGAIN`.
pub fn accept(listener: impl AsFd) -> Result<OwnedFd> {
    let (nowhere, flags) = (std::ptr::null_mut(), libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    uninterrupted(|| {
        // SAFETY: a descriptor, and no place for an address.
        let answer = unsafe { libc::accept4(listener.as_fd().as_raw_fd(), nowhere, std::ptr::null_mut(), flags) };
        // SAFETY: the call has just made this descriptor, and nobody else knows of it.
        Errno::result(answer).map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) })
    })
}

/// Copies bytes from the head of a stream, and leaves them there. Never waits: `EAGAIN` if there are none; 0 means that
/// there are none and will be none.
pub fn peek(stream: impl AsFd, room: &mut [u8]) -> Result<usize> {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    uninterrupted(|| {
        // SAFETY: the call writes at most as many bytes as `room` has.
        let answer = unsafe { libc::recv(stream.as_fd().as_raw_fd(), room.as_mut_ptr().cast(), room.len(), flags) };
        Errno::result(answer).map(isize::unsigned_abs)
    })
}

/// Takes the next datagram out and drops it. Never waits: `EAGAIN` if there is none.
pub fn drop_one(socket: impl AsFd) -> Result<()> {
    let mut byte = 0_u8;
    uninterrupted(|| {
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: the call writes at most one byte, to ours.
        let answer = unsafe { libc::recv(socket, (&raw mut byte).cast(), 1, libc::MSG_DONTWAIT) };
        Errno::result(answer).map(drop)
    })
}

/// Closes a connection so that the other end sees at once that what it still sends is not read.
pub fn shut_down(connection: impl AsFd) {
    // SAFETY: two plain numbers. A connection that is gone already refuses, which is as good.
    unsafe { libc::shutdown(connection.as_fd().as_raw_fd(), libc::SHUT_RDWR) };
}

fn option<T: Copy>(socket: &impl AsFd, name: libc::c_int) -> Result<T> {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<T>()).expect("a small number");
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the call writes at most `length` bytes, which the value has.
    let answer =
        unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, name, value.as_mut_ptr().cast(), &raw mut length) };
    // SAFETY: T is always one of the plain structures of numbers above, for which zeros are valid too.
    Errno::result(answer).map(|_| unsafe { value.assume_init() })
}

fn set_option(socket: &impl AsFd, name: libc::c_int, value: libc::c_int) -> Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).expect("a small number");
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the call reads one int, of ours.
    let answer = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, name, (&raw const value).cast(), length) };
    Errno::result(answer).map(drop)
}
