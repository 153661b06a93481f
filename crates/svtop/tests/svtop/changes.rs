//! Services that come and go, and terminals of other sizes.

use super::{SLOW, add, fixture, quit, row, start, terminal, until_row};
use testkit::service_fixture::ServiceFixture;
use testkit::until;

#[test]
fn services_come_and_go() {
    let fixture = ServiceFixture::new();
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    start(&terminal, "sv");
    terminal.until_screen("nothing", |screen| screen.contains("no services") && screen.contains("sv: 0 services"));

    add(&fixture, "first", SLOW, "./main");
    until_row(&terminal, "first", "up");
    add(&fixture, "second", SLOW, "./main");
    until_row(&terminal, "second", "up");
    std::fs::rename(fixture.path("sv/first"), fixture.path("sv/.first")).unwrap();
    terminal
        .until_screen("that it is gone", |screen| row(screen, "first").is_empty() && !row(screen, "second").is_empty());

    std::fs::rename(fixture.path("sv"), fixture.path("elsewhere")).unwrap();
    terminal
        .until_screen("the reason", |screen| screen.contains("sv: unable to read the directory: file does not exist"));
    std::fs::rename(fixture.path("elsewhere"), fixture.path("sv")).unwrap();
    terminal.until_screen("it again", |screen| !row(screen, "second").is_empty());
    quit(&terminal);
}

#[test]
fn a_log_that_comes_later_is_seen() {
    let fixture = ServiceFixture::with_service(SLOW);
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    start(&terminal, "sv");
    until_row(&terminal, "a", "up");
    terminal.until_screen("no log", |screen| screen.contains("no log service"));

    add(&fixture, "a", SLOW, "./main");
    terminal.until_screen("its line", |screen| row(screen, "a").contains("abcdef"));
    quit(&terminal);
}

#[test]
fn a_service_whose_supervisor_is_killed_is_unmanaged() {
    let fixture = fixture(SLOW, "./main");
    let supervisor = fixture.supervise("sv/a");
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "sv");
    // Nobody supervises its log.
    until_row(&terminal, "a", "log down");
    testkit::service_fixture::kill_by_id(supervisor);
    until_row(&terminal, "a", "unmanaged");
    terminal.until_screen("why", |screen| screen.contains("a: supervise not running"));
    quit(&terminal);
}

#[test]
fn every_size_of_the_terminal_is_drawn() {
    let fixture = fixture(SLOW, "s10000 n5 ./main");
    for number in 0..99 {
        std::fs::create_dir_all(fixture.path(format!("sv/s{number:02}"))).unwrap();
    }
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    start(&terminal, "--sort name sv");
    until("there is a log", || fixture.exists("sv/a/log/main/current"));

    terminal.resize((200, 50));
    terminal.until_screen("a wide table", |screen| {
        let row = row(screen, "a");
        row.contains("/48.8k") && row.contains('%') && screen.lines().count() == 50
    });
    for size in [(1, 1), (2, 3), (10, 2), (20, 5), (79, 9), (300, 4), (40, 100)] {
        terminal.resize(size);
        for key in ["?", "q", "Down", "End", "t", "n", "/", "Escape", "f", "Escape", "Home"] {
            terminal.press(key);
        }
    }
    terminal.resize((80, 24));
    terminal.until_screen("the table again", |screen| {
        screen.starts_with("svtop sv: 100 services") && screen.contains("? help") && !row(screen, "s00").is_empty()
    });
    quit(&terminal);
}
