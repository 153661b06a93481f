//! Directories of the loggers themselves: multilog, svlogd and s6-log.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{printed, readlog, run};
use testkit::logger::Multilog;
use testkit::{Workdir, assert_same, peer};

/// Where the loggers are. Its clock is far from UTC, and no hour comes twice.
const ZONE: &str = "Asia/Kolkata";

/// Feeds a logger, and waits for it to end.
fn feed(directory: &Path, program: &Path, arguments: &[&str], input: &str) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("TZ", ZONE).stdin(Stdio::piped());
    let mut logger = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    logger.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(logger.wait().unwrap().success(), "{command:?}");
}

fn input() -> String {
    (0..3000).map(|i| format!("line {i} of some text\n")).collect()
}

/// Checks that times lie between two moments, and returns the messages.
#[track_caller]
fn messages(output: &str, from: i64, to: i64) -> String {
    let mut messages = String::new();
    for line in output.split_inclusive('\n') {
        let (time, message) = line.split_once(' ').unwrap();
        let seconds = time.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{line}: {error}")).as_second();
        assert!((from..=to).contains(&seconds), "{line} is not between {from} and {to}");
        messages.push_str(message);
    }
    messages
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

#[test]
fn multilog_directories_read_back() {
    for multilog in Multilog::installed() {
        let dir = Workdir::new();
        let from = now();
        feed(dir.path(), &multilog.path(), &["t", "s4096", "n1000", "./main"], &input());

        let output = printed(&dir, &["-o", "iso", "main"]);

        assert_same(messages(&output, from, now()), input());
        let output = printed(&dir, &["-o", "cat", "-n", "100", "main"]);
        assert!(input().ends_with(&output) && output.lines().count() == 100);
    }
}

#[test]
fn svlogd_directories_read_back() {
    let Some(svlogd) = peer("svlogd") else { return };
    for option in ["-t", "-tt", "-ttt"] {
        let dir = Workdir::new();
        std::fs::create_dir(dir.join("main")).unwrap();
        std::fs::write(dir.join("main/config"), "s4096\nn0\n").unwrap();
        let from = now();
        feed(dir.path(), &svlogd, &[option, "./main"], &input());

        for zone in ["UTC", "America/New_York"] {
            let output = readlog(dir.path(), &["-o", "iso", "main"]).env("TZ", zone).output().unwrap();
            assert_same(messages(&String::from_utf8(output.stdout).unwrap(), from, now()), input());
        }
        assert!(run(dir.path(), &["--since", "1 hour ago", "--until", "now", "main"]).stdout.len() > input().len());
        assert_eq!(run(dir.path(), &["--until", "1 hour ago", "main"]).stdout, b"");
    }
}

#[test]
fn s6_log_directories_read_back() {
    let Some(s6_log) = peer("s6-log") else { return };
    for script in [&["t"][..], &["T"]] {
        let dir = Workdir::new();
        let from = now();
        let mut arguments = script.to_vec();
        arguments.extend(["s4096", "n1000", "./main"]);
        feed(dir.path(), &s6_log, &arguments, &input());

        // s6-log writes local time, so the reader must be in the same zone.
        let printed = |arguments: &[&str]| {
            let output = readlog(dir.path(), arguments).env("TZ", ZONE).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let output = printed(&["--tai=real", "-o", "iso", "main"]);

        assert_same(messages(&output, from, now()), input());
        let window = ["--tai=real", "--since", "1 hour ago", "--until", "tomorrow", "-o", "cat", "main"];
        assert_same(printed(&window), input());
        assert_same(printed(&["--tai=real", "--until", "1 hour ago", "main"]), "");
    }
}
