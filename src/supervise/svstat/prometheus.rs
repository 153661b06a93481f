//! `svstat --prometheus`: metrics in the text format of Prometheus, for the textfile collector of its node_exporter.
//!
//! All lines of a metric stand together. What is not known has no line.

use std::fmt::{Display, Write};

use crate::cli::Exit;
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

/// Metrics that are being put together.
#[derive(Debug, Default)]
struct Metrics(String);

impl Metrics {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (number, (label, text)) in labels.iter().enumerate() {
            self.0.push(if number == 0 { '{' } else { ',' });
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{label}=\"{text}\"");
        }
        let _ = writeln!(self.0, "}} {value}");
    }
}

fn metrics(snapshots: &[Snapshot]) -> String {
    let mut metrics = Metrics::default();
    services(&mut metrics, snapshots);
    loggers(&mut metrics, snapshots);
    metrics.0
}

/// Each service and each log service, with the value of its label `unit`.
fn units(snapshots: &[Snapshot]) -> impl Iterator<Item = ([(&str, &str); 2], &Result<Report, Failure>)> {
    snapshots.iter().flat_map(|snapshot| {
        let name = ("service", &snapshot.name[..]);
        let log = snapshot.log.as_ref().map(|log| ([name, ("unit", "log")], &log.report));
        [([name, ("unit", "service")], &snapshot.report)].into_iter().chain(log)
    })
}

fn services(metrics: &mut Metrics, snapshots: &[Snapshot]) {
    let name = "logyard_service_supervised";
    metrics.begin(name, "gauge", "Whether a supervisor runs for the service and its state can be read.");
    for (labels, report) in units(snapshots) {
        metrics.add(name, &labels, u8::from(report.is_ok()));
    }
    let reports = || units(snapshots).filter_map(|(labels, report)| Some((labels, report.as_ref().ok()?)));
    let name = "logyard_service_up";
    metrics.begin(name, "gauge", "Whether the service has a process.");
    for (labels, report) in reports() {
        metrics.add(name, &labels, u8::from(report.status.process.is_some()));
    }
    let name = "logyard_service_normally_up";
    metrics.begin(name, "gauge", "Whether the service starts with its supervisor: it has no file down.");
    for (labels, report) in reports() {
        metrics.add(name, &labels, u8::from(report.is_normally_up));
    }
    let name = "logyard_service_changed_timestamp_seconds";
    metrics.begin(name, "gauge", "When the process of the service last started or exited.");
    for (labels, report) in reports() {
        metrics.add(name, &labels, report.status.changed.unix_seconds());
    }
    let name = "logyard_service_starts_total";
    metrics.begin(name, "counter", "How often the service was started.");
    for (labels, starts) in reports().filter_map(|(labels, report)| Some((labels, report.starts?))) {
        metrics.add(name, &labels, starts);
    }
    let name = "logyard_service_last_exit";
    metrics.begin(
        name,
        "gauge",
        "How the service last exited: its exit code, or the number of the signal that killed it.",
    );
    for ([service, unit], report) in reports() {
        let (how, number) = match report.last_exit {
            Some(LastExit::Exit(code)) => ("code", code),
            Some(LastExit::Signal(signal)) => ("signal", signal),
            Some(LastExit::Unknown) | None => continue,
        };
        metrics.add(name, &[service, unit, ("how", how)], number);
    }
}

fn loggers(metrics: &mut Metrics, snapshots: &[Snapshot]) {
    let loggers = || snapshots.iter().filter_map(|one| Some(([("service", &one.name[..])], &one.log.as_ref()?.logger)));
    let fills = || loggers().filter_map(|(labels, logger)| Some((labels, logger.pipe.ok()?)));
    let name = "logyard_log_waiting_bytes";
    metrics.begin(name, "gauge", "Bytes that wait in the log pipe.");
    for (labels, fill) in fills() {
        metrics.add(name, &labels, fill.waiting_bytes);
    }
    let name = "logyard_log_pipe_bytes";
    metrics.begin(name, "gauge", "Bytes that the log pipe can hold before the service has to wait.");
    for (labels, fill) in fills() {
        metrics.add(name, &labels, fill.capacity_bytes);
    }
    let name = "logyard_logger_known";
    metrics.begin(name, "gauge", "Whether it is known what the logger does.");
    for (labels, logger) in loggers() {
        metrics.add(name, &labels, u8::from(!matches!(logger.condition, Condition::Unknown(_))));
    }
    let name = "logyard_logger_blocked";
    metrics.begin(name, "gauge", "Whether the logger is blocked, by what blocks it.");
    for ([service], logger) in loggers() {
        let by = match &logger.condition {
            Condition::Unknown(_) => continue,
            Condition::Blocked(obstacle) => Some(obstacle.by),
            _ => None,
        };
        for one in By::ALL {
            metrics.add(name, &[service, ("by", one.word())], u8::from(by == Some(one)));
        }
    }
    let counts = || loggers().filter_map(|(labels, logger)| Some((labels, logger.counts?)));
    let name = "logyard_logger_lines_total";
    metrics.begin(name, "counter", "Lines that the logger has logged since it started.");
    for (labels, counts) in counts() {
        metrics.add(name, &labels, counts.lines);
    }
    let name = "logyard_logger_input_bytes_total";
    metrics.begin(name, "counter", "Bytes of input that the logger has logged since it started.");
    for (labels, counts) in counts() {
        metrics.add(name, &labels, counts.bytes);
    }
    let name = "logyard_logger_last_line_timestamp_seconds";
    metrics.begin(name, "gauge", "When the last line arrived that was logged.");
    for (labels, label) in counts().filter_map(|(labels, counts)| Some((labels, counts.last_came?))) {
        metrics.add(name, &labels, label.unix_seconds());
    }
}
