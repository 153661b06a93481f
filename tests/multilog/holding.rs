//! Archives that are held until they are shipped: none goes before the bound, the count of those that go is exact, and neither
//! kills nor a successor of 0.76 change that.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use logyard::logdir::shipping::Lost;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::kill_twenty_under_load;
use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Multilog};
use testkit::{report, strace, until};

/// Lines of 64 bytes, numbered.
fn numbered(numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:09} {}\n", "x".repeat(53)).into_bytes()).collect()
}

/// The numbers of the lines of a directory.
fn numbers_in(main: &Path) -> Vec<u64> {
    let log = String::from_utf8(LogDirFiles::read(main).joined()).unwrap();
    log.lines().map(|line| line[..9].parse().unwrap()).collect()
}

/// Checks that the lines of a directory are the last ones, and returns the number of the first.
#[track_caller]
fn first_of(main: &Path, count: u64) -> u64 {
    let numbers = numbers_in(main);
    let first = count - numbers.len() as u64;
    assert!(numbers.into_iter().eq(first..count), "lines are missing or doubled");
    first
}

fn lost(main: &Path) -> Lost {
    fs::read(main.join("lost")).map_or_else(|_| Lost::default(), |text| Lost::parse(&text).unwrap())
}

fn archive_count(main: &Path) -> usize {
    LogDirFiles::read(main).archives().count()
}

/// Says that all archives of a directory up to the newest are shipped.
fn mark_shipped(main: &Path) -> String {
    let newest = LogDirFiles::read(main).archives().last().unwrap().0.to_owned();
    fs::write(main.join("shipped"), format!("{}\nas a test\n", &newest[..25])).unwrap();
    newest
}

#[test]
fn a_logger_at_full_speed_loses_nothing_below_the_bound_and_what_is_shipped_goes() {
    // multilog.8 > "holds archives that are not shipped"
    let mut fixture = LoggerFixture::new();
    let main = fixture.main();
    let logger = fixture.start(&["s16384", "n4", "S50k", "A1", "H8M", "./main"]);

    fixture.write(numbered(0..60_000));

    until("it is logged", || archive_count(&main) > 225 && !main.join("previous").exists());
    let newest = mark_shipped(&main);
    fixture.write(numbered(60_000..61_000));
    until("what is shipped has gone", || LogDirFiles::read(&main).archives().all(|(name, _)| name >= &newest[..]));
    let workdir = fixture.end(logger);
    assert!(first_of(&workdir.join("main"), 61_000) > 50_000);
    assert!(!workdir.join("main/lost").exists());
}

#[test]
fn beyond_the_bound_the_oldest_go_and_the_count_is_exact() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(&["M1=m.prom", "s16384", "n4", "H256k", "./main"]);
    fixture.write(numbered(0..40_000));
    let LoggerFixture { workdir, input, output } = fixture;
    drop((input, output));

    let (status, words) = logger.end_and_words();

    assert!(status.success(), "{words}");
    let main = workdir.join("main");
    let first = first_of(&main, 40_000);
    let Lost { archives, lines, bytes, .. } = lost(&main);
    assert_eq!((lines, bytes), (first, first * 64));
    let said = format!(
        "multilog: warning: ./main has lost {archives} archives that were not shipped: {lines} lines, {bytes} bytes\n"
    );
    assert!(words.ends_with(&said), "{words}");
    assert!(words.lines().count() < 10, "too often: {words}");
    let left: u64 = LogDirFiles::read(&main).archives().map(|(_, found)| found.bytes.len() as u64).sum();
    assert!(left <= 256 << 10 && left > (256 << 10) - 2 * 16_384, "{left} bytes are held");
    let metrics = fs::read_to_string(workdir.join("m.prom")).unwrap();
    for (name, value) in [
        ("lost_archives_total", archives),
        ("lost_lines_total", lines),
        ("lost_bytes_total", bytes),
        ("unshipped_bytes", left),
    ] {
        let sample = metrics.lines().find(|line| line.starts_with(&format!("multilog_{name}{{"))).unwrap();
        assert!(sample.ends_with(&format!(" {value}")), "{sample}, not {value}");
    }
}

#[test]
fn twenty_kills_lose_nothing_below_the_bound_and_the_count_beyond_it_is_exact() {
    for (bound, is_exceeded) in [("H1G", false), ("H64k", true)] {
        let script = ["s8192", "n4", bound, "./main"];

        let (workdir, written) = kill_twenty_under_load(|fixture, _| fixture.start_with_messages(&script));

        let main = workdir.join("main");
        let log = String::from_utf8(LogDirFiles::read(&main).joined()).unwrap();
        let numbers: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
        let first = written - numbers.len() as u64;
        assert!(numbers.into_iter().eq(first..written), "lines are missing or doubled");
        assert_eq!(lost(&main).lines, first, "{bound}");
        assert_eq!(first > 0, is_exceeded, "{bound}: {written} lines");
    }
}

#[test]
fn a_logger_of_0_76_takes_over_after_a_kill_at_each_step() {
    if !Multilog::installed().contains(&Multilog::Theirs) {
        return testkit::skipped("no logger of 0.76 took over");
    }
    let mut kills = 0;
    for call in ["openat", "write", "renameat,renameat2", "linkat", "unlinkat", "fsync"] {
        for when in [1, 2, 3, 5, 8, 13, 21, 34] {
            let Some(strace) = strace("no logger was killed while it counted what it lost") else { return };
            let LoggerFixture { workdir, input, output } = LoggerFixture::with_input(&numbered(0..1000));
            drop(output);
            let fixture = LoggerFixture { workdir, input, output: std::io::pipe().unwrap().1 };
            // The calls before the directory is in use are of no interest.
            fs::create_dir(fixture.main()).unwrap();
            let mut traced = strace;
            traced.args(["-P", "main"]);
            let script = ["s4096", "n2", "H12k", "./main"];
            fixture.start_traced(traced, &format!("{call}:signal=SIGKILL:when={when}"), &script).end();
            kills += u32::from(fs::metadata(fixture.main().join("current")).is_ok_and(|about| about.len() > 0));

            let mut theirs = fixture.start_one(Multilog::Theirs, &["s4096", "n1000", "./main"]);
            let LoggerFixture { workdir, input, .. } = fixture;
            drop(input);
            theirs.end();

            let main = workdir.join("main");
            // 0.76 does not know the journal, so it may write again what was written and not yet consumed.
            let numbers: BTreeSet<u64> = numbers_in(&main).into_iter().collect();
            let first = numbers.first().copied().unwrap_or(1000);
            assert!(numbers.into_iter().eq(first..1000), "{call} {when}: lines are missing");
            let Lost { lines, last, .. } = lost(&main);
            // One that was counted and is there was about to be removed.
            let last = main.join(String::from_utf8(last).unwrap());
            let still_there = fs::read(&last).map_or(0, |bytes| bytes.len() as u64 / 64);
            assert_eq!(lines - still_there, first, "{call} {when}");
        }
    }
    report(format_args!("0.76 took over after {kills} kills"));
}

#[test]
fn a_mark_that_cannot_be_read_is_none_and_is_reported_once() {
    type Plant = fn(&Path);
    let plants: [Plant; 3] = [
        |path| fs::write(path, "nonsense").unwrap(),
        |path| mkfifo(path, Mode::from_bits_truncate(0o644)).unwrap(),
        |path| symlink("elsewhere", path).unwrap(),
    ];
    for plant in plants {
        let mut fixture = LoggerFixture::new();
        let main = fixture.main();
        fs::create_dir(&main).unwrap();
        fs::write(fixture.workdir.join("main/elsewhere"), "@7fffffffffffffff00000000\n").unwrap();
        plant(&main.join("shipped"));
        let logger = fixture.start_with_messages(&["s4096", "n2", "H1M", "./main"]);

        fixture.write(numbered(0..1000));

        until("it is logged", || archive_count(&main) > 10);
        assert_eq!(fixture.messages().matches("unable to read ./main/shipped: ").count(), 1, "{}", fixture.messages());
        let workdir = fixture.end(logger);
        assert_eq!(first_of(&workdir.join("main"), 1000), 0);
    }
}

#[test]
fn a_planted_count_is_not_followed() {
    let mut fixture = LoggerFixture::new();
    let main = fixture.main();
    fs::create_dir(&main).unwrap();
    fs::write(fixture.workdir.join("secret"), "secret").unwrap();
    symlink("../secret", main.join("newlost")).unwrap();
    symlink("../secret", main.join("lost")).unwrap();
    let logger = fixture.start(&["s4096", "n2", "H8k", "./main"]);

    fixture.output.write_all(&numbered(0..1000)).unwrap();

    let workdir = fixture.end(logger);
    assert_eq!(fs::read(workdir.join("secret")).unwrap(), b"secret");
    let main = workdir.join("main");
    assert_eq!(lost(&main).lines, first_of(&main, 1000), "the link was replaced");
}

#[test]
fn a_count_that_cannot_be_written_stops_nothing_and_is_reported_once() {
    let mut fixture = LoggerFixture::new();
    let main = fixture.main();
    fs::create_dir_all(main.join("lost/full")).unwrap();
    let logger = fixture.start(&["s4096", "n2", "H8k", "./main"]);
    fixture.write(numbered(0..1000));
    let LoggerFixture { workdir, input, output } = fixture;
    drop((input, output));

    let (status, words) = logger.end_and_words();

    assert!(status.success(), "{words}");
    let first = first_of(&workdir.join("main"), 1000);
    assert!(words.contains(&format!("that were not shipped: {first} lines, {} bytes", first * 64)), "{words}");
    assert_eq!(words.matches("unable to write ./main/lost: is a directory").count(), 1, "{words}");
}
