//! The daemons, and how each is started.

use std::path::Path;

use crate::subject::{our, peer, quoted};
use crate::syslog::request::Transport;
use logyard::sys::program::own_path;

/// The name of our own in the report.
pub(crate) const OURS: &str = "logyard";
/// The peer with which the others are compared.
pub(crate) const SOCKLOG: &str = "socklog";
/// What a logger does with the lines, in the words of multilog.
const LOGGING: &str = "t s16000000 n1000 ./main";

/// A daemon.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    /// The version of its package.
    pub(crate) version: Option<String>,
    /// For a shell. `SOCKET`, `PORT` and `DIR` stand for the place of a run.
    command: String,
    /// What reads the daemon's output, for a shell.
    logger: Option<String>,
    /// It writes messages. Others only receive them.
    pub(crate) writes: bool,
}

/// Where a run takes place.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its directory.
    pub(crate) directory: String,
    /// The path of the socket.
    pub(crate) socket: String,
    /// The port on the loopback interface.
    pub(crate) port: u16,
}

impl Daemon {
    /// The daemon's command line.
    pub(crate) fn command(&self, place: &Place) -> String {
        let Place { directory, socket, port } = place;
        self.command.replace("SOCKET", socket).replace("PORT", &port.to_string()).replace("DIR", directory)
    }

    /// The logger's command line.
    pub(crate) fn logger(&self) -> Option<&str> {
        self.logger.as_deref()
    }
}

/// The daemons that are installed and know a transport.
pub(crate) fn installed(transport: Transport) -> Vec<Daemon> {
    let mut daemons = Vec::new();
    let socklog = match transport {
        Transport::Unix => "unix SOCKET",
        Transport::Stream => "-s unix SOCKET",
        Transport::Udp => "-u inet 127.0.0.1 PORT",
        Transport::Tcp => "-t inet 127.0.0.1 PORT",
    };
    let logger = |multilog: Option<std::path::PathBuf>| Some(format!("exec {} {LOGGING}", quoted(&multilog?)));
    if let (Some(program), Some(logger)) = (our("socklog"), logger(our("multilog"))) {
        daemons.push(Daemon::found(OURS, &program, socklog, Some(logger)));
    }
    let knows = |known: &[Transport]| known.contains(&transport);
    if knows(&[Transport::Unix, Transport::Udp])
        && let (Some(program), Some(logger)) = (peer("socklog"), logger(peer("multilog").or_else(|| our("multilog"))))
    {
        // Its inet is always UDP, and it has no option for it.
        daemons.push(Daemon::found(SOCKLOG, &program, socklog.trim_start_matches("-u "), Some(logger)));
    }
    if knows(&[Transport::Unix, Transport::Udp, Transport::Tcp])
        && let Some(program) = peer("rsyslogd")
    {
        let mut daemon = Daemon::found("rsyslogd", &program, "", None);
        daemon.command = format!(
            "printf '%s\\n' {} > DIR/conf; exec {} -n -iNONE -f DIR/conf",
            rsyslog_configuration(transport),
            quoted(&program)
        );
        daemons.push(daemon);
    }
    if knows(&[Transport::Unix])
        && logyard::sys::process::pidfd::own_user() == 0
        && let (Some(program), Some(_)) = (peer("busybox"), peer("unshare"))
    {
        let mut daemon = Daemon::found("busybox syslogd", &program, "", None);
        daemon.command = format!("exec unshare -m sh -c '{}'", busybox_script(&program));
        daemons.push(daemon);
    }
    if knows(&[Transport::Unix]) {
        let own = own_path().map(|path| String::from_utf8_lossy(&path).into_owned()).unwrap_or_default();
        for (name, queue) in [("discards, queue of 10", 10), ("discards, queue of 4096", 4096)] {
            let command = format!("exec {} drain SOCKET {queue}", quoted(Path::new(&own)));
            daemons.push(Daemon { name, version: None, command, logger: None, writes: false });
        }
    }
    daemons
}

impl Daemon {
    fn found(name: &'static str, program: &Path, arguments: &str, logger: Option<String>) -> Daemon {
        let command = format!("exec {} {arguments}", quoted(program));
        let version = match name {
            OURS => Some(env!("CARGO_PKG_VERSION").to_owned()),
            _ => crate::machine::package_version(program),
        };
        Daemon { name, version, command, logger, writes: true }
    }
}

/// The lines of a configuration that writes everything to one file, each a word for a shell.
fn rsyslog_configuration(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => {
            "'module(load=\"imudp\")' 'input(type=\"imudp\" address=\"127.0.0.1\" port=\"PORT\")' \
             '*.* action(type=\"omfile\" file=\"DIR/messages\")'"
        }
        Transport::Tcp => {
            "'module(load=\"imtcp\")' 'input(type=\"imtcp\" address=\"127.0.0.1\" port=\"PORT\")' \
             '*.* action(type=\"omfile\" file=\"DIR/messages\")'"
        }
        Transport::Unix | Transport::Stream => {
            "'module(load=\"imuxsock\" SysSock.Use=\"off\")' \
             'input(type=\"imuxsock\" Socket=\"SOCKET\" RateLimit.Interval=\"0\")' \
             '*.* action(type=\"omfile\" file=\"DIR/messages\")'"
        }
    }
}

/// It reads `/dev/log` and nothing else: it gets a `/dev` of its own, in which that is a link to the socket's path.
fn busybox_script(program: &Path) -> String {
    let devices = "null zero urandom tty";
    format!(
        "mkdir -p DIR/dev && mount -t tmpfs none DIR/dev && mkdir DIR/dev/shm && mount --rbind /dev/shm DIR/dev/shm && \
         for device in {devices}; do touch DIR/dev/$device && mount --bind /dev/$device DIR/dev/$device; done; \
         ln -s SOCKET DIR/dev/log && mount --rbind DIR/dev /dev && exec {} syslogd -n -O DIR/messages",
        quoted(program)
    )
}
