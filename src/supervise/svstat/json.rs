//! `svstat --json`: an object a line.

use std::ffi::CStr;
use std::fmt::Write;

use crate::cli::json;
use crate::supervise::last_exit::LastExit;
use crate::supervise::logger::{Condition, Logger};
use crate::supervise::report::{Readiness, Report};
use crate::supervise::snapshot::{Failure, Snapshot};
use crate::supervise::state::Want;
use crate::tai64n::Label;

/// The object of a service, with a newline.
pub(super) fn object(dir: &CStr) -> String {
    let Snapshot { report, log, seen, .. } = Snapshot::of(dir);
    let mut text = String::from("{\"service\":");
    json::print(&mut text, dir.to_bytes());
    members(&mut text, &report);
    if let Some(seen) = seen {
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
        text.push_str(",\"svscan\":");
        json::print(&mut text, seen.to_string().as_bytes());
    }
    text.push_str("}\n");
    text
}

/// What is known of the logger.
fn logger(text: &mut String, logger: &Logger) {
    // Writing to a string cannot fail.
    let _ = match logger.pipe {
        Ok(fill) => {
            write!(text, ",\"waiting_bytes\":{},\"pipe_bytes\":{}", fill.waiting_bytes, fill.capacity_bytes)
        }
        Err(_) => write!(text, ",\"waiting_bytes\":null,\"pipe_bytes\":null"),
    };
    text.push_str(",\"logger\":{\"state\":");
    match &logger.condition {
        Condition::Logging => text.push_str("\"logging\""),
        Condition::Exiting => text.push_str("\"exiting\""),
        Condition::Down => text.push_str("\"down\""),
        Condition::Unknown(unknown) => {
            text.push_str("\"unknown\",\"reason\":");
            json::print(text, unknown.to_string().as_bytes());
        }
        Condition::Blocked(obstacle) => {
            let _ = write!(text, "\"blocked\",\"by\":\"{}\"", obstacle.by.word());
            if let Some((since, seconds)) = obstacle.since.zip(obstacle.seconds()) {
                let _ = write!(text, ",\"since\":\"{since}\",\"seconds\":{seconds}");
            }
            text.push_str(",\"text\":");
            json::print(text, obstacle.text.as_bytes());
        }
    }
    if let Some(counts) = logger.counts {
        let _ = write!(text, ",\"lines\":{},\"bytes\":{}", counts.lines, counts.bytes);
        let _ = match counts.last_came {
            Some(label) => write!(text, ",\"last_came\":\"{label}\""),
            None => write!(text, ",\"last_came\":null"),
        };
    }
    text.push('}');
}

fn members(text: &mut String, report: &Result<Report, Failure>) {
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            text.push_str(",\"error\":");
            return json::print(text, error.to_string().as_bytes());
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
