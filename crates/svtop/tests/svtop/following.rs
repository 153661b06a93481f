//! The log of a service, as readlog prints it.

use std::io::Write;

use super::{SLOW, fixture, quit, start, terminal, until_up};
use testkit::{program_of_crate, until};

#[test]
fn a_log_is_followed_across_rotations() {
    let _ = program_of_crate("readlog");
    let fixture = fixture("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done", "t s4096 ./main");
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    until_up(&fixture, &["sv/a", "sv/a/log"]);
    start(&terminal, "sv");
    let last_line = |screen: &str| {
        let number =
            |line: &str| line.trim_end().rsplit_once(" line ").and_then(|(_, number)| number.parse::<u32>().ok());
        screen.lines().filter_map(number).next_back().unwrap_or(0)
    };

    terminal.press("Enter");
    terminal.until_screen("its title", |screen| screen.starts_with("sv/a/log/main"));
    terminal.until_screen("lines", |screen| last_line(screen) > 0);
    until("there was a rotation", || {
        std::fs::read_dir(fixture.path("sv/a/log/main"))
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with('@'))
    });
    let before = last_line(&terminal.screen());
    terminal.until_screen("lines that come", |screen| last_line(screen) > before + 20);

    terminal.press("PageUp");
    terminal.until_screen("that there is more", |screen| screen.contains("End shows the newest lines"));
    let stays = last_line(&terminal.screen());
    let count = || std::fs::read_to_string(fixture.path("sv/a/log/main/current")).unwrap_or_default().len();
    let (length, mut changes) = (count(), 0);
    until("more was logged", || {
        changes += u32::from(count() != length);
        changes > 20
    });
    assert_eq!(last_line(&terminal.screen()), stays, "what is read stays where it is");
    terminal.press("End");
    terminal.until_screen("the newest lines", |screen| last_line(screen) > stays);
    terminal.type_in("q");
    terminal.until_screen("the table", |screen| screen.contains("SERVICE"));
    until("readlog has gone", || fixture.processes().iter().all(|seen| !seen.command.contains("readlog")));
    quit(&terminal);
}

#[test]
fn the_terminal_obeys_nothing_in_the_log() {
    let _ = program_of_crate("readlog");
    let fixture = fixture(SLOW, "./main");
    let Some(terminal) = terminal(&fixture) else { return };
    let mut current = std::fs::File::create(fixture.path("sv/a/log/main/current")).unwrap();
    current.write_all(b"\x1b[2J\x1b]0;title\x07 \xc2\x9b31m needle\n").unwrap();
    start(&terminal, "sv");

    terminal.type_in("f");
    terminal.until_screen("the escapes", |screen| screen.contains("\\x1b[2J\\x1b]0;title\\x07 \\xc2\\x9b31m needle"));
    terminal.press("Escape");
    terminal.until_screen("the table", |screen| screen.contains("SERVICE"));
    quit(&terminal);
}

#[test]
fn a_service_without_a_log_has_none_to_follow() {
    let fixture = testkit::service_fixture::ServiceFixture::with_service("exec sleep 1000");
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "sv");

    terminal.type_in("f");
    terminal.until_screen("why not", |screen| screen.contains("a has no log"));
    quit(&terminal);
}
