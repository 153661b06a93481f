//! In a real terminal: tmux is one, and types and looks as a person would.

use std::path::Path;

use super::{lines, log_directory, second, ten_seconds_each};
use testkit::terminal::Terminal;
use testkit::{Workdir, tool};

fn open(dir: &Workdir) -> Option<Terminal> {
    Terminal::open(dir.path(), Path::new(env!("CARGO_BIN_EXE_readlog")).parent().unwrap())
}

#[test]
fn what_is_longer_than_the_screen_goes_to_a_pager() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 9);
    let Some(terminal) = open(&dir) else { return };

    terminal.enter("clear; readlog -o cat main; echo code $?");
    terminal.until_screen("the first page", |screen| screen.starts_with("line 0\n") && screen.contains("line 22\n:"));
    terminal.type_in("q");
    terminal.until_screen("the exit code", |screen| screen.contains("code 0"));

    terminal.enter("clear; readlog -o cat -n 3 main; echo code $?");
    terminal.until_screen("three lines and no pager", |screen| screen.contains("line 97\nline 98\nline 99\ncode 0\n"));

    terminal.enter("clear; readlog --no-pager -o cat main; echo code $?");
    terminal.until_screen("the last line", |screen| screen.contains("line 99\ncode 0\n"));
}

// readlog.1 > "Where the pager cannot be started, or ends without having read anything, readlog prints everything without
// a pager."
#[test]
fn where_no_pager_runs_everything_is_printed_without_one() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 9);
    log_directory(&dir, "empty", &[]);
    let Some(terminal) = open(&dir) else { return };
    terminal.enter("R=$(command -v readlog)");

    for environment in [
        "env -u PAGER PATH=empty",
        "env PAGER=",
        "env PAGER=' '",
        "env PAGER=cat",
        "env PAGER='cat -u'",
        "env PAGER=nosuchpager",
        "env PAGER='nosuchpager -R'",
        "env PAGER='./nosuch; exit 127'",
        "env PAGER='nosuchpager | cat'",
        "env PAGER=./empty",
        "env PAGER=false",
        "env PAGER='kill -9 $$'",
    ] {
        terminal.enter(&format!("clear; {environment} $R -o cat main 2>err; echo code $?"));
        terminal.until_screen(environment, |screen| screen.contains("line 98\nline 99\ncode 0"));
    }
    // A second line of the shell's prompt is not to be taken for an answer: each has cleared the screen before.
    terminal.enter("clear; env PAGER='head -n 2' $R -o cat main; echo code $?");
    terminal.until_screen("what the pager shows, and no more", |screen| screen.starts_with("line 0\nline 1\ncode 0"));
}

#[test]
fn a_pager_that_runs_as_root_runs_nothing_else() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 9);
    let Some(terminal) = open(&dir) else { return };
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap()) == 0;

    terminal.enter("clear; env -u LESSSECURE PAGER='cat >/dev/null; echo secure $LESSSECURE.' readlog main");

    let expected = if is_root { "secure 1." } else { "secure ." };
    terminal.until_screen("what the pager was told", |screen| screen.contains(expected));
}

#[test]
fn a_pager_has_the_limits_that_readlog_was_started_with() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 9);
    let Some(terminal) = open(&dir) else { return };

    terminal.enter("ulimit -S -n 64; clear; PAGER='cat >/dev/null; echo limit $(ulimit -S -n).' readlog main");

    terminal.until_screen("the limit", |screen| screen.contains("limit 64."));
}

#[test]
fn a_terminal_gets_colours_and_obeys_nothing_else() {
    let dir = Workdir::new();
    let text = format!("{} \x1b[2J\x1b]0;title\x07 \u{9b}31m \u{202e}needle\n", second(0));
    log_directory(&dir, "main", &[("current", text.as_bytes())]);
    let Some(terminal) = open(&dir) else { return };

    terminal.enter("clear; readlog -g needle main; echo code $?");
    terminal.until_screen("the escapes", |screen| {
        screen.contains("\\x1b[2J\\x1b]0;title\\x07") && screen.contains("\\u{202e}needle") && screen.contains("code 0")
    });
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]);
    assert!(coloured.contains("\x1b[2m2026-09-21 14:13:20.000000000"), "{coloured:?}");
    assert!(coloured.contains("\x1b[1m\x1b[31mneedle") || coloured.contains("\x1b[1;31mneedle"), "{coloured:?}");

    terminal.enter("clear; readlog main | cat -v; echo code $?");
    terminal.until_screen("the bytes as they are", |screen| {
        screen.contains("^[[2J^[]0;title^G") && screen.contains("code 0")
    });
}

#[test]
fn bash_completes_options_values_directories_and_services() {
    let dir = Workdir::new();
    if tool("bash").is_none() {
        return;
    }
    ten_seconds_each(&dir, "services/one/log/main", 1);
    log_directory(&dir, "with space/main", &[("current", b"")]);
    std::fs::write(dir.join("notes"), "x").unwrap();
    let Some(terminal) = open(&dir) else { return };
    terminal.enter("exec bash --norc --noprofile");
    terminal.enter("SVDIR=services; source <(readlog --completions bash); PS1='% '; clear; complete -p readlog");
    terminal.until_screen("the completions", |screen| screen.contains("-F _readlog readlog"));

    for (typed, completed) in [
        ("readlog --revers", "readlog --reverse"),
        ("readlog -o js", "readlog -o json"),
        ("readlog --output=js", "readlog --output=json"),
        ("readlog --output ta", "readlog --output tai64n"),
        ("readlog --color=al", "readlog --color=always"),
        ("readlog --tai r", "readlog --tai real"),
        ("readlog --output-fields mess", "readlog --output-fields message"),
        ("readlog -u on", "readlog -u one"),
        ("readlog --svg no", "readlog --svg notes"),
        ("readlog --cursor no", "readlog --cursor notes"),
        ("readlog serv", "readlog services/"),
        ("readlog services/o", "readlog services/one/"),
        ("readlog -g x services/one/l", "readlog -g x services/one/log/"),
        ("readlog -n 5 services serv", "readlog -n 5 services services/"),
        ("readlog services/one/log/main/cur", "readlog services/one/log/main/current"),
        ("readlog with", "readlog with\\ space/"),
    ] {
        terminal.enter("clear");
        terminal.type_in(typed);
        terminal.tmux(&["send-keys", "Tab"]);
        terminal.until_screen(completed, |screen| {
            screen.lines().any(|line| line.trim_end().ends_with(&format!("% {completed}")))
        });
        terminal.tmux(&["send-keys", "C-u"]);
    }
}

#[test]
fn the_pager_begins_at_the_end_if_asked_to() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 9);
    let Some(terminal) = open(&dir) else { return };

    for less in ["", "LESS=S "] {
        terminal.enter(&format!("clear; {less}readlog -e -o cat main; echo code $?"));
        terminal.until_screen("the last page", |screen| screen.contains("line 99\n") && !screen.contains("line 1\n"));
        terminal.type_in("q");
        terminal.until_screen("the exit code", |screen| screen.contains("code 0"));
    }
}

#[test]
fn following_is_ended_by_the_keyboard() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let Some(terminal) = open(&dir) else { return };

    terminal.enter("clear; readlog -f -o cat main; echo code $?");
    terminal.until_screen("the lines in the file", |screen| screen.contains("line 19\n"));
    let mut current = std::fs::File::options().append(true).open(dir.join("main/current")).unwrap();
    std::io::Write::write_all(&mut current, lines(20, 21).as_bytes()).unwrap();
    terminal.until_screen("what is new", |screen| screen.contains("line 20\n"));
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.until_screen("the exit code", |screen| screen.contains("code 130"));
}
