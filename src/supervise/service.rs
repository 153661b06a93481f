//! A service as svscan knows it: its supervisor, its log's supervisor, and the pipe between the two.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fmt::Display;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::{Program, Shown, cause};
use crate::supervise::logpipe::LogPipe;
use crate::supervise::pair::{LOG, Log, Pairing, Seen};
use crate::supervise::supervisor_process::{Ends, Keeper, has_process};
use crate::sys::Errno;
use crate::sys::dir::Dir;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::signal::Signal;
use crate::sys::stat::FileId;

const SVSCAN: Program = Program("svscan");

/// Which of the two supervisors of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The service's own.
    Service,
    /// Its logger's.
    Log,
}

/// The limits of the system that have been reached and named. Each is named once, until it is no longer reached.
#[derive(Debug, Default)]
pub struct Limits(BTreeSet<i32>);

impl Limits {
    fn is_limit(errno: Errno) -> bool {
        matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM)
    }

    fn reached(&mut self, errno: Errno, text: impl Display) {
        if !Limits::is_limit(errno) || self.0.insert(errno as i32) {
            SVSCAN.warn(format_args!("{text}: {}", cause(errno)));
        }
    }

    /// Forgets what was named: there was room for everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A service that svscan looks after.
#[derive(Debug)]
pub struct Watched {
    /// Its name in the scan directory, and that of its log.
    name: CString,
    log_name: CString,
    identity: FileId,
    /// Whether the name was there at the last scan.
    pub is_present: bool,
    /// What is done about its output.
    pub pairing: Pairing,
    pipe: Option<LogPipe>,
    /// Whether its supervisor's standard output is the pipe.
    is_joined: bool,
    /// Whether it has been said that its log is awaited.
    is_named: bool,
    service: Keeper,
    log: Keeper,
    /// What it was told when svscan came to leave: the service to end, the logger to end with its input.
    was_told: (bool, bool),
    /// How often its supervisors have been started since.
    last_starts: u32,
    /// Since when the pipe has been empty, the service being gone.
    empty_since: Option<Duration>,
    /// Since when its logger cannot be told to end.
    unheard_since: Option<Duration>,
    /// When its logger, which was asked to end, is to be killed.
    log_overdue: Option<Duration>,
    /// When its logger is to end although the service, which was killed, still runs.
    service_overdue: Option<Duration>,
}

impl Watched {
    /// A service that was never seen before.
    #[must_use]
    pub fn new(name: CString, identity: FileId, seen: Seen) -> Watched {
        let mut watched = Watched {
            name: CString::default(),
            log_name: CString::default(),
            identity,
            is_present: true,
            pairing: Pairing::at_first_sight(seen),
            pipe: None,
            is_joined: false,
            is_named: false,
            service: Keeper::Absent(Duration::ZERO),
            log: Keeper::Absent(Duration::ZERO),
            was_told: (false, false),
            last_starts: 0,
            empty_since: None,
            unheard_since: None,
            log_overdue: None,
            service_overdue: None,
        };
        watched.rename(name);
        watched.name_what_is_awaited(seen);
        watched
    }

    /// Its name in the scan directory.
    #[must_use]
    pub fn name(&self) -> &CStr {
        &self.name
    }

    /// Its log's name, as seen from the scan directory.
    #[must_use]
    pub fn log_name(&self) -> &CStr {
        &self.log_name
    }

    /// It has another name now.
    pub fn rename(&mut self, name: CString) {
        if self.name == name {
            return;
        }
        self.log_name = CString::new([name.to_bytes(), b"/log"].concat()).expect("a name holds no NUL");
        self.name = name;
    }

    /// Looks at it again: a log service that has become complete is joined to it.
    pub fn review(&mut self, seen: Seen) {
        let before = self.pairing;
        self.pairing = before.then(seen);
        if before == Pairing::Alone && self.pairing == Pairing::Paired {
            let name = Shown(self.name.to_bytes());
            SVSCAN.warn(format_args!("{name}/log has come: restarting {name} to join the two"));
        }
        self.name_what_is_awaited(seen);
    }

    fn name_what_is_awaited(&mut self, seen: Seen) {
        if self.is_named || !seen.is_sticky || seen.log == Log::Complete || self.pairing == Pairing::Paired {
            return;
        }
        self.is_named = true;
        let name = Shown(self.name.to_bytes());
        match self.pairing {
            Pairing::Awaiting => {
                SVSCAN.warn(format_args!("{name} is sticky and has no log: it waits for {name}/log/run"));
            }
            Pairing::Alone | Pairing::Paired => {
                SVSCAN.warn(format_args!(
                    "{name} is sticky and has no log: it runs without until {name}/log/run is there"
                ));
            }
        }
    }

    fn keeper(&mut self, role: Role) -> &mut Keeper {
        match role {
            Role::Service => &mut self.service,
            Role::Log => &mut self.log,
        }
    }

    fn directory(&self, role: Role) -> &CStr {
        match role {
            Role::Service => &self.name,
            Role::Log => &self.log_name,
        }
    }

    /// One of its supervisors, a child of ours, has ended.
    pub fn ended(&mut self, role: Role, how: Ended) {
        self.keeper(role).ended(how);
        self.forget(role);
    }

    /// The supervisors that are not our children, to be waited for.
    pub fn found(&self) -> impl Iterator<Item = (Role, std::os::fd::BorrowedFd<'_>)> {
        [(Role::Service, &self.service), (Role::Log, &self.log)].into_iter().filter_map(|(role, keeper)| match keeper {
            Keeper::Found { ok, .. } => Some((role, ok.as_fd())),
            Keeper::Absent(_) | Keeper::Child { .. } => None,
        })
    }

    /// One of those has gone.
    pub fn vanished(&mut self, role: Role) {
        let directory = self.directory(role).to_owned();
        self.keeper(role).vanished(&directory);
        self.forget(role);
    }

    fn forget(&mut self, role: Role) {
        match role {
            Role::Service => {
                self.is_joined = false;
                self.was_told.0 = false;
            }
            Role::Log => self.was_told.1 = false,
        }
    }

    /// Whether nothing of it is left to look after.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.is_present && !self.service.is_there() && !self.log.is_there()
    }

    /// When it is next to be seen to; `None` if it is as it should be.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        if !self.is_present || self.pairing == Pairing::Awaiting {
            return None;
        }
        let log = (self.pairing == Pairing::Paired).then_some(&self.log);
        let absent = [Some(&self.service), log].into_iter().flatten().filter_map(|keeper| match keeper {
            Keeper::Absent(moment) => Some(*moment),
            Keeper::Child { .. } | Keeper::Found { .. } => None,
        });
        let joining = (self.is_to_be_joined()).then_some(Duration::ZERO);
        absent.chain(joining).min()
    }

    fn is_to_be_joined(&self) -> bool {
        let is_named = self.pipe.as_ref().is_none_or(LogPipe::is_named);
        self.pairing == Pairing::Paired && self.service.is_there() && !self.is_joined && is_named
    }

    /// Starts what is missing, and joins service and logger. Returns the children it has started.
    pub fn keep(&mut self, limits: &mut Limits) -> Vec<(Role, Pid)> {
        let mut started = Vec::new();
        if !self.is_present || self.pairing == Pairing::Awaiting {
            return started;
        }
        let Ok(dir) = Dir::reach(self.name.as_c_str()) else {
            self.postpone();
            return started;
        };
        // The name may have come to stand for something else since the last scan.
        if !self.is_its(&dir) {
            self.is_present = false;
            return started;
        }
        if self.pairing == Pairing::Paired && self.pipe.is_none() && !self.make_pipe(&dir, limits) {
            self.postpone();
            return started;
        }
        for role in [Role::Log, Role::Service] {
            let is_wanted = role == Role::Service || self.pairing == Pairing::Paired;
            if is_wanted && self.keeper(role).is_due() {
                started.extend(self.start(role, &dir, limits).map(|process| (role, process)));
            }
        }
        if self.is_to_be_joined() {
            self.is_joined = self.service.tell(&self.name, b"l");
        }
        started
    }

    fn is_its(&self, dir: &Dir) -> bool {
        dir.stat_self().is_ok_and(|stat| stat.identity == self.identity)
    }

    /// Its directory, if its name still leads there.
    fn reach(&self) -> Option<Dir> {
        Dir::reach(self.name.as_c_str()).ok().filter(|dir| self.is_its(dir))
    }

    fn postpone(&mut self) {
        for keeper in [&mut self.service, &mut self.log] {
            if keeper.is_due() {
                keeper.postpone();
            }
        }
    }

    fn make_pipe(&mut self, dir: &Dir, limits: &mut Limits) -> bool {
        let name = Shown(self.name.to_bytes());
        match LogPipe::make(dir) {
            Ok((pipe, fault)) => {
                if let Some(fault) = fault {
                    SVSCAN.warn(format_args!(
                        "unable to make {name}/supervise/logpipe, so a pipe of svscan's must do: {fault}"
                    ));
                }
                self.pipe = Some(pipe);
                true
            }
            Err(errno) => {
                limits.reached(errno, format_args!("unable to create pipe for {name}"));
                false
            }
        }
    }

    /// Starts one supervisor, or finds it running. Returns the child, if it is one.
    fn start(&mut self, role: Role, dir: &Dir, limits: &mut Limits) -> Option<Pid> {
        let directory = self.directory(role).to_owned();
        let shown = Shown(directory.to_bytes());
        let target = Dir::reach(directory.as_c_str());
        if target.as_ref().is_ok_and(|target| self.keeper(role).find(target)) {
            return None;
        }
        let identity = target.and_then(|target| Ok(target.stat_self()?.identity)).unwrap_or_default();
        let end = match (&self.pipe, role) {
            (None, _) => None,
            (Some(pipe), Role::Service) => Some(pipe.end_to_write(dir)),
            (Some(pipe), Role::Log) => Some(pipe.end_to_read(dir)),
        };
        let end = match end.transpose() {
            Ok(end) => end,
            Err(errno) => {
                limits.reached(errno, format_args!("unable to set up descriptors for {shown}"));
                self.keeper(role).postpone();
                return None;
            }
        };
        let end = end.as_ref().map(AsFd::as_fd);
        let ends = match role {
            Role::Service => Ends { input: None, output: end },
            Role::Log => Ends { input: end, output: None },
        };
        let complain = |errno| {
            SVSCAN.warn(format_args!("unable to start supervise {shown}: {}", cause(errno)));
        };
        let keeper = match role {
            Role::Service => &mut self.service,
            Role::Log => &mut self.log,
        };
        match keeper.start(&directory, identity, ends, complain) {
            Ok(()) => {
                let is_piped = ends.output.is_some();
                self.is_joined |= role == Role::Service && is_piped;
            }
            Err(errno) => {
                limits.reached(errno, format_args!("unable to fork for {shown}"));
                keeper.postpone();
            }
        }
        match self.keeper(role) {
            Keeper::Child { process, .. } => Some(*process),
            Keeper::Absent(_) | Keeper::Found { .. } => None,
        }
    }

    /// Looks for what is missing at once.
    pub fn hurry(&mut self) {
        self.service.hurry();
        self.log.hurry();
    }
}

/// How svscan leaves: services first; then loggers, which see the end of file and have written everything by then.
impl Watched {
    /// How long a pipe may stay empty and held open by a process that is no longer the service's, before its logger is
    /// asked to end.
    const EMPTY: Duration = Duration::from_secs(5);
    /// How long a logger that has read its input to the end may take to write it, where it cannot be waited for.
    const LAST_WORDS: Duration = Duration::from_millis(500);
    /// How long a logger may take to end when somebody has asked a second time; multilog promises a second.
    const PRESSED: Duration = Duration::from_millis(1500);
    /// How long the end of a service that was killed is waited for: its logger then writes its last lines. A process that
    /// waits for a disk cannot be killed, and a supervisor may not listen.
    const KILLED: Duration = Duration::from_millis(500);
    /// Supervisors started to stop what others have left.
    const LAST_STARTS_MAX: u32 = 5;

    /// Does what is next for ending. Returns the children it has started, or `None` when nothing is left. `is_pressed`:
    /// somebody has asked a second time.
    ///
    /// The supervisors that run are told whatever has become of the service's name; only one that is to be started needs
    /// the name.
    pub fn end(&mut self, now: Duration, is_pressed: bool, limits: &mut Limits) -> Option<Vec<(Role, Pid)>> {
        if self.service.is_there() {
            if !self.was_told.0 {
                let (commands, signal) =
                    if is_pressed { (&b"dxk"[..], Signal::SIGQUIT) } else { (&b"dx"[..], Signal::SIGTERM) };
                self.was_told.0 = self.service.ask(&self.name, commands, signal);
            }
            if !is_pressed || *self.service_overdue.get_or_insert(now + Watched::KILLED) > now {
                return Some(Vec::new());
            }
        } else if self.has_process(Role::Service) && self.may_start_again() {
            return Some(self.start_to_end(Role::Service, limits));
        }
        if self.log.is_there() {
            if !self.was_told.1 {
                self.was_told.1 = if is_pressed {
                    let is_told = self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
                    // Asking again does not put it off.
                    let overdue = is_told.then_some(now + Watched::PRESSED);
                    self.log_overdue = [self.log_overdue, overdue].into_iter().flatten().min();
                    is_told
                } else {
                    !self.log.is_erased() && self.log.tell_trusted(&self.log_name, b"ox") || self.end_unheard(now)
                };
            }
            if self.log_overdue.is_some_and(|moment| moment <= now) {
                self.log_overdue = None;
                self.log.ask(&self.log_name, b"dxk", Signal::SIGQUIT);
            }
            if self.was_told.1 {
                self.drain(now);
            }
            return Some(Vec::new());
        }
        if self.service.is_there() {
            return Some(Vec::new());
        }
        let is_unwritten = self.pipe.as_ref().is_some_and(|pipe| pipe.bytes_waiting() > 0);
        if (self.has_process(Role::Log) || is_unwritten) && self.may_start_again() {
            return Some(self.start_to_end(Role::Log, limits));
        }
        None
    }

    /// Ends a logger whose directory has been removed: the logger sees the end of its input, gets a moment to write what it
    /// has read, and is asked to end. Its own log directory may be gone too, so that it would try to write for ever. Says
    /// whether it was asked.
    fn end_unheard(&mut self, now: Duration) -> bool {
        let Some(since) = self.unheard_since else {
            let dir = self.reach();
            if let Some(pipe) = &mut self.pipe {
                pipe.let_go(dir.as_ref());
            }
            self.unheard_since = Some(now);
            return false;
        };
        let waited = now.saturating_sub(since);
        let is_empty = self.pipe.as_ref().is_none_or(|pipe| pipe.bytes_waiting() == 0 && !pipe.has_writer());
        let is_time = waited >= Watched::EMPTY || is_empty && waited >= Watched::LAST_WORDS;
        let is_told = is_time && self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
        self.log_overdue = is_told.then_some(now + Watched::EMPTY);
        is_told
    }

    fn has_process(&self, role: Role) -> bool {
        let dir = match role {
            Role::Service => self.reach(),
            Role::Log => self.reach().and_then(|dir| dir.reach_dir(LOG).ok()),
        };
        dir.is_some_and(|dir| has_process(&dir))
    }

    /// Somebody has asked a second time: everything is told again.
    pub fn press(&mut self) {
        self.was_told = (false, false);
    }

    fn may_start_again(&mut self) -> bool {
        self.last_starts += 1;
        self.last_starts <= Watched::LAST_STARTS_MAX
    }

    fn start_to_end(&mut self, role: Role, limits: &mut Limits) -> Vec<(Role, Pid)> {
        let Some(dir) = self.reach() else { return Vec::new() };
        self.start(role, &dir, limits).map(|process| (role, process)).into_iter().collect()
    }

    /// Gives up the pipe, so that the logger sees its end. A logger that does not, as another process has the pipe open,
    /// is asked to end when nothing has come for a while.
    fn drain(&mut self, now: Duration) {
        let dir = self.reach();
        let Some(pipe) = &mut self.pipe else { return };
        let Some(since) = self.empty_since else {
            pipe.let_go(dir.as_ref());
            self.empty_since = Some(now);
            return;
        };
        // A logger that has only not come round to it yet sees its end by itself.
        if pipe.bytes_waiting() > 0 || !pipe.has_writer() {
            self.empty_since = Some(now);
        } else if now.saturating_sub(since) >= Watched::EMPTY {
            let name = Shown(self.name.to_bytes());
            SVSCAN.warn(format_args!("{name} has ended and another process keeps its output open: ending {name}/log"));
            self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
            self.empty_since = Some(now);
        }
    }
}
