//! `logbench syslog`: compares syslog daemons. Each gets the same messages from several senders at a time.
//!
//! ```text
//! request ──── what is asked for
//! daemons ──── ours, the peers that are installed, and receivers that discard everything
//! senders ──── send numbered messages, as syslog(3) does
//! speed ────── one run at full speed: messages per second, processor time
//! kills ────── one run in which the daemon is killed again and again
//! written ──── which messages are in the log
//! drain ────── a receiver that discards everything: the most that the kernel and the senders allow
//! measured ─── the figures of one daemon
//! table ────── the report, which is Markdown
//! ```
//!
//! A daemon that writes to a pipe has a logger there, and both are measured.

pub(crate) mod daemons;
pub(crate) mod drain;
mod kills;
mod measured;
pub(crate) mod request;
mod senders;
mod speed;
mod table;
mod written;

use std::path::Path;

use crate::error::Error;
use crate::scratch_dir::ScratchDir;
use crate::syslog::measured::Measured;
use crate::syslog::request::SyslogRequest;
use logyard::cli::Messages;

/// Compares the daemons in turns, and returns the report. The messages say what is to be run.
pub(crate) fn compare(
    request: &SyslogRequest,
    directory: &Path,
    command_line: &str,
    messages: Messages,
) -> Result<String, Error> {
    let scratch_dir = ScratchDir::new(directory)?;
    let mut tables = Vec::new();
    for &transport in &request.transports {
        let mut daemons = daemons::installed(transport);
        daemons.retain(|daemon| request.daemons.is_empty() || request.daemons.contains(&daemon.name.to_owned()));
        let mut all: Vec<Measured> =
            daemons.into_iter().map(|daemon| Measured { daemon, speeds: Vec::new(), kills: None }).collect();
        let names: Vec<&str> = all.iter().map(|measured| measured.daemon.name).collect();
        messages.say(format_args!(
            "{}: {} runs of each of {} daemons, {} messages each: {}",
            transport.name(),
            request.runs,
            names.len(),
            request.messages,
            names.join(", ")
        ));
        for turn in 0..request.runs {
            for turn_of in 0..all.len() {
                let at = (turn + turn_of) % all.len();
                let speed = speed::measure(&all[at].daemon, transport, request, &scratch_dir.run_dir()?.0)?;
                all[at].speeds.push(speed);
            }
        }
        for measured in all.iter_mut().filter(|measured| request.kills > 0 && measured.daemon.writes) {
            measured.kills = kills::measure(&measured.daemon, transport, request, &scratch_dir.run_dir()?.0)?;
        }
        tables.push((transport, all));
    }
    Ok(table::draw(&tables, request, command_line))
}
