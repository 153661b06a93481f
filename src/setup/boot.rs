//! How svscan is started when the host boots: by systemd, OpenRC, init or a script.

use std::fmt;
use std::process::{Command, Stdio};

use crate::setup::config_line::{LineFile, has_id};
use crate::setup::manifest::{Manifest, ManifestEntry};
use crate::setup::resource::{Content, Resource};
use crate::setup::whole_file::{read_all, split};
use crate::sys::process::pid::Pid;
use crate::sys::root_dir::Tree;
use crate::sys::signal::{self, Signal};

/// The unit of systemd.
const UNIT: &str = "/etc/systemd/system/svscan.service";
/// The link that enables the unit.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/svscan.service";
/// The script of OpenRC.
const SCRIPT: &str = "/etc/init.d/svscan";
/// The link that enables the script.
const RUNLEVEL: &str = "/etc/runlevels/default/svscan";
/// The table of init.
const INITTAB: &str = "/etc/inittab";
/// The script that runs at the end of a boot.
const RC_LOCAL: &str = "/etc/rc.local";

/// The line in inittab, as 0.76 writes it, without its id.
const INITTAB_LINE: &str = "123456:respawn:/command/svscanboot";
/// Its possible ids: 0.76's, and others in case another line has that one.
const INITTAB_IDS: [&str; 5] = ["SV", "SV1", "SV2", "SV3", "SV4"];
/// The same for the init of busybox, which has no runlevels and takes the first field for a terminal.
const INITTAB_LINE_BUSYBOX: &str = "::respawn:/command/svscanboot";

/// A way to start svscan at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A unit.
    Systemd,
    /// A script that OpenRC runs.
    OpenRc,
    /// A line in init's table.
    Inittab,
    /// A line in a script.
    RcLocal,
    /// Something else starts it.
    None,
}

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Method::Systemd => "systemd",
            Method::OpenRc => "openrc",
            Method::Inittab => "inittab",
            Method::RcLocal => "rc.local",
            Method::None => "none",
        })
    }
}

impl Method {
    /// Reads a method's name.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Method> {
        let all = [Method::Systemd, Method::OpenRc, Method::Inittab, Method::RcLocal, Method::None];
        all.into_iter().find(|method| method.to_string().as_bytes() == name)
    }

    /// Detects the boot system; if none is found, it is rc.local, as in 0.76.
    #[must_use]
    pub fn of_host(tree: &Tree) -> Method {
        let has = |path: &&str| is_there(tree, path);
        if ["/run/systemd/system", "/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().any(has) {
            Method::Systemd
        } else if ["/sbin/openrc-run", "/usr/sbin/openrc-run"].iter().any(has) {
            Method::OpenRc
        } else if has(&INITTAB) {
            Method::Inittab
        } else {
            Method::RcLocal
        }
    }

    /// The method by which an earlier run entered svscan.
    #[must_use]
    pub fn of_record(record: &Manifest) -> Method {
        let of_entry = |entry: &ManifestEntry| match entry.path() {
            UNIT => Some(Method::Systemd),
            SCRIPT => Some(Method::OpenRc),
            INITTAB => Some(Method::Inittab),
            RC_LOCAL => Some(Method::RcLocal),
            _ => None,
        };
        record.latest_first().find_map(of_entry).unwrap_or(Method::None)
    }

    /// The resources that it needs.
    #[must_use]
    pub fn things(self, tree: &Tree) -> Vec<Resource> {
        let text = |path: &str, mode, text| Resource::file(path.to_owned(), mode, Content::Text(text));
        let link = |path: &str, target: &str| Resource::link(path.to_owned(), target.to_owned());
        let line =
            |path: &str, line: &str, style| Resource::Line { path: path.to_owned(), line: line.to_owned(), style };
        match self {
            Method::Systemd => {
                vec![text(UNIT, 0o644, include_str!("../../examples/svscan.service")), link(WANTED, UNIT)]
            }
            Method::OpenRc => {
                vec![text(SCRIPT, 0o755, include_str!("../../examples/svscan.openrc")), link(RUNLEVEL, SCRIPT)]
            }
            Method::Inittab if has_busybox_init(tree) => vec![line(INITTAB, INITTAB_LINE_BUSYBOX, LineFile::Table)],
            Method::Inittab => {
                let (parent, name) = split(INITTAB);
                let table = tree.dir(parent).and_then(|dir| read_all(&dir, name)).unwrap_or_default();
                let id = INITTAB_IDS.into_iter().find(|id| !has_id(&table, id)).unwrap_or(INITTAB_IDS[0]);
                vec![line(INITTAB, &format!("{id}:{INITTAB_LINE}"), LineFile::Table)]
            }
            Method::RcLocal => vec![line(RC_LOCAL, "/command/svscanboot &", LineFile::Script)],
            Method::None => vec![],
        }
    }

    /// How an administrator starts svscan without a reboot; `None` if nothing starts it.
    #[must_use]
    pub fn start_words(self) -> Option<&'static str> {
        match self {
            Method::Systemd => Some("systemctl daemon-reload && systemctl start svscan"),
            Method::OpenRc => Some("rc-service svscan start"),
            Method::Inittab => Some("kill -HUP 1"),
            Method::RcLocal => Some("pgrphack svscanboot &"),
            Method::None => None,
        }
    }

    /// How an administrator stops svscan before it is removed.
    #[must_use]
    pub fn stop_words(self) -> Option<&'static str> {
        match self {
            Method::Systemd => Some("systemctl stop svscan"),
            Method::OpenRc => Some("rc-service svscan stop"),
            Method::Inittab => Some("kill -HUP 1"),
            Method::RcLocal => Some("kill $(pidof svscanboot)"),
            Method::None => None,
        }
    }

    /// Starts svscan; the error names the command that failed.
    pub fn start(self) -> Result<(), String> {
        match self {
            Method::Systemd => {
                run(&["systemctl", "daemon-reload"])?;
                run(&["systemctl", "start", "svscan.service"])
            }
            Method::OpenRc => run(&["rc-service", "svscan", "start"]),
            Method::Inittab => tell_init(),
            Method::RcLocal => start_alone(),
            Method::None => Ok(()),
        }
    }

    /// Whether [`stop`](Method::stop) and [`forget`](Method::forget) end it: a process that a script started cannot be
    /// stopped this way.
    #[must_use]
    pub fn can_stop(self) -> bool {
        self != Method::RcLocal
    }

    /// Stops svscan, before the files that start it are removed.
    pub fn stop(self) -> Result<(), String> {
        match self {
            Method::Systemd => run(&["systemctl", "stop", "svscan.service"]),
            Method::OpenRc => run(&["rc-service", "svscan", "stop"]),
            Method::Inittab | Method::RcLocal | Method::None => Ok(()),
        }
    }

    /// Makes init notice that the files that started svscan are gone.
    pub fn forget(self) -> Result<(), String> {
        match self {
            Method::Systemd => run(&["systemctl", "daemon-reload"]),
            Method::Inittab => tell_init(),
            Method::OpenRc | Method::RcLocal | Method::None => Ok(()),
        }
    }
}

pub(super) fn is_there(tree: &Tree, path: &str) -> bool {
    let (parent, name) = split(path);
    tree.dir(parent).is_ok_and(|dir| matches!(dir.stat(name), Ok(Some(_))))
}

fn has_busybox_init(tree: &Tree) -> bool {
    let target = tree.dir("/sbin").and_then(|dir| dir.read_link(b"init"));
    target.is_ok_and(|target| target.is_some_and(|target| target.ends_with(b"busybox")))
}

fn tell_init() -> Result<(), String> {
    signal::send(Pid::INIT, Signal::SIGHUP).map_err(|_| "kill -HUP 1".to_owned())
}

/// Starts svscanboot in a session of its own, so that no hangup of a terminal reaches it.
fn start_alone() -> Result<(), String> {
    let mut command = Command::new("/command/pgrphack");
    command.arg("/command/svscanboot").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).map_err(|_| "/command/pgrphack /command/svscanboot".to_owned())
}

fn run(command: &[&str]) -> Result<(), String> {
    let ended = Command::new(command[0]).args(&command[1..]).status();
    if ended.is_ok_and(|status| status.success()) { Ok(()) } else { Err(command.join(" ")) }
}
