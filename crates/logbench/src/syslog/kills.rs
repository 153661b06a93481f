//! One run in which the daemon is killed again and again, and its supervisor starts it anew.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::error::Error;
use crate::subject::{our, quoted};
use crate::syslog::daemons::{Daemon, Place};
use crate::syslog::request::{SyslogRequest, Transport};
use crate::syslog::senders::{self, Until};
use crate::syslog::speed::{Group, wait_for_log};
use crate::syslog::written::Written;
use logyard::sys::process::pid::Pid;
use logyard::sys::signal::{self, Signal};

/// From one kill to the next. A supervisor waits for a second before it starts a program again that has just been started.
const BETWEEN_KILLS: Duration = Duration::from_millis(1300);
/// How long a program may take to be started again.
const RESTARTS_WITHIN: Duration = Duration::from_secs(30);
/// Where the number of the service's process is in `supervise/status`.
const PID_AT: std::ops::Range<usize> = 12..16;

/// What the run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kills {
    pub(crate) count: usize,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

/// Runs a daemon once; `None` if there is no svscan of ours to restart it.
pub(crate) fn measure(
    daemon: &Daemon,
    transport: Transport,
    request: &SyslogRequest,
    directory: &Path,
) -> Result<Option<Kills>, Error> {
    let (Some(svscan), Some(svc)) = (our("svscan"), our("svc")) else { return Ok(None) };
    let place = Place::new(directory)?;
    let service = directory.join("sv/syslog");
    script(&service, &daemon.command(&place))?;
    if let Some(logger) = daemon.logger() {
        script(&service.join("log"), logger)?;
    }
    // svscan starts the supervise beside it.
    let beside = svscan.parent().map(quoted).unwrap_or_default();
    let group = Group::start(&format!("PATH={beside}:$PATH exec {} sv", quoted(&svscan)), directory)?;
    let measured = if place.wait_for(transport) {
        Ok(Some(kill_often(transport, request, &place, directory, &service)))
    } else {
        Err(Error::System(format!("unable to start {}: it does not listen", daemon.name)))
    };
    let _ = signal::send(group.0.pid(), Signal::SIGKILL);
    let both = [service.clone(), service.join("log")];
    let _ = Command::new(svc).arg("-dx").args(both.iter().filter(|path| path.exists())).status();
    measured
}

fn kill_often(transport: Transport, request: &SyslogRequest, place: &Place, directory: &Path, service: &Path) -> Kills {
    let is_over = AtomicBool::new(false);
    let mut count = 0;
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| senders::send(transport, place, request.senders, Until::True(&is_over)));
        for _ in 0..request.kills {
            thread::sleep(BETWEEN_KILLS);
            let Some(process) = running(service) else { continue };
            if signal::send(process, Signal::SIGKILL).is_ok() {
                count += 1;
            }
        }
        thread::sleep(BETWEEN_KILLS);
        is_over.store(true, Ordering::Relaxed);
        sending.join().unwrap_or_default()
    });
    let _ = wait_for_log(directory);
    let written = Written::read(directory, &sent);
    let sent: u64 = sent.iter().map(|&count| u64::from(count)).sum();
    Kills { count, sent, lost: sent - written.messages(), doubled: written.doubled() }
}

/// The process of a service, once it runs.
fn running(service: &Path) -> Option<Pid> {
    let start = Instant::now();
    while start.elapsed() < RESTARTS_WITHIN {
        let status = fs::read(service.join("supervise/status")).unwrap_or_default();
        let number = status.get(PID_AT).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_le_bytes);
        if number > 0 {
            return Some(Pid::new(number));
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Writes a run script.
fn script(service: &Path, command: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let run = service.join("run");
    let text = format!("#!/bin/sh\n{command}\n");
    let written = fs::create_dir_all(service)
        .and_then(|()| fs::write(&run, text))
        .and_then(|()| fs::set_permissions(&run, fs::Permissions::from_mode(0o755)));
    written.map_err(|error| Error::file("write", &run, &error))
}
