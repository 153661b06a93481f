//! The loggers under test, ours and 0.76's; the pipe and the directory that they work with; and processes that end with the
//! test that started them.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::logdir::{LogDirFiles, current_bytes, is_in_use};
use crate::{DEADLINE, Workdir, peer, until};

/// A multilog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multilog {
    /// This repository's.
    Ours,
    /// daemontools 0.76's.
    Theirs,
}

impl Multilog {
    /// Ours, and 0.76's if it is installed.
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

    /// A command line that runs in `directory`, without input. Standard error is a pipe.
    pub fn command(self, directory: &Path, script: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(self.path());
        command.args(script).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// A directory and a pipe for loggers that log the pipe to `main` in the directory.
///
/// The test holds both ends of the pipe, as svscan does: what no logger has taken stays in it.
#[derive(Debug)]
pub struct LoggerFixture {
    /// The directory in which the loggers run.
    pub workdir: Workdir,
    /// The end of the pipe that the loggers read.
    pub input: PipeReader,
    /// The end of the pipe that the test writes to.
    pub output: PipeWriter,
}

#[allow(clippy::new_without_default)] // Each test says when it makes one.
impl LoggerFixture {
    pub fn new() -> LoggerFixture {
        let (input, output) = std::io::pipe().expect("a pipe can be made");
        LoggerFixture { workdir: Workdir::in_memory(), input, output }
    }

    /// The same with some bytes in the pipe already, as many as fit.
    pub fn with_input(bytes: &[u8]) -> LoggerFixture {
        let mut fixture = LoggerFixture::new();
        fixture.write(bytes);
        fixture
    }

    /// The log directory of most tests.
    pub fn main(&self) -> PathBuf {
        self.workdir.join("main")
    }

    /// The files of the log directory.
    #[track_caller]
    pub fn files(&self) -> LogDirFiles {
        LogDirFiles::read(&self.main())
    }

    /// How many archives the log directory has.
    #[track_caller]
    pub fn archive_count(&self) -> usize {
        // The logger may not have made the directory yet.
        if self.main().exists() { self.files().archives().count() } else { 0 }
    }

    /// What loggers have said that were started with [`LoggerFixture::start_with_messages`] and the like.
    pub fn messages(&self) -> String {
        fs::read_to_string(self.workdir.join(MESSAGES)).unwrap_or_default()
    }

    /// The reading end of the pipe, for a logger.
    pub fn stdin(&self) -> Stdio {
        self.input.try_clone().expect("a descriptor can be duplicated").into()
    }

    /// Writes to the pipe.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.output.write_all(bytes.as_ref()).expect("a pipe that the test holds can be written");
    }

    /// Starts our multilog; what it says goes to a pipe, which [`Running::end_and_words`] reads.
    #[track_caller]
    pub fn start(&self, script: &[impl AsRef<OsStr>]) -> Running {
        self.start_one(Multilog::Ours, script)
    }

    /// Starts a multilog of either family.
    #[track_caller]
    pub fn start_one(&self, multilog: Multilog, script: &[impl AsRef<OsStr>]) -> Running {
        Running::start(multilog.command(self.workdir.path(), script).stdin(self.stdin()))
    }

    /// Starts our multilog; what it says goes to a file, see [`LoggerFixture::messages`].
    #[track_caller]
    pub fn start_with_messages(&self, script: &[impl AsRef<OsStr>]) -> Running {
        self.start_command(Command::new(Multilog::Ours.path()).args(script))
    }

    /// Starts a command that becomes a logger, or starts one; what it says goes to a file.
    #[track_caller]
    pub fn start_command(&self, command: &mut Command) -> Running {
        Running::start_in(command, self.workdir.path(), self.stdin())
    }

    /// Starts our multilog under `strace`, which makes calls fail or kills the logger at them, as `inject` says.
    #[track_caller]
    pub fn start_traced(&self, mut strace: Command, inject: &str, script: &[impl AsRef<OsStr>]) -> Running {
        let calls = inject.split(':').next().expect("there is a first part");
        let options = [format!("trace={calls}"), format!("inject={inject}")];
        strace.args(["-f", "-b", "execve", "-qq", "-o", "trace", "-e", &options[0], "-e", &options[1]]);
        self.start_command(strace.arg(Multilog::Ours.path()).args(script))
    }

    /// Waits until a logger has made `main` its own and answers to signals.
    #[track_caller]
    pub fn until_ready(&self) {
        until("the logger is ready", || is_in_use(&self.main()));
    }

    /// Waits until `current` in `main` has this length.
    #[track_caller]
    pub fn until_current(&self, bytes: usize) {
        until("current has its length", || current_bytes(&self.main()) == Some(bytes as u64));
    }

    /// Closes the pipe, and waits until the logger has logged it to its end; returns the directory.
    #[track_caller]
    pub fn end(self, mut logger: Running) -> Workdir {
        let LoggerFixture { workdir, input, output } = self;
        drop((input, output));
        let status = logger.end();
        assert!(status.success(), "{status}");
        workdir
    }

    /// Closes the pipe, and logs what is in it by another logger; returns the directory and what the logger said.
    #[track_caller]
    pub fn log_rest(self, script: &[impl AsRef<OsStr>]) -> (Workdir, String) {
        let logger = self.start(script);
        let LoggerFixture { workdir, input, output } = self;
        drop((input, output));
        let (status, words) = logger.end_and_words();
        assert!(status.success(), "{status}: {words}");
        (workdir, words)
    }
}

/// The file in the working directory to which loggers write their messages.
const MESSAGES: &str = "messages";

/// What the loggers in a directory have said that were started by [`Running::start_in`].
pub fn messages(directory: &Workdir) -> String {
    fs::read_to_string(directory.join(MESSAGES)).unwrap_or_default()
}

/// A process that a test has started. Dropped, it is killed, and the processes that it has started too.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts a command.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        Running(command.spawn().unwrap_or_else(|error| panic!("{command:?} can be started: {error}")))
    }

    /// Starts a command in `directory`; what it says goes to the file `messages` there.
    #[track_caller]
    pub fn start_in(command: &mut Command, directory: &Path, stdin: impl Into<Stdio>) -> Running {
        let messages = OpenOptions::new().create(true).append(true).open(directory.join(MESSAGES));
        command.current_dir(directory).stdin(stdin).stdout(Stdio::null());
        Running::start(command.stderr(messages.expect("the test's own directory can be written")))
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
        send(self.pid(), signal).expect("a process that was not waited for can be signalled");
    }

    /// Looks at something while a signal stops the process.
    #[track_caller]
    pub fn while_stopped<T>(&self, look: impl FnOnce() -> T) -> T {
        self.signal(Signal::SIGSTOP);
        until("the process has stopped", || is_stopped(self.pid()));
        let seen = look();
        self.signal(Signal::SIGCONT);
        seen
    }

    /// Sends a signal that the process blocks or catches, and waits until it has taken it.
    #[track_caller]
    pub fn deliver(&mut self, signal: Signal) {
        self.signal(signal);
        // A handler may have it for a moment, and send it once more.
        let mut looks = 0;
        until("the signal was taken", || {
            looks = if self.has_pending(signal) { 0 } else { looks + 1 };
            looks == 2 || !self.is_alive()
        });
    }

    /// Kills the process, and waits for its end.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        self.end();
    }

    /// Kills the process and those that it has started: strace, for one, would leave its logger behind.
    pub fn kill_with_children(&mut self) {
        if self.is_alive() {
            for child in self.children() {
                let _ = send(child, Signal::SIGKILL);
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn children(&self) -> Vec<i32> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
    }

    /// The logger that strace has started, which gets no signal from strace.
    #[track_caller]
    pub fn traced_logger(&self) -> i32 {
        // strace starts others for a moment, to see what it may do.
        let is_logger =
            |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "multilog\n");
        let mut logger = None;
        until("strace has started the logger", || {
            logger = self.children().into_iter().find(is_logger);
            logger.is_some()
        });
        logger.expect("it has just been found")
    }

    /// Sends the logger that strace has started a signal, and waits for its end.
    #[track_caller]
    pub fn end_traced_logger(mut self, signal: Signal) {
        send(self.traced_logger(), signal).expect("a process that runs can be signalled");
        self.end();
    }

    /// Tells whether a signal waits to be taken.
    fn has_pending(&self, signal: Signal) -> bool {
        self.has_in(&["SigPnd:", "ShdPnd:"], signal)
    }

    /// Tells whether the process blocks a signal, to collect it, or handles it.
    pub fn collects(&self, signal: Signal) -> bool {
        self.has_in(&["SigBlk:", "SigCgt:"], signal)
    }

    /// Tells whether one of these sets in the status of the process has the signal.
    fn has_in(&self, sets: &[&str], signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status.lines().filter(|line| sets.iter().any(|set| line.starts_with(set))).any(|line| {
            let mask = line.split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok());
            mask.is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
        })
    }

    /// Tells whether the process has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be asked for")
    }

    /// Waits for the end, for as long as any condition is waited for.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        self.end_within(DEADLINE)
    }

    /// Waits for the end, at most for `limit`.
    #[track_caller]
    pub fn end_within(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < limit, "process {} has not ended after {limit:?}", self.pid());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends SIGTERM, and waits for the end; returns how long that took. If the machine is so busy that a wait of some
    /// milliseconds takes longer, the process is not to blame: of each wait at most three times its length counts.
    #[track_caller]
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        const WAIT: Duration = Duration::from_millis(5);
        self.signal(Signal::SIGTERM);
        let (start, mut took) = (Instant::now(), Duration::ZERO);
        loop {
            if let Some(status) = self.ended() {
                return (status, took);
            }
            assert!(start.elapsed() < DEADLINE, "process {} does not end", self.pid());
            let before = Instant::now();
            std::thread::sleep(WAIT);
            took += before.elapsed().min(3 * WAIT);
        }
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
        self.kill_with_children();
    }
}

/// Tells whether a signal has stopped a process, all its threads.
fn is_stopped(process: i32) -> bool {
    let is_stopped = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    fs::read_dir(format!("/proc/{process}/task"))
        .is_ok_and(|mut threads| threads.all(|thread| thread.is_ok_and(is_stopped)))
}

/// A process that a process of a test has started, known by its number. Dropped, it is killed.
#[derive(Debug)]
pub struct Stray(i32);

impl Stray {
    /// The process that has written its number into a file, once it has.
    #[track_caller]
    pub fn from_file(path: &Path) -> Stray {
        let number = || fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok();
        until("a process wrote its number", || number().is_some());
        Stray(number().expect("it has just been there"))
    }

    /// Tells whether a signal has stopped the process.
    pub fn is_stopped(&self) -> bool {
        is_stopped(self.0)
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = send(self.0, Signal::SIGKILL);
    }
}

fn send(process: i32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(process), signal)
}
