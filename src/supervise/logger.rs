//! The logger of a service as others see it: how many bytes wait for it, and what it waits for itself.
//!
//! The bytes are those in `supervise/logpipe`. What the logger waits for is in its log directory: see
//! [`logger_state`](crate::logdir::logger_state). Whoever owns that directory could write anything there, so a state counts only
//! if it is of a process that the log service is, or has started, and that still runs.

use std::fmt;
use std::time::Duration;

use crate::cli::{Shown, cause};
use crate::logdir::logger_state::{Activity, Counts, LoggerState, STATE_BYTES};
use crate::logdir::names::JOURNAL;
use crate::logdir::script_file;
use crate::supervise::files::{Files, LOGPIPE};
use crate::sys::dir::Dir;
use crate::sys::fifo::{Access, Fifo};
use crate::sys::file::File;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd;
use crate::sys::{Errno, Result, pipe};
use crate::tai64n::Label;

/// Where a log service writes by custom.
const MAIN: &[u8] = b"main";
/// How long a logger may wait for the file before, or for a processor, without being called blocked: under much load both
/// are common.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many processes there may be between the log service and its logger.
const GENERATIONS_MAX: usize = 16;
/// How often a state is read that is being stored.
const ATTEMPTS: usize = 20;
/// A state with a text of usual length is not longer than this.
const SHORT_STATE_BYTES: usize = 192;

/// What can be said of a service's logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logger {
    /// The log pipe; an error says why nothing is known of it.
    pub pipe: Result<PipeFill>,
    /// What the logger does.
    pub condition: Condition,
    /// What it has logged since it started, if that is known.
    pub counts: Option<Counts>,
}

/// How full a pipe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeFill {
    /// The bytes that wait to be logged.
    pub waiting_bytes: usize,
    /// How many there can be before the service has to wait.
    pub capacity_bytes: usize,
}

/// What a logger does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It logs, or waits for input.
    Logging,
    /// It has been told to exit.
    Exiting,
    /// It waits, and logs nothing.
    Blocked(Obstacle),
    /// There is none.
    Down,
    /// It does not say.
    Unknown(Unknown),
}

/// What a logger waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What it waits for.
    pub by: By,
    /// Since when; `None` if the system does not tell.
    pub since: Option<Label>,
    /// The logger's sentence, with control characters made visible; may be empty.
    pub text: String,
}

/// Kinds of obstacles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// No space, or a quota.
    FullDisk,
    /// Another error, or a disk that does not answer.
    Disk,
    /// A processor that runs or fails.
    Processor,
    /// A standard output that nobody reads.
    Reader,
    /// SIGSTOP.
    Stop,
}

/// Why nothing is known of a logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The journal cannot be read.
    Unreadable(Errno),
    /// No log directory with a journal is found.
    NoJournal,
    /// The journal has no state, or that of a logger that is gone.
    NoState,
}

impl By {
    /// Every kind.
    pub const ALL: [By; 5] = [By::FullDisk, By::Disk, By::Processor, By::Reader, By::Stop];

    /// One word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            By::FullDisk => "full_disk",
            By::Disk => "disk",
            By::Processor => "processor",
            By::Reader => "reader",
            By::Stop => "stop",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            By::FullDisk => "a full disk",
            By::Disk => "the disk",
            By::Processor => "its processor",
            By::Reader => "the reader of its standard output",
            By::Stop => "SIGSTOP",
        })
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Unreadable(errno) => out.write_str(cause(*errno)),
            Unknown::NoJournal => out.write_str("no journal of multilog"),
            Unknown::NoState => out.write_str("no state in the journal"),
        }
    }
}

impl Obstacle {
    /// For how many seconds it has lasted; 0 if the clock was set back.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        Some(age(self.since?).map_or(0, |age| age.as_secs()))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "blocked by {}", self.by)?;
        if let Some(seconds) = self.seconds() {
            write!(out, " for {seconds} seconds")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(out, ": {}", self.text) }
    }
}

impl Condition {
    /// Stopped with SIGSTOP.
    pub const STOPPED: Condition = Condition::Blocked(Obstacle { by: By::Stop, since: None, text: String::new() });

    /// What a logger does by its state. Whether its process is stopped is not in there.
    #[must_use]
    pub fn of(state: &LoggerState) -> Condition {
        let is_long = age(state.since).is_none_or(|age| age >= PATIENCE);
        let is_full = [Errno::ENOSPC, Errno::EDQUOT].iter().any(|&errno| errno as i32 == state.task.errno);
        let by = match state.task.activity {
            Activity::Logging => return Condition::Logging,
            Activity::Exiting => return Condition::Exiting,
            Activity::Processing | Activity::Finishing | Activity::Printing if !is_long => return Condition::Logging,
            Activity::Retrying if is_full => By::FullDisk,
            Activity::Retrying | Activity::Finishing => By::Disk,
            Activity::Processing => By::Processor,
            Activity::Printing => By::Reader,
        };
        let text = Shown(&state.task.text).to_string();
        Condition::Blocked(Obstacle { by, since: Some(state.since), text })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Logging => out.write_str("logs, or waits for input"),
            Condition::Exiting => out.write_str("exits"),
            Condition::Blocked(obstacle) => obstacle.fmt(out),
            Condition::Down => out.write_str("down"),
            Condition::Unknown(unknown) => write!(out, "unknown ({unknown})"),
        }
    }
}

impl Logger {
    /// Looks at the logger of a service. `process` is that of the log service, if it is up.
    #[must_use]
    pub fn of(service: &Dir, log: &Dir, process: Option<Pid>) -> Logger {
        let pipe = fill(service);
        let Some(process) = process else {
            return Logger { pipe, condition: Condition::Down, counts: None };
        };
        let state = own_state(log, process);
        let counts = state.as_ref().ok().map(|state| state.counts);
        let logger = state.as_ref().map_or(process, |state| state.process);
        let condition = if is_stopped(process) || is_stopped(logger) {
            Condition::STOPPED
        } else {
            state.map_or_else(Condition::Unknown, |state| Condition::of(&state))
        };
        Logger { pipe, condition, counts }
    }
}

/// Tells whether a process was stopped with SIGSTOP.
fn is_stopped(process: Pid) -> bool {
    pidfd::about(process).is_some_and(|about| about.is_stopped())
}

/// How full the log pipe of a service is.
pub fn fill(service: &Dir) -> Result<PipeFill> {
    fill_in(&Files::open(service).map_err(|_| Errno::ENOENT)?)
}

/// The same, in a `supervise` directory that is open.
pub fn fill_in(supervise: &Files) -> Result<PipeFill> {
    let fifo = Fifo::open(supervise.dir(), LOGPIPE, Access::Read)?;
    Ok(PipeFill { waiting_bytes: pipe::waiting_bytes(&fifo)?, capacity_bytes: pipe::capacity_bytes(&fifo)? })
}

/// After how long a logger that waits for its processor, for the file before, or for a reader, counts as blocked; `None` if it does not wait, or
/// counts as blocked already.
#[must_use]
pub fn blocked_in(state: &LoggerState) -> Option<Duration> {
    let waits = matches!(state.task.activity, Activity::Processing | Activity::Finishing | Activity::Printing);
    PATIENCE.checked_sub(age(state.since).filter(|_| waits)?).filter(|left| !left.is_zero())
}

/// How long ago something was; `None` if the clock was set back since.
fn age(since: Label) -> Option<Duration> {
    let time = |label: Label| Some(Duration::new(u64::try_from(label.unix_seconds()).ok()?, label.nanoseconds()));
    time(Label::now())?.checked_sub(time(since)?)
}

/// The state of the logger that a log service runs.
fn own_state(log: &Dir, service: Pid) -> std::result::Result<LoggerState, Unknown> {
    find_state(&log_directories(log, service), service).map(|(_, state)| state)
}

/// The state of the logger that a log service runs, and the file in one of these directories that holds it.
pub fn find_state(directories: &[Dir], service: Pid) -> std::result::Result<(StateFile, LoggerState), Unknown> {
    let mut answer = Unknown::NoJournal;
    for directory in directories {
        match StateFile::open(directory).and_then(|file| Ok((file.read()?, file))) {
            Ok((Some(state), file)) if is_of(&state, service) => return Ok((file, state)),
            Ok(_) => answer = Unknown::NoState,
            Err(Errno::ENOENT) => {}
            Err(errno) => answer = Unknown::Unreadable(errno),
        }
    }
    Err(answer)
}

/// Where the logger may keep its journal: the first directory in its arguments, or the customary one.
#[must_use]
pub fn log_directories(log: &Dir, service: Pid) -> Vec<Dir> {
    let arguments = script_file::with_actions(pidfd::arguments(service), || {
        // Another user may not look where a process works.
        Dir::of_process(service).or_else(|_| log.reach_dir(b"."))
    });
    let named = arguments.into_iter().skip(1).find(|argument| is_directory(argument));
    let named = named.and_then(|name| reach(log, service, &name));
    named.into_iter().chain(log.reach_dir(MAIN)).collect()
}

/// Tells whether an argument of a logger names a log directory.
fn is_directory(argument: &[u8]) -> bool {
    argument.first().is_some_and(|&first| first == b'.' || first == b'/')
}

/// Takes hold of a log directory by its name in the arguments of a log service's process.
#[must_use]
pub fn reach(log: &Dir, service: Pid, name: &[u8]) -> Option<Dir> {
    let working = Dir::of_process(service);
    working.as_ref().unwrap_or(log).reach_dir(name).ok()
}

/// A journal that is open, with the state of a logger at its end.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    /// Where the state begins; `None`: the file is too short for one. A journal keeps its length.
    at: Option<u64>,
}

impl StateFile {
    /// Opens the journal in a log directory.
    pub fn open(directory: &Dir) -> Result<StateFile> {
        let file = directory.open_to_read(JOURNAL.as_bytes())?.if_plain()?;
        file.leave_access_time();
        let at = file.stat()?.size_bytes.checked_sub(STATE_BYTES as u64);
        Ok(StateFile { file, at })
    }

    /// Reads the state; `None` if there is none that can be understood.
    pub fn read(&self) -> Result<Option<LoggerState>> {
        let Some(at) = self.at else { return Ok(None) };
        for _ in 0..ATTEMPTS {
            let mut bytes = [0; STATE_BYTES];
            // Most states are short, and a program that looks at a thousand loggers saves time if it reads no more.
            for most in [SHORT_STATE_BYTES, STATE_BYTES] {
                let length = self.file.read_at(at, &mut bytes[..most])?;
                if let Some(state) = LoggerState::read(&bytes[..length]) {
                    return Ok(Some(state));
                }
            }
        }
        Ok(None)
    }

    /// Tells whether the journal was removed, or replaced by another one.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.file.stat().is_ok_and(|stat| stat.links == 0)
    }
}

/// Tells whether a state is that of a process which a service is, or has started, and which still runs.
#[must_use]
pub fn is_of(state: &LoggerState, service: Pid) -> bool {
    let Some(about) = pidfd::about(state.process) else { return false };
    if about.start_time != state.start_time || matches!(about.state, b'Z' | b'X') {
        return false;
    }
    let mut process = state.process;
    for _ in 0..GENERATIONS_MAX {
        if process == service {
            return true;
        }
        match pidfd::about(process) {
            Some(about) => process = about.parent,
            None => return false,
        }
    }
    false
}
