//! Passing descriptors to another process through a socket.

use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

use crate::sys::datagrams::Credentials;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::Pidfd;
use crate::sys::{Errno, Result, uninterrupted};

/// How many descriptors may come with a message; the kernel's own limit is 253.
const DESCRIPTORS_MAX: usize = 253;

/// A message with what came with it.
#[derive(Debug)]
pub struct Message {
    /// How many bytes of the room it takes.
    pub length: usize,
    /// It was longer than the room, or its descriptors were more than could be taken.
    pub is_cut: bool,
    /// The descriptors, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
    /// Its sender, if the socket asks for it.
    pub sender: Option<Credentials>,
}

/// Sends a message with descriptors.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[RawFd]) -> Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let control = if descriptors.is_empty() { &[][..] } else { &rights };
    let socket = socket.as_fd().as_raw_fd();
    uninterrupted(|| sendmsg::<UnixAddr>(socket, &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None))
        .map(drop)
}

/// Receives a message. Never waits: `EAGAIN` if there is none.
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> Result<Message> {
    let mut control = cmsg_space!([RawFd; DESCRIPTORS_MAX], libc::ucred);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let socket = socket.as_fd().as_raw_fd();
    let mut vector = [IoSliceMut::new(room)];
    let answer = loop {
        match recvmsg::<UnixAddr>(socket, &mut vector, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            answer => break answer?,
        }
    };
    let cut = MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC;
    let mut message =
        Message { length: answer.bytes, is_cut: answer.flags.intersects(cut), descriptors: Vec::new(), sender: None };
    for control in answer.cmsgs()? {
        match control {
            ControlMessageOwned::ScmRights(numbers) => {
                // SAFETY: the call has just made these descriptors, and nobody else knows of them.
                let owned = numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) });
                message.descriptors.extend(owned);
            }
            ControlMessageOwned::ScmCredentials(sender) => {
                message.sender = Some(Credentials { process: sender.pid(), user: sender.uid() });
            }
            _ => {}
        }
    }
    Ok(message)
}

/// The descriptors from 3 on that this process was started with.
#[must_use]
pub fn inherited(count: usize) -> Vec<OwnedFd> {
    /// The first number behind the standard descriptors.
    const FIRST: usize = 3;
    (FIRST..FIRST + count)
        .filter_map(|number| {
            let number = RawFd::try_from(number).ok()?;
            // SAFETY: asks only for its flags, and tells so whether the descriptor is open. Programs call this first of
            // all, before they open anything, so nobody else owns the number.
            unsafe {
                Errno::result(libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC)).ok()?;
                Some(OwnedFd::from_raw_fd(number))
            }
        })
        .collect()
}

/// The descriptors that an earlier program in this process has handed on, close-on-exec, by their numbers.
#[derive(Debug, Default)]
pub struct HandedOn(BTreeMap<RawFd, OwnedFd>);

impl HandedOn {
    /// Takes these descriptors. To be called before the program opens anything. `EBADF` if one is not open or is standard
    /// input, output or error.
    pub fn take_all(numbers: impl IntoIterator<Item = RawFd>) -> Result<HandedOn> {
        let mut taken = BTreeMap::new();
        for number in numbers {
            if number <= libc::STDERR_FILENO {
                return Err(Errno::EBADF);
            }
            if taken.contains_key(&number) {
                continue;
            }
            // SAFETY: asks only for its flags, and tells so whether the descriptor is open. The program has opened nothing
            // yet, so nobody else owns the number.
            let descriptor = unsafe {
                Errno::result(libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC))?;
                OwnedFd::from_raw_fd(number)
            };
            taken.insert(number, descriptor);
        }
        Ok(HandedOn(taken))
    }

    /// Takes one of them, once.
    pub fn take(&mut self, number: RawFd) -> Result<OwnedFd> {
        self.0.remove(&number).ok_or(Errno::EBADF)
    }
}

/// Duplicates a descriptor of another process.
pub fn take_from(process: &Pidfd, number: RawFd) -> Result<OwnedFd> {
    let held = process.end().ok_or(Errno::ENOSYS)?;
    // SAFETY: plain numbers.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_getfd, held.as_raw_fd(), number, 0) };
    let number = RawFd::try_from(Errno::result(answer)?).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the call has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The numbers of a process's open descriptors.
#[must_use]
pub fn open_numbers(process: Pid) -> Vec<RawFd> {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd"));
    entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
