//! Which logger is blocked, and on what: said soon, and no longer said soon after.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::mounted::Mounted;
use testkit::service_fixture::kill_by_id;
use testkit::terminal::Terminal;
use testkit::{skipped, until};

use super::{FAST, SLOW, fixture, row, start, terminal, until_row};

/// How soon a change must be seen. svtop looks once a second, and is to show it within two; but here many tests run at a time.
const SOON: Duration = Duration::from_secs(10);

/// Waits until the row says something else, and fails if that takes long.
#[track_caller]
fn until_soon(terminal: &Terminal, words: &str) {
    let start = Instant::now();
    until_row(terminal, "a", words);
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
}

#[test]
fn a_full_disk_is_shown_until_there_is_room() {
    let fixture = fixture(FAST, "s10000000 ./main");
    let Some(disk) = Mounted::memory(fixture.path("sv/a/log/main"), "size=300k") else {
        skipped("full disks: only root can mount a file system");
        return;
    };
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "sv");
    fixture.svscan("sv");
    until("the disk is full", || fixture.read("out").contains("pausing: out of disk space"));
    until_soon(&terminal, "blocked");
    terminal.until_screen("the cause", |screen| {
        row(screen, "a").contains("by a full disk")
            && screen.contains("logger: blocked by a full disk for ")
            && screen.contains("unable to write to ./mai")
    });

    disk.remount("size=900m");
    let start = Instant::now();
    terminal.until_screen("no block", |screen| !row(screen, "a").contains("blocked"));
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());

    drop(terminal);
    until("nobody uses the disk", || {
        let left = fixture.processes();
        left.iter().for_each(|one| kill_by_id(one.pid));
        left.is_empty()
    });
}

#[test]
fn a_processor_that_hangs_is_shown_until_it_ends() {
    let fixture = fixture(FAST, "s4096 '!while test -e ../hang; do sleep 0.01; done' ./main");
    fixture.write("sv/a/log/hang", "");
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "sv");
    fixture.svscan("sv");
    until("two files are full", || fixture.exists("sv/a/log/main/previous"));
    until_row(&terminal, "a", "blocked");
    terminal.until_screen("the cause", |screen| screen.contains("logger: blocked by its processor for "));

    fs::remove_file(fixture.path("sv/a/log/hang")).unwrap();
    let start = Instant::now();
    terminal.until_screen("no block", |screen| !row(screen, "a").contains("blocked"));
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
}

#[test]
fn a_logger_that_is_stopped_is_shown_until_it_goes_on() {
    for run in ["exec multilog ./main", "multilog ./main\nexit 0"] {
        let fixture = fixture(SLOW, "./main");
        fixture.script("sv/a/log/run", run);
        let Some(terminal) = terminal(&fixture) else { return };
        start(&terminal, "sv");
        fixture.svscan("sv");
        until_row(&terminal, "a", "up");
        terminal.until_screen("a line", |screen| row(screen, "a").contains("abcdef"));
        let is_logger = |seen: &testkit::service_fixture::Seen| seen.command.contains("multilog ./main");
        let logger = Pid::from_raw(fixture.processes().into_iter().find(is_logger).expect("it runs").pid);
        kill(logger, Signal::SIGSTOP).unwrap();
        until_soon(&terminal, "blocked");
        terminal.until_screen("the cause", |screen| screen.contains("logger: blocked by SIGSTOP"));
        terminal.until_screen("bytes that wait", |screen| !screen.contains("waiting: 0 of"));

        kill(logger, Signal::SIGCONT).unwrap();
        until_soon(&terminal, "up");
    }
}
