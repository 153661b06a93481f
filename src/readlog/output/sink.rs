//! Where output goes.
//!
//! On a terminal, as much as fills the screen is kept back; what turns out to be longer goes to a pager.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, Result, fd, terminal};

/// Options for `less` where the user has none: colours pass, the screen is left as it is.
const LESS: &str = "FRX";

/// Where output goes.
#[derive(Debug)]
pub(in crate::readlog) enum Sink {
    /// To standard output.
    Plain,
    /// To a terminal, as long as it fits.
    Waiting { kept: Vec<u8>, rows: usize, columns: usize },
    /// To a pager.
    Paged(Child),
}

impl Sink {
    /// A terminal, with a pager for what is longer than its screen.
    pub(in crate::readlog) fn paged() -> Sink {
        match terminal::size(fd::stdout()) {
            Some((rows, columns)) => Sink::Waiting { kept: Vec::new(), rows, columns },
            None => Sink::Plain,
        }
    }

    /// Writes all of `bytes`.
    pub(in crate::readlog) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Sink::Plain => fd::write_all(fd::stdout(), bytes),
            Sink::Waiting { kept, rows, columns } => {
                kept.extend_from_slice(bytes);
                if rows_of(kept, *columns) < *rows {
                    return Ok(());
                }
                let kept = std::mem::take(kept);
                *self = start_pager().map_or(Sink::Plain, Sink::Paged);
                self.write(&kept)
            }
            Sink::Paged(pager) => match pager.stdin.as_mut().map(|pipe| pipe.write_all(bytes)) {
                Some(Err(error)) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
                _ => Ok(()),
            },
        }
    }

    /// Writes what was kept back, and waits for the pager to end.
    pub(in crate::readlog) fn finish(self) -> Result<()> {
        match self {
            Sink::Plain => Ok(()),
            Sink::Waiting { kept, .. } => fd::write_all(fd::stdout(), &kept),
            Sink::Paged(mut pager) => {
                drop(pager.stdin.take());
                // However it ended, the user has seen what he wanted to.
                let _ = pager.wait();
                Ok(())
            }
        }
    }
}

/// How many rows of the screen bytes take, escape sequences counted as if they were visible: then the pager is asked a
/// little early, and it shows what fits without ado.
fn rows_of(bytes: &[u8], columns: usize) -> usize {
    bytes.split_inclusive(|&byte| byte == b'\n').map(|line| line.len().saturating_sub(1) / columns.max(1) + 1).sum()
}

/// Starts the user's pager; `None` if he wants none or it cannot be started.
fn start_pager() -> Option<Child> {
    let wanted = std::env::var_os("PAGER").unwrap_or_else(|| "less".into());
    if wanted.is_empty() || wanted == "cat" {
        return None;
    }
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(&wanted).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let pager = command.spawn().ok()?;
    // What the keyboard interrupts is the pager's business, and a pager that is left early is no trouble.
    let _ = signal::ignore(Signal::SIGINT);
    let _ = signal::ignore(Signal::SIGPIPE);
    Some(pager)
}
