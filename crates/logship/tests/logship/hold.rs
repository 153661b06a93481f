//! A logger that holds archives until they are shipped, and the mark that tells it how far that is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use logyard::logdir::shipping::Lost;
use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Running};
use testkit::until;

use crate::torture::Random;
use crate::{Fixture, assert_says, label, messages};

/// Lines of 64 bytes, numbered.
fn numbered(numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:09} {}\n", "x".repeat(53)).into_bytes()).collect()
}

/// A logger, a shipper of its directory, and a store that can be away.
struct Pair {
    logger: LoggerFixture,
    fixture: Fixture,
}

impl Pair {
    fn new() -> Pair {
        // Each object is fsynced, and the store is waited for.
        Pair { logger: LoggerFixture::new(), fixture: Fixture { workdir: testkit::Workdir::in_memory() } }
    }

    fn main(&self) -> PathBuf {
        self.logger.main()
    }

    /// Starts a shipper that stays.
    fn ship(&self) -> Running {
        let (main, url) = (self.main().display().to_string(), self.fixture.url());
        let said = fs::File::options().create(true).append(true).open(self.fixture.workdir.join("messages")).unwrap();
        let mut command =
            self.fixture.command(&["ship", "--level", "1", "--host", "h1", "--service", "mail", &main, &url]);
        Running::start(command.stdout(Stdio::null()).stderr(said))
    }

    /// Puts a file in the place of the store.
    fn take_store_away(&self) {
        if self.fixture.store().exists() {
            fs::rename(self.fixture.store(), self.fixture.workdir.join("away")).unwrap();
        }
        fs::write(self.fixture.store(), "no directory").unwrap();
    }

    fn bring_store_back(&self) {
        fs::remove_file(self.fixture.store()).unwrap();
        if self.fixture.workdir.join("away").exists() {
            fs::rename(self.fixture.workdir.join("away"), self.fixture.store()).unwrap();
        }
    }
}

/// Tells whether the newest archive of a directory is marked as shipped.
fn is_all_shipped(main: &Path) -> bool {
    let files = LogDirFiles::read(main);
    let newest = files.archives().last().map(|(name, _)| name[..25].to_owned());
    mark(main).is_some_and(|mark| Some(mark) == newest) && !files.0.contains_key("previous")
}

/// The label in the mark.
fn mark(main: &Path) -> Option<String> {
    fs::read_to_string(main.join("shipped")).ok().map(|text| text[..25].to_owned())
}

#[test]
fn a_logger_at_full_speed_loses_nothing_while_the_store_is_away() {
    let mut pair = Pair::new();
    pair.take_store_away();
    let logger = pair.logger.start(&["s131072", "n4", "H64M", "./main"]);
    pair.logger.until_ready();
    let shipper = pair.ship();
    let lines = numbered(0..100_000);
    pair.logger.write(&lines);
    let main = pair.main();
    until("it is logged", || LogDirFiles::read(&main).archives().count() > 46);

    pair.bring_store_back();

    until("it is shipped", || is_all_shipped(&main));
    let last = numbered(100_000..110_000);
    pair.logger.write(&last);
    until("what is shipped has gone", || LogDirFiles::read(&main).archives().count() < 10 && is_all_shipped(&main));
    let workdir = pair.logger.end(logger);
    until("the rest is shipped", || is_all_shipped(&workdir.join("main")));
    shipper.kill();
    let current = fs::read(workdir.join("main/current")).unwrap();
    testkit::assert_same([pair.fixture.get("mail"), current].concat(), [lines, last].concat());
    assert!(!workdir.join("main/lost").exists());
}

#[test]
fn what_is_lost_beyond_the_bound_is_what_the_store_lacks() {
    let mut pair = Pair::new();
    pair.take_store_away();
    let logger = pair.logger.start(&["s65536", "n4", "H1M", "./main"]);
    pair.logger.until_ready();
    let shipper = pair.ship();
    let lines = numbered(0..100_000);
    pair.logger.write(&lines);
    let Pair { logger: LoggerFixture { workdir, input, output }, fixture } = &pair;
    let _ = (input, output);
    let main = workdir.join("main");
    until("it is logged", || {
        let lost = fs::read(main.join("lost")).ok().and_then(|text| Lost::parse(&text)).unwrap_or_default();
        let left: usize = LogDirFiles::read(&main).joined().len();
        lost.bytes as usize + left == lines.len() && !main.join("previous").exists()
    });

    pair.bring_store_back();

    until("the rest is shipped", || is_all_shipped(&main));
    shipper.kill();
    let lost = Lost::parse(&fs::read(main.join("lost")).unwrap()).unwrap();
    let there = [fixture.get("mail"), fs::read(main.join("current")).unwrap()].concat();
    testkit::assert_same(there, &lines[64 * usize::try_from(lost.lines).unwrap()..]);
    assert!(lost.bytes == 64 * lost.lines && lost.bytes > 4 << 20, "{lost:?}");
    logger.kill();
}

/// Kills both so many times, at moments that look random, while the store comes and goes.
fn kill_both(kills: u64) {
    let pair = Pair::new();
    let mut random = Random(kills);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let mut output = pair.logger.output.try_clone().unwrap();
    let main = pair.main();
    let script = ["s16384", "n4", "H4G", "./main"];
    let written = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                std::io::Write::write_all(&mut output, &numbered(number..number + 50)).unwrap();
                number += 50;
                sleep(Duration::from_millis(2));
            }
            number
        });
        let (mut logger, mut shipper) = (pair.logger.start(&script), None);
        pair.logger.until_ready();
        for kill in 0..kills {
            shipper.get_or_insert_with(|| pair.ship());
            sleep(Duration::from_secs_f64(random.next() * 0.15));
            if kill % 5 == 1 {
                pair.take_store_away();
            } else if kill % 5 == 3 {
                pair.bring_store_back();
            }
            if random.next() < 0.5 {
                logger.kill();
                logger = pair.logger.start(&script);
                pair.logger.until_ready();
            } else {
                shipper.take().into_iter().for_each(Running::kill);
            }
        }
        if fs::metadata(pair.fixture.store()).is_ok_and(|about| about.is_file()) {
            pair.bring_store_back();
        }
        shipper.get_or_insert_with(|| pair.ship());
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let written = feeder.join().unwrap();
        until("everything is logged and shipped", || {
            let files = LogDirFiles::read(&main);
            let current = files.0.get("current").map(|found| found.bytes.clone()).unwrap_or_default();
            let is_last = current.ends_with(&numbered(written - 1..written))
                || files
                    .archives()
                    .last()
                    .is_some_and(|(_, found)| found.bytes.ends_with(&numbered(written - 1..written)));
            is_last && is_all_shipped(&main)
        });
        logger.kill();
        shipper.into_iter().for_each(Running::kill);
        written
    });
    let current = fs::read(main.join("current")).unwrap();
    testkit::assert_same([pair.fixture.get("mail"), current].concat(), numbered(0..written));
    assert!(!main.join("lost").exists());
}

#[test]
fn kills_of_the_logger_and_the_shipper_lose_and_double_nothing() {
    kill_both(12);
}

#[test]
#[ignore = "takes half a minute; .ci/torture runs it"]
fn torture_a_hundred_kills_of_the_logger_and_the_shipper_lose_and_double_nothing() {
    kill_both(100);
}

#[test]
fn the_mark_stays_before_an_archive_that_is_not_shipped_and_passes_one_that_cannot_be() {
    let fixture = Fixture::new();
    fixture.archives("mail", 4, 10);
    let main = fixture.log("mail");
    // The third one is refused by name; the store does not take the fourth, because a file has the place of its day.
    fs::write(main.join(format!("{}.s", label(2999))), "x".repeat(5000)).unwrap();
    fs::rename(main.join(format!("{}.s", label(3999))), main.join(format!("{}.s", label(86_400_000)))).unwrap();
    fs::create_dir_all(fixture.store()).unwrap();
    fs::write(fixture.store().join("date=2026-09-22"), "").unwrap();
    fixture.archive("mail", &format!("{}.s", label(86_500_000)), "late\n");

    let url = fixture.url();
    let ship = || {
        fixture.run(&["ship", "--once", "--retry", "1", "--archive-max", "4k", "--host", "h1", "mail/log/main", &url])
    };
    assert_says(&ship(), 1, "2 archives shipped");
    let target = format!("to {url} as host h1, service mail, Parquet\n");
    assert_eq!(fs::read_to_string(main.join("shipped")).unwrap(), format!("{}\n{target}", label(2999)));

    fs::remove_file(fixture.store().join("date=2026-09-22")).unwrap();
    assert_says(&ship(), 1, "2 archives shipped");
    assert_eq!(fs::read_to_string(main.join("shipped")).unwrap(), format!("{}\n{target}", label(86_500_000)));
}

#[test]
fn a_mark_of_another_store_is_removed_and_none_is_made_if_that_is_not_wanted() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);
    let main = fixture.log("mail");
    fixture.ship(&["mail"]);
    assert_eq!(mark(&main), Some(label(1999)));
    let other = format!("file://{}", fixture.workdir.join("other").display());
    let ship = |options: &[&str], url: &str| {
        let output = fixture.run(&[&["ship", "--once", "--retry", "1"], options, &["mail/log/main", url]].concat());
        messages(&output)
    };

    ship(&["--no-mark"], &other);
    assert!(fs::read_to_string(main.join("shipped")).unwrap().contains(&fixture.url()), "it is not touched");
    ship(&["--dry-run"], &other);
    assert!(fs::read_to_string(main.join("shipped")).unwrap().contains(&fixture.url()), "it is not touched");
    fs::write(fixture.workdir.join("file"), "").unwrap();
    ship(&[], &format!("file://{}", fixture.workdir.join("file").display()));
    assert_eq!(mark(&main), None, "nothing is there");
    ship(&[], &other);
    assert_eq!(mark(&main), Some(label(1999)));
    assert!(fs::read_to_string(main.join("shipped")).unwrap().contains(&other));
    fs::remove_file(main.join("shipped")).unwrap();
    ship(&["--no-mark"], &other);
    assert_eq!(mark(&main), None);
}

#[test]
fn a_mark_that_cannot_be_written_is_reported_and_stops_nothing() {
    let fixture = Fixture::new();
    fixture.archives("mail", 3, 10);
    fs::create_dir_all(fixture.log("mail").join("shipped/full")).unwrap();

    let output = fixture.ship(&["mail"]);

    assert_says(&output, 0, "3 archives shipped");
    assert_eq!(
        messages(&output).matches("unable to write mail/log/main/shipped: ").count(),
        1,
        "{}",
        messages(&output)
    );
}
