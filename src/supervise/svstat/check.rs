//! `svstat --check`: one line and an exit code, as Nagios and its relatives expect of a plugin.
//!
//! | code | word | when |
//! |---|---|---|
//! | 0 | OK | none of the following |
//! | 1 | WARNING | a service is flapping, or more bytes wait in a log pipe than the bound |
//! | 2 | CRITICAL | a service or a log service is down, or a logger is blocked |
//! | 3 | UNKNOWN | the permission is missing to find out, or the command line is wrong |

use std::ffi::CStr;

use crate::cli::{Exit, message};
use crate::supervise::logger::{Condition, Unknown};
use crate::supervise::report::Report;
use crate::supervise::snapshot::{Failure, Snapshot};
use crate::sys::{Errno, fd, program};

/// What a monitoring system knows, the least urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Level {
    fn exit(self) -> Exit {
        Exit(match self {
            Level::Ok => 0,
            Level::Warning => 1,
            Level::Critical => 2,
            Level::Unknown => 3,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
            Level::Unknown => "UNKNOWN",
        }
    }
}

/// What is tolerated.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How many bytes may wait; `None`: three quarters of what the pipe can hold.
    backlog_bytes: Option<u64>,
    /// A service that failed less than so long ago is flapping.
    flapping_seconds: u64,
}

/// Checks services.
pub(super) fn run(arguments: &program::Arguments) -> Exit {
    let Some((bounds, dirs)) = parse(arguments) else {
        message::say(format_args!(
            "svstat: usage: svstat --check [--backlog bytes] [--flapping seconds] service ...\n"
        ));
        return Level::Unknown.exit();
    };
    let snapshots: Vec<Snapshot> = dirs.iter().map(|dir| Snapshot::of(dir)).collect();
    let mut problems: Vec<(Level, String)> = snapshots.iter().flat_map(|one| judge(one, bounds)).collect();
    problems.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let level = problems.first().map_or(Level::Ok, |(level, _)| *level);
    let waiting: usize =
        snapshots.iter().filter_map(|one| Some(one.log.as_ref()?.logger.pipe.ok()?.waiting_bytes)).sum();
    let said: Vec<String> = problems.iter().map(|(_, text)| text.replace('|', "/")).collect();
    let text = if said.is_empty() { "no problems".to_owned() } else { said.join("; ") };
    let count = snapshots.len();
    let noun = if count == 1 { "service" } else { "services" };
    let line = format!(
        "SVSTAT {}: {count} {noun}, {text} | services={count} problems={} waiting={waiting}B\n",
        level.word(),
        problems.len()
    );
    // Nobody is left to be told when standard output is gone.
    let _ = fd::write_all(fd::stdout(), line.as_bytes());
    level.exit()
}

fn parse<'a>(mut arguments: &'a [&'static CStr]) -> Option<(Bounds, &'a program::Arguments)> {
    let mut bounds = Bounds { backlog_bytes: None, flapping_seconds: 10 };
    loop {
        match arguments {
            [option, value, rest @ ..] if *option == c"--backlog" => {
                bounds.backlog_bytes = Some(value.to_str().ok()?.parse().ok()?);
                arguments = rest;
            }
            [option, value, rest @ ..] if *option == c"--flapping" => {
                bounds.flapping_seconds = value.to_str().ok()?.parse().ok()?;
                arguments = rest;
            }
            [option, dirs @ ..] if *option == c"--" => return (!dirs.is_empty()).then_some((bounds, dirs)),
            [first, ..] if !first.to_bytes().starts_with(b"-") => return Some((bounds, arguments)),
            _ => return None,
        }
    }
}

/// The problems of a service.
fn judge(snapshot: &Snapshot, bounds: Bounds) -> Vec<(Level, String)> {
    let mut problems = Vec::new();
    let name = &snapshot.name;
    problems.extend(judge_unit(name, &snapshot.report, bounds));
    let Some(log) = &snapshot.log else { return problems };
    problems.extend(judge_unit(&format!("{name}/log"), &log.report, bounds));
    match &log.logger.condition {
        Condition::Blocked(obstacle) => problems.push((Level::Critical, format!("{name}/log {obstacle}"))),
        Condition::Unknown(unknown @ Unknown::Unreadable(_)) => {
            problems.push((Level::Unknown, format!("{name}/log unknown ({unknown})")));
        }
        // Another logger than multilog has no state. What is down has been said.
        Condition::Unknown(_) | Condition::Logging | Condition::Exiting | Condition::Down => {}
    }
    match log.logger.pipe {
        Ok(fill) => {
            let bound = bounds.backlog_bytes.unwrap_or(fill.capacity_bytes as u64 / 4 * 3);
            if fill.waiting_bytes as u64 > bound {
                let waiting = fill.waiting_bytes;
                problems.push((Level::Warning, format!("{name}/log has {waiting} bytes waiting")));
            }
        }
        Err(Errno::EACCES | Errno::EPERM) => {
            problems.push((Level::Unknown, format!("{name}/log has an unknown number of bytes waiting")));
        }
        // The pipe has no name.
        Err(_) => {}
    }
    problems
}

fn judge_unit(name: &str, report: &Result<Report, Failure>, bounds: Bounds) -> Option<(Level, String)> {
    let report = match report {
        Ok(report) => report,
        Err(error) if error.is_refusal() => return Some((Level::Unknown, format!("{name} {error}"))),
        Err(error) => return Some((Level::Critical, format!("{name} {error}"))),
    };
    if report.status.process.is_none() {
        return report.is_down_by_mistake().then(|| (Level::Critical, format!("{name} {report}")));
    }
    report.is_flapping(bounds.flapping_seconds).then(|| (Level::Warning, format!("{name} {report}, flapping")))
}
