//! Ends a service when svscan exits: the service first, then its logger, which writes everything and sees the end of
//! its input.

use std::time::Duration;

use super::{Role, Told, WatchedService};
use crate::cli::Shown;
use crate::supervise::limits::Limits;
use crate::supervise::pair::LOG;
use crate::supervise::supervisor_process::has_process;
use crate::sys::process::pid::Pid;
use crate::sys::signal::Signal;

impl WatchedService {
    /// How long a pipe may stay empty while a process other than the service holds it open. Then its logger is told to exit.
    const EMPTY: Duration = Duration::from_secs(5);
    /// How long a logger that has read all of its input may take to write it, if svscan cannot wait for it.
    const LAST_WORDS: Duration = Duration::from_millis(500);
    /// How long a logger may take to exit after a second TERM; multilog promises a second.
    const LOG_EXIT_MAX: Duration = Duration::from_millis(1500);
    /// How long svscan waits for a killed service to end before it ends the logger. A process that waits for a disk
    /// cannot be killed, and a supervisor may not react.
    const SERVICE_EXIT_MAX: Duration = Duration::from_millis(500);
    /// How many supervisors are started to stop processes that others left.
    const LAST_STARTS_MAX: u32 = 5;

    /// Takes the next step of ending the service. Returns the children it has started, or `None` when nothing is left.
    /// `is_killing`: TERM has come twice.
    ///
    /// Supervisors that run are told even if the service's name has changed; only starting one needs the name.
    pub fn end(&mut self, now: Duration, is_killing: bool, limits: &mut Limits) -> Option<Vec<(Role, Pid)>> {
        if self.service.is_there() {
            if !self.told.service {
                let (commands, signal) =
                    if is_killing { (&b"dxk"[..], Signal::SIGQUIT) } else { (&b"dx"[..], Signal::SIGTERM) };
                self.told.service = self.service.ask(&self.name, commands, signal);
            }
            if !is_killing || *self.service_overdue.get_or_insert(now + WatchedService::SERVICE_EXIT_MAX) > now {
                return Some(Vec::new());
            }
        } else if self.has_process(Role::Service) && self.may_start_again() {
            return Some(self.start_to_end(Role::Service, limits));
        }
        if self.log.is_there() {
            if !self.told.log {
                self.told.log = if is_killing {
                    let is_told = self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
                    // A repeated request does not postpone it.
                    let overdue = is_told.then_some(now + WatchedService::LOG_EXIT_MAX);
                    self.log_overdue = [self.log_overdue, overdue].into_iter().flatten().min();
                    is_told
                } else {
                    !self.log.is_erased() && self.log.tell_trusted(&self.log_name, b"ox") || self.end_unheard(now)
                };
            }
            if self.log_overdue.is_some_and(|moment| moment <= now) {
                self.log_overdue = None;
                self.log.ask(&self.log_name, b"dxk", Signal::SIGQUIT);
            }
            if self.told.log {
                self.drain(now);
            }
            return Some(Vec::new());
        }
        if self.service.is_there() {
            return Some(Vec::new());
        }
        let is_unwritten = self.pipe.as_ref().is_some_and(|pipe| pipe.bytes_waiting() > 0);
        if (self.has_process(Role::Log) || is_unwritten) && self.may_start_again() {
            return Some(self.start_to_end(Role::Log, limits));
        }
        None
    }

    /// Ends a logger whose directory has been removed: the logger sees the end of its input, gets a moment to write what it
    /// has read, and is asked to end. Its log directory may be removed too, so that it would retry forever. Returns
    /// whether it was asked.
    fn end_unheard(&mut self, now: Duration) -> bool {
        let Some(since) = self.unheard_since else {
            let dir = self.reach();
            if let Some(pipe) = &mut self.pipe {
                pipe.let_go(dir.as_ref());
            }
            self.unheard_since = Some(now);
            return false;
        };
        let waited = now.saturating_sub(since);
        let is_empty = self.pipe.as_ref().is_none_or(|pipe| pipe.bytes_waiting() == 0 && !pipe.has_writer());
        let is_time = waited >= WatchedService::EMPTY || is_empty && waited >= WatchedService::LAST_WORDS;
        let is_told = is_time && self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
        self.log_overdue = is_told.then_some(now + WatchedService::EMPTY);
        is_told
    }

    fn has_process(&self, role: Role) -> bool {
        let dir = match role {
            Role::Service => self.reach(),
            Role::Log => self.reach().and_then(|dir| dir.reach_dir(LOG).ok()),
        };
        dir.is_some_and(|dir| has_process(&dir))
    }

    /// TERM has come again: every supervisor is told again.
    pub fn tell_again(&mut self) {
        self.told = Told::default();
    }

    fn may_start_again(&mut self) -> bool {
        self.last_starts += 1;
        self.last_starts <= WatchedService::LAST_STARTS_MAX
    }

    fn start_to_end(&mut self, role: Role, limits: &mut Limits) -> Vec<(Role, Pid)> {
        let Some(dir) = self.reach() else { return Vec::new() };
        self.start(role, &dir, limits).map(|process| (role, process)).into_iter().collect()
    }

    /// Closes the pipe, so that the logger sees its end. If another process holds the pipe open, the logger is told to
    /// exit when nothing has come for a while.
    fn drain(&mut self, now: Duration) {
        let dir = self.reach();
        let Some(pipe) = &mut self.pipe else { return };
        let Some(since) = self.empty_since else {
            pipe.let_go(dir.as_ref());
            self.empty_since = Some(now);
            return;
        };
        // Otherwise the logger only needs more time, and will see the end.
        if pipe.bytes_waiting() > 0 || !pipe.has_writer() {
            self.empty_since = Some(now);
        } else if now.saturating_sub(since) >= WatchedService::EMPTY {
            let name = Shown(self.name.to_bytes());
            self.messages
                .warn(format_args!("{name} has ended and another process keeps its output open: ending {name}/log"));
            self.log.ask(&self.log_name, b"dx", Signal::SIGTERM);
            self.empty_since = Some(now);
        }
    }
}
