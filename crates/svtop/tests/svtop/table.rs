//! What the table says of services, in which order, and that no terminal obeys a log.

use std::os::unix::fs::symlink;

use super::{SLOW, add, fixture, quit, row, start, terminal, until_row, until_up};

#[test]
fn each_service_has_a_row_with_its_state() {
    let fixture = fixture(SLOW, "t s20000 n5 ./main");
    add(&fixture, "broken", "exit 3", "./main");
    add(&fixture, "down", "exec sleep 1000", "./main");
    fixture.write("sv/down/down", "");
    add(&fixture, "logless", "exec sleep 1000", "./main");
    fixture.script("sv/logless/log/run", "exit 1");
    fixture.script("sv/plain/run", "exec sleep 1000");
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    until_up(&fixture, &["sv/a", "sv/a/log", "sv/plain", "sv/down/log"]);
    start(&terminal, "sv");

    until_row(&terminal, "a", "up");
    until_row(&terminal, "down", "down");
    until_row(&terminal, "plain", "up");
    terminal.until_screen("a service that fails", |screen| {
        ["flapping", "down"].iter().any(|word| row(screen, "broken").contains(word))
    });
    terminal.until_screen("a logger that fails", |screen| row(screen, "logless").contains("log "));
    terminal.until_screen("a rate and the last line", |screen| {
        let row = row(screen, "a");
        let rate: f64 = row.split_whitespace().nth(3).and_then(|rate| rate.parse().ok()).unwrap_or(0.0);
        rate > 0.5 && row.contains("abcdef")
    });
    // The most urgent first, by default.
    terminal.until_screen("the order", |screen| {
        let place = |name: &str| screen.lines().position(|line| line.starts_with(&format!("{name} ")));
        place("broken") < place("a") && place("logless") < place("a") && place("a") < place("down").max(Some(99))
    });
    terminal.type_in("b");
    terminal.until_screen("problems only", |screen| {
        row(screen, "a").is_empty() && row(screen, "plain").is_empty() && !row(screen, "broken").is_empty()
    });
    terminal.press("Escape");
    terminal.until_screen("all", |screen| !row(screen, "plain").is_empty());
    quit(&terminal);
}

#[test]
fn rows_are_sorted_and_filtered() {
    let fixture = fixture("exec sleep 1000", "./main");
    for name in ["mail-in", "mail-out", "web"] {
        add(&fixture, name, "exec sleep 1000", "./main");
    }
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    until_up(&fixture, &["sv/a", "sv/mail-in", "sv/mail-out", "sv/web", "sv/web/log"]);
    start(&terminal, "--sort name sv");
    let names = |screen: &str| -> Vec<String> {
        let words = screen.lines().skip(2).take(4).filter_map(|line| line.split_whitespace().next());
        words.map(str::to_owned).collect()
    };

    terminal.until_screen("all", |screen| names(screen) == ["a", "mail-in", "mail-out", "web"]);
    terminal.type_in("r");
    terminal.until_screen("the reverse", |screen| names(screen) == ["web", "mail-out", "mail-in", "a"]);
    terminal.type_in("r");
    terminal.type_in("/mail");
    terminal.until_screen("the filter", |screen| {
        names(screen) == ["mail-in", "mail-out"] && screen.contains("names with: mail_")
    });
    terminal.press("Enter");
    terminal.until_screen("the filter that stays", |screen| screen.contains("names with \"mail\""));
    terminal.type_in("/-o");
    terminal.until_screen("a longer filter", |screen| names(screen) == ["mail-out"]);
    terminal.press("Escape");
    terminal.until_screen("the filter before", |screen| names(screen) == ["mail-in", "mail-out"]);
    terminal.press("Escape");
    terminal.until_screen("all again", |screen| names(screen) == ["a", "mail-in", "mail-out", "web"]);
    for column in ["uptime", "lines", "bytes", "waiting", "disk", "problems", "name"] {
        terminal.type_in("s");
        terminal.until_screen(column, |screen| screen.contains(&format!("sort: {column}")));
    }
    terminal.type_in("S");
    terminal.until_screen("the column before", |screen| screen.contains("sort: problems"));
    quit(&terminal);

    start(&terminal, "-g web sv");
    terminal.until_screen("the filter of the command line", |screen| names(screen) == ["web"]);
    quit(&terminal);
}

#[test]
fn the_cursor_moves_and_stays_with_its_service() {
    let fixture = fixture("exec sleep 1000", "./main");
    for number in 0..60 {
        std::fs::create_dir_all(fixture.path(format!("sv/s{number:02}"))).unwrap();
    }
    let Some(terminal) = terminal(&fixture) else { return };
    start(&terminal, "--sort name sv");
    let selects = |name: &str| {
        let name = name.to_owned();
        move |screen: &str| screen.lines().any(|line| line.starts_with(&format!("{name}: ")))
    };

    terminal.until_screen("the first", selects("a"));
    terminal.press("Down");
    terminal.press("Down");
    terminal.until_screen("the third", selects("s01"));
    terminal.type_in("r");
    terminal.until_screen("the same", selects("s01"));
    terminal.press("Home");
    terminal.until_screen("the first of the reverse order", selects("s59"));
    terminal.press("End");
    terminal.until_screen("the last", selects("a"));
    terminal.press("PageUp");
    terminal.until_screen("a page before", selects("s16"));
    std::fs::remove_dir(fixture.path("sv/s16")).unwrap();
    terminal.until_screen("the one in its place", selects("s15"));
    quit(&terminal);
}

#[test]
fn the_terminal_obeys_nothing_in_names_and_lines() {
    let fixture =
        fixture("printf '\\033[2J\\033]0;title\\007 \\302\\233 \\342\\200\\256needle\\n'; exec sleep 1000", "./main");
    // The name of a service may hold anything, too.
    symlink(fixture.path("sv/a"), fixture.path("sv/b\x1b[31mred")).unwrap();
    let Some(terminal) = terminal(&fixture) else { return };
    fixture.svscan("sv");
    until_up(&fixture, &["sv/a", "sv/a/log"]);
    terminal.resize((200, 24));
    start(&terminal, "sv");

    terminal.until_screen("the escapes", |screen| {
        screen.contains("\\x1b[2J\\x1b]0;title\\x07 \\xc2\\x9b") && screen.contains("\\u{202e}needle")
    });
    terminal.until_screen("the name", |screen| screen.contains("b\\x1b[31mred"));
    quit(&terminal);
}
