//! Limits on archives by bytes, age and free space: what goes, what stays, and that neither kills nor many archives matter.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use logyard::sys::clock::{self, UnixTime};
use logyard::tai64n::Label;

use super::kill_twenty_under_load;
use testkit::logdir::{LogDirFiles, current_bytes};
use testkit::logger::{LoggerFixture, Running};
use testkit::{Workdir, until};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Makes archives of one kilobyte, the first of them so many seconds old, and each a second younger than the one before.
fn make_archives(main: &Path, count: u32, oldest_seconds: i64) {
    let first = clock::now().seconds - oldest_seconds;
    fs::create_dir_all(main).unwrap();
    for number in 0..count {
        let label = Label::from(UnixTime { seconds: first + i64::from(number), nanoseconds: 0 });
        fs::write(main.join(format!("{label}.s")), [b'.'; 1024]).unwrap();
    }
}

fn archive_count(main: &Path) -> usize {
    fs::read_dir(main)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().as_encoded_bytes()[0] == b'@')
        .count()
}

/// The bytes of the files of a directory; a file with two names counts once.
fn total_bytes(main: &Path) -> u64 {
    let files: BTreeMap<u64, u64> = fs::read_dir(main)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let is_log =
                ["@", "current", "previous"].iter().any(|name| entry.file_name().to_string_lossy().starts_with(name));
            entry.metadata().ok().filter(|_| is_log).map(|about| (about.ino(), about.len()))
        })
        .collect();
    files.values().sum()
}

#[test]
fn a_directory_stays_within_its_bytes() {
    // multilog.8 > "Limits the size of each of the directories that follow"
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["t", "s8192", "n1000", "S50000", "./main"]);
    let main = fixture.main();
    for number in 0..20_000 {
        fixture.write(format!("{number:05}\n"));
        if number % 500 == 0 && main.join("current").exists() {
            // While one file is being finished, the next one may grow.
            let bytes = logger.while_stopped(|| total_bytes(&main));
            assert!(bytes <= 50_000 + 8192, "{bytes} bytes");
        }
    }

    let workdir = fixture.end(logger);

    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(total_bytes(&workdir.join("main")) <= 50_000, "{} bytes", total_bytes(&workdir.join("main")));
    assert!(files.archives().count() >= 4, "too much has gone: {:?}", files.0.keys());
    assert!(files.joined().ends_with(b"19999\n"));
}

#[test]
fn twenty_kills_leave_the_end_of_the_log_without_a_gap_and_within_its_bytes() {
    const SCRIPT: [&str; 5] = ["s8192", "n1000", "S200k", "A1d", "./main"];

    let (workdir, written) = kill_twenty_under_load(|fixture, _| fixture.start_with_messages(&SCRIPT));

    let main = workdir.join("main");
    let log = String::from_utf8(LogDirFiles::read(&main).joined()).unwrap();
    let numbers: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&(written - 1)));
    let first = written - numbers.len() as u64;
    assert!(numbers.iter().copied().eq(first..written), "lines are missing or doubled");
    assert!(written * 10 > 400_000, "too little was written: {written} lines");
    assert!(total_bytes(&main) <= 200 * 1024, "{} bytes", total_bytes(&main));
    assert!(numbers.len() > 10_000, "too much has gone: {} lines are left", numbers.len());
}

#[test]
fn old_archives_go_although_nothing_is_rotated() {
    // multilog.8 > "removes archives that are older"
    let fixture = LoggerFixture::new();
    let main = fixture.main();
    make_archives(&main, 5, 31 * DAY_SECONDS);
    make_archives(&main, 3, 5 * DAY_SECONDS);
    // This one is old enough in a moment.
    make_archives(&main, 1, 30 * DAY_SECONDS - 2);
    let logger = fixture.start(&["n100", "A30d", "./main"]);

    until("what is too old has gone", || archive_count(&main) == 4);

    fixture.end(logger);
}

#[test]
fn an_archive_that_becomes_old_goes_although_the_logger_is_idle() {
    let fixture = LoggerFixture::new();
    let main = fixture.main();
    make_archives(&main, 2, 2);
    let logger = fixture.start(&["n100", "A4", "./main"]);
    fixture.until_ready();

    until("the older one has gone", || archive_count(&main) == 1);

    thread::sleep(Duration::from_secs(3));
    assert_eq!(archive_count(&main), 1, "the newest archive is never the victim");
    fixture.end(logger);
}

#[test]
fn a_full_disk_leaves_the_archives_that_the_user_names() {
    // No disk is all free. multilog.8 > "Default: 2 archives"
    for (action, left) in [("F100%", 2), ("F100%:5", 5), ("F100%:1", 1), ("F0%", 9), ("F1", 9)] {
        let fixture = LoggerFixture::new();
        let main = fixture.main();
        make_archives(&main, 9, 1000);
        let logger = fixture.start(&["n100", action, "./main"]);
        fixture.until_ready();

        until("the archives have gone", || archive_count(&main) == left);

        let workdir = fixture.end(logger);
        assert_eq!(archive_count(&workdir.join("main")), left, "{action}");
    }
}

#[test]
fn ten_thousand_archives_go_quickly_and_do_not_delay_the_input() {
    for limit in ["S100k", "A1h"] {
        let fixture = LoggerFixture { workdir: Workdir::in_memory(), ..LoggerFixture::new() };
        let main = fixture.main();
        make_archives(&main, 10_000, 100 * DAY_SECONDS);
        let mut output = fixture.output.try_clone().unwrap();
        let logger = fixture.start(&["n100000", limit, "./main"]);
        fixture.until_ready();
        let start = Instant::now();

        let (mut written, mut longest) = (0, Duration::ZERO);
        while archive_count_is_over(&main, 101) {
            let sent = Instant::now();
            output.write_all(b"a line\n").unwrap();
            written += 7;
            until("the line is logged", || current_bytes(&main).is_some_and(|bytes| bytes >= written));
            longest = longest.max(sent.elapsed());
        }
        let took = start.elapsed();

        drop(output);
        fixture.end(logger);
        testkit::report(format_args!("{limit}: 10,000 archives in {took:.1?}, a line after at most {longest:.1?}"));
        // A machine that does other things too gets some time for them.
        assert!(took < Duration::from_secs(5), "{limit}: {took:?}");
        assert!(longest < Duration::from_secs(2), "{limit}: a line waited {longest:?}");
    }
}

/// Counts no further than it must.
fn archive_count_is_over(main: &Path, most: usize) -> bool {
    fs::read_dir(main)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().as_encoded_bytes()[0] == b'@')
        .nth(most)
        .is_some()
}

#[test]
fn an_archive_that_cannot_be_removed_is_announced_once() {
    let Some(strace) = testkit::strace("no call was refused") else { return };
    let fixture = LoggerFixture::new();
    let main = fixture.main();
    make_archives(&main, 3, 1000);
    let logger: Running = fixture.start_traced(strace, "unlinkat:error=EPERM", &["n100", "A2", "./main"]);
    fixture.until_ready();

    until("it is announced", || fixture.messages().contains("unable to remove ./main/@4"));

    // By then it has been checked again.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(fixture.messages().matches("unable to remove ./main/@4").count(), 2, "{}", fixture.messages());
    logger.end_traced_logger(nix::sys::signal::Signal::SIGTERM);
}

#[test]
fn a_logger_without_limits_reads_no_directory_and_asks_for_no_space() {
    let Some(mut strace) = testkit::strace("no call was counted") else { return };
    let fixture = LoggerFixture::new();
    make_archives(&fixture.main(), 3, 1000 * DAY_SECONDS);
    strace.args(["-f", "-qq", "-o", "trace", "-e", "trace=getdents64,fstatfs,statfs,clone,clone3"]);
    let mut command = strace;
    command.arg(testkit::logger::Multilog::Ours.path()).args(["n100", "./main"]);
    fs::write(fixture.main().join("current"), "").unwrap();
    let logger = fixture.start_command(&mut command);
    fixture.until_ready();

    logger.end_traced_logger(nix::sys::signal::Signal::SIGTERM);

    let trace = fs::read_to_string(fixture.workdir.join("trace")).unwrap();
    assert!(!trace.contains("getdents64") && !trace.contains("clone"), "{trace}");
}
