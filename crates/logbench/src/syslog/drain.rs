//! A receiver that discards everything: what the kernel and the senders cost, whatever the daemon does.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::error::Error;
use logyard::sys::datagrams::Slots;
use logyard::sys::shared_memory::SharedMemory;
use logyard::sys::{Errno, poll, unix_socket};

/// Its name on the command line.
pub(crate) const DRAIN: &str = "drain";
/// Room for 64 messages at a time.
const SLOTS: Slots = Slots { headers_at: 0, bytes_at: 64 * 1024, count: 64, bytes_max: 8192 };
const MEMORY_BYTES: usize = 64 * 1024 + 64 * 8192;

/// Receives at a path until it is killed. So many datagrams can wait.
pub(crate) fn run(path: &Path, queue: u32) -> Result<(), Error> {
    let unable = |errno| Error::unable("receive messages", errno);
    let socket = unix_socket::with_queue(queue, || UnixDatagram::bind(path));
    let socket = socket.map_err(|error| Error::file("bind", path, &error))?;
    let mut memory = SharedMemory::new(MEMORY_BYTES).map_err(unable)?;
    SLOTS.prepare(&mut memory, true);
    loop {
        match SLOTS.receive(&mut memory, &socket) {
            Ok(_) => SLOTS.clear(&mut memory),
            Err(Errno::EAGAIN) => drop(poll::wait([std::os::fd::AsFd::as_fd(&socket)], None).map_err(unable)?),
            Err(errno) => return Err(unable(errno)),
        }
    }
}

/// Reads its command line, `drain path queue`.
pub(crate) fn parse(words: &[std::ffi::OsString]) -> Option<(std::path::PathBuf, u32)> {
    let [path, queue] = words else { return None };
    let queue = std::str::from_utf8(queue.as_bytes()).ok()?.parse().ok()?;
    Some((path.into(), queue))
}
