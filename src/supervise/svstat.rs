//! `svstat [-l | --json] services`: prints the state of services.
//!
//! One line each, as 0.76; with `-l`, the service, its log service and how svscan treats them; with `--json`, one
//! object per line. The exit code is always 0.

use std::ffi::CStr;
use std::fmt::Write;

use crate::cli::{Exit, Shown, cause, json};
use crate::supervise::last_exit::LastExit;
use crate::supervise::pair::{LOG, Seen};
use crate::supervise::report::{Readiness, Report};
use crate::supervise::state::Want;
use crate::sys::dir::Dir;
use crate::sys::{fd, program};
use crate::tai64n::Label;

/// Runs `svstat`.
#[must_use]
pub fn run(arguments: &program::Arguments) -> Exit {
    let arguments = arguments.get(1..).unwrap_or_default();
    let (say, dirs): (fn(&CStr) -> String, _) = match arguments {
        [option, dirs @ ..] if *option == c"-l" => (pair, dirs),
        [option, dirs @ ..] if *option == c"--json" => (object, dirs),
        [option, dirs @ ..] if *option == c"--" => (line, dirs),
        dirs => (line, dirs),
    };
    for dir in dirs {
        // If standard output is closed, there is nobody to report it to.
        let _ = fd::write_all(fd::stdout(), say(dir).as_bytes());
    }
    Exit::OK
}

/// The state of a service, or why it cannot be read.
fn look(service: &Dir) -> Result<Report, String> {
    Report::of(service).map_err(|error| error.to_string())
}

fn reach(dir: &CStr) -> Result<Dir, String> {
    Dir::reach(dir).map_err(|errno| format!("unable to chdir: {}", cause(errno)))
}

fn line(dir: &CStr) -> String {
    let name = Shown(dir.to_bytes());
    match reach(dir).and_then(|service| look(&service)) {
        Ok(report) => format!("{name}: {report}\n"),
        Err(error) => format!("{name}: {error}\n"),
    }
}

/// The service, its log service, and how svscan treats them.
fn pair(dir: &CStr) -> String {
    let mut text = line(dir);
    let Ok(service) = reach(dir) else { return text };
    history(&mut text, "  ", look(&service).ok().as_ref());
    if let Ok(log) = service.reach_dir(LOG) {
        let report = look(&log);
        let said = report.as_ref().map_or_else(Clone::clone, ToString::to_string);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  log: {said}");
        history(&mut text, "    ", report.ok().as_ref());
    }
    let _ = writeln!(text, "  svscan: {}", Seen::of(&service));
    text
}

fn history(text: &mut String, indent: &str, report: Option<&Report>) {
    let Some(Report { starts: Some(starts), last_exit, .. }) = report else { return };
    let last = last_exit.map_or("none".to_owned(), |exit| exit.to_string());
    let _ = writeln!(text, "{indent}starts: {starts}, last exit: {last}");
}

fn object(dir: &CStr) -> String {
    let mut text = String::from("{\"service\":");
    json::print(&mut text, dir.to_bytes());
    match reach(dir) {
        Ok(service) => {
            members(&mut text, &look(&service));
            if let Ok(log) = service.reach_dir(LOG) {
                text.push_str(",\"log\":{\"service\":");
                json::print(&mut text, &[dir.to_bytes(), b"/log"].concat());
                members(&mut text, &look(&log));
                text.push('}');
            } else {
                text.push_str(",\"log\":null");
            }
            text.push_str(",\"svscan\":");
            json::print(&mut text, Seen::of(&service).to_string().as_bytes());
        }
        error => members(&mut text, &error.and_then(|service| look(&service))),
    }
    text.push_str("}\n");
    text
}

fn members(text: &mut String, report: &Result<Report, String>) {
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            text.push_str(",\"error\":");
            return json::print(text, error.as_bytes());
        }
    };
    let status = &report.status;
    let is_up = status.process.is_some();
    let state = if is_up { "up" } else { "down" };
    let pid = status.process.map_or("null".to_owned(), |process| process.to_string());
    let want = match status.want {
        Want::Up => "\"up\"",
        Want::Down => "\"down\"",
        Want::Once => "null",
    };
    let normally = if report.is_normally_up { "up" } else { "down" };
    let _ = write!(text, ",\"state\":\"{state}\",\"pid\":{pid},\"seconds\":{}", status.age_seconds());
    let _ = write!(text, ",\"since\":\"{}\",\"want\":{want},\"normally\":\"{normally}\"", status.changed);
    let _ = write!(text, ",\"paused\":{}", status.is_paused);
    let _ = match report.readiness {
        None => write!(text, ",\"ready\":null"),
        Some(Readiness::NotReady) => write!(text, ",\"ready\":false"),
        Some(Readiness::Ready(label)) => {
            let seconds = (Label::now().unix_seconds() - label.unix_seconds()).max(0);
            write!(text, ",\"ready\":{is_up},\"ready_seconds\":{seconds}")
        }
    };
    let _ = match report.starts {
        None => write!(text, ",\"starts\":null"),
        Some(starts) => write!(text, ",\"starts\":{starts}"),
    };
    let _ = match report.last_exit {
        None => write!(text, ",\"last_exit\":null"),
        Some(LastExit::Exit(code)) => write!(text, ",\"last_exit\":{{\"code\":{code}}}"),
        Some(LastExit::Signal(signal)) => write!(text, ",\"last_exit\":{{\"signal\":{signal}}}"),
        Some(LastExit::Unknown) => write!(text, ",\"last_exit\":{{}}"),
    };
}
