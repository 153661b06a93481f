//! The descriptor store of the supervisor, as the service sees it.
//!
//! `NOTIFY_SOCKET` names the socket that takes descriptors, `LISTEN_FDS` says how many came back. Any supervisor that knows
//! these conventions will do.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use logyard::sys::{Errno, passing, pipe, poll};

/// How long the supervisor may take to answer at the start.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Where descriptors can be stored; nowhere, without such a supervisor.
#[derive(Debug)]
pub struct Store(Option<UnixDatagram>);

/// A descriptor that came back, with its name.
#[derive(Debug)]
pub struct Returned {
    /// Its name.
    pub name: String,
    /// The descriptor.
    pub descriptor: OwnedFd,
}

/// The descriptors that came back. To be called before anything is opened.
#[must_use]
pub fn returned() -> Vec<Returned> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").and_then(|count| usize::try_from(count).ok()).unwrap_or(0).min(65_536);
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat(String::new()));
    passing::inherited(count).into_iter().zip(names).map(|(descriptor, name)| Returned { name, descriptor }).collect()
}

impl Store {
    /// Connects to the supervisor, if it has a store. Later, with fewer rights, this could be refused.
    #[must_use]
    pub fn connect() -> Store {
        let connect = || {
            let path = std::env::var_os("NOTIFY_SOCKET")?;
            let socket = UnixDatagram::unbound().ok()?;
            match path.as_bytes().strip_prefix(b"@") {
                Some(name) => {
                    use std::os::linux::net::SocketAddrExt;
                    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).ok()?;
                    socket.connect_addr(&address).ok()?;
                }
                None => socket.connect(path).ok()?,
            }
            Some(socket)
        };
        Store(connect())
    }

    /// Tells whether there is a store.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Stores a descriptor. What is not stored works as long as this process.
    pub fn add(&self, name: &str, descriptor: impl AsFd) {
        self.send(&format!("FDSTORE=1\nFDNAME={name}"), &[descriptor.as_fd().as_raw_fd()]);
    }

    /// Removes descriptors from the store.
    pub fn remove(&self, name: &str) {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), &[]);
    }

    /// Waits until the supervisor has seen everything that was sent; says whether it has.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let settle = || {
            let (reads, writes) = pipe::new().ok()?;
            self.send("BARRIER=1", &[writes.as_raw_fd()]);
            drop(writes);
            let [end] = poll::wait([reads.as_fd()], Some(ANSWERS_WITHIN)).ok()?;
            Some(end.hung_up)
        };
        self.is_there() && settle().unwrap_or(false)
    }

    fn send(&self, text: &str, descriptors: &[i32]) {
        let Some(socket) = &self.0 else { return };
        // A supervisor that was killed has a successor, which takes the descriptors out of this process.
        let _: Result<(), Errno> = passing::send(socket, text.as_bytes(), descriptors);
    }
}
