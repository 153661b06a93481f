//! Where output is written.
//!
//! On a terminal, readlog keeps the output back until it fills the screen; longer output goes to a pager. If the pager exits
//! without having read anything, readlog prints the output itself.

use std::ffi::{CString, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

use logyard::cli::{Messages, Shown, cause};
use logyard::sys::file::File;
use logyard::sys::signal::{self, Signal};
use logyard::sys::{Errno, Result, credentials, fd, limit, pipe, terminal};

/// The pager, unless the user names one.
const LESS: &str = "less";

/// The options of `less`, unless the user sets them: colours pass, and the screen is not cleared.
const LESS_OPTIONS: &str = "FRX";

/// The exit codes of a shell if a program cannot be run, or does not exist.
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Words with which a shell begins a command and which are no programs.
const SHELL_WORDS: [&str; 3] = ["exec", "command", "eval"];

/// Where output is written.
#[derive(Debug)]
pub(crate) enum Sink {
    /// To standard output.
    Plain,
    /// To a terminal, as long as it fits.
    Waiting { kept: Vec<u8>, rows: usize, columns: usize, messages: Messages },
    /// To a pager.
    Paged(Pager),
}

impl Sink {
    /// A terminal, with a pager for what is longer than its screen.
    pub(crate) fn paged(messages: Messages) -> Sink {
        match terminal::size(fd::stdout()) {
            Some((rows, columns)) => Sink::Waiting { kept: Vec::new(), rows, columns, messages },
            None => Sink::Plain,
        }
    }

    /// Writes all of `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Sink::Plain => fd::write_all(fd::stdout(), bytes),
            Sink::Waiting { kept, rows, columns, messages } => {
                kept.extend_from_slice(bytes);
                if rows_of(kept, *columns) < *rows {
                    return Ok(());
                }
                let kept = std::mem::take(kept);
                *self = Pager::start(*messages).map_or(Sink::Plain, Sink::Paged);
                self.write(&kept)
            }
            Sink::Paged(pager) => match pager.write(bytes) {
                Err(Errno::EPIPE) => {
                    let Some(unread) = pager.end() else { return Err(Errno::EPIPE) };
                    *self = Sink::Plain;
                    fd::write_all(fd::stdout(), &unread)
                }
                answer => answer,
            },
        }
    }

    /// Writes what was kept back, and waits for the pager to end.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Sink::Plain => Ok(()),
            Sink::Waiting { kept, .. } => fd::write_all(fd::stdout(), &kept),
            Sink::Paged(mut pager) => match pager.end() {
                Some(unread) => fd::write_all(fd::stdout(), &unread),
                None => Ok(()),
            },
        }
    }
}

/// How many rows of the screen bytes take, escape sequences counted as if they were visible: the pager then starts a
/// little early, which does no harm.
fn rows_of(bytes: &[u8], columns: usize) -> usize {
    bytes.split_inclusive(|&byte| byte == b'\n').map(|line| line.len().saturating_sub(1) / columns.max(1) + 1).sum()
}

/// A pager that runs.
#[derive(Debug)]
pub(crate) struct Pager {
    process: Child,
    /// All that was written, as long as it is no more than a pager that reads nothing can have been given.
    written: Option<Vec<u8>>,
    /// How much of it went into the pipe.
    accepted_bytes: usize,
}

impl Pager {
    /// Starts the user's pager; `None` if the user wants none or it cannot be started.
    fn start(messages: Messages) -> Option<Pager> {
        let mut command = command()?;
        command.stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS_OPTIONS);
        }
        // Programs that less runs at the press of a key would have the rights of readlog.
        if credentials::has_special_rights() {
            command.env("LESSSECURE", "1");
        }
        limit::restore_for(&mut command);
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                // Without PAGER, a missing pager is not reported.
                if std::env::var_os("PAGER").is_some() {
                    let name = Shown(command.get_program().as_encoded_bytes());
                    let cause = cause(errno(&error));
                    messages.warn(format_args!("unable to run pager {name}, printing without it: {cause}"));
                }
                return None;
            }
        };
        // An interrupt from the keyboard is meant for the pager, and a pager may exit early.
        let _ = signal::ignore(Signal::SIGINT);
        let _ = signal::ignore(Signal::SIGPIPE);
        Some(Pager { process, written: Some(Vec::new()), accepted_bytes: 0 })
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        if let Some(written) = &mut self.written {
            written.extend_from_slice(bytes);
        }
        let Some(pipe) = &self.process.stdin else { return Ok(()) };
        while !bytes.is_empty() {
            let accepted = fd::write(pipe, bytes)?;
            self.accepted_bytes += accepted;
            bytes = &bytes[accepted..];
        }
        if self.accepted_bytes > fd::pipe_size(pipe).unwrap_or(0) {
            self.written = None;
        }
        Ok(())
    }

    /// Waits for the pager to end. Gives back what was written if nothing of it was read: the pager has shown nothing then,
    /// and maybe there is none.
    fn end(&mut self) -> Option<Vec<u8>> {
        let pipe = self.process.stdin.take()?;
        // What is not read would go with the last descriptor of the pipe; the pager waits for the last that is for writing.
        let path = CString::new(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok()?;
        let unread = self.written.as_ref().and_then(|_| File::open(&path).ok());
        drop(pipe);
        let status = self.process.wait();
        let is_unread = match &unread {
            Some(unread) => pipe::waiting_bytes(unread) == Ok(self.accepted_bytes),
            None => status.is_ok_and(|status| matches!(status.code(), Some(CANNOT_RUN | NOT_FOUND))),
        };
        // The pager has exited, so an interrupt is for readlog again.
        let _ = signal::restore_in_child();
        self.written.take().filter(|_| is_unread)
    }
}

/// The command that shows output a page at a time; `None` if the user wants none.
///
/// A command that is more than words needs a shell. Without a shell or the pager, readlog prints the output itself.
fn command() -> Option<Command> {
    let Some(wanted) = std::env::var_os("PAGER") else { return Some(Command::new(LESS)) };
    let bytes = wanted.as_bytes().trim_ascii();
    if bytes.is_empty() || bytes == b"cat" {
        return None;
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t_-+./,:@%".contains(byte);
    let mut words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(OsStr::from_bytes);
    match words.next() {
        Some(program) if bytes.iter().all(is_plain) && !SHELL_WORDS.iter().any(|word| program == *word) => {
            let mut command = Command::new(program);
            command.args(words);
            Some(command)
        }
        _ => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(&wanted);
            Some(command)
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
