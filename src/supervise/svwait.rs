//! `svwait -u|-U|-d [-t seconds] services`: waits until all the services are up, ready, or down.
//!
//! A service with a `notification-fd` counts as up when it is ready. A service is ready when it has said so, by this descriptor or
//! by its `NOTIFY_SOCKET`. A service whose supervisor has exited is down if
//! its last status says so.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::cli::{Exit, Options, Program, Shown, cause, message};
use crate::supervise::files::Files;
use crate::supervise::report::{Error, Report};
use crate::sys::dir::Dir;
use crate::sys::inotify::Notifier;
use crate::sys::{Errno, clock, poll, program};

const PROGRAM: Program = Program("svwait");

/// Between two checks if changes are not reported.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Between two checks if changes are reported: the death of a supervisor is not.
const BETWEEN_LOOKS_WATCHING: Duration = Duration::from_secs(1);

/// The state to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Up,
    Ready,
    Down,
}

/// Runs `svwait`; exits 111 after the timeout.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let mut goal = None;
    let mut limit = None;
    let mut options = Options::without_words(arguments, b"uUdt:");
    for option in options.by_ref() {
        match option {
            Ok(given) if given.letter == b'u' => goal = Some(Goal::Up),
            Ok(given) if given.letter == b'U' => goal = Some(Goal::Ready),
            Ok(given) if given.letter == b'd' => goal = Some(Goal::Down),
            Ok(given) => {
                let seconds = std::str::from_utf8(given.value).ok().and_then(|text| text.parse().ok());
                let Some(time) = seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok()) else {
                    return usage();
                };
                limit = Some(time);
            }
            Err(bad) => {
                message::say(format_args!("{bad}\n"));
                return usage();
            }
        }
    }
    let (Some(goal), [_, ..]) = (goal, options.rest()) else { return usage() };
    let deadline = limit.map(|time| clock::uptime().saturating_add(time));
    for dir in options.rest() {
        if let Err(exit) = wait(dir, goal, deadline) {
            return exit;
        }
    }
    Exit::OK
}

fn usage() -> Exit {
    PROGRAM.usage("svwait -u|-U|-d [ -t seconds ] service ...")
}

fn wait(dir: &CStr, goal: Goal, deadline: Option<Duration>) -> Result<(), Exit> {
    let unable =
        |what: &str, errno| PROGRAM.fatal(format_args!("unable to {what} {}: {}", Shown(dir.to_bytes()), cause(errno)));
    let service = Dir::reach(dir).map_err(|errno| unable("chdir to", errno))?;
    let path = [dir.to_bytes(), b"/supervise"].concat();
    // Watched before the first check, so that no change is missed.
    let changes = Notifier::new().ok().filter(|changes| changes.watch_attributes(path.as_slice()).is_ok());
    loop {
        if is_reached(&service, goal) {
            return Ok(());
        }
        let left = deadline.map(|deadline| deadline.saturating_sub(clock::uptime()));
        if left == Some(Duration::ZERO) {
            return Err(unable("wait for", Errno::ETIMEDOUT));
        }
        let pause = if changes.is_some() { BETWEEN_LOOKS_WATCHING } else { BETWEEN_LOOKS };
        let pause = left.map_or(pause, |left| left.min(pause));
        match &changes {
            None => std::thread::sleep(pause),
            Some(changes) => {
                poll::readable([changes.as_fd()], Some(pause)).map_err(|errno| unable("wait for", errno))?;
                let _ = changes.take();
            }
        }
    }
}

fn is_reached(service: &Dir, goal: Goal) -> bool {
    match (goal, Report::of(service)) {
        (Goal::Up, Ok(report)) => report.is_up(),
        (Goal::Ready, Ok(report)) => report.is_ready(),
        (Goal::Up | Goal::Ready, Err(_)) => false,
        (Goal::Down, Ok(report)) => report.status.process.is_none(),
        // A supervisor that exited cleanly has recorded that nothing runs; one that was killed has not.
        (Goal::Down, Err(Error::NotRunning)) => {
            Files::open(service).ok().and_then(|files| files.status()).is_none_or(|status| status.process.is_none())
        }
        // Never supervised.
        (Goal::Down, Err(Error::Ok(_))) => true,
        (Goal::Down, Err(_)) => false,
    }
}
