//! `svstat --json`: an object a line. Every object has all members; what is not known or does not apply is null.

use std::ffi::CStr;
use std::fmt::{Display, Write};

use crate::cli::json;
use crate::supervise::last_exit::LastExit;
use crate::supervise::logger::{Condition, Logger, Obstacle};
use crate::supervise::report::{Readiness, Report};
use crate::supervise::snapshot::{Failure, Snapshot};
use crate::supervise::state::Want;
use crate::supervise::status::Status;
use crate::tai64n::Label;

/// The object of a service, with a newline.
pub(super) fn object(dir: &CStr) -> String {
    let Snapshot { report, log, seen, .. } = Snapshot::of(dir);
    let mut text = String::from("{\"service\":");
    json::print(&mut text, dir.to_bytes());
    members(&mut text, &report);
    match log {
        Some(log) => {
            text.push_str(",\"log\":{\"service\":");
            json::print(&mut text, &[dir.to_bytes(), b"/log"].concat());
            members(&mut text, &log.report);
            logger(&mut text, &log.logger);
            text.push('}');
        }
        None => text.push_str(",\"log\":null"),
    }
    sentence(&mut text, "svscan", seen);
    text.push_str("}\n");
    text
}

/// A member: a number, a word of JSON, or null.
fn plain(text: &mut String, name: &str, value: Option<impl Display>) {
    // Writing to a string cannot fail.
    let _ = match value {
        Some(value) => write!(text, ",\"{name}\":{value}"),
        None => write!(text, ",\"{name}\":null"),
    };
}

/// A member that is a word of ours, which needs no escapes, or null.
fn word(text: &mut String, name: &str, value: Option<impl Display>) {
    plain(text, name, value.map(|value| format!("\"{value}\"")));
}

/// A member that is any text, or null.
fn sentence(text: &mut String, name: &str, value: Option<impl Display>) {
    let value = value.map(|value| {
        let mut string = String::new();
        json::print(&mut string, value.to_string().as_bytes());
        string
    });
    plain(text, name, value);
}

/// What is known of the logger.
fn logger(text: &mut String, logger: &Logger) {
    let fill = logger.pipe.ok();
    plain(text, "waiting_bytes", fill.map(|fill| fill.waiting_bytes));
    plain(text, "pipe_bytes", fill.map(|fill| fill.capacity_bytes));
    let (state, obstacle, reason) = match &logger.condition {
        Condition::Logging => ("logging", None, None),
        Condition::Exiting => ("exiting", None, None),
        Condition::Down => ("down", None, None),
        Condition::Unknown(unknown) => ("unknown", None, Some(unknown)),
        Condition::Blocked(obstacle) => ("blocked", Some(obstacle), None),
    };
    text.push_str(",\"logger\":{\"state\":\"");
    text.push_str(state);
    text.push('"');
    word(text, "by", obstacle.map(|obstacle| obstacle.by.word()));
    word(text, "since", obstacle.and_then(|obstacle| obstacle.since));
    plain(text, "seconds", obstacle.and_then(Obstacle::seconds));
    sentence(text, "text", obstacle.map(|obstacle| &obstacle.text));
    sentence(text, "reason", reason);
    plain(text, "lines", logger.counts.map(|counts| counts.lines));
    plain(text, "bytes", logger.counts.map(|counts| counts.bytes));
    word(text, "last_came", logger.counts.and_then(|counts| counts.last_came));
    text.push('}');
}

fn members(text: &mut String, report: &Result<Report, Failure>) {
    sentence(text, "error", report.as_ref().err());
    let report = report.as_ref().ok();
    let status = report.map(|report| &report.status);
    let process = status.and_then(|status| status.process);
    word(text, "state", status.map(|_| if process.is_some() { "up" } else { "down" }));
    plain(text, "pid", process);
    plain(text, "seconds", status.map(Status::age_seconds));
    word(text, "since", status.map(|status| status.changed));
    let want = status.and_then(|status| match status.want {
        Want::Up => Some("up"),
        Want::Down => Some("down"),
        Want::Once => None,
    });
    word(text, "want", want);
    word(text, "normally", report.map(|report| if report.is_normally_up { "up" } else { "down" }));
    plain(text, "paused", status.map(|status| status.is_paused));
    let ready_since = match report.and_then(|report| report.readiness) {
        Some(Readiness::Ready(label)) => Some(label),
        Some(Readiness::NotReady) | None => None,
    };
    let is_ready = process.is_some() && ready_since.is_some();
    plain(text, "ready", report.and_then(|report| report.readiness).map(|_| is_ready));
    let ready_seconds = ready_since.map(|since| (Label::now().unix_seconds() - since.unix_seconds()).max(0));
    plain(text, "ready_seconds", ready_seconds);
    plain(text, "starts", report.and_then(|report| report.starts));
    let last_exit = report.and_then(|report| report.last_exit).map(|last_exit| {
        let (code, signal) = match last_exit {
            LastExit::Exit(code) => (Some(code), None),
            LastExit::Signal(signal) => (None, Some(signal)),
            LastExit::Unknown => (None, None),
        };
        let word = |number: Option<_>| number.map_or("null".to_owned(), |number: i32| number.to_string());
        format!("{{\"code\":{},\"signal\":{}}}", word(code), word(signal))
    });
    plain(text, "last_exit", last_exit);
}
