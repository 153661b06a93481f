//! Rotations by the age of current and at local hours and midnights: what ends a file, and what does not.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use logyard::sys::clock;
use testkit::logdir::{LogDirFiles, put};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{assert_same, processor_ticks, until};

/// A zone in which a period of so many seconds begins this long from now.
fn zone_with_boundary(period_seconds: i64, seconds_from_now: i64) -> String {
    let east = (-clock::now().seconds - seconds_from_now).rem_euclid(period_seconds);
    format!("XXX-{:02}:{:02}:{:02}", east / 3600, east / 60 % 60, east % 60)
}

fn start_in_zone(fixture: &LoggerFixture, zone: &str, script: &[&str]) -> Running {
    fixture.start_command(Command::new(Multilog::Ours.path()).args(script).env("TZ", zone))
}

#[test]
fn a_file_ends_at_its_age_although_no_line_comes_and_an_empty_one_does_not() {
    // multilog.8 > "An empty file is not rotated"
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["R2", "./main"]);
    fixture.write("one\n");

    until("the file has become an archive", || fixture.archive_count() == 1);

    thread::sleep(Duration::from_secs(3));
    assert_eq!(fixture.archive_count(), 1, "an empty file was archived");
    fixture.write("two\n");
    until("the next one has, too", || fixture.archive_count() == 2);
    let workdir = fixture.end(logger);
    assert_same(LogDirFiles::read(&workdir.join("main")).joined(), "one\ntwo\n");
}

#[test]
fn the_size_ends_a_file_before_its_time() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["s4096", "R1h", "R@midnight", "./main"]);
    fixture.write("0123456789abcde\n".repeat(300));

    until("the file is full", || fixture.archive_count() == 1);

    fixture.end(logger);
}

#[test]
fn a_file_ends_at_the_local_hour_and_at_midnight() {
    for (action, period_seconds) in [("R@hour", 60 * 60), ("R@midnight", 24 * 60 * 60)] {
        let mut fixture = LoggerFixture::new();
        let zone = zone_with_boundary(period_seconds, 3);
        let before = clock::now().seconds + 3;
        let logger = start_in_zone(&fixture, &zone, &["t", action, "./main"]);
        fixture.write("one\n");
        fixture.until_current(30);

        until("the file has become an archive", || fixture.archive_count() == 1);

        let now = clock::now().seconds;
        assert!((before..before + 10).contains(&now), "{action}: {} seconds late", now - before);
        fixture.write("two\n");
        fixture.until_current(30);
        thread::sleep(Duration::from_millis(1500));
        let workdir = fixture.end(logger);
        assert_eq!(LogDirFiles::read(&workdir.join("main")).archives().count(), 1, "{action}: cut twice");
    }
}

#[test]
fn a_file_of_yesterday_ends_when_the_logger_starts() {
    for (hours_ago, expected) in [(25, 1), (0, 0)] {
        let fixture = LoggerFixture::new();
        fs::create_dir(fixture.main()).unwrap();
        let current = fixture.main().join("current");
        put(&current, 0o744, b"yesterday\n");
        let written = SystemTime::now() - Duration::from_secs(hours_ago * 60 * 60);
        File::options().write(true).open(&current).unwrap().set_modified(written).unwrap();
        // Noon, so that no midnight comes by itself.
        let zone = zone_with_boundary(24 * 60 * 60, 12 * 60 * 60);
        let logger = start_in_zone(&fixture, &zone, &["R@midnight", "./main"]);

        fixture.until_ready();
        until("the file has been looked at", || fixture.archive_count() == expected);

        let workdir = fixture.end(logger);
        let files = LogDirFiles::read(&workdir.join("main"));
        assert_eq!(files.archives().count(), expected);
        assert_same(files.joined(), "yesterday\n");
    }
}

#[test]
fn a_zone_that_counts_leap_seconds_is_refused_once_and_the_logger_goes_on() {
    if !std::path::Path::new("/usr/share/zoneinfo/right/UTC").exists() {
        testkit::skipped("there are no right/ zones");
        return;
    }
    let mut fixture = LoggerFixture::new();
    let logger = start_in_zone(&fixture, "right/UTC", &["R@midnight", "./main"]);
    fixture.write("a line\n");
    fixture.until_current(7);

    assert!(fixture.messages().ends_with("it counts leap seconds; using UTC\n"), "{}", fixture.messages());
    fixture.end(logger);
}

#[test]
fn a_processor_that_runs_long_does_not_hold_up_the_input() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["R1", "!sleep 1000; cat", "./main"]);
    fixture.write("one\n");
    until("the processor runs", || fixture.main().join("processed").exists());
    fixture.write("two\n");
    fixture.until_current(4);

    // The file is old by now, and the one before it is not finished.
    thread::sleep(Duration::from_millis(1500));
    fixture.write("three\n");

    fixture.until_current(10);
    logger.kill();
}

#[test]
fn twenty_kills_lose_and_double_nothing() {
    const SCRIPT: [&str; 5] = ["t", "n100000", "R1", "R@hour", "./main"];
    let fixture = LoggerFixture::new();
    let mut output = fixture.output.try_clone().unwrap();
    let feeder = thread::spawn(move || {
        for number in 0..20_000 {
            output.write_all(format!("{number}\n").as_bytes()).unwrap();
            if number % 10 == 0 {
                thread::sleep(Duration::from_micros(1500));
            }
        }
    });
    for kill in 0..20 {
        let logger = start_in_zone(&fixture, &zone_with_boundary(60 * 60, kill % 3), &SCRIPT);
        fixture.until_ready();
        thread::sleep(Duration::from_millis(50 + kill as u64 * 7));
        logger.kill();
    }
    let last = fixture.start(&SCRIPT);
    feeder.join().unwrap();
    let workdir = fixture.end(last);

    let files = LogDirFiles::read(&workdir.join("main"));
    let log = testkit::logdir::without_stamps(&files.joined());
    let numbers: Vec<u32> = String::from_utf8(log).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..20_000), "lines are missing or doubled");
    assert!(files.archives().count() >= 3, "{} archives", files.archives().count());
    assert!(files.archives().all(|(_, found)| !found.bytes.is_empty()), "an empty file was archived");
}

#[test]
fn a_file_that_somebody_empties_does_not_keep_the_logger_busy() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["R7", "./main"]);
    fixture.write("one\n");
    fixture.until_current(4);
    File::create(fixture.main().join("current")).unwrap();

    // The logger notices it within 5 seconds; the file would have ended 2 seconds later. That nothing is done can only be
    // seen in some time.
    let before = processor_ticks(logger.pid());
    thread::sleep(Duration::from_secs(10));

    let ticks = processor_ticks(logger.pid()) - before;
    assert!(ticks < 20, "{ticks} ticks in 10 idle seconds");
    fixture.write("two\n");
    fixture.until_current(4);
    let workdir = fixture.end(logger);
    assert_same(LogDirFiles::read(&workdir.join("main")).joined(), "two\n");
}
