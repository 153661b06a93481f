//! What is asked for.

use std::path::PathBuf;

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Datagrams to a socket in the file system, as `/dev/log` is.
    Unix,
    /// A connection to such a socket.
    Stream,
    /// Datagrams on the loopback interface.
    Udp,
    /// Connections on the loopback interface.
    Tcp,
}

impl Transport {
    /// All there are.
    pub(crate) const ALL: [Transport; 4] = [Transport::Unix, Transport::Stream, Transport::Udp, Transport::Tcp];

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| transport.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::Unix => "unix",
            Transport::Stream => "stream",
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// A comparison, as it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct SyslogRequest {
    pub(crate) transports: Vec<Transport>,
    /// Names of daemons; all, if there are none.
    pub(crate) daemons: Vec<String>,
    pub(crate) messages: u32,
    pub(crate) senders: u32,
    pub(crate) runs: usize,
    pub(crate) kills: usize,
    pub(crate) directory: Option<PathBuf>,
}
