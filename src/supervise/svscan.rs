//! The daemon `svscan [-d fd] [dir]`: starts a supervisor for each service in a directory, and one for its log.
//!
//! The system notifies it of new services, logs, sticky bits, and supervisors that end; an idle svscan is never woken.
//! If it cannot be notified, it scans every five seconds, as 0.76 always does.
//!
//! - [`WatchedService`] is one service: its supervisors and its output.
//! - `Scan` is the loop: it scans the directory, collects children, and at the end stops everything in order.
//!
//! TERM (or INT) ends the services first, lets the loggers write what is left, and exits when nothing runs; after a
//! second one it kills them. On HUP svscan scans immediately.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Messages, Program, Shown, cause};
use crate::supervise::announcement::{self, Announcement};
use crate::supervise::limits::Limits;
use crate::supervise::pair::{LOG, Log, Pairing, Seen};
use crate::supervise::service::{Role, WatchedService};
use crate::sys::dir::{self, Dir};
use crate::sys::inotify::{Notification, Notifier, Watch};
use crate::sys::process::pid::Pid;
use crate::sys::process::wait::{self, Reaped};
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::stat::FileId;
use crate::sys::{Result, clock, fd, limit, poll, program};

const PROGRAM: Program = Program("svscan");

/// Between two scans if something cannot be watched.
const BETWEEN_SCANS: Duration = Duration::from_secs(5);
/// A scan waits until there was no change for this long, so that an unfinished service is not started.
const SETTLING: Duration = Duration::from_millis(100);
/// A scan waits at most this long after a change.
const SETTLING_MAX: Duration = Duration::from_millis(300);
/// How long svscan waits for killed processes after a second TERM, so that a process that cannot be killed, or a
/// supervisor that does not react, cannot stop it from exiting.
const KILLING_MAX: Duration = Duration::from_secs(3);
/// Between two attempts to reach a supervisor, and between two checks while svscan exits.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// Runs `svscan [dir]`.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let told = options(arguments);
    fd::occupy_standard();
    standard_error::never_block(PROGRAM, Threads::None);
    let Some((announcement, dir)) = told else { return PROGRAM.usage("svscan [ -d fd ] [ dir ]") };
    if let Some(dir) = dir
        && let Err(errno) = dir::change_to(dir)
    {
        let dir = Shown(dir.to_bytes());
        return PROGRAM.fatal(format_args!("unable to chdir to {dir}: {}", cause(errno)));
    }
    match Scan::begin().map(|scan| Scan { announcement, ..scan }).and_then(Scan::go_on) {
        Ok(exit) => exit,
        Err(errno) => PROGRAM.fatal(format_args!("unable to wait: {}", cause(errno))),
    }
}

/// Who is told that the services have been started, and the directory. Called before anything is opened. `None` if the descriptor
/// is none that svscan was started with.
fn options(arguments: &program::Arguments) -> Option<(Announcement, Option<&'static CStr>)> {
    let (descriptor, dir) = match arguments {
        [_, option, number, rest @ ..] if *option == c"-d" => {
            let number = number.to_str().ok()?.parse().ok()?;
            (Some(fd::take_inherited(number).ok()?), rest.first())
        }
        [_, option] if *option == c"-d" => return None,
        arguments => (None, arguments.get(1)),
    };
    // The services get their own.
    let socket = announcement::take_socket().ok().flatten().filter(|path| !path.is_empty());
    Some((Announcement::new(socket, descriptor), dir.copied()))
}

/// What a directory is watched for: the names that come and go, or the log and the sticky bit of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchedFor {
    Scan,
    Service(FileId),
}

impl WatchedFor {
    /// Whether a change matters; other files of a service do not.
    fn concerns(self, name: Option<&[u8]>) -> bool {
        match (self, name) {
            (WatchedFor::Scan, Some(name)) => !name.starts_with(b"."),
            (WatchedFor::Scan, None) => false,
            (WatchedFor::Service(_), Some(name)) => name == LOG || name == b"run",
            (WatchedFor::Service(_), None) => true,
        }
    }
}

/// Whether and how svscan exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Everything is being stopped.
    Stopping,
    /// Everything is being killed: TERM has come twice.
    Killing,
}

#[derive(Debug)]
struct Scan {
    signals: SignalQueue,
    changes: Option<Notifier>,
    watches: BTreeMap<Watch, WatchedFor>,
    services: BTreeMap<FileId, WatchedService>,
    children: BTreeMap<Pid, (FileId, Role)>,
    limits: Limits,
    /// Names that could not be read, and have been reported.
    unseen: BTreeSet<Vec<u8>>,
    /// When to scan, and when at the latest.
    next_scan: Option<(Duration, Duration)>,
    shutdown: Shutdown,
    /// When TERM came for the second time.
    killing_since: Option<Duration>,
    announcement: Announcement,
}

impl Scan {
    fn begin() -> Result<Scan> {
        let signals = SignalQueue::new(&[Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])?;
        // Each pair needs a descriptor. svscan works without these settings too.
        let _ = limit::raise_descriptors();
        // A supervisor may exit while svscan writes to it.
        let _ = signal::ignore(Signal::SIGPIPE);
        let _ = wait::become_subreaper();
        let mut watches = BTreeMap::new();
        let watched = Notifier::new().and_then(|changes| {
            watches.insert(changes.watch_attributes(c".")?, WatchedFor::Scan);
            Ok(changes)
        });
        if let Err(errno) = &watched {
            let seconds = BETWEEN_SCANS.as_secs();
            PROGRAM.warn(format_args!(
                "unable to watch directory, checking it every {seconds} seconds: {}",
                cause(*errno)
            ));
        }
        let changes = watched.ok();
        Ok(Scan {
            signals,
            changes,
            watches,
            services: BTreeMap::new(),
            children: BTreeMap::new(),
            limits: Limits::new(Messages::of(PROGRAM)),
            unseen: BTreeSet::new(),
            next_scan: Some((Duration::ZERO, Duration::ZERO)),
            shutdown: Shutdown::No,
            killing_since: None,
            announcement: Announcement::default(),
        })
    }

    fn go_on(mut self) -> Result<Exit> {
        loop {
            let now = clock::uptime();
            if self.shutdown != Shutdown::No {
                self.announcement.tell_stopping(Messages::of(PROGRAM));
                if self.end(now) {
                    return Ok(Exit::OK);
                }
            } else {
                if self.next_scan.is_some_and(|(moment, _)| moment <= now) {
                    self.scan();
                }
                self.keep(now);
                let names = self.services.values().flat_map(WatchedService::names_to_start);
                self.announcement.tell_when_started(names, Messages::of(PROGRAM));
            }
            self.wait()?;
        }
    }

    /// Waits until something happens, or is due.
    fn wait(&mut self) -> Result<()> {
        let found: Vec<(FileId, Role)> = self
            .services
            .iter()
            .flat_map(|(identity, watched)| watched.found().map(|(role, _)| (*identity, role)))
            .collect();
        let mut sources = vec![self.signals.as_fd(), self.changes.as_ref().map_or(self.signals.as_fd(), AsFd::as_fd)];
        sources.extend(self.services.values().flat_map(|watched| watched.found().map(|(_, fifo)| fifo)));
        let awake = poll::readable_of(&sources, self.timeout())?;
        standard_error::report_dropped();
        for ((identity, role), _) in found.into_iter().zip(&awake[2..]).filter(|(_, awake)| **awake) {
            if let Some(watched) = self.services.get_mut(&identity) {
                watched.vanished(role);
            }
        }
        if awake[0] {
            self.take_signals();
        }
        if awake[1] {
            self.take_changes();
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        let now = clock::uptime();
        if self.shutdown != Shutdown::No {
            return Some(BETWEEN_ATTEMPTS);
        }
        let due = self.services.values().filter_map(WatchedService::due).min();
        // An overdue task has just failed and will be retried.
        let due = due.map(|moment| moment.max(now + BETWEEN_ATTEMPTS));
        let scan = self.next_scan.map(|(moment, _)| moment);
        let announcement = self.announcement.is_awaited().then(|| now + BETWEEN_ATTEMPTS);
        [due, scan, announcement].into_iter().flatten().min().map(|moment| moment.saturating_sub(now))
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            match (signal, self.shutdown) {
                (Signal::SIGTERM | Signal::SIGINT, Shutdown::No) => self.shutdown = Shutdown::Stopping,
                (Signal::SIGTERM | Signal::SIGINT, Shutdown::Stopping | Shutdown::Killing) => {
                    self.shutdown = Shutdown::Killing;
                    self.killing_since.get_or_insert_with(clock::uptime);
                    self.services.values_mut().for_each(WatchedService::tell_again);
                }
                (Signal::SIGHUP, _) => {
                    self.services.values_mut().for_each(WatchedService::start_at_once);
                    self.next_scan = Some((Duration::ZERO, Duration::ZERO));
                }
                // SIGCHLD: below.
                _ => {}
            }
        }
        while let Reaped::Child(process, how) = wait::reap() {
            let known = self.children.remove(&process);
            if let Some((identity, role)) = known
                && let Some(watched) = self.services.get_mut(&identity)
            {
                watched.ended(role, how);
                if !watched.is_present {
                    self.scan_soon();
                }
            }
        }
    }

    fn take_changes(&mut self) {
        let Some(changes) = &self.changes else { return };
        let concerns = |notification: &Notification| match notification {
            // The queue of events has overflowed.
            Notification::Overflow => true,
            Notification::Of(watch, event) => {
                self.watches.get(watch).is_some_and(|purpose| purpose.concerns(event.name()))
            }
        };
        if changes.take().unwrap_or_default().iter().any(concerns) {
            self.scan_soon();
        }
    }

    fn scan_soon(&mut self) {
        let now = clock::uptime();
        let latest = match self.next_scan {
            Some((_, latest)) if latest <= now + SETTLING_MAX => latest,
            Some(_) | None => now + SETTLING_MAX,
        };
        self.next_scan = Some((latest.min(now + SETTLING), latest));
    }

    /// Looks at every name in the directory.
    fn scan(&mut self) {
        let mut sees_all = self.changes.is_some() && self.watches.values().any(|purpose| *purpose == WatchedFor::Scan);
        self.next_scan = None;
        match Dir::open(c".").and_then(|dir| Ok((dir.names()?, dir))) {
            Ok((names, dir)) => {
                let mut names: Vec<Vec<u8>> = names.into_iter().map(|(name, _)| name).collect();
                names.sort_unstable();
                names.retain(|name| !name.starts_with(b"."));
                self.services.values_mut().for_each(|watched| watched.is_present = false);
                for name in names {
                    sees_all &= self.look(&dir, name);
                }
                self.services.retain(|_, watched| !watched.is_over());
                self.announcement.note_scan();
                self.forget_watches();
            }
            Err(errno) => {
                PROGRAM.warn(format_args!("unable to read directory: {}", cause(errno)));
                sees_all = false;
            }
        }
        if !sees_all {
            let next = clock::uptime() + BETWEEN_SCANS;
            self.next_scan = Some((next, next));
        }
    }

    /// Checks one name. Returns whether svscan will be notified when it changes.
    fn look(&mut self, dir: &Dir, name: Vec<u8>) -> bool {
        let target = match dir.target(&name) {
            Ok(Some(target)) => target,
            missing => {
                let why = cause(missing.err().unwrap_or(crate::sys::Errno::ENOENT));
                if !self.unseen.contains(&name) {
                    PROGRAM.warn(format_args!("unable to stat {}: {why}", Shown(&name)));
                    self.unseen.insert(name);
                }
                return false;
            }
        };
        self.unseen.remove(&name);
        if !target.is_directory {
            return true;
        }
        let Ok(name) = CString::new(name) else { return true };
        let Ok(service) = dir.reach_dir(name.to_bytes()) else { return false };
        let known = self.services.get(&target.identity).map(|watched| watched.pairing);
        // Watched before it is read, so that no change is missed.
        let is_watched = known == Some(Pairing::Paired) || self.watch(name.to_bytes(), target.identity);
        let mut seen = Seen::of(&service);
        let mut is_log_watched = true;
        if known != Some(Pairing::Paired) && seen.log == Log::Incomplete {
            is_log_watched = self.watch(&[name.to_bytes(), b"/log"].concat(), target.identity);
            seen = Seen::of(&service);
        }
        let watched = self
            .services
            .entry(target.identity)
            .or_insert_with(|| WatchedService::new(name.clone(), target.identity, seen, Messages::of(PROGRAM)));
        if !watched.is_present || known.is_none() {
            watched.rename(name);
        }
        watched.is_present = true;
        watched.review(seen);
        is_watched && is_log_watched
    }

    fn watch(&mut self, path: &[u8], identity: FileId) -> bool {
        let Some(watch) = self.changes.as_ref().and_then(|changes| changes.watch_attributes(path).ok()) else {
            return false;
        };
        self.watches.insert(watch, WatchedFor::Service(identity));
        true
    }

    /// Ends the watches that are no longer needed.
    fn forget_watches(&mut self) {
        let Some(changes) = &self.changes else { return };
        let services = &self.services;
        let is_needed = |purpose: &WatchedFor| match purpose {
            WatchedFor::Scan => true,
            WatchedFor::Service(identity) => {
                services.get(identity).is_some_and(|watched| watched.pairing != Pairing::Paired)
            }
        };
        self.watches.retain(|watch, purpose| {
            let is_needed = is_needed(purpose);
            if !is_needed {
                changes.forget(*watch);
            }
            is_needed
        });
    }

    /// Starts what is missing.
    fn keep(&mut self, now: Duration) {
        for (identity, watched) in &mut self.services {
            if watched.due().is_some_and(|moment| moment <= now) {
                let started = watched.keep(&mut self.limits);
                self.children.extend(started.into_iter().map(|(role, process)| (process, (*identity, role))));
            }
        }
        if self.services.values().all(|watched| watched.due().is_none()) {
            self.limits.clear();
        }
    }

    /// Stops everything that still runs. Returns whether nothing runs any more.
    fn end(&mut self, now: Duration) -> bool {
        let is_killing = self.shutdown == Shutdown::Killing;
        let is_late = self.killing_since.is_some_and(|since| now.saturating_sub(since) >= KILLING_MAX);
        let mut is_over = true;
        for (identity, watched) in &mut self.services {
            if let Some(started) = watched.end(now, is_killing, &mut self.limits) {
                if is_late {
                    PROGRAM.warn(format_args!("exiting although {} still runs", Shown(watched.name().to_bytes())));
                } else {
                    is_over = false;
                }
                self.children.extend(started.into_iter().map(|(role, process)| (process, (*identity, role))));
            }
        }
        is_over
    }
}
