//! The daemon `supervise`: one service, one thread, one wait.
//!
//! This file has the loop. `adoption`: takes over from a supervisor that was killed. `handing_on`: hands everything to a new
//! program in this process. `start`: starts `./run` and `./finish`. `storing`: the descriptor store.
//!
//! The wait covers the signals, the control FIFO, the process if it is not our child, and the readiness FIFO; its
//! timeout is the next start or the moment when a service that was asked to end is overdue. [`step`] decides the
//! effects of an event; this file carries them out. An idle supervisor is never woken.
//!
//! # When a supervisor is killed
//!
//! The service keeps running. The next supervisor finds its process in `supervise/process`, verifies its identity, and
//! continues with the state in `supervise/status`. A process runs only after it has been recorded, so the next
//! supervisor cannot miss one.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::standard_error::{self, Threads};
use crate::cli::{Exit, Program, Shown, cause};
use crate::supervise::control::Control;
use crate::supervise::error::Error;
use crate::supervise::fdstore::FdStore;
use crate::supervise::files::{CONTROL, Files, LAST_EXIT, LOGPIPE, OK, READY, STATUS};
use crate::supervise::last_exit::LastExit;
use crate::supervise::options::{self, DOWN, Options};
use crate::supervise::record::ServiceScript;
use crate::supervise::reexec::{self, Reexec};
use crate::supervise::state::{Effect, Event, Phase, ServiceState, step};
use crate::supervise::status::Status;
use crate::supervise::throttle::Throttle;
use crate::sys::dir::{self, Dir};
use crate::sys::fifo::{self, Access, Fifo};
use crate::sys::file::Lock;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::Pidfd;
use crate::sys::process::spawn::Waiting;
use crate::sys::process::wait::{self, Reaped};
use crate::sys::replace::ReplaceStep;
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::{Result, boot_id, clock, fd, memory, poll, program};
use crate::tai64n::Label;

use handing_on::HandedSupervisor;

mod adoption;
mod handing_on;
mod start;
mod storing;

const PROGRAM: Program = Program("supervise");

/// The signals that a supervisor handles.
const SIGNALS: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGURG];

/// How many commands are read from the FIFO at a time.
const CONTROL_BYTES: usize = 64;

/// Between two checks of an adopted process, if the system cannot report its end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Runs `supervise dir`.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let &[_, dir] = arguments else { return PROGRAM.usage("supervise dir") };
    if dir == reexec::CHECK_STATE {
        return reexec::check_state(PROGRAM, |text| HandedSupervisor::read(text).map(drop));
    }
    fd::occupy_standard();
    match begin_or_take_over(dir, arguments) {
        Ok(mut supervisor) => supervisor.go_on(),
        Err(exit) => exit,
    }
}

/// Begins, or continues as the new program.
///
/// Not inlined, like other functions here that are seldom called and need much stack: a page of stack that was used once is
/// held for ever, and there are thousands of supervisors.
#[inline(never)]
fn begin_or_take_over(dir: &CStr, arguments: &program::Arguments) -> std::result::Result<Box<Supervisor>, Exit> {
    let handed = reexec::take_state().map(|text| HandedSupervisor::take(&text));
    standard_error::never_block(PROGRAM, Threads::None);
    match handed {
        None => {
            let mut supervisor = Supervisor::begin(dir.to_bytes(), Reexec::new(reexec::own_path(), arguments))?;
            supervisor.finish_start()?;
            Ok(supervisor)
        }
        Some(handed) => Supervisor::take_over(dir.to_bytes(), arguments, handed),
    }
}

/// A supervised process.
#[derive(Debug)]
struct Running {
    process: Pid,
    script: ServiceScript,
    /// Held when it is not our child: a supervisor that was killed has started it.
    adopted: Option<Pidfd>,
}

impl Running {
    fn send(&self, signal: Signal) -> Result<()> {
        match &self.adopted {
            Some(held) => held.send(signal),
            None => signal::send(self.process, signal),
        }
    }
}

#[derive(Debug)]
struct Supervisor {
    /// The service directory as it was named.
    name: Vec<u8>,
    service: Dir,
    files: Files,
    lock: Lock,
    control: Fifo,
    /// Its reading end shows that a supervisor runs; `None` during the start.
    ok: Option<Fifo>,
    signals: SignalQueue,
    /// The boot id of the system; 0 if it is unknown.
    boot: u128,
    state: ServiceState,
    throttle: Throttle,
    /// When the process last changed.
    changed: Label,
    running: Option<Running>,
    /// Created and recorded, and not yet allowed to run.
    waiting: Option<Waiting>,
    /// When to kill the process if it still runs.
    overdue: Option<Duration>,
    /// Whether somebody has sent the process a signal, so that its end is no failure.
    was_asked: bool,
    starts: u64,
    last_exit: LastExit,
    /// Where the service reports that it is ready.
    notify: Option<Fifo>,
    /// What the service has given us to keep.
    store: FdStore,
    /// A descriptor of this process was refused, which has been said.
    has_refused: bool,
    reexec: Reexec,
    /// Whether the program was asked to execute itself anew.
    is_to_execute: bool,
    is_exiting: bool,
}

impl Supervisor {
    /// Takes control of a service, in 0.76's order: the lock, the control FIFO, the status, and last the FIFO that
    /// shows that the supervisor accepts commands.
    #[inline(never)]
    fn begin(name: &[u8], reexec: Reexec) -> std::result::Result<Box<Supervisor>, Exit> {
        let shown = Shown(name).to_string();
        let about = |verb: &str, file: &str, error: Error| {
            PROGRAM.fatal(format_args!("unable to {verb} {shown}{file}: {error}"))
        };

        let signals = SignalQueue::new(&SIGNALS).map_err(|errno| about("create pipe for", "", errno.into()))?;
        // The service's process may be killed before it is allowed to run.
        signal::ignore(Signal::SIGPIPE).map_err(|errno| about("ignore signals for", "", errno.into()))?;
        dir::change_to(name).map_err(|errno| about("chdir to", "", errno.into()))?;
        let service = Dir::open(c".").map_err(|errno| about("chdir to", "", errno.into()))?;
        let is_wanted = service.target(DOWN).map_err(|errno| about("stat", "/down", errno.into()))?.is_none();
        let files = Files::make(&service).map_err(|error| about("acquire", "/supervise/lock", error))?;
        let lock = files.lock().map_err(|error| about("acquire", "/supervise/lock", error))?;
        let (control, was_open) =
            files.fifo_to_share(CONTROL, Access::Both).map_err(|error| about("read", "/supervise/control", error))?;
        if let Err(error) = files.guard() {
            PROGRAM.warn(format_args!("ignoring process, status and starts in {shown}/supervise: {error}"));
        }
        if was_open {
            PROGRAM.warn(format_args!("{shown}/supervise/control was writable by others: permissions corrected"));
        }

        Ok(Box::new(Supervisor {
            name: name.to_vec(),
            service,
            files,
            lock,
            control,
            ok: None,
            signals,
            boot: boot_id::id(),
            state: ServiceState::new(is_wanted),
            throttle: Throttle::default(),
            changed: Label::now(),
            running: None,
            waiting: None,
            overdue: None,
            was_asked: false,
            starts: 0,
            last_exit: LastExit::Unknown,
            notify: None,
            store: FdStore::default(),
            has_refused: false,
            reexec,
            is_to_execute: false,
            is_exiting: false,
        }))
    }

    /// Does the rest of the start: takes over what an earlier supervisor left, and accepts commands.
    #[inline(never)]
    fn finish_start(&mut self) -> std::result::Result<(), Exit> {
        self.open_store();
        self.remember();
        self.adopt();
        self.announce();
        let (ok, was_open) =
            self.files.fifo_to_share(OK, Access::Read).map_err(|error| self.fatal("read", "supervise/ok", &error))?;
        if was_open {
            let shown = Shown(&self.name);
            PROGRAM.warn(format_args!("{shown}/supervise/ok was writable by others: permissions corrected"));
        }
        self.ok = Some(ok);
        Ok(())
    }

    fn go_on(&mut self) -> Exit {
        while !self.is_exiting {
            self.start_if_due();
            if self.is_exiting {
                break;
            }
            // Before the wait: a program that has just taken over may have been asked already.
            if std::mem::take(&mut self.is_to_execute) {
                self.begin_to_hand_on();
            }
            if let Err(errno) = self.wait() {
                let name = Shown(&self.name);
                return PROGRAM.fatal(format_args!("unable to wait for {name}: {}", cause(errno)));
            }
        }
        self.reexec.give_up();
        self.announce();
        self.store.close(&self.files);
        Exit::OK
    }

    fn start_if_due(&mut self) {
        while self.state.phase == Phase::Delayed && self.throttle.due() <= clock::uptime() && !self.is_exiting {
            self.feed(Event::Due);
        }
    }

    /// Waits for events and handles them.
    fn wait(&mut self) -> Result<()> {
        let start = (self.state.phase == Phase::Delayed).then(|| self.throttle.due());
        let next = [start, self.overdue, self.reexec.due()].into_iter().flatten().min();
        let timeout = next.map(|moment| moment.saturating_sub(clock::uptime()));
        let adopted = self.running.as_ref().and_then(|running| running.adopted.as_ref());
        let is_looked_at = adopted.is_some_and(|held| held.end().is_none());
        let timeout = if is_looked_at { Some(timeout.unwrap_or(BETWEEN_LOOKS).min(BETWEEN_LOOKS)) } else { timeout };
        let sources = [
            Some(self.signals.as_fd()),
            Some(self.control.as_fd()),
            adopted.and_then(Pidfd::end),
            self.notify.as_ref().map(AsFd::as_fd),
            self.store.socket(),
            self.reexec.answer(),
        ];
        let [signals, control, ended, notified, stores, answered] = poll::readable_among(sources, timeout)?;
        standard_error::report_dropped();
        if ended || (is_looked_at && adopted.is_some_and(Pidfd::has_ended)) {
            let how = adopted.and_then(Pidfd::ended);
            self.ended(how);
        }
        if stores {
            self.take_stored();
        }
        if signals {
            self.take_signals();
        }
        if notified {
            self.take_notice();
        }
        if self.overdue.is_some_and(|moment| moment <= clock::uptime()) {
            self.overdue = None;
            self.feed(Event::Overdue);
        }
        if control {
            self.obey();
        }
        // Last, as what has been taken from a descriptor is not there for another program.
        if answered || self.reexec.due().is_some_and(|moment| moment <= clock::uptime()) {
            self.hand_on();
        }
        Ok(())
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            if let Signal::SIGTERM | Signal::SIGQUIT = signal {
                // A signal that makes a supervisor exit cleanly ends its service too: nothing is left running.
                self.feed(Event::Asked(Control::Down));
                self.feed(Event::Asked(Control::Exit));
            }
            if signal == Signal::SIGQUIT {
                self.feed(Event::Asked(Control::Send(Signal::SIGKILL)));
            }
            if signal == Signal::SIGURG {
                self.feed(Event::Asked(Control::Execute));
            }
        }
        while let Reaped::Child(process, how) = wait::reap() {
            let is_ours = self.running.as_ref().is_some_and(|running| running.process == process);
            if is_ours {
                self.ended(Some(how));
            }
            self.reexec.collected(process);
        }
    }

    fn obey(&mut self) {
        let mut bytes = [0; CONTROL_BYTES];
        let Ok(count) = fd::read(&self.control, &mut bytes) else { return };
        for control in bytes[..count].iter().filter_map(|byte| Control::from_byte(*byte)) {
            if let Control::Send(_) = control {
                self.was_asked = true;
            }
            if matches!(control, Control::Up | Control::Once) && !self.state.has_process() {
                self.throttle.start_at_once();
            }
            self.feed(Event::Asked(control));
            self.start_if_due();
            if self.is_exiting {
                return;
            }
        }
    }

    /// Carries out the effects of an event.
    fn feed(&mut self, event: Event) {
        let (next, effects) = step(self.state, event);
        self.state = next;
        for effect in effects {
            match effect {
                Effect::Announce => self.announce(),
                Effect::Start => self.start(ServiceScript::Run),
                Effect::Finish => self.start(ServiceScript::Finish),
                Effect::Send(signal) => self.send(signal),
                Effect::Stop => self.stop(),
                Effect::Forbear => self.overdue = None,
                Effect::Join => self.join(),
                Effect::Execute => self.is_to_execute = true,
                Effect::Exit => self.is_exiting = true,
            }
        }
    }

    /// The process has ended; `how` is not known when another supervisor had started it and the system does not tell.
    fn ended(&mut self, how: Option<Ended>) {
        // What it sent before it ended is its successor's.
        self.take_stored();
        let Some(running) = self.running.take() else { return };
        self.waiting = None;
        let is_run = running.script == ServiceScript::Run;
        if is_run {
            self.last_exit = match how {
                Some(Ended::Exited(code)) => LastExit::Exit(code),
                Some(Ended::Killed(signal)) => LastExit::Signal(signal),
                None => LastExit::Unknown,
            };
            self.write(LAST_EXIT, format!("{}\n", self.last_exit).as_bytes());
            self.changed = Label::now();
            self.notify = None;
            self.set_ready(false);
            let delay_max = self.option(Options::restart_delay_max);
            let is_failure = !std::mem::take(&mut self.was_asked);
            self.throttle.ended(clock::uptime(), is_failure, delay_max);
        }
        // Otherwise small allocations add up to some pages over a thousand starts.
        memory::give_back();
        let finishes = is_run && Options(&self.service).has_finish();
        self.feed(Event::Ended { finishes });
    }

    fn take_notice(&mut self) {
        let Some(notify) = &self.notify else { return };
        let mut bytes = [0; 256];
        let count = fd::read(notify, &mut bytes).unwrap_or(0);
        if bytes[..count].contains(&b'\n') {
            self.set_ready(true);
        }
    }

    /// Says in a file whether the service is ready; a service that says so twice is ready since the first time.
    fn set_ready(&self, is_ready: bool) {
        if !is_ready {
            self.files.remove(READY);
        } else if !matches!(self.files.dir().stat(READY), Ok(Some(_))) {
            self.write(READY, format!("{}\n", Label::now()).as_bytes());
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(running) = &self.running {
            // It may have ended already, which the next event will show.
            let _ = running.send(signal);
        }
    }

    fn stop(&mut self) {
        self.was_asked = true;
        self.send(self.option(Options::down_signal).unwrap_or(Signal::SIGTERM));
        self.send(Signal::SIGCONT);
        self.limit_time();
    }

    /// Starts the deadline that `timeout-kill` sets.
    fn limit_time(&mut self) {
        self.overdue = self.option(Options::timeout_kill).map(|time| clock::uptime() + time);
    }

    /// Makes the log pipe standard output, and restarts the service if it has been writing elsewhere.
    fn join(&mut self) {
        let joined = self.write_to_log_pipe(|is_output| !is_output);
        match joined {
            Ok(true) if self.state.phase == Phase::Up => self.stop(),
            Ok(_) => {}
            Err(error) => self.warn("open", "supervise/logpipe", &error),
        }
    }

    /// Opens the log pipe as standard output, if that is wanted, which may depend on whether it is standard output already.
    /// Tells whether it was done.
    fn write_to_log_pipe(&self, is_wanted: impl FnOnce(bool) -> bool) -> std::result::Result<bool, Error> {
        let pipe = self.files.own_fifo(LOGPIPE, Access::Both)?;
        let is_output = fifo::identity(&pipe)? == fifo::identity(fd::stdout()).unwrap_or_default();
        if !is_wanted(is_output) {
            return Ok(false);
        }
        pipe.set_blocking()?;
        fd::place(pipe.as_fd(), 1, false)?;
        Ok(true)
    }

    fn announce(&self) {
        let process = match self.state.phase {
            Phase::Up => self.running.as_ref().map(|running| running.process),
            Phase::Down | Phase::Delayed | Phase::Finishing => None,
        };
        let ServiceState { want, is_paused, .. } = self.state;
        self.write(STATUS, &Status { changed: self.changed, process, is_paused, want }.to_bytes());
    }

    /// Writes one of the files beside the status. A failure is reported, and the service runs without the file.
    fn write(&self, file: &[u8], bytes: &[u8]) {
        let Err((at, errno)) = self.files.replace(file, bytes) else { return };
        let (name, file) = (Shown(&self.name), Shown(file));
        let why = cause(errno);
        match at {
            ReplaceStep::Open => PROGRAM.warn(format_args!("unable to open {name}/supervise/{file}.new: {why}")),
            ReplaceStep::Write => PROGRAM.warn(format_args!("unable to write {name}/supervise/{file}.new: {why}")),
            ReplaceStep::Rename => {
                PROGRAM.warn(format_args!("unable to rename {name}/supervise/{file}.new to {file}: {why}"));
            }
        }
    }

    /// The value of an optional file; an invalid file is reported and treated as absent.
    fn option<'a, T>(
        &'a self,
        read: impl Fn(Options<'a>) -> std::result::Result<Option<T>, options::Error>,
    ) -> Option<T> {
        read(Options(&self.service)).unwrap_or_else(|bad| {
            PROGRAM.warn(format_args!("unable to read {}/{bad}", Shown(&self.name)));
            None
        })
    }

    fn fatal(&self, verb: &str, file: &str, error: &Error) -> Exit {
        PROGRAM.fatal(format_args!("unable to {verb} {}/{file}: {error}", Shown(&self.name)))
    }

    fn warn(&self, verb: &str, file: &str, error: &Error) {
        PROGRAM.warn(format_args!("unable to {verb} {}/{file}: {error}", Shown(&self.name)));
    }
}
