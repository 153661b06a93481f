//! The logger of a service at each look: what it waits for, how much waits for it, how much it logs.

use std::time::{Duration, Instant};

use logyard::logdir::logger_state::LoggerState;
use logyard::supervise::files::Files;
use logyard::supervise::logger::{
    Condition, PipeFill, StateFile, Unknown, blocked_in, fill_in, find_state, is_of, log_directories,
};
use logyard::sys::dir::Dir;
use logyard::sys::process::pid::Pid;
use logyard::sys::process::pidfd::AboutFile;
use logyard::sys::process::run_count::RunCount;
use logyard::sys::{Errno, Result};

use crate::look::Look;
use crate::rates::Rates;

/// A part of the log pipe above which a logger counts as behind, in quarters.
const BEHIND_QUARTERS: usize = 3;
/// At how many looks in a row the state of a new logger is searched for.
const SEARCHES: u8 = 5;
/// A logger that waits is not looked at again sooner.
const DUE_LEAST: Duration = Duration::from_millis(20);

/// What is known of a logger.
#[derive(Debug)]
pub(crate) struct Logger {
    /// The process of the log service at the last look.
    service: Option<Pid>,
    /// Where it keeps its state, and whose state that is.
    found: Option<(StateFile, Pid, u64)>,
    /// What tells whether the logger and the log service are stopped; often they are the same process.
    processes: Vec<AboutFile>,
    pub(crate) condition: Condition,
    /// When it will count as blocked if it goes on waiting as it does.
    pub(crate) blocked_at: Option<Instant>,
    pub(crate) pipe: Result<PipeFill>,
    pub(crate) rates: Rates,
    /// How often the logger had run at the last look at which it had logged nothing.
    idle: Option<Idle>,
    /// How often a state may still be searched for at each look. Other loggers than multilog have none.
    searches_left: u8,
}

/// A logger that had nothing to do at the last look.
#[derive(Debug)]
struct Idle {
    count: RunCount,
    /// The count before that look; `None` if there was none yet.
    seen: Option<u64>,
}

impl Logger {
    /// Nothing is known yet.
    pub(crate) fn new() -> Logger {
        Logger {
            service: None,
            found: None,
            processes: Vec::new(),
            condition: Condition::Down,
            blocked_at: None,
            pipe: Err(Errno::ENOENT),
            rates: Rates::default(),
            idle: None,
            searches_left: SEARCHES,
        }
    }

    /// Looks at the logger of a service. `process` is that of the log service, if it is up.
    pub(crate) fn look(
        &mut self,
        supervise: Option<&Files>,
        log: &Dir,
        process: Option<Pid>,
        look: Look,
        now: Instant,
    ) {
        if process != self.service {
            self.forget();
            self.service = process;
            self.searches_left = SEARCHES;
        }
        let asks = look.is_turn || look.is_thorough || look.asks_for_pipe;
        let idle = self.idle.as_ref().filter(|_| asks);
        let run_count = idle.and_then(|idle| idle.count.read());
        let has_slept = run_count.is_some() && idle.is_some_and(|idle| idle.seen == run_count);
        // Most loggers of a host have nothing to do most of the time. What comes into the pipe wakes its reader.
        if has_slept && !look.is_thorough {
            self.rates.note_again(now);
            return;
        }
        if look.asks_for_pipe {
            self.pipe = supervise.map_or(Err(Errno::ENOENT), fill_in);
        }
        let Some(process) = process else {
            self.condition = Condition::Down;
            self.blocked_at = None;
            return;
        };
        if !look.is_turn && !look.is_thorough {
            return;
        }
        self.blocked_at = None;
        match self.state(log, process, look.is_thorough) {
            Ok(state) => {
                self.blocked_at = blocked_in(&state).map(|left| now + left.max(DUE_LEAST));
                let is_advancing = self.rates.note(now, state.counts);
                self.condition = Condition::of(&state);
                // What logs all the time is not asked each time whether it is stopped. It is when it logs no more.
                if is_advancing && !look.is_thorough {
                    self.idle = None;
                    return;
                }
            }
            Err(unknown) => {
                self.rates.clear();
                self.condition = Condition::Unknown(unknown);
            }
        }
        self.look_at_processes();
        self.note_idle(run_count);
    }

    /// Notes whether the logger has nothing to do. `run_count` was read before all else.
    fn note_idle(&mut self, run_count: Option<u64>) {
        let is_idle = self.condition == Condition::Logging && self.blocked_at.is_none();
        // A run script that goes on beside its logger has a life of its own.
        let logger = self.found.as_ref().map(|(_, logger, _)| *logger).filter(|_| is_idle && self.processes.len() == 1);
        self.idle = match (self.idle.take(), logger) {
            (Some(idle), Some(_)) => Some(Idle { seen: run_count, ..idle }),
            (None, Some(logger)) => RunCount::open(logger).map(|count| Idle { count, seen: None }),
            (_, None) => None,
        };
    }

    fn forget(&mut self) {
        self.found = None;
        self.idle = None;
        self.processes.clear();
        self.rates.clear();
    }

    fn look_at_processes(&mut self) {
        if self.processes.is_empty() {
            let logger = self.found.as_ref().map(|(_, logger, _)| *logger);
            let service = self.service.filter(|service| logger != Some(*service));
            self.processes = logger.into_iter().chain(service).filter_map(AboutFile::open).collect();
        }
        let is_stopped = |file: &AboutFile| file.about().is_some_and(|about| about.is_stopped());
        if self.processes.iter().any(is_stopped) {
            self.condition = Condition::STOPPED;
        }
    }

    fn state(&mut self, log: &Dir, process: Pid, is_thorough: bool) -> std::result::Result<LoggerState, Unknown> {
        if let Some((file, logger, start_time)) = &self.found
            && let Ok(Some(state)) = file.read()
            && (state.process, state.start_time) == (*logger, *start_time)
            // A logger that a run script started may have ended alone, and left its journal.
            && (!is_thorough || (is_of(&state, process) && !file.is_removed()))
        {
            return Ok(state);
        }
        self.found = None;
        self.idle = None;
        self.processes.clear();
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
