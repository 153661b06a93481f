//! The optional files of a service directory. None of them exists by default; a service without them is treated as by
//! 0.76.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::Shown;
use crate::supervise::error::Error as FileError;
use crate::supervise::files::read;
use crate::sys::dir::Dir;
use crate::sys::signal::Signal;

/// If it exists, a supervisor that starts does not start the service.
pub const DOWN: &[u8] = b"down";
/// Run after `./run` has ended, with its exit code (or -1) and its signal (or 0).
pub const FINISH: &[u8] = b"finish";
/// The signal that asks the service to end: a name or a number.
const DOWN_SIGNAL: &[u8] = b"down-signal";
/// A service that was asked to end is killed after this many milliseconds.
const TIMEOUT_KILL: &[u8] = b"timeout-kill";
/// The descriptor on which the service reports that it is ready.
const NOTIFICATION_FD: &[u8] = b"notification-fd";
/// The service leads a session of its own.
const SETSID: &[u8] = b"setsid";
/// The maximum delay between the starts of a service that keeps failing, in seconds.
const RESTART_DELAY_MAX: &[u8] = b"restart-delay-max";

/// An optional file that cannot be read or is invalid.
#[derive(Debug)]
pub struct Error {
    file: &'static [u8],
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// It cannot be read.
    File(FileError),
    /// Its text is invalid.
    Text,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Shown(self.file);
        match self.reason {
            Reason::File(error) => write!(out, "{file}: {error}"),
            Reason::Text => write!(out, "{file}: bad format"),
        }
    }
}

/// The optional files of one service. They are read when they are needed, so a change takes effect at the next use.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a>(pub &'a Dir);

impl Options<'_> {
    /// Whether there is a `finish`.
    #[must_use]
    pub fn has_finish(self) -> bool {
        matches!(self.0.target(FINISH), Ok(Some(_)))
    }

    /// Whether the service leads a session of its own.
    #[must_use]
    pub fn leads_session(self) -> bool {
        matches!(self.0.stat(SETSID), Ok(Some(_)))
    }

    /// The signal that asks the service to end.
    pub fn down_signal(self) -> Result<Option<Signal>, Error> {
        self.parse(DOWN_SIGNAL, |text| {
            if let Ok(number) = i32::from_str(text) {
                return Signal::try_from(number).ok();
            }
            let name = text.strip_prefix("SIG").unwrap_or(text);
            Signal::from_str(&format!("SIG{name}")).ok()
        })
    }

    /// How long a service may take to end.
    pub fn timeout_kill(self) -> Result<Option<Duration>, Error> {
        self.parse(TIMEOUT_KILL, |text| text.parse().ok().map(Duration::from_millis))
    }

    /// The descriptor on which the service says that it is ready; 0, 1 and 2 have other uses.
    pub fn notification_fd(self) -> Result<Option<i32>, Error> {
        self.parse(NOTIFICATION_FD, |text| text.parse().ok().filter(|number| (3..1024).contains(number)))
    }

    /// How long the delay between starts may become.
    pub fn restart_delay_max(self) -> Result<Option<Duration>, Error> {
        self.parse(RESTART_DELAY_MAX, |text| text.parse().ok().map(Duration::from_secs))
    }

    fn parse<T>(self, file: &'static [u8], meaning: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let mut room = [0; 64];
        let text = read(self.0, file, &mut room).map_err(|error| Error { file, reason: Reason::File(error) })?;
        let Some(text) = text else { return Ok(None) };
        let value = std::str::from_utf8(text).ok().and_then(|text| meaning(text.trim()));
        value.map(Some).ok_or(Error { file, reason: Reason::Text })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn with(file: &[u8], text: &str) -> (TempDir, Dir) {
        let service = TempDir::with_prefix("logyard-").expect("the temporary directory can be written");
        std::fs::write(service.path().join(Shown(file).to_string()), text).expect("so can a file in it");
        let dir = Dir::open(service.path()).expect("and it can be opened");
        (service, dir)
    }

    #[test]
    fn nothing_is_there_by_default() {
        let (_service, dir) = with(b"run", "");
        let options = Options(&dir);

        assert!(!options.has_finish() && !options.leads_session());
        assert!(matches!(options.down_signal(), Ok(None)));
        assert!(matches!(options.timeout_kill(), Ok(None)));
        assert!(matches!(options.notification_fd(), Ok(None)));
        assert!(matches!(options.restart_delay_max(), Ok(None)));
    }

    #[test]
    fn a_signal_is_a_number_or_a_name() {
        for text in ["2", "2\n", "INT\n", "SIGINT"] {
            let (_service, dir) = with(DOWN_SIGNAL, text);

            assert_eq!(Options(&dir).down_signal().expect("this is a signal"), Some(Signal::SIGINT), "{text:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error_that_names_the_file() {
        let (_service, dir) = with(DOWN_SIGNAL, "SIGNOTHING\n");
        let error = Options(&dir).down_signal().expect_err("there is no such signal");
        assert_eq!(error.to_string(), "down-signal: bad format");

        let (_service, dir) = with(NOTIFICATION_FD, "2\n");
        let error = Options(&dir).notification_fd().expect_err("2 is standard error");
        assert_eq!(error.to_string(), "notification-fd: bad format");
    }

    #[test]
    fn links_are_not_followed() {
        let (service, dir) = with(b"elsewhere", "1000\n");
        std::os::unix::fs::symlink("elsewhere", service.path().join("timeout-kill")).expect("a link can be made");

        let error = Options(&dir).timeout_kill().expect_err("a link");

        assert_eq!(error.to_string(), "timeout-kill: symbolic link loop");
    }
}
