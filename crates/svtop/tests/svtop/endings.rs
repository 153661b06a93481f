//! The terminal is as it was before, however svtop ends.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::service_fixture::ServiceFixture;
use testkit::terminal::Terminal;
use testkit::until;

use super::{SLOW, fixture, start, terminal};

/// The process of svtop.
fn svtop(fixture: &ServiceFixture) -> Pid {
    let mut found = None;
    until("svtop runs", || {
        found = fixture.processes().into_iter().find(|seen| seen.command.starts_with("svtop ")).map(|seen| seen.pid);
        found.is_some()
    });
    Pid::from_raw(found.unwrap())
}

/// Waits until the shell has the terminal, and checks the terminal's settings.
#[track_caller]
fn check_restored(terminal: &Terminal, code: i32) {
    terminal.until_screen("the exit code", |screen| {
        screen.contains(&format!("code {code}")) && screen.contains("before") && !screen.contains("SERVICE")
    });
    terminal
        .enter("clear; stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo -e isig -e icrnl | tr '\\n' ,; echo .");
    terminal.until_screen("the settings", |screen| screen.contains("icrnl,isig,icanon,echo,."));
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]).trim(), "1 0");
}

#[test]
fn signals_restore_the_terminal() {
    let fixture = fixture(SLOW, "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        terminal.enter("clear; echo before");
        terminal.until_screen("the text before", |screen| screen.contains("\nbefore") || screen.starts_with("before"));
        terminal.enter("svtop sv; echo code $?");
        terminal.until_screen("the table", |screen| screen.contains("SERVICE"));
        kill(svtop(&fixture), signal).unwrap();
        check_restored(&terminal, 128 + signal as i32);
    }
}

#[test]
fn keys_end_it() {
    let fixture = fixture(SLOW, "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    for (key, code) in [("q", 0), ("C-c", 130)] {
        terminal.enter("clear; echo before");
        terminal.until_screen("the text before", |screen| screen.contains("before"));
        terminal.enter("svtop sv; echo code $?");
        terminal.until_screen("the table", |screen| screen.contains("SERVICE"));
        terminal.press(key);
        check_restored(&terminal, code);
    }
}

#[test]
fn it_is_suspended_and_continued() {
    let fixture = fixture(SLOW, "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    terminal.enter("set -m; clear; echo before");
    start(&terminal, "sv");
    terminal.press("C-z");
    terminal.until_screen("the shell", |screen| !screen.contains("SERVICE") && screen.contains("topped"));
    terminal.enter("fg");
    terminal.until_screen("the table again", |screen| screen.contains("SERVICE"));
    terminal.type_in("q");
    terminal.until_screen("the shell again", |screen| !screen.contains("SERVICE"));
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let fixture = fixture(SLOW, "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    // The signal does not reach it; the end of the terminal does.
    terminal.enter("clear; trap '' HUP; svtop sv");
    terminal.until_screen("the table", |screen| screen.contains("SERVICE"));
    let process = svtop(&fixture);
    drop(terminal);
    until("it has ended", || fixture.processes().iter().all(|seen| seen.pid != process.as_raw() || seen.state == 'Z'));
}
