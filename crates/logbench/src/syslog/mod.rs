//! `logbench syslog`: compares syslog daemons. Each gets the same messages from several senders at a time.
//!
//! ```text
//! daemons ──── ours, the peers that are installed, and receivers that discard everything
//! senders ──── send numbered messages, as syslog(3) does
//! speed ────── one run at full speed: messages per second, processor time
//! kills ────── one run in which the daemon is killed again and again
//! written ──── which messages are in the log
//! drain ────── a receiver that discards everything: the most that the kernel and the senders allow
//! table ────── the report, which is Markdown
//! ```
//!
//! A daemon that writes to a pipe has a logger there, and both are measured.

pub(crate) mod daemons;
pub(crate) mod drain;
mod kills;
mod senders;
mod speed;
mod table;
mod written;

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::scratch_dir::ScratchDir;
use crate::syslog::daemons::Daemon;
use crate::syslog::kills::Kills;
use crate::syslog::speed::Speed;

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

/// What is measured of one daemon.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) daemon: Daemon,
    pub(crate) speeds: Vec<Speed>,
    pub(crate) kills: Option<Kills>,
}

/// Compares the daemons in turns, and returns the report.
pub(crate) fn compare(request: &SyslogRequest, directory: &Path, command_line: &str) -> Result<String, Error> {
    let scratch_dir = ScratchDir::new(directory)?;
    let mut tables = Vec::new();
    for &transport in &request.transports {
        let mut daemons = daemons::installed(transport);
        daemons.retain(|daemon| request.daemons.is_empty() || request.daemons.contains(&daemon.name.to_owned()));
        let mut all: Vec<Measured> =
            daemons.into_iter().map(|daemon| Measured { daemon, speeds: Vec::new(), kills: None }).collect();
        for turn in 0..request.runs {
            for turn_of in 0..all.len() {
                let at = (turn + turn_of) % all.len();
                let speed = speed::measure(&all[at].daemon, transport, request, &scratch_dir.run_dir()?.0)?;
                all[at].speeds.push(speed);
            }
        }
        for measured in all.iter_mut().filter(|measured| request.kills > 0 && measured.daemon.writes) {
            measured.kills = kills::measure(&measured.daemon, transport, request, &scratch_dir.run_dir()?.0)?;
        }
        tables.push((transport, all));
    }
    Ok(table::draw(&tables, request, command_line))
}
