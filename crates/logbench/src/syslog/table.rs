//! The report, as a table in Markdown.

use std::fmt::Write;

use crate::machine::Machine;
use crate::statistics::Spread;
use crate::syslog::daemons::{OURS, SOCKLOG};
use crate::syslog::measured::Measured;
use crate::syslog::request::{SyslogRequest, Transport};
use crate::syslog::speed::Speed;

/// Draws the report.
pub(crate) fn draw(tables: &[(Transport, Vec<Measured>)], request: &SyslogRequest, command_line: &str) -> String {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let mut versions: Vec<String> = Vec::new();
    for daemon in tables.iter().flat_map(|(_, all)| all).map(|measured| &measured.daemon) {
        let version = daemon.version.as_ref().map(|version| match daemon.name {
            OURS => format!("{OURS} {version}"),
            _ => version.clone(),
        });
        versions.extend(version.filter(|version| !versions.contains(version)));
    }
    let (machine, versions) = (Machine::this().in_words(), versions.join(", "));
    let SyslogRequest { messages, senders, runs, .. } = request;
    let mut text = format!(
        "`{command_line}`, {date}. {machine}. {versions}. {messages} messages from {senders} senders, medians of {runs} runs in \
         turns.\n\n\
         | | daemon | messages/s | times socklog's | CPU s for a million | socklog's is so many times this | written | \
         killed |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n"
    );
    for (transport, all) in tables {
        let peer = all.iter().find(|measured| measured.daemon.name == SOCKLOG);
        for measured in all {
            let cells = cells(measured, peer);
            // Text in memory can be appended to.
            let _ = writeln!(text, "| {} | {} | {} |", transport.name(), measured.daemon.name, cells.join(" | "));
        }
    }
    text
}

fn median(measured: &Measured, figure: impl Fn(&Speed) -> f64) -> Option<f64> {
    Spread::of(measured.speeds.iter().map(figure)).map(|spread| spread.median)
}

fn cells(measured: &Measured, peer: Option<&Measured>) -> [String; 6] {
    let rate = |measured| median(measured, |speed| speed.rate);
    let seconds = |measured| median(measured, |speed| speed.seconds_per_million);
    let ratio = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) if other > 0.0 => format!("{:.1}", one / other),
        _ => String::new(),
    };
    let share = median(measured, |speed| 100.0 * speed.written as f64 / speed.sent.max(1) as f64);
    let kills = measured.kills.map(|kills| {
        format!("{} times: {} of {} lost, {} doubled", kills.count, kills.lost, kills.sent, kills.doubled)
    });
    [
        rate(measured).map_or_else(String::new, |rate| format!("{rate:.0}")),
        ratio(rate(measured), peer.and_then(rate)),
        seconds(measured).map_or_else(String::new, |seconds| format!("{seconds:.2}")),
        ratio(peer.and_then(seconds), seconds(measured)),
        share.filter(|_| measured.daemon.writes).map_or_else(String::new, |share| format!("{share:.1} %")),
        kills.unwrap_or_default(),
    ]
}
