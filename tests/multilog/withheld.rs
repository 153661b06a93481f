//! `L` and `D`: lines that a directory does not get, and how the log counts them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, report, until};

use super::{kill_twenty_under_load, kill_twenty_under_load_of};

/// A log: its lines, without those by which multilog counts others, and how many lines and bytes these count by the
/// words they begin with.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    counted: BTreeMap<String, (u64, u64)>,
    reports: usize,
}

impl Log {
    fn of(text: &[u8]) -> Log {
        let mut log = Log::default();
        for line in String::from_utf8_lossy(text).lines() {
            let Some(words) = line.strip_prefix("multilog: ") else {
                log.lines.push(line.to_owned());
                continue;
            };
            let at = words.find(|character: char| character.is_ascii_digit()).unwrap();
            let mut numbers = words[at..].split(' ').filter_map(|word| word.parse::<u64>().ok());
            let counted = log.counted.entry(words[..at].trim().to_owned()).or_default();
            counted.0 += numbers.next().unwrap();
            counted.1 += numbers.next().unwrap();
            log.reports += 1;
        }
        log
    }

    fn read(workdir: &Workdir, directory: &str) -> Log {
        let directory = testkit::logdir::LogDirFiles::read(&workdir.join(directory));
        Log::of(&directory.joined())
    }

    fn count(&self, words: &str) -> (u64, u64) {
        self.counted.get(words).copied().unwrap_or_default()
    }
}

/// What a log has after some input, and then the end.
fn log_of(script: &[&str], input: &str) -> (Log, Workdir) {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(script);
    fixture.write(input);
    let workdir = fixture.end(logger);
    (Log::read(&workdir, "main"), workdir)
}

fn numbered(count: usize) -> String {
    (0..count).map(|number| format!("{number:04}\n")).collect()
}

#[test]
fn a_burst_is_logged_and_the_rest_is_counted() {
    // multilog.8 > "lines a second"
    let (log, _) = log_of(&["L5:20", "./main"], &numbered(1000));

    assert_eq!(log.lines, numbered(20).lines().collect::<Vec<_>>());
    assert_eq!(log.counted, BTreeMap::from([("suppressed".to_owned(), (980, 4900))]));
}

#[test]
fn a_rate_without_a_burst_allows_the_lines_of_a_second() {
    let (log, _) = log_of(&["L7", "./main"], &numbered(100));
    assert_eq!((log.lines.len(), log.count("suppressed").0), (7, 93));
}

#[test]
fn what_was_suppressed_is_said_within_a_second_where_it_is_missing() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["L1:3", "./main"]);
    fixture.write(numbered(10));

    let current = fixture.main().join("current");
    let log = || Log::of(&fs::read(&current).unwrap_or_default());
    until("the log says it without another line", || log().count("suppressed") == (7, 35));

    // Time gives new lines.
    let begin = Instant::now();
    let mut number = 10;
    while log().lines.len() < 5 {
        assert!(begin.elapsed() < Duration::from_secs(20));
        fixture.write(format!("{number:04}\n"));
        number += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    let workdir = fixture.end(logger);
    let text = fs::read_to_string(workdir.join("main/current")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[3].starts_with("multilog: suppressed 7 lines, 35 bytes, from 20"), "{text}");
    let log = Log::of(text.as_bytes());
    assert_eq!(log.lines.len() as u64 + log.count("suppressed").0, number, "{text}");
}

#[test]
fn a_repeated_line_is_counted_when_another_one_follows() {
    // multilog.8 > "the same as the line before it"
    let (log, workdir) = log_of(&["D60", "./main"], "a\na\na\nb\na\n\n\nc\nc");

    assert_eq!(log.lines, ["a", "b", "a", "", "c"]);
    assert_eq!(log.count("last line repeated"), (4, 7));
    let text = fs::read_to_string(workdir.join("main/current")).unwrap();
    assert!(text.starts_with("a\nmultilog: last line repeated 2 times, 4 bytes, from 20"), "{text}");
}

#[test]
fn a_line_that_is_repeated_without_end_is_counted_at_the_interval() {
    let fixture = LoggerFixture::new();
    let logger = fixture.start(&["t", "D1", "./main"]);
    let current = fixture.main().join("current");
    let count = || fs::read_to_string(&current).unwrap_or_default().matches("last line repeated").count();

    let mut sent = 0;
    until("the log has said it three times", || {
        (&fixture.output).write_all(b"again\n").unwrap();
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
        count() >= 3
    });

    let workdir = fixture.end(logger);
    let text = testkit::logdir::without_stamps(&fs::read(workdir.join("main/current")).unwrap());
    let log = Log::of(&text);
    assert_eq!(log.lines, ["again"]);
    assert_eq!(log.count("last line repeated"), (sent - 1, 6 * (sent - 1)));
}

#[test]
fn each_directory_has_its_own_counts_and_selectors_come_first() {
    let input = format!("{}{}", "x\n".repeat(5), numbered(50));
    let script = ["M1=m.prom", "D60", "-*x*", "./numbers", "+*", "L1:10", "./main", "L0", "D0", "./all"];
    let (main, workdir) = log_of(&script, &input);
    let (numbers, all) = (Log::read(&workdir, "numbers"), Log::read(&workdir, "all"));

    assert_eq!((numbers.lines.len(), numbers.reports), (50, 0));
    assert_eq!((all.lines.len(), all.reports), (55, 0));
    assert_eq!(main.lines.len(), 10);
    assert_eq!(main.count("last line repeated"), (4, 8));
    assert_eq!(main.count("suppressed"), (41, 205));
    let metrics = fs::read_to_string(workdir.join("m.prom")).unwrap();
    for (name, value) in
        [("repeated_lines", 4), ("repeated_bytes", 8), ("suppressed_lines", 41), ("suppressed_bytes", 205)]
    {
        let sample = metrics
            .lines()
            .find(|line| line.starts_with(&format!("multilog_{name}_total{{")) && line.contains("/main\"} "));
        assert!(sample.is_some_and(|sample| sample.ends_with(&format!(" {value}"))), "{name}: {sample:?}");
    }
}

#[test]
fn lines_longer_than_the_pipe_and_the_file_are_suppressed_whole() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["s4096", "n1000", "L1:2", "./main"]);
    let long = format!("{}\n", "y".repeat(300_000));
    fixture.write(format!("one\n{long}{long}two\n"));
    let workdir = fixture.end(logger);

    let log = Log::read(&workdir, "main");
    let lines: Vec<usize> = log.lines.iter().map(String::len).collect();
    assert_eq!(lines, [3, 300_000]);
    assert_eq!(log.count("suppressed"), (2, long.len() as u64 + 4));
}

#[test]
fn twenty_kills_leave_every_line_logged_or_counted_under_a_rate() {
    let script = ["s16M", "n1000", "L200:1000", "./main"];
    let (workdir, sent) = kill_twenty_under_load(|fixture, _| fixture.start_with_messages(&script));

    let log = Log::read(&workdir, "main");
    let suppressed = log.count("suppressed");
    assert_eq!(log.lines.len() as u64 + suppressed.0, sent, "{}", testkit::logger::messages(&workdir));
    assert_eq!(suppressed.1, 10 * suppressed.0);
    assert!(log.lines.iter().all(|line| line.len() == 9) && log.lines.is_sorted_by(|a, b| a < b));
    report(format_args!("{sent} lines, {} logged, {} reports, 20 kills", log.lines.len(), log.reports));
}

#[test]
fn twenty_kills_leave_every_repeated_line_logged_or_counted() {
    let script = ["t", "s16M", "n1000", "D60", "./main"];
    let line = |number: u64| format!("{:09}\n", number / 70);
    let (workdir, sent) = kill_twenty_under_load_of(line, |fixture, _| fixture.start_with_messages(&script));

    let files = testkit::logdir::LogDirFiles::read(&workdir.join("main"));
    let log = Log::of(&testkit::logdir::without_stamps(&files.joined()));
    let repeated = log.count("last line repeated");
    assert_eq!(log.lines.len() as u64 + repeated.0, sent, "{}", testkit::logger::messages(&workdir));
    assert_eq!(repeated.1, 10 * repeated.0);
    // The line after a kill is logged even if it is the same as the one before.
    let different = sent.div_ceil(70);
    assert!((different..=different + 21).contains(&(log.lines.len() as u64)), "{} {different}", log.lines.len());
    assert!(log.lines.iter().all(|line| line.len() == 9) && log.lines.is_sorted());
    report(format_args!("{sent} lines, {} logged, {} reports, 20 kills", log.lines.len(), log.reports));
}

#[test]
fn twenty_kills_with_a_buffer_double_nothing_and_lose_no_more_than_it_holds() {
    let script = ["t", "s16M", "n1000", "B1M", "./main"];
    let (workdir, sent) = kill_twenty_under_load(|fixture, _| fixture.start_with_messages(&script));

    let files = testkit::logdir::LogDirFiles::read(&workdir.join("main"));
    let log = Log::of(&testkit::logdir::without_stamps(&files.joined()));
    // Each kill may come while the logger does not get the processor, and so keeps lines in memory; and it may cut the line
    // that was being written.
    let (whole, torn): (Vec<&String>, Vec<&String>) = log.lines.iter().partition(|line| line.len() == 9);
    let missing = sent - whole.len() as u64 - log.count("dropped").0;
    assert!(missing * 10 <= 20 << 20 && torn.len() <= 20, "{missing} of {sent} lines are missing, torn: {torn:?}");
    assert!(whole.is_sorted_by(|a, b| a < b), "a line is doubled or misplaced");
    report(format_args!("{sent} lines, {} logged, {missing} missing, {} torn, 20 kills", whole.len(), torn.len()));
}

#[test]
fn a_buffer_needs_a_pipe() {
    let workdir = Workdir::in_memory();
    fs::write(workdir.join("input"), "a line\n").unwrap();
    let input = fs::File::open(workdir.join("input")).unwrap();
    let mut command = Multilog::Ours.command(workdir.path(), &["B1M", "./main"]);

    let (status, words) = Running::start(command.stdin(input)).end_and_words();

    assert!(status.success());
    assert_eq!(words, "multilog: warning: unable to keep lines in memory: standard input is no pipe\n");
    assert_eq!(fs::read_to_string(workdir.join("main/current")).unwrap(), "a line\n");
}

#[test]
fn a_buffer_leaves_no_file_behind() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["B1M", "./main"]);
    fixture.write("a line\n");
    fixture.until_current(7);
    let about = fs::metadata(fixture.main()).unwrap();
    let ledger = format!("/dev/shm/multilog-{:x}-{:x}", about.dev(), about.ino());
    let ledger = std::path::Path::new(&ledger);
    assert!(ledger.exists() || !std::path::Path::new("/dev/shm").exists());

    fixture.end(logger);

    assert!(!ledger.exists());
}
