//! The loggers under test, ours and 0.76's, and processes that end with the test that started them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use logyard::sys::signal::{self, Signal};

use crate::{peer, until};

/// A multilog: one of those that must not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multilog {
    /// This repository's.
    Ours,
    /// daemontools 0.76's.
    Theirs,
}

impl Multilog {
    /// Those that are installed: ours always, 0.76's where its package is.
    pub fn installed() -> Vec<Multilog> {
        match peer("multilog") {
            Some(_) => vec![Multilog::Ours, Multilog::Theirs],
            None => vec![Multilog::Ours],
        }
    }

    /// The program.
    pub fn path(self) -> PathBuf {
        match self {
            Multilog::Ours => crate::program("multilog"),
            Multilog::Theirs => "/usr/bin/multilog".into(),
        }
    }

    /// A command line, to be started in `directory`, with nothing on any descriptor yet.
    pub fn command(self, directory: &Path, script: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(self.path());
        command.args(script).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// A process that was started here. It is killed when the test leaves without having waited for it.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts a command.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        Running(command.spawn().unwrap_or_else(|error| panic!("{command:?} can be started: {error}")))
    }

    /// A process that is a child of the test already.
    pub fn of(child: Child) -> Running {
        Running(child)
    }

    /// The end of the pipe that is its standard input.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().expect("it was started with a pipe")
    }

    /// The end of the pipe that is its standard output.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("it was started with a pipe")
    }

    /// The process's number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("the kernel keeps process numbers small")
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        signal::send(self.pid(), signal).expect("a process that was not waited for can be signalled");
    }

    /// Sends a signal that the process blocks or catches, and waits until it has taken it.
    #[track_caller]
    pub fn deliver(&mut self, signal: Signal) {
        self.signal(signal);
        until("the signal was taken", || !self.has_pending(signal) || !self.is_alive());
    }

    /// Kills the process, and waits until it is gone.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        self.end();
    }

    /// Tells whether a signal waits to be taken.
    fn has_pending(&self, signal: Signal) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status.lines().filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:")).any(|line| {
            let mask = line.split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok());
            mask.is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
        })
    }

    /// Tells whether the process has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked for").is_none()
    }

    /// Waits for the end, for as long as any condition is waited for.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        until("the process ended", || !self.is_alive());
        self.0.wait().expect("a child that ended can be waited for")
    }

    /// Reads standard error to its end, and then waits for the end of the process.
    #[track_caller]
    pub fn words_and_end(mut self) -> (ExitStatus, String) {
        use std::io::Read;
        let mut words = Vec::new();
        self.0.stderr.take().expect("it was started with a pipe").read_to_end(&mut words).expect("a pipe can be read");
        (self.end(), String::from_utf8_lossy(&words).into_owned())
    }

    /// Waits for the end, and returns it with what was said on standard error.
    #[track_caller]
    pub fn end_and_words(mut self) -> (ExitStatus, String) {
        use std::io::Read;
        let status = self.end();
        let mut words = Vec::new();
        if let Some(stderr) = &mut self.0.stderr {
            stderr.read_to_end(&mut words).expect("a pipe can be read");
        }
        (status, String::from_utf8_lossy(&words).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended and was waited for is not there any more: then both fail, as they should.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that something started by a test has started, named by its number. It is killed when the test leaves.
#[derive(Debug)]
pub struct Stray(i32);

impl Stray {
    /// The process that has written its number into a file, once it has.
    #[track_caller]
    pub fn from_file(path: &Path) -> Stray {
        let number = || std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok();
        until("a process wrote its number", || number().is_some());
        Stray(number().expect("it has just been there"))
    }

    /// Tells whether a signal has stopped the process.
    pub fn is_stopped(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = signal::send(self.0, Signal::SIGKILL);
    }
}
