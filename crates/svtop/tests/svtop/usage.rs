//! The command line.

use std::process::{Command, Output, Stdio};

use super::{fixture, terminal};
use testkit::tool;

fn svtop(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_svtop")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_is_wrong_is_said_with_the_usage() {
    for (arguments, message) in [
        (&["-z"][..], "svtop: unexpected argument '-z'"),
        (&["a", "b"], "svtop: unexpected argument 'b'"),
        (&["-i", "0"], "svtop: invalid value '0' for '--interval <SECONDS>': it is no number from 0.1 to 3600"),
        (&["--sort", "x"], "svtop: invalid value 'x' for '--sort <COLUMN>'"),
        (&["."], "svtop: standard input and standard output must be a terminal"),
    ] {
        let output = svtop(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(100), "{arguments:?}");
        assert!(error.starts_with(message), "{error}");
        assert!(error.ends_with("svtop: usage: svtop [options] [dir] (svtop --help tells more)\n"), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_and_version_are_printed() {
    let help = svtop(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in ["--interval", "--sort", "--filter", "Press ? for the keys", "Exit codes:"] {
        assert!(text.contains(word), "{text}");
    }
    let version = svtop(&["--version"]);
    assert!(version.stdout.starts_with(b"svtop 0."), "{version:?}");
}

#[test]
fn bash_completes_options_values_and_directories() {
    let fixture = fixture("exec sleep 1000", "./main");
    if tool("bash").is_none() {
        return;
    }
    let Some(terminal) = terminal(&fixture) else { return };
    terminal.enter("exec bash --norc --noprofile");
    terminal.enter("source <(svtop --completions bash); PS1='% '; clear; complete -p svtop");
    terminal.until_screen("the completions", |screen| screen.contains("-F _svtop"));
    for (typed, completed) in
        [("svtop --inter", "svtop --interval"), ("svtop --sort wai", "svtop --sort waiting"), ("svtop s", "svtop sv/")]
    {
        terminal.enter("clear");
        terminal.type_in(typed);
        terminal.press("Tab");
        terminal.until_screen(completed, |screen| {
            screen.lines().any(|line| line.trim_end().ends_with(&format!("% {completed}")))
        });
        terminal.press("C-u");
    }
}
