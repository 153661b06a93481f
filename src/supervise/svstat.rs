//! `svstat [-l | --json | --prometheus | --check] services`: prints the state of services.
//!
//! One line each, as 0.76; with `-l`, the service, its log service, its logger and what svscan makes of them. The exit code is
//! 0 whatever there is to say, except for `--check`.
//!
//! - `json`: an object a line, for programs. `prometheus`: metrics. `check`: one line and an exit code for a monitoring system.

use std::ffi::CStr;
use std::fmt::Write;

use crate::cli::{Exit, cause};
use crate::supervise::logger::Logger;
use crate::supervise::report::Report;
use crate::supervise::snapshot::{Failure, Snapshot};
use crate::sys::{Errno, fd, program};

mod check;
mod json;
mod prometheus;

/// Says how services are.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let arguments = arguments.get(1..).unwrap_or_default();
    match arguments {
        [option, dirs @ ..] if *option == c"-l" => print(dirs, pair),
        [option, dirs @ ..] if *option == c"--json" => print(dirs, json::object),
        [option, dirs @ ..] if *option == c"--prometheus" => prometheus::print(dirs),
        [option, arguments @ ..] if *option == c"--check" => check::run(arguments),
        [option, dirs @ ..] if *option == c"--" => print(dirs, line),
        dirs => print(dirs, line),
    }
}

fn print(dirs: &program::Arguments, say: impl Fn(&CStr) -> String) -> Exit {
    for dir in dirs {
        // Nobody is left to be told when standard output is gone.
        let _ = fd::write_all(fd::stdout(), say(dir).as_bytes());
    }
    Exit::OK
}

fn line(dir: &CStr) -> String {
    let Snapshot { name, report, .. } = Snapshot::service(dir);
    said(&name, &report)
}

fn said(name: &str, report: &Result<Report, Failure>) -> String {
    match report {
        Ok(report) => format!("{name}: {report}\n"),
        Err(error) => format!("{name}: {error}\n"),
    }
}

/// The service, its log service, and what svscan makes of them.
fn pair(dir: &CStr) -> String {
    let Snapshot { name, report, log, seen } = Snapshot::of(dir);
    let mut text = said(&name, &report);
    let Some(seen) = seen else { return text };
    history(&mut text, "  ", report.as_ref().ok());
    if let Some(log) = log {
        text.push_str("  ");
        text.push_str(&said("log", &log.report));
        history(&mut text, "    ", log.report.as_ref().ok());
        logger(&mut text, &log.logger);
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  svscan: {seen}");
    text
}

fn history(text: &mut String, indent: &str, report: Option<&Report>) {
    let Some(Report { starts: Some(starts), last_exit, .. }) = report else { return };
    let last = last_exit.map_or("none".to_owned(), |exit| exit.to_string());
    let _ = writeln!(text, "{indent}starts: {starts}, last exit: {last}");
}

fn logger(text: &mut String, logger: &Logger) {
    match logger.pipe {
        Ok(fill) => {
            let _ = writeln!(text, "    waiting: {} of {} bytes", fill.waiting_bytes, fill.capacity_bytes);
        }
        // svscan is not running, or has made a pipe without a name.
        Err(Errno::ENOENT) => text.push_str("    waiting: unknown (no log pipe)\n"),
        Err(errno) => {
            let _ = writeln!(text, "    waiting: unknown ({})", cause(errno));
        }
    }
    let _ = writeln!(text, "    logger: {}", logger.condition);
    if let Some(counts) = logger.counts {
        let _ = writeln!(text, "    logged: {} lines, {} bytes", counts.lines, counts.bytes);
    }
}
