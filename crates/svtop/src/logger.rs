//! The logger of a service at each look: what it waits for, how much waits for it, how much it logs.

use std::time::Instant;

use logyard::logdir::logger_state::LoggerState;
use logyard::supervise::files::Files;
use logyard::supervise::logger::{
    Condition, PipeFill, StateFile, Unknown, fill_in, find_state, is_of, is_stopped, log_directories,
};
use logyard::sys::dir::Dir;
use logyard::sys::process::pid::Pid;
use logyard::sys::{Errno, Result};

use crate::rates::Rates;

/// A part of the log pipe above which a logger counts as behind, in quarters.
const BEHIND_QUARTERS: usize = 3;
/// At how many looks in a row the state of a new logger is searched for.
const SEARCHES: u8 = 5;

/// What is known of a logger.
#[derive(Debug)]
pub(crate) struct Logger {
    /// The process of the log service at the last look.
    service: Option<Pid>,
    /// Where it keeps its state, and whose state that is.
    found: Option<(StateFile, Pid, u64)>,
    pub(crate) condition: Condition,
    pub(crate) pipe: Result<PipeFill>,
    pub(crate) rates: Rates,
    /// Whether something was logged between the last two looks.
    is_advancing: bool,
    /// How often a state may still be searched for at each look. Other loggers than multilog have none.
    searches_left: u8,
}

impl Logger {
    /// Nothing is known yet.
    pub(crate) fn new() -> Logger {
        Logger {
            service: None,
            found: None,
            condition: Condition::Down,
            pipe: Err(Errno::ENOENT),
            rates: Rates::default(),
            is_advancing: false,
            searches_left: SEARCHES,
        }
    }

    /// Looks at the logger of a service. `process` is that of the log service, if it is up.
    pub(crate) fn look(
        &mut self,
        supervise: Option<&Files>,
        log: &Dir,
        process: Option<Pid>,
        is_thorough: bool,
        now: Instant,
    ) {
        self.pipe = supervise.map_or(Err(Errno::ENOENT), fill_in);
        if process != self.service {
            self.service = process;
            self.found = None;
            self.rates.clear();
            self.searches_left = SEARCHES;
        }
        self.is_advancing = false;
        let Some(process) = process else {
            self.condition = Condition::Down;
            return;
        };
        match self.state(log, process, is_thorough) {
            Ok(state) => {
                self.is_advancing = self.rates.note(now, state.counts);
                self.condition = Condition::of(&state);
            }
            Err(unknown) => {
                self.condition = Condition::Unknown(unknown);
                self.rates.clear();
            }
        }
        // What has just logged was not stopped, so that its process need not be asked.
        if !self.is_advancing {
            self.look_at_process();
        }
    }

    /// Asks whether the logger is stopped, if the last look did not.
    pub(crate) fn look_closer(&mut self) {
        if self.is_advancing {
            self.look_at_process();
        }
    }

    fn look_at_process(&mut self) {
        let Some(service) = self.service else { return };
        let logger = self.found.as_ref().map_or(service, |(_, logger, _)| *logger);
        if is_stopped(logger) || (logger != service && is_stopped(service)) {
            self.condition = Condition::STOPPED;
        }
    }

    fn state(&mut self, log: &Dir, process: Pid, is_thorough: bool) -> std::result::Result<LoggerState, Unknown> {
        if let Some((file, logger, start_time)) = &self.found
            && let Ok(Some(state)) = file.read()
            && (state.process, state.start_time) == (*logger, *start_time)
            // A logger that a run script started may have ended alone, and left its journal.
            && (!is_thorough || is_of(&state, process))
        {
            return Ok(state);
        }
        self.found = None;
        if !is_thorough && self.searches_left == 0 {
            return Err(match self.condition {
                Condition::Unknown(unknown) => unknown,
                _ => Unknown::NoState,
            });
        }
        self.searches_left = self.searches_left.saturating_sub(1);
        let (file, state) = find_state(&log_directories(log, process), process)?;
        self.found = Some((file, state.process, state.start_time));
        self.searches_left = SEARCHES;
        Ok(state)
    }

    /// The process that writes the log, if the log service is up.
    pub(crate) fn process(&self) -> Option<Pid> {
        self.found.as_ref().map(|(_, logger, _)| *logger).or(self.service)
    }

    /// Tells whether so much waits that the service may soon have to wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.pipe.is_ok_and(|fill| fill.waiting_bytes > fill.capacity_bytes / 4 * BEHIND_QUARTERS)
    }
}
