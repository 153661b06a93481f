//! Tests of `svtop`, run as a program in a terminal.
//!
//! | behaviour | file |
//! |---|---|
//! | the table: what it says of services, sorting, filtering, hostile names and lines | `table` |
//! | blocked loggers: full disk, processor, SIGSTOP | `blocked` |
//! | commands of svc and their confirmation | `commands` |
//! | following a log | `following` |
//! | services that come and go, an empty directory, other sizes of the terminal | `changes` |
//! | the terminal after each way to end | `endings` |
//! | the command line, completions | `usage` |
//! | the processor time with 1,000 services; for minutes | `torture` |
//!
//! What a single module promises is tested in that module. A test that cannot run here prints `SKIPPED:` and the reason.

#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod blocked;
mod changes;
mod commands;
mod endings;
mod following;
mod table;
mod torture;
mod usage;

use std::path::Path;

use testkit::service_fixture::ServiceFixture;
use testkit::terminal::Terminal;
use testkit::until;

/// A service that logs a line 20 times a second.
pub const SLOW: &str = "while :; do echo abcdefghijklmnopqrstuvwxyz; sleep 0.05; done";
/// A service that logs as much as its logger takes.
pub const FAST: &str = "while :; do echo abcdefghijklmnopqrstuvwxyz; done";

/// A directory of services with the service `a`.
pub fn fixture(run: &str, logger: &str) -> ServiceFixture {
    let fixture = ServiceFixture::new();
    add(&fixture, "a", run, logger);
    fixture
}

/// Adds a service with a log.
pub fn add(fixture: &ServiceFixture, name: &str, run: &str, logger: &str) {
    std::fs::create_dir_all(fixture.path(format!("sv/{name}/log/main"))).unwrap();
    fixture.script(&format!("sv/{name}/log/run"), &format!("exec multilog {logger}"));
    fixture.script(&format!("sv/{name}/run"), run);
}

/// A terminal of 80 columns and 24 rows.
pub fn terminal(fixture: &ServiceFixture) -> Option<Terminal> {
    Terminal::open(&fixture.path(""), Path::new(env!("CARGO_BIN_EXE_svtop")).parent().unwrap())
}

/// The row of a service on the screen.
pub fn row(screen: &str, name: &str) -> String {
    let is_row = |line: &&str| line.split_whitespace().next() == Some(name);
    screen.lines().skip(2).find(is_row).unwrap_or_default().to_owned()
}

/// Waits until the row of a service begins with its name and these words.
#[track_caller]
pub fn until_row(terminal: &Terminal, name: &str, words: &str) {
    terminal.until_screen(&format!("{name} {words}"), |screen| {
        let row = row(screen, name);
        row[name.len().min(row.len())..].trim_start().starts_with(words)
    });
}

/// Ends svtop by its key and waits for the shell.
pub fn quit(terminal: &Terminal) {
    terminal.type_in("q");
    terminal.until_screen("the exit code", |screen| screen.contains("code 0") && !screen.contains("SERVICE"));
}

/// Starts svtop; the shell prints its exit code after it.
pub fn start(terminal: &Terminal, arguments: &str) {
    terminal.enter(&format!("clear; svtop {arguments}; echo code $?"));
    terminal.until_screen("the table", |screen| screen.starts_with("svtop ") && screen.contains("SERVICE"));
}

/// Waits until the services of the fixture are up.
pub fn until_up(fixture: &ServiceFixture, services: &[&str]) {
    for service in services {
        until(&format!("{service} is up"), || fixture.is(service, "up"));
    }
}
