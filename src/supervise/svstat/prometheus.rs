//! `svstat --prometheus`: metrics in the text format of Prometheus, for the textfile collector of its node_exporter.
//!
//! What is not known has no line.

use crate::cli::Exit;
use crate::cli::prometheus::Page;
use crate::supervise::last_exit::LastExit;
use crate::supervise::logger::{By, Condition};
use crate::supervise::report::Report;
use crate::supervise::snapshot::{Failure, Snapshot};
use crate::sys::{fd, program};

/// Prints the metrics of services.
pub(super) fn print(dirs: &program::Arguments) -> Exit {
    let snapshots: Vec<Snapshot> = dirs.iter().map(|dir| Snapshot::of(dir)).collect();
    // Nobody is left to be told when standard output is gone.
    let _ = fd::write_all(fd::stdout(), metrics(&snapshots).as_bytes());
    Exit::OK
}

fn metrics(snapshots: &[Snapshot]) -> String {
    let mut page = Page::default();
    services(&mut page, snapshots);
    loggers(&mut page, snapshots);
    page.into_text()
}

/// Each service and each log service, with the value of its label `unit`.
fn units(snapshots: &[Snapshot]) -> impl Iterator<Item = ([(&str, &str); 2], &Result<Report, Failure>)> {
    snapshots.iter().flat_map(|snapshot| {
        let name = ("service", &snapshot.name[..]);
        let log = snapshot.log.as_ref().map(|log| ([name, ("unit", "log")], &log.report));
        [([name, ("unit", "service")], &snapshot.report)].into_iter().chain(log)
    })
}

fn services(page: &mut Page, snapshots: &[Snapshot]) {
    let supervised = units(snapshots).map(|(labels, report)| (labels, u8::from(report.is_ok())));
    let help = "Whether a supervisor runs for the service and its state can be read.";
    page.metric("logyard_service_supervised", "gauge", help, supervised);
    // An alert must see a service whose supervisor is gone. If anything else is wrong, the service may be up.
    let up = units(snapshots).filter_map(|(labels, report)| match report {
        Ok(report) => Some((labels, u8::from(report.status.process.is_some()))),
        Err(failure) => failure.is_absence().then_some((labels, 0)),
    });
    let help = "Whether the service has a process and a supervisor.";
    page.metric("logyard_service_up", "gauge", help, up);
    let reports = || units(snapshots).filter_map(|(labels, report)| Some((labels, report.as_ref().ok()?)));
    let normally_up = reports().map(|(labels, report)| (labels, u8::from(report.is_normally_up)));
    let help = "Whether the service starts with its supervisor: it has no file down.";
    page.metric("logyard_service_normally_up", "gauge", help, normally_up);
    let changed = reports().map(|(labels, report)| (labels, report.status.changed.unix_seconds()));
    let help = "When the process of the service last started or exited.";
    page.metric("logyard_service_changed_timestamp_seconds", "gauge", help, changed);
    let starts = reports().filter_map(|(labels, report)| Some((labels, report.starts?)));
    page.metric("logyard_service_starts_total", "counter", "How often the service was started.", starts);
    let last_exits = reports().filter_map(|([service, unit], report)| {
        let (how, number) = match report.last_exit {
            Some(LastExit::Exit(code)) => ("code", code),
            Some(LastExit::Signal(signal)) => ("signal", signal),
            Some(LastExit::Unknown) | None => return None,
        };
        Some(([service, unit, ("how", how)], number))
    });
    let help = "How the service last exited: its exit code, or the number of the signal that killed it.";
    page.metric("logyard_service_last_exit", "gauge", help, last_exits);
}

fn loggers(page: &mut Page, snapshots: &[Snapshot]) {
    let loggers = || snapshots.iter().filter_map(|one| Some(([("service", &one.name[..])], &one.log.as_ref()?.logger)));
    let fills = || loggers().filter_map(|(labels, logger)| Some((labels, logger.pipe.ok()?)));
    let waiting = fills().map(|(labels, fill)| (labels, fill.waiting_bytes));
    page.metric("logyard_log_waiting_bytes", "gauge", "Bytes that wait in the log pipe.", waiting);
    let capacity = fills().map(|(labels, fill)| (labels, fill.capacity_bytes));
    let help = "Bytes that the log pipe can hold before the service has to wait.";
    page.metric("logyard_log_pipe_bytes", "gauge", help, capacity);
    let known =
        loggers().map(|(labels, logger)| (labels, u8::from(!matches!(logger.condition, Condition::Unknown(_)))));
    page.metric("logyard_logger_known", "gauge", "Whether it is known what the logger does.", known);
    let blocked = loggers().flat_map(|([service], logger)| {
        let by = match &logger.condition {
            Condition::Blocked(obstacle) => Some(obstacle.by),
            _ => None,
        };
        let is_known = !matches!(logger.condition, Condition::Unknown(_));
        let ways = By::ALL.into_iter().filter(move |_| is_known);
        ways.map(move |one| ([service, ("by", one.word())], u8::from(by == Some(one))))
    });
    page.metric("logyard_logger_blocked", "gauge", "Whether the logger is blocked, by what blocks it.", blocked);
    let counts = || loggers().filter_map(|(labels, logger)| Some((labels, logger.counts?)));
    let lines = counts().map(|(labels, counts)| (labels, counts.lines));
    let help = "Lines that the logger has logged since it started.";
    page.metric("logyard_logger_lines_total", "counter", help, lines);
    let bytes = counts().map(|(labels, counts)| (labels, counts.bytes));
    let help = "Bytes of input that the logger has logged since it started.";
    page.metric("logyard_logger_input_bytes_total", "counter", help, bytes);
    let last = counts().filter_map(|(labels, counts)| Some((labels, counts.last_came?.unix_seconds())));
    let help = "When the last line arrived that was logged.";
    page.metric("logyard_logger_last_line_timestamp_seconds", "gauge", help, last);
}
