//! A command that reads one log, at another host or here, and its output.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::hosts::announcement::Announcement;
use crate::hosts::incoming::{Head, Incoming, Rest};
use logyard::cli::{Shown, cause};
use logyard::sys::{Errno, limit, poll};

/// How much is read at a time.
const ROOM_BYTES: usize = 1 << 16;
/// A host that sends faster than its turn comes has to wait.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// A longer message is shown in parts.
const MESSAGE_BYTES_MAX: usize = 4096;
/// How long a command may take to end after it has closed its output, and how often it is asked.
const END_PATIENCE: Duration = Duration::from_secs(5);
const END_INTERVAL: Duration = Duration::from_millis(10);
/// The exit codes of ssh itself, of a shell that finds no readlog, and of readlog if it has named what it could not read.
const SSH_FAILED: i32 = 255;
const NOT_FOUND: i32 = 127;
const INCOMPLETE: i32 = 1;

/// A command that is still to be run, runs, or has ended.
#[derive(Debug)]
pub(super) struct Connection {
    /// The argument that asked for it.
    pub(super) name: Vec<u8>,
    /// The host; none means this one.
    host: Option<String>,
    command: Option<Command>,
    process: Option<Process>,
    incoming: Incoming,
    /// The beginning of a message.
    message: Vec<u8>,
    received_bytes: u64,
    has_begun: bool,
    caught_up_at: Option<u64>,
    /// When the oldest line came that waits.
    since: Instant,
}

/// A process that runs. It ends when `_stdin` is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    _stdin: Option<ChildStdin>,
}

impl Connection {
    /// A command that is still to be run.
    pub(super) fn new(name: Vec<u8>, host: Option<String>, command: Command) -> Connection {
        Connection {
            name,
            host,
            command: Some(command),
            process: None,
            incoming: Incoming::default(),
            message: Vec::new(),
            received_bytes: 0,
            has_begun: false,
            caught_up_at: None,
            since: Instant::now(),
        }
    }

    /// Tells whether the command is still to be run.
    pub(super) fn is_waiting(&self) -> bool {
        self.command.is_some()
    }

    /// Tells whether the command is a login.
    pub(super) fn is_remote(&self) -> bool {
        self.host.is_some()
    }

    /// Tells whether the login is not over yet.
    pub(super) fn is_logging_in(&self) -> bool {
        self.is_remote() && self.process.is_some() && !self.has_begun
    }

    /// Tells whether nothing comes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.command.is_none() && self.process.is_none()
    }

    /// Tells whether everything has come that was there when following began.
    pub(super) fn has_caught_up(&self) -> bool {
        self.has_ended() || self.caught_up_at.is_some_and(|at| self.received_bytes >= at)
    }

    /// When the oldest line came that waits.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Runs the command.
    pub(super) fn start(&mut self, context: &Context) {
        let Some(mut command) = self.command.take() else { return };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        limit::restore_for(&mut command);
        let started = command.spawn().and_then(|mut child| {
            let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
            let stdout = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
            Ok(Process { child, stdout, stderr, _stdin: stdin })
        });
        match started {
            Ok(process) => self.process = Some(process),
            Err(error) => {
                let cause = cause(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
                let program = Shown(command.get_program().as_encoded_bytes()).to_string();
                context.warnings.warn(format_args!("unable to read {}: {program}: {cause}", Shown(&self.name)));
            }
        }
    }

    /// The next group, if it is complete.
    pub(super) fn head(&mut self, follows: bool, context: &Context) -> Option<Head> {
        let rest = match (self.has_ended(), follows && self.has_caught_up()) {
            (true, _) => Rest::Nothing,
            (false, true) => Rest::Later,
            (false, false) => Rest::Coming,
        };
        self.incoming.head(rest, context)
    }

    /// The bytes of the head.
    pub(super) fn bytes(&self, head: Head) -> &[u8] {
        self.incoming.bytes(head)
    }

    /// Takes the head away.
    pub(super) fn take(&mut self, head: Head) {
        self.incoming.take(head);
    }

    /// The descriptors that are waited for.
    pub(super) fn sources(&self) -> [Option<BorrowedFd<'_>>; 2] {
        let Some(process) = &self.process else { return [None, None] };
        let has_room = self.incoming.waiting_bytes() < WAITING_BYTES_MAX || !self.incoming.has_head();
        [has_room.then(|| process.stdout.as_fd()), process.stderr.as_ref().map(AsFd::as_fd)]
    }

    /// Reads what has come.
    pub(super) fn read(&mut self, [has_output, has_messages]: [bool; 2], context: &Context) {
        if has_messages {
            self.read_messages(context);
        }
        let Some(process) = self.process.as_mut().filter(|_| has_output) else { return };
        let mut room = vec![0; ROOM_BYTES];
        match process.stdout.read(&mut room) {
            Ok(0) => self.end(context),
            Ok(bytes) => {
                if self.incoming.waiting_bytes() == 0 {
                    self.since = Instant::now();
                }
                self.has_begun = true;
                self.received_bytes += bytes as u64;
                self.incoming.add(&room[..bytes]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => self.end(context),
        }
    }

    /// Reads standard error; what is no announcement is for the user.
    fn read_messages(&mut self, context: &Context) {
        let Some(stderr) = self.process.as_mut().and_then(|process| process.stderr.as_mut()) else { return };
        let mut room = vec![0; ROOM_BYTES];
        match stderr.read(&mut room) {
            Ok(bytes) if bytes > 0 => {
                for &byte in &room[..bytes] {
                    if byte != b'\n' {
                        self.message.push(byte);
                    }
                    if byte == b'\n' || self.message.len() == MESSAGE_BYTES_MAX {
                        self.pass_on_message(context);
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => {
                self.pass_on_message(context);
                if let Some(process) = &mut self.process {
                    process.stderr = None;
                }
            }
        }
    }

    fn pass_on_message(&mut self, context: &Context) {
        let message = std::mem::take(&mut self.message);
        match Announcement::parse(&message) {
            Some(Announcement::Begun) => self.has_begun = true,
            Some(Announcement::CaughtUp(bytes)) => self.caught_up_at = Some(bytes),
            None => {
                let message = message.trim_ascii_end();
                let text = [&b"readlog: warning: "[..], b"readlog: fatal: ", b"readlog: "]
                    .iter()
                    .find_map(|prefix| message.strip_prefix(*prefix))
                    .unwrap_or(message);
                if text.is_empty() {
                    return;
                }
                match &self.host {
                    Some(host) => context.warnings.announce(format_args!("{host}: {}", Shown(text))),
                    None => context.warnings.announce(Shown(text)),
                }
            }
        }
    }

    /// Waits for the command to end, and says so if it did not read everything.
    fn end(&mut self, context: &Context) {
        let deadline = Instant::now() + END_PATIENCE;
        let status = loop {
            let Some(process) = &mut self.process else { return };
            let status = process.child.try_wait();
            let has_messages = match &process.stderr {
                Some(stderr) => poll::readable([stderr.as_fd()], Some(END_INTERVAL)).is_ok_and(|[ready]| ready),
                None => {
                    std::thread::sleep(END_INTERVAL);
                    false
                }
            };
            match status {
                _ if has_messages => self.read_messages(context),
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => {}
                _ => {
                    let _ = process.child.kill();
                    break process.child.wait().ok();
                }
            }
        };
        self.pass_on_message(context);
        self.process = None;
        self.tell(status, context);
    }

    fn tell(&self, status: Option<ExitStatus>, context: &Context) {
        let code = status.and_then(|status| status.code());
        let why = match (code, self.is_remote()) {
            (Some(0), _) => return,
            // It has named what it could not read.
            (Some(INCOMPLETE), _) => return context.warnings.mark(),
            (Some(SSH_FAILED), true) => "ssh failed (exit code 255)".to_owned(),
            (Some(NOT_FOUND), true) => "no readlog in the PATH of that host (exit code 127)".to_owned(),
            (Some(code), _) => format!("exit code {code}"),
            (None, _) => "killed".to_owned(),
        };
        context.warnings.warn(format_args!("unable to read {}: {why}", Shown(&self.name)));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where all that was wanted has come, the rest is not waited for. What has ended is not killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
