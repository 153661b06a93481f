//! A service with its log service and its logger, as the table shows them.

use std::time::Instant;

use logyard::supervise::logger::{Condition, Unknown};
use logyard::supervise::pair::LOG;
use logyard::supervise::report::{Readiness, Report};
use logyard::supervise::snapshot::Failure;
use logyard::sys::Errno;
use logyard::sys::dir::Dir;
use logyard::sys::stat::FileId;

use crate::log_files::LogFiles;
use crate::logger::Logger;
use crate::look::Look;
use crate::state::State;
use crate::text::shown;
use crate::unit::Unit;
use crate::watches::Watches;

/// A service that was started again less than so long ago, after it had failed, is flapping, as for `svstat --check`.
const FLAPPING_SECONDS: u64 = 10;

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name in the directory of services.
    pub(crate) name: Vec<u8>,
    /// The same, made visible.
    pub(crate) shown: String,
    /// Which directory it is.
    pub(crate) identity: FileId,
    pub(crate) unit: Unit,
    pub(crate) log: Option<LogService>,
}

/// The log service of a service.
#[derive(Debug)]
pub(crate) struct LogService {
    pub(crate) unit: Unit,
    pub(crate) logger: Logger,
    pub(crate) files: LogFiles,
}

impl Service {
    /// A service that is seen for the first time.
    pub(crate) fn new(
        name: Vec<u8>,
        identity: FileId,
        dir: Result<Dir, Errno>,
        watches: &Watches,
        now: Instant,
    ) -> Service {
        let shown = shown(&name);
        let mut service = Service { name, shown, identity, unit: Unit::new(dir, watches), log: None };
        service.look_at_log(Look::FIRST, watches, now);
        service
    }

    /// Looks at what may have changed.
    pub(crate) fn look(&mut self, look: Look, watches: &Watches, now: Instant) {
        self.unit.look(look, watches);
        self.look_at_log(look, watches, now);
    }

    fn look_at_log(&mut self, look: Look, watches: &Watches, now: Instant) {
        if look.is_thorough {
            let dir = self.unit.dir.as_ref().map_err(|errno| *errno).and_then(|dir| dir.reach_dir(LOG));
            match (dir, &self.log) {
                (Ok(dir), None) => {
                    let (unit, logger) = (Unit::new(Ok(dir), watches), Logger::new());
                    self.log = Some(LogService { unit, logger, files: LogFiles::default() });
                }
                (Err(_), Some(_)) => self.log = None,
                _ => {}
            }
        }
        let Some(log) = &mut self.log else { return };
        log.unit.look(look, watches);
        let process = log.unit.process();
        let Ok(dir) = &log.unit.dir else { return };
        log.logger.look(self.unit.files.as_ref(), dir, process, look, now);
        if let Err(failure) = &log.unit.report {
            log.logger.condition = failure.logger();
        }
        log.files.find(dir, log.logger.process(), look.is_thorough);
    }

    /// When its logger will count as blocked, if it goes on waiting as it does.
    pub(crate) fn blocked_at(&self) -> Option<Instant> {
        self.log.as_ref()?.logger.blocked_at
    }

    /// Looks at what only the rows on the screen show.
    pub(crate) fn look_closer(&mut self, now: Instant) {
        if let Some(log) = &mut self.log {
            log.files.look_closer(now);
        }
    }

    /// The state that the table shows: the most urgent one.
    pub(crate) fn state(&self) -> State {
        let report = match &self.unit.report {
            Ok(report) => report,
            Err(error) if error.is_refusal() => return State::UNKNOWN,
            Err(_) => return State::UNMANAGED,
        };
        if report.is_down_by_mistake() {
            return State::DOWN;
        }
        if let Some(state) = self.log.as_ref().and_then(LogService::trouble) {
            return state;
        }
        if report.is_flapping(FLAPPING_SECONDS) {
            State::FLAPPING
        } else if report.status.process.is_none() {
            State::QUIET
        } else if report.status.is_paused {
            State::PAUSED
        } else if report.readiness == Some(Readiness::NotReady) {
            State::NOT_READY
        } else {
            State::UP
        }
    }

    /// For how many seconds the service has been up or down.
    pub(crate) fn seconds(&self) -> Option<u64> {
        self.unit.report.as_ref().ok().map(|report| report.status.age_seconds())
    }

    /// Lines per second.
    pub(crate) fn lines_rate(&self) -> Option<f64> {
        self.log.as_ref()?.logger.rates.lines()
    }

    /// Bytes per second.
    pub(crate) fn bytes_rate(&self) -> Option<f64> {
        self.log.as_ref()?.logger.rates.bytes()
    }

    /// Bytes in the log pipe.
    pub(crate) fn waiting_bytes(&self) -> Option<u64> {
        Some(self.log.as_ref()?.logger.pipe.ok()?.waiting_bytes as u64)
    }

    /// The room that the log takes.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        self.log.as_ref()?.files.bytes()
    }

    /// The room that the log can take.
    pub(crate) fn bound_bytes(&self) -> Option<u64> {
        self.log.as_ref()?.files.bound_bytes()
    }

    /// What keeps the service or its log from working, in a sentence; `None` if nothing does.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Err(error) = &self.unit.report {
            return Some(error.to_string());
        }
        let log = self.log.as_ref()?;
        match (&log.unit.report, &log.logger.condition) {
            (_, Condition::Blocked(obstacle)) => {
                // The word is in the row already, and there is little room.
                let text = obstacle.to_string();
                Some(text.strip_prefix("blocked ").unwrap_or(&text).to_owned())
            }
            (Err(error), _) => Some(format!("log: {error}")),
            (Ok(report), _) if report.is_down_by_mistake() => Some(format!("log: {report}")),
            (_, Condition::Unknown(unknown @ Unknown::Unreadable(_))) => Some(format!("logger: unknown ({unknown})")),
            _ => None,
        }
    }

    /// The last line of its log.
    pub(crate) fn last_line(&self) -> &str {
        self.log.as_ref().map_or("", |log| &log.files.last_line.text)
    }
}

impl LogService {
    fn trouble(&self) -> Option<State> {
        if matches!(self.logger.condition, Condition::Blocked(_)) {
            return Some(State::BLOCKED);
        }
        let report: &Report = match &self.unit.report {
            Ok(report) => report,
            Err(error) if Failure::is_refusal(error) => return Some(State::UNKNOWN),
            Err(_) => return Some(State::LOG_DOWN),
        };
        if report.is_down_by_mistake() {
            Some(State::LOG_DOWN)
        } else if self.logger.is_behind() {
            Some(State::BEHIND)
        } else if report.is_flapping(FLAPPING_SECONDS) {
            Some(State::LOG_FLAPPING)
        } else {
            None
        }
    }
}
