//! Replaces the program of svscan or of a supervisor while its services run.
//!
//! On request, the process executes the file at the path that it was started from, which may be another version by now. The
//! process stays the same, and so do its children, its lock and its pipes; [`handed_state`](crate::supervise::handed_state)
//! is all that the new program cannot find out. In this order:
//!
//! 1. Only root or the process's own user may have put the file there: [`trusted_path`].
//! 2. The file is run in a child, with `--check-state`, and must accept the state. Events are handled meanwhile; if
//!    they have changed the state, or if the file has changed, it is asked again.
//! 3. The file is executed with the same arguments. `LOGYARD_STATE` names the descriptor from which it reads the state. The
//!    signals that the program handles are blocked all the time: what arrives meanwhile waits for the new program, which
//!    collects all children that have ended before it first waits for something.
//!
//! If a step fails, the old program continues.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::cli::{Exit, Program, Shown, cause};
use crate::supervise::handed_state::{HandedState, Rejection};
use crate::sys::passing::HandedOn;
use crate::sys::process::exec::{Environment, Successor};
use crate::sys::process::pid::Pid;
use crate::sys::process::trial::{NOT_EXECUTED, Trial as TrialProcess};
use crate::sys::program::Arguments;
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::trusted_path::{self, Fault, Version};
use crate::sys::{Errno, Result, clock, fd, pipe, program, shared_memory};

/// The argument with which a program only says whether it accepts the state in its standard input.
pub const CHECK_STATE: &CStr = c"--check-state";
/// Names the descriptor from which the new program reads the state.
const VARIABLE: &CStr = c"LOGYARD_STATE";
/// What the program answers.
const ACCEPTED: &[u8] = b"state accepted\n";
/// More is not read of an answer.
const ANSWER_BYTES_MAX: usize = 256;
/// How long a file may take to answer: a thousand of them may be asked at the same time.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How often a file is asked because the state, or the file, has changed.
const TRIALS_MAX: u32 = 20;

/// Why the old program continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Others could have put the file there, or it cannot be reached.
    Path(Fault),
    /// A system call failed.
    System(Errno),
    /// The file does not accept the state, or is something else.
    NotAccepted,
    /// It does not answer.
    NoAnswer,
    /// At each attempt, the state or the file has changed meanwhile.
    Unsteady,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Refusal {
        Refusal::System(errno)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Path(Fault::System(errno)) | Refusal::System(errno) => out.write_str(cause(*errno)),
            Refusal::Path(Fault::NotPlain) => out.write_str("not a plain file"),
            Refusal::Path(Fault::Foreign(path)) => write!(out, "{} is owned by another user", Shown(path)),
            Refusal::Path(Fault::Writable(path)) => write!(out, "{} is writable by others", Shown(path)),
            Refusal::NotAccepted => out.write_str("it does not accept the state"),
            Refusal::NoAnswer => out.write_str("it does not answer"),
            Refusal::Unsteady => out.write_str("the state or the file changes too often"),
        }
    }
}

/// A file that is being asked whether it accepts the state.
#[derive(Debug)]
struct Trial {
    /// Its process; `None` once that was collected.
    process: Option<Pid>,
    answer: OwnedFd,
    heard: Vec<u8>,
    state: HandedState,
    version: Version,
    until: Duration,
    /// How many trials there were before, for the same request.
    earlier: u32,
}

/// Replaces the program of this process.
#[derive(Debug)]
pub struct Reexec {
    path: CString,
    arguments: Vec<&'static CStr>,
    trial: Option<Trial>,
}

impl Reexec {
    /// For a program that was started from this path with these arguments.
    #[must_use]
    pub fn new(path: CString, arguments: &Arguments) -> Reexec {
        Reexec { path, arguments: arguments.to_vec(), trial: None }
    }

    /// The path that the program was started from; empty if that is not known.
    #[must_use]
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// Begins to ask the file whether it accepts the state, unless that is going on already. `lock` is not held by the
    /// process that is asked.
    pub fn begin(&mut self, state: HandedState, lock: Option<BorrowedFd<'_>>) -> std::result::Result<(), Refusal> {
        if self.trial.is_some() {
            return Ok(());
        }
        self.ask(state, lock, 0)
    }

    fn ask(
        &mut self,
        state: HandedState,
        lock: Option<BorrowedFd<'_>>,
        earlier: u32,
    ) -> std::result::Result<(), Refusal> {
        let version = trusted_path::check(self.path.to_bytes()).map_err(Refusal::Path)?;
        let question = shared_memory::holding(&state.text)?;
        let (answer, end) = pipe::new()?;
        fd::set_nonblocking(&answer)?;
        let name = self.arguments.first().copied().unwrap_or_default();
        let process = TrialProcess {
            path: &self.path,
            arguments: &[name, CHECK_STATE],
            question: question.as_fd(),
            answer: end.as_fd(),
            withheld: lock,
        };
        let process = Some(process.start()?);
        let until = clock::uptime() + ANSWER_MAX;
        self.trial = Some(Trial { process, answer, heard: Vec::new(), state, version, until, earlier });
        Ok(())
    }

    /// What can be read when the file answers.
    #[must_use]
    pub fn answer(&self) -> Option<BorrowedFd<'_>> {
        self.trial.as_ref().map(|trial| trial.answer.as_fd())
    }

    /// When the file must have answered.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.trial.as_ref().map(|trial| trial.until)
    }

    /// A child was collected, which may be that of the trial.
    pub fn collected(&mut self, process: Pid) {
        if let Some(trial) = self.trial.as_mut().filter(|trial| trial.process == Some(process)) {
            trial.process = None;
        }
    }

    /// Reads the answer, and executes the file if it has accepted this state. Returns if the answer is not complete, or if
    /// the old program must continue.
    pub fn proceed(
        &mut self,
        state: HandedState,
        lock: Option<BorrowedFd<'_>>,
        signals: &mut SignalQueue,
    ) -> std::result::Result<(), Refusal> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let is_complete = trial.hear();
        if !is_complete && clock::uptime() < trial.until {
            return Ok(());
        }
        let Some(trial) = self.trial.take() else { return Ok(()) };
        if !is_complete {
            trial.kill();
            return Err(Refusal::NoAnswer);
        }
        trial.judge()?;
        let current = trusted_path::check(self.path.to_bytes()).map_err(Refusal::Path)?;
        if trial.state == state && trial.version == current {
            return Err(self.execute(&state, signals));
        }
        if trial.earlier + 1 >= TRIALS_MAX {
            return Err(Refusal::Unsteady);
        }
        self.ask(state, lock, trial.earlier + 1)
    }

    /// Ends a trial whose outcome does not matter any more.
    pub fn give_up(&mut self) {
        if let Some(trial) = self.trial.take() {
            trial.kill();
        }
    }

    fn execute(&self, state: &HandedState, signals: &mut SignalQueue) -> Refusal {
        let carrier = match shared_memory::holding(&state.text) {
            Ok(carrier) => carrier,
            Err(errno) => return errno.into(),
        };
        let mut environment = Environment::inherited();
        let variable = format!("{}={}", VARIABLE.to_string_lossy(), carrier.as_raw_fd());
        environment.put(CString::new(variable).expect("neither part holds a NUL"));
        let mut descriptors = state.descriptors.clone();
        descriptors.push(carrier.as_raw_fd());
        let mut successor = Successor::at(&self.path, &self.arguments).with_environment(&environment);
        signals.leave_to_successor();
        // The new program would take for granted that its children are to ignore them too.
        let errno = match signal::stop_ignoring() {
            Ok(()) => successor.run_with(&descriptors),
            Err(errno) => errno,
        };
        // If this fails, a reader of standard error that goes away ends the program.
        let _ = signal::ignore_again();
        errno.into()
    }
}

impl Trial {
    /// Reads what there is of the answer. Returns whether it is complete.
    fn hear(&mut self) -> bool {
        let mut room = [0; ANSWER_BYTES_MAX];
        loop {
            match fd::read(&self.answer, &mut room) {
                Ok(0) => return true,
                Ok(count) => self.heard.extend(&room[..count]),
                Err(errno) => return errno != Errno::EAGAIN,
            }
            if self.heard.len() > ANSWER_BYTES_MAX {
                return true;
            }
        }
    }

    fn judge(&self) -> std::result::Result<(), Refusal> {
        if self.heard == ACCEPTED {
            return Ok(());
        }
        let number = self.heard.strip_prefix(NOT_EXECUTED).and_then(|number| std::str::from_utf8(number).ok());
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => Err(Errno::from_raw(number).into()),
            None => Err(Refusal::NotAccepted),
        }
    }

    fn kill(&self) {
        if let Some(process) = self.process {
            // It may have ended.
            let _ = signal::send(process, Signal::SIGKILL);
        }
    }
}

/// The path that this program was started from, for [`Reexec::new`]; empty if it is not known. To be called before the program
/// changes its directory.
#[must_use]
pub fn own_path() -> CString {
    program::path_at_start().and_then(|path| CString::new(path).ok()).unwrap_or_default()
}

/// The state that an earlier program in this process has handed on, if there was one. To be called before the program
/// opens anything.
#[must_use]
#[inline(never)]
pub fn take_state() -> Option<Vec<u8>> {
    let number = program::take_variable(VARIABLE).ok().flatten()?;
    let number: RawFd = std::str::from_utf8(&number).ok()?.parse().ok()?;
    let carrier = HandedOn::take_all([number]).and_then(|mut handed| handed.take(number)).ok()?;
    // What cannot be read is no state, and is not accepted.
    Some(read_all(carrier.as_fd()).unwrap_or_default())
}

/// Says whether the program accepts the state in its standard input: `--check-state`.
#[inline(never)]
#[must_use]
pub fn check_state(program: Program, read: impl Fn(&[u8]) -> std::result::Result<(), Rejection>) -> Exit {
    let state = match read_all(fd::stdin()) {
        Ok(state) => state,
        Err(errno) => return program.fatal(format_args!("unable to read the state: {}", cause(errno))),
    };
    if let Err(rejection) = read(&state) {
        return program.fatal(format_args!("unable to accept the state: {rejection}"));
    }
    match fd::write_all(fd::stdout(), ACCEPTED) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::TROUBLE,
    }
}

/// Not inlined: the stack that its room takes would stay taken while the service runs.
#[inline(never)]
fn read_all(source: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let (mut bytes, mut room) = (Vec::new(), [0; 4096]);
    loop {
        match fd::read(source, &mut room)? {
            0 => return Ok(bytes),
            count => bytes.extend(&room[..count]),
        }
    }
}
