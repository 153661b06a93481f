//! A service in svscan: its supervisor, its log's supervisor, and the pipe between the two.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::{Messages, Shown, cause};
use crate::supervise::limits::Limits;
use crate::supervise::logpipe::LogPipe;
use crate::supervise::pair::{Log, Pairing, Seen};
use crate::supervise::supervisor_process::{Ends, SupervisorProcess};
use crate::sys::dir::Dir;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::stat::FileId;

mod ending;

/// Which of the two supervisors of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The service's own.
    Service,
    /// Its logger's.
    Log,
}

/// Which of a service's supervisors have been told to end.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The service's own.
    service: bool,
    /// The logger's: to end with its input.
    log: bool,
}

/// A service that svscan watches.
#[derive(Debug)]
pub struct WatchedService {
    /// Its name in the scan directory, and that of its log.
    name: CString,
    log_name: CString,
    identity: FileId,
    /// Whether the name was there at the last scan.
    pub is_present: bool,
    /// Where its output goes.
    pub pairing: Pairing,
    pipe: Option<LogPipe>,
    /// Whether its supervisor's standard output is the pipe.
    is_joined: bool,
    /// Whether the warning that its log is missing has been printed.
    is_named: bool,
    service: SupervisorProcess,
    log: SupervisorProcess,
    /// Which supervisors were told to exit when svscan began to exit.
    told: Told,
    /// How often its supervisors have been started since.
    last_starts: u32,
    /// Since when the pipe has been empty and the service has ended.
    empty_since: Option<Duration>,
    /// Since when its logger cannot be reached by its control FIFO.
    unheard_since: Option<Duration>,
    /// When its logger, which was asked to end, is to be killed.
    log_overdue: Option<Duration>,
    /// When to end its logger although the service was killed and still runs.
    service_overdue: Option<Duration>,
    messages: Messages,
}

impl WatchedService {
    /// A service that was never seen before.
    #[must_use]
    pub fn new(name: CString, identity: FileId, seen: Seen, messages: Messages) -> WatchedService {
        let mut watched = WatchedService {
            name: CString::default(),
            log_name: CString::default(),
            identity,
            is_present: true,
            pairing: Pairing::at_first_sight(seen),
            pipe: None,
            is_joined: false,
            is_named: false,
            service: SupervisorProcess::Absent(Duration::ZERO),
            log: SupervisorProcess::Absent(Duration::ZERO),
            told: Told::default(),
            last_starts: 0,
            empty_since: None,
            unheard_since: None,
            log_overdue: None,
            service_overdue: None,
            messages,
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

    /// Changes its name.
    pub fn rename(&mut self, name: CString) {
        if self.name == name {
            return;
        }
        self.log_name = CString::new([name.to_bytes(), b"/log"].concat()).expect("a name holds no NUL");
        self.name = name;
    }

    /// Checks it again, and pairs it with a log service that has become complete.
    pub fn review(&mut self, seen: Seen) {
        let before = self.pairing;
        self.pairing = before.then(seen);
        if before == Pairing::Alone && self.pairing == Pairing::Paired {
            let name = Shown(self.name.to_bytes());
            self.messages.warn(format_args!("{name}/log exists now: restarting {name} to connect them"));
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
                self.messages.warn(format_args!("{name} is sticky and has no log: it waits for {name}/log/run"));
            }
            Pairing::Alone | Pairing::Paired => {
                self.messages.warn(format_args!(
                    "{name} is sticky and has no log: it runs without one until {name}/log/run exists"
                ));
            }
        }
    }

    fn supervisor(&mut self, role: Role) -> &mut SupervisorProcess {
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
        self.supervisor(role).ended(how);
        self.forget(role);
    }

    /// The supervisors that are not our children, with the FIFOs that show their end.
    pub fn found(&self) -> impl Iterator<Item = (Role, std::os::fd::BorrowedFd<'_>)> {
        [(Role::Service, &self.service), (Role::Log, &self.log)].into_iter().filter_map(|(role, supervisor)| {
            match supervisor {
                SupervisorProcess::Found { ok, .. } => Some((role, ok.as_fd())),
                SupervisorProcess::Absent(_) | SupervisorProcess::Child { .. } => None,
            }
        })
    }

    /// One of those has exited.
    pub fn vanished(&mut self, role: Role) {
        let directory = self.directory(role).to_owned();
        self.supervisor(role).vanished(&directory);
        self.forget(role);
    }

    fn forget(&mut self, role: Role) {
        match role {
            Role::Service => {
                self.is_joined = false;
                self.told.service = false;
            }
            Role::Log => self.told.log = false,
        }
    }

    /// Whether it can be forgotten.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.is_present && !self.service.is_there() && !self.log.is_there()
    }

    /// When it needs attention; `None` if everything runs.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        if !self.is_present || self.pairing == Pairing::Awaiting {
            return None;
        }
        let log = (self.pairing == Pairing::Paired).then_some(&self.log);
        let absent = [Some(&self.service), log].into_iter().flatten().filter_map(|supervisor| match supervisor {
            SupervisorProcess::Absent(moment) => Some(*moment),
            SupervisorProcess::Child { .. } | SupervisorProcess::Found { .. } => None,
        });
        let joining = (self.is_to_be_joined()).then_some(Duration::ZERO);
        absent.chain(joining).min()
    }

    /// The directories of its service, and of its log, if they are to be started now.
    pub fn names_to_start(&self) -> impl Iterator<Item = &CStr> {
        let is_wanted = self.is_present && self.pairing != Pairing::Awaiting;
        let log = (self.pairing == Pairing::Paired).then_some(&*self.log_name);
        [Some(&*self.name), log].into_iter().flatten().filter(move |_| is_wanted)
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
        // The name may lead to another directory since the last scan.
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
            if is_wanted && self.supervisor(role).is_due() {
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
        for supervisor in [&mut self.service, &mut self.log] {
            if supervisor.is_due() {
                supervisor.postpone();
            }
        }
    }

    fn make_pipe(&mut self, dir: &Dir, limits: &mut Limits) -> bool {
        let name = Shown(self.name.to_bytes());
        match LogPipe::make(dir) {
            Ok((pipe, fault)) => {
                if let Some(fault) = fault {
                    self.messages
                        .warn(format_args!("unable to make {name}/supervise/logpipe, using an unnamed pipe: {fault}"));
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
        if target.as_ref().is_ok_and(|target| self.supervisor(role).find(target)) {
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
                self.supervisor(role).postpone();
                return None;
            }
        };
        let end = end.as_ref().map(AsFd::as_fd);
        let ends = match role {
            Role::Service => Ends { input: None, output: end },
            Role::Log => Ends { input: end, output: None },
        };
        let messages = self.messages;
        let complain = |errno| {
            messages.warn(format_args!("unable to start supervise {shown}: {}", cause(errno)));
        };
        let supervisor = match role {
            Role::Service => &mut self.service,
            Role::Log => &mut self.log,
        };
        match supervisor.start(&directory, identity, ends, complain) {
            Ok(()) => {
                let is_piped = ends.output.is_some();
                self.is_joined |= role == Role::Service && is_piped;
            }
            Err(errno) => {
                limits.reached(errno, format_args!("unable to fork for {shown}"));
                supervisor.postpone();
            }
        }
        match self.supervisor(role) {
            SupervisorProcess::Child { process, .. } => Some(*process),
            SupervisorProcess::Absent(_) | SupervisorProcess::Found { .. } => None,
        }
    }

    /// Starts missing supervisors without delay.
    pub fn start_at_once(&mut self) {
        self.service.start_at_once();
        self.log.start_at_once();
    }
}
