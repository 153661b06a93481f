//! One run at full speed.

use std::ffi::CString;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::syslog::daemons::{Daemon, Place};
use crate::syslog::request::{SyslogRequest, Transport};
use crate::syslog::senders::{self, Until};
use crate::syslog::written::{self, Written};
use logyard::sys::process::child::Child;

/// How long a daemon may take to listen, and to write.
const PATIENCE: Duration = Duration::from_secs(60);
/// When a log has not grown for so long, it is complete.
const COMPLETE_AFTER: Duration = Duration::from_secs(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    /// Messages that were written, in a second.
    pub(crate) rate: f64,
    /// Processor time of the daemon and its logger for a million messages, in seconds.
    pub(crate) seconds_per_million: f64,
    /// How many messages were sent.
    pub(crate) sent: u64,
    /// How many were written.
    pub(crate) written: u64,
}

/// A process group that is killed when it is dropped.
pub(crate) struct Group(pub(crate) Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.0.kill_group();
        let _ = self.0.wait();
    }
}

impl Group {
    /// Starts a command in a directory; what it prints goes to the file `printed` there.
    pub(crate) fn start(command: &str, directory: &Path) -> Result<Group, Error> {
        let unable = |error| Error::file("open files in", directory, &error);
        let here = File::open(directory).map_err(unable)?;
        let printed = File::create(directory.join("printed")).map_err(unable)?;
        let nothing = File::open("/dev/null").map_err(unable)?;
        let command = CString::new(command).map_err(|_| Error::Usage("a path with a zero byte".to_owned()))?;
        let descriptors = [(nothing.as_fd(), 0), (printed.as_fd(), 1), (printed.as_fd(), 2)];
        let child = Child::start_shell(&command, here.as_fd(), descriptors, |_| ());
        child.map(Group).map_err(|errno| Error::unable("start a daemon", errno))
    }

    /// The processor time of its processes that run, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let ticks = stats.filter_map(|stat| {
            // Behind the name: state, parent, group, …, and the two times at 12 and 13.
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
            let is_ours = fields.get(2)?.parse() == Ok(self.0.pid().number());
            is_ours.then_some(())?;
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        });
        ticks.sum()
    }
}

impl Place {
    /// A place for a run.
    pub(crate) fn new(directory: &Path) -> Result<Place, Error> {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| Error::file("find a port for", directory, &error))?.port();
        let directory = directory.to_string_lossy().into_owned();
        Ok(Place { socket: format!("{directory}/log"), directory, port })
    }

    /// Waits until the daemon listens; says whether it does.
    pub(crate) fn wait_for(&self, transport: Transport) -> bool {
        let start = Instant::now();
        let listens = || match transport {
            Transport::Unix => UnixDatagram::unbound().is_ok_and(|socket| socket.connect(&self.socket).is_ok()),
            Transport::Stream => std::os::unix::net::UnixStream::connect(&self.socket).is_ok(),
            Transport::Tcp => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            Transport::Udp => {
                let address = format!(":{:04X} ", self.port);
                std::fs::read_to_string("/proc/net/udp").is_ok_and(|sockets| sockets.contains(&address))
            }
        };
        while !listens() {
            if start.elapsed() > PATIENCE {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}

/// Waits until the log does not grow any more; says when it last grew.
pub(crate) fn wait_for_log(directory: &Path) -> Instant {
    let (mut bytes, mut grown) = (written::bytes(directory), Instant::now());
    while grown.elapsed() < COMPLETE_AFTER {
        std::thread::sleep(PAUSE);
        let now = written::bytes(directory);
        if now != bytes {
            (bytes, grown) = (now, Instant::now());
        }
    }
    grown
}

/// Runs a daemon once.
pub(crate) fn measure(
    daemon: &Daemon,
    transport: Transport,
    request: &SyslogRequest,
    directory: &Path,
) -> Result<Speed, Error> {
    let place = Place::new(directory)?;
    let command = daemon.command(&place);
    let command = match daemon.logger() {
        Some(logger) => format!("( {command} ) | ( {logger} )"),
        None => command,
    };
    let group = Group::start(&command, directory)?;
    if !place.wait_for(transport) {
        return Err(Error::System(format!("unable to start {}: it does not listen", daemon.name)));
    }
    let (ticks_before, start) = (group.ticks(), Instant::now());
    let sent = senders::send(transport, &place, request.senders, Until::Count(request.messages / request.senders));
    let sent_at = Instant::now();
    let end = if daemon.writes { wait_for_log(directory) } else { sent_at };
    let seconds = (group.ticks() - ticks_before) as f64 / TICKS_PER_SECOND;
    let total: u64 = sent.iter().map(|&count| u64::from(count)).sum();
    let written = if daemon.writes { Written::read(directory, &sent).messages() } else { total };
    Ok(Speed {
        rate: written as f64 / (end - start).as_secs_f64(),
        seconds_per_million: seconds * 1e6 / written.max(1) as f64,
        sent: total,
        written,
    })
}
