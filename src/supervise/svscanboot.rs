//! `svscanboot [dir]`: svscan for the whole system, its messages shown by readproctitle; `dir` is `/service` by default.
//!
//! Everything starts with standard descriptors on /dev/null and only PATH in the environment. svscanboot holds the pipe
//! to readproctitle, so that either side can be restarted if it is killed. The services keep running meanwhile, and a
//! new svscan finds their supervisors. (0.76's script stops them all first, as its svscan cannot.) svscanboot exits
//! when svscan does, and passes on the signals that ask it to.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use crate::cli::{Exit, Program, cause};
use crate::supervise::supervisor_process::sibling;
use crate::sys::dir::Dir;
use crate::sys::process::ended::Ended;
use crate::sys::process::pid::Pid;
use crate::sys::process::spawn;
use crate::sys::process::wait::{self, Reaped};
use crate::sys::signal::{self, Signal, SignalQueue};
use crate::sys::{Result, fd, pipe, poll, program};

const PROGRAM: Program = Program("svscanboot");

/// The default directory of services.
const SERVICE: &CStr = c"/service";

/// The search path of svscanboot and of every service under it.
const PATH: &str = "/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin:/usr/X11R6/bin";

/// How many bytes of messages `ps` shows.
const TITLE_BYTES: usize = 400;

/// Between the death of one of the two and its next start.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// Runs `svscanboot [dir]`.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let dir = arguments.get(1).copied().unwrap_or(SERVICE);
    match begin(dir).and_then(Boot::go_on) {
        Ok(exit) => exit,
        Err(errno) => PROGRAM.fatal(format_args!("unable to start: {}", cause(errno))),
    }
}

fn begin(dir: &'static CStr) -> Result<Boot> {
    fd::occupy_standard();
    let null = Dir::open(c"/dev")?.open_device(b"null")?;
    (0..=2).try_for_each(|number| fd::place(null.as_fd(), number, false))?;
    let signals =
        SignalQueue::new(&[Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGURG])?;
    // Processes that a killed svscan leaves behind stay in this tree.
    let _ = wait::become_subreaper();
    let (messages, said) = pipe::new()?;
    Ok(Boot { dir, path: path(), signals, messages, said, svscan: None, readproctitle: None })
}

/// The search path: the directory where svscanboot itself is comes first, if it is none of the usual ones.
fn path() -> String {
    let own = sibling(c"").and_then(|own| own.into_string().ok());
    match own.as_deref().map(|own| own.trim_end_matches('/')) {
        Some(own) if !own.is_empty() && !PATH.split(':').any(|usual| usual == own) => format!("{own}:{PATH}"),
        _ => PATH.to_owned(),
    }
}

#[derive(Debug)]
struct Boot {
    dir: &'static CStr,
    path: String,
    signals: SignalQueue,
    /// The pipe that carries the messages: the end of readproctitle, and that of everybody else.
    messages: OwnedFd,
    said: OwnedFd,
    svscan: Option<Pid>,
    readproctitle: Option<Pid>,
}

impl Boot {
    fn go_on(mut self) -> Result<Exit> {
        loop {
            if self.readproctitle.is_none() {
                let title = CString::new(vec![b'.'; TITLE_BYTES]).expect("dots hold no NUL");
                let arguments = [c"readproctitle", c"service", c"errors:", &title];
                self.readproctitle = Some(self.start(&arguments, [Some(self.messages.as_fd()), None, None])?);
            }
            if self.svscan.is_none() {
                let said = Some(self.said.as_fd());
                self.svscan = Some(self.start(&[c"svscan", self.dir], [None, said, said])?);
            }
            poll::readable([self.signals.as_fd()], None)?;
            if let Some(exit) = self.take_signals() {
                return Ok(exit);
            }
        }
    }

    /// Passes signals on and collects children. Returns the exit code once svscan has exited.
    fn take_signals(&mut self) -> Option<Exit> {
        while let Some(signal) = self.signals.take() {
            let is_for_svscan = matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP | Signal::SIGURG);
            if let (true, Some(svscan)) = (is_for_svscan, self.svscan) {
                // It may have ended already, which the next event will show.
                let _ = signal::send(svscan, signal);
            }
        }
        while let Reaped::Child(process, how) = wait::reap() {
            if self.svscan == Some(process) {
                if let Ended::Exited(code) = how {
                    return Some(Exit(code));
                }
                self.svscan = None;
                sleep(BETWEEN_STARTS);
            } else if self.readproctitle == Some(process) {
                self.readproctitle = None;
                sleep(BETWEEN_STARTS);
            }
        }
        None
    }

    fn start(&self, arguments: &[&CStr], standard: [Option<BorrowedFd<'_>>; 3]) -> Result<Pid> {
        let environment = CString::new(format!("PATH={}", self.path)).expect("made from C strings");
        let found = self.find(arguments[0]);
        let program = spawn::Program {
            name: found.as_deref().unwrap_or(arguments[0]),
            arguments,
            otherwise: None,
            standard,
            environment: Some(&[&environment]),
        };
        program.start(|errno| {
            let name = arguments[0].to_string_lossy();
            let _ = PROGRAM.fatal(format_args!("unable to start {name}: {}", cause(errno)));
        })
    }

    fn find(&self, name: &CStr) -> Option<CString> {
        let dir =
            self.path.split(':').find(|dir| Dir::reach(*dir).is_ok_and(|dir| dir.is_executable(name.to_bytes())))?;
        CString::new([dir.as_bytes(), b"/", name.to_bytes()].concat()).ok()
    }
}
