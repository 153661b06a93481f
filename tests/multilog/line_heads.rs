//! What stands before a line: other timestamps than labels, and prefixes.

use std::process::Command;

use jiff::Timestamp;
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{assert_same, peer, report};

use super::kill_twenty_under_load;

/// A zone with half an hour, in which it is never UTC.
const ZONE: &str = "<+0530>-5:30";

fn start(fixture: &LoggerFixture, zone: &str, script: &[&str]) -> Running {
    fixture.start_command(Command::new(Multilog::Ours.path()).args(script).env("TZ", zone))
}

/// Logs one line in a zone, and returns the log.
fn log_one(script: &[&str], zone: &str) -> String {
    let mut fixture = LoggerFixture::new();
    let logger = start(&fixture, zone, script);
    fixture.write("a line\n");
    let workdir = fixture.end(logger);
    std::fs::read_to_string(workdir.join("main/current")).unwrap()
}

#[test]
fn each_form_of_timestamp_tells_when_the_line_came() {
    // multilog.8 > "the same time in another form"
    for (action, end) in
        [("T", "  a line\n"), ("T@local", "+05:30 a line\n"), ("T@utc", "Z a line\n"), ("T@epoch", " a line\n")]
    {
        let before = Timestamp::now();
        let log = log_one(&[action, "./main"], ZONE);
        let after = Timestamp::now();

        let text = log.strip_suffix(end).unwrap_or_else(|| panic!("{action}: {log:?}"));
        let came: Timestamp = match action {
            "T" => format!("{}+05:30", text.replace(' ', "T")).parse().unwrap(),
            "T@local" => format!("{text}+05:30").parse().unwrap(),
            "T@utc" => format!("{text}Z").parse().unwrap(),
            _ => {
                let (seconds, nanoseconds) = text.split_once('.').unwrap();
                assert_eq!(nanoseconds.len(), 9, "{text}");
                Timestamp::new(seconds.parse().unwrap(), nanoseconds.parse().unwrap()).unwrap()
            }
        };
        assert!(before <= came && came <= after, "{action}: {before} {came} {after}");
    }
}

#[test]
fn a_timestamp_and_a_prefix_have_the_same_shape_as_with_s6_log() {
    let Some(s6_log) = peer("s6-log") else { return };
    let mut fixture = LoggerFixture::new();
    let theirs = fixture.start_command(Command::new(s6_log).args(["T", "./main"]).env("TZ", ZONE));
    fixture.write("a line\n");
    let workdir = fixture.end(theirs);
    let theirs = std::fs::read_to_string(workdir.join("main/current")).unwrap();

    let ours = log_one(&["T", "./main"], ZONE);

    let shape = |log: &str| log.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(shape(&ours), shape(&theirs));
    assert_eq!(shape(&ours), "0000-00-00 00:00:00.000000000  a line\n");
}

#[test]
fn a_prefix_stands_behind_the_timestamp_and_selectors_see_both() {
    let log = log_one(&["t", "p=web: ", "-*", "+@*web: a*", "./main"], "UTC");
    assert!(log.starts_with('@') && log.ends_with(" web: a line\n"), "{log}");
    assert_eq!(log.len(), 26 + 12);
    assert_eq!(log_one(&["p=web: ", "p=db: ", "./main"], "UTC"), "web: a line\n");
}

#[test]
fn a_zone_that_makes_no_sense_is_utc_with_a_warning() {
    let mut fixture = LoggerFixture::new();
    let logger = start(&fixture, "CET-1CEST,M3.5", &["T@local", "./main"]);
    fixture.write("a line\n");
    fixture.until_current(36 + 7);

    assert!(fixture.messages().ends_with("bad format; using UTC\n"), "{}", fixture.messages());
    let workdir = fixture.end(logger);
    assert!(std::fs::read_to_string(workdir.join("main/current")).unwrap().ends_with("+00:00 a line\n"));
}

#[test]
fn twenty_kills_keep_every_line_once_though_each_logger_is_in_another_zone() {
    let script = ["T@local", "p=web: ", "s100000", "n10000", "./main"];
    let (workdir, written) =
        kill_twenty_under_load(|fixture, number| start(fixture, &format!("<+{number:02}>-{number}"), &script));

    let log = testkit::logdir::LogDirFiles::read(&workdir.join("main")).joined();
    let mut bare = Vec::with_capacity(log.len());
    let mut offsets = std::collections::BTreeSet::new();
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        let (head, line) = line.split_at(36 + 5);
        let head = std::str::from_utf8(head).unwrap();
        let text = head.strip_suffix(" web: ").unwrap_or_else(|| panic!("{head:?}"));
        let _: Timestamp = text.parse().unwrap();
        offsets.insert(text[29..].to_owned());
        bare.extend_from_slice(line);
    }
    report(format_args!("{written} lines in {} zones", offsets.len()));
    let expected: String = (0..written).map(|number| format!("{number:09}\n")).collect();
    assert_same(bare, expected);
    assert!(offsets.len() > 1, "{offsets:?}");
}
