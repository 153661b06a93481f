//! Commands of svc: each is confirmed, and reaches the service that the confirmation names.

use super::{fixture, quit, start, terminal, until_up};
use testkit::until;

#[test]
fn a_command_is_sent_after_its_confirmation_only() {
    let fixture = fixture("exec sleep 1000", "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    until_up(&fixture, &["sv/a", "sv/a/log"]);
    start(&terminal, "sv");
    let asks = |command: &str| {
        let command = format!("{command}: ");
        move |screen: &str| screen.contains(&command) && screen.contains("y: yes")
    };

    terminal.type_in("d");
    terminal.until_screen("the question", asks("svc -d sv/a"));
    terminal.type_in("n");
    terminal.until_screen("no question", |screen| !screen.contains("y: yes"));
    assert!(fixture.is("sv/a", "up"));

    terminal.type_in("d");
    terminal.until_screen("the question", asks("svc -d sv/a"));
    terminal.type_in("y");
    terminal.until_screen("the answer", |screen| screen.contains("sent: svc -d sv/a"));
    until("it is down", || fixture.is("sv/a", "down"));
    terminal.until_screen("its state", |screen| super::row(screen, "a").contains("down"));

    terminal.type_in("u");
    terminal.until_screen("the question", asks("svc -u sv/a"));
    terminal.type_in("y");
    until("it is up", || fixture.is("sv/a", "up"));

    let logger = fixture.pid("sv/a/log");
    terminal.type_in("t");
    terminal.until_screen("the question", asks("svc -t sv/a"));
    terminal.type_in("l");
    terminal.until_screen("the question about the log", asks("svc -t sv/a/log"));
    terminal.type_in("y");
    until("the logger is another", || ![0, logger].contains(&fixture.pid("sv/a/log")));
    quit(&terminal);
}

#[test]
fn a_command_that_does_not_arrive_is_reported() {
    let fixture = fixture("exec sleep 1000", "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "sv");

    terminal.type_in("t");
    terminal.until_screen("the question", |screen| screen.contains("svc -t sv/a: "));
    terminal.type_in("y");
    terminal.until_screen("the answer", |screen| screen.contains("unable to control it: "));
    quit(&terminal);
}
