//! The metrics file: its form, its numbers, and a file that cannot be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use testkit::logger::LoggerFixture;
use testkit::{skipped, tool, until};

/// The values of the file by metric and directory, without what is the same in all.
fn values(file: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "half a file: {text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (labelled, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = labelled.split_once('{').unwrap();
            let directory = labels.split_once("directory=\"").map_or("", |(_, path)| path.trim_end_matches("\"}"));
            let directory = directory.rsplit('/').next().unwrap();
            (format!("{name} {directory}").trim().to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_file_says_what_was_done() {
    // multilog.8 > "Replaces"
    let mut fixture = LoggerFixture::new();
    let file = fixture.workdir.join("m.prom");
    let script = ["M1=m.prom", "s4096", "n1000", "!cat", "./main", "-*a*", "./rest"];
    let logger = fixture.start(&script);
    until("there is a file before the first line", || file.exists());
    for number in 0..1000 {
        fixture.write(format!("{number:04}{}\n", if number % 4 == 0 { "a" } else { "b" }));
    }

    until("the lines are counted", || values(&file).get("multilog_input_lines_total") == Some(&1000.0));

    let now = values(&file);
    assert_eq!(now["multilog_input_bytes_total"], 6000.0);
    assert_eq!(now["multilog_written_lines_total main"], 1000.0);
    assert_eq!(now["multilog_written_lines_total rest"], 750.0);
    assert_eq!(now["multilog_written_bytes_total rest"], 4500.0);
    assert!(now["multilog_rotations_total main"] >= 1.0, "{now:?}");
    assert!(
        now.contains_key("multilog_waiting_bytes") && now.contains_key("multilog_blocked_seconds_total"),
        "{now:?}"
    );
    let newest = now["multilog_newest_line_timestamp_seconds"];
    assert!(newest >= now["multilog_start_timestamp_seconds"], "{now:?}");
    let workdir = fixture.end(logger);
    let last = values(&workdir.join("m.prom"));
    assert_eq!(last["multilog_processor_runs_total main"], last["multilog_rotations_total main"]);
    assert_eq!(last["multilog_processor_failures_total main"], 0.0);
}

#[test]
fn promtool_accepts_the_file() {
    let Some(promtool) = tool("promtool") else {
        skipped("promtool is not installed");
        return;
    };
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["M1=m.prom", "!cat", "./a\"b\\c", "./main"]);
    fixture.write("a line\n");
    let workdir = fixture.end(logger);

    let file = fs::File::open(workdir.join("m.prom")).unwrap();
    let mut check = Command::new(promtool);
    let answer = check.args(["check", "metrics"]).stdin(Stdio::from(file)).output().unwrap();

    let said = String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned();
    assert!(answer.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_file_that_cannot_be_written_is_announced_once_and_the_logging_goes_on() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start_with_messages(&["M1=no/m.prom", "./main"]);
    fixture.write("a line\n");
    fixture.until_current(7);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(fixture.messages(), "multilog: warning: unable to write no/m.prom: file does not exist\n");

    fs::create_dir(fixture.workdir.join("no")).unwrap();

    until("the file is written", || fixture.workdir.join("no/m.prom").exists());
    fixture.end(logger);
}

#[test]
fn kills_leave_a_whole_file_and_lose_nothing() {
    let mut fixture = LoggerFixture::new();
    let file = fixture.workdir.join("m.prom");
    for kill in 0..20 {
        let logger = fixture.start(&["M1=m.prom", "./main"]);
        fixture.write(format!("{kill}\n"));
        fixture.until_ready();
        thread::sleep(Duration::from_millis(kill));
        logger.kill();
        // Panics if it is half a file.
        values(&file);
    }
    let (workdir, words) = fixture.log_rest(&["M1=m.prom", "./main"]);

    assert_eq!(words, "");
    let expected: String = (0..20).map(|kill| format!("{kill}\n")).collect();
    testkit::assert_same(testkit::logdir::LogDirFiles::read(&workdir.join("main")).joined(), expected);
}
