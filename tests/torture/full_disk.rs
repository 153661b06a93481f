//! File systems without free space or free inodes: multilog waits until it can write, and obeys TERM.
//!
//! Each is a file system of its own in memory, as small as it needs to be, mounted where the log directory is to be.

use std::fs;
use std::time::Duration;

use super::feed::{Feed, Pace};
use super::lines::Lengths;
use super::subject::{Subject, Target, Task};
use super::term::{A_SECOND, hand_over, successors};
use crate::torture::collect::{self, Collected};
use crate::torture::verdict::Counts;
use testkit::logger::{Running, messages};
use testkit::mounted::Mounted;
use testkit::{Workdir, skipped, until};

/// A directory `main` in a new directory, with a file system of its own; `None`, with a notice, where none can be mounted.
fn small_disk(limit: &str) -> Option<(Workdir, Mounted)> {
    let dir = Workdir::new();
    let disk = Mounted::memory(dir.join("main"), limit);
    if disk.is_none() {
        skipped("full disks: only root can mount a file system");
    }
    disk.map(|disk| (dir, disk))
}

fn task(size_bytes: u64, names: &[&'static str]) -> Task {
    let targets = names.iter().map(|name| Target { name, without: None }).collect();
    Task { is_stamped: true, size_bytes, processor: None, targets }
}

fn start(task: &Task, dir: &Workdir, feed: &Feed) -> Running {
    let arguments = Subject::Ours.arguments(task, dir.path());
    Subject::Ours.start(&arguments, dir.path(), feed.stdin())
}

/// The log must hold every line, once and in order.
#[track_caller]
fn check(dir: &Workdir, name: &str, written: u64) {
    let verdict = Collected::new(dir.join(name), Counts::new(Lengths::Mixed, true, b"abc")).finish(written);
    assert!(verdict.is_spotless(), "{name}: {verdict:?}; {}", messages(dir));
}

#[test]
fn term_ends_a_logger_whose_disk_is_full() {
    for successor in successors() {
        let Some((dir, disk)) = small_disk("size=300k") else { return };
        let task = task(1_000_000, &["main"]);
        let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
        let mut logger = start(&task, &dir, &feed);
        until("the logger cannot write", || messages(&dir).contains("unable to write to ./main/current, pausing"));
        // What it had not written goes to a disk that has room again.
        let (status, took) = logger.terminate();
        assert!(took < A_SECOND, "TERM took {took:?}; {}", messages(&dir));
        assert!(matches!(status.code(), Some(0 | 111)), "it left with {status}; {}", messages(&dir));
        disk.remount("size=500m");

        let logger = start(&task, &dir, &feed);
        until("it writes", || fs::metadata(dir.join("main/current")).is_ok_and(|current| current.len() > 400_000));
        hand_over(logger, feed, successor, &task, &dir, A_SECOND);
    }
}

#[test]
fn a_logger_continues_when_a_full_disk_has_room_again() {
    let Some((dir, disk)) = small_disk("size=300k") else { return };
    let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
    let mut logger = start(&task(1_000_000, &["main"]), &dir, &feed);
    until("the logger cannot write", || messages(&dir).contains("unable to write to ./main/current, pausing"));

    disk.remount("size=500m");
    until("it writes again", || fs::metadata(dir.join("main/current")).is_ok_and(|current| current.len() > 400_000));

    let written = feed.end();
    assert!(logger.end().success(), "{}", messages(&dir));
    check(&dir, "main", written);
}

#[test]
fn preallocation_never_fills_the_disk() {
    // Room for the three files that there can be in a rotation, and hardly more.
    for (limit, names) in [("size=12m", &["main/one"][..]), ("size=24m", &["main/one", "main/two"])] {
        let Some((dir, _disk)) = small_disk(limit) else { return };
        let mut arguments = vec!["t".to_owned(), "s4000000".to_owned(), "n2".to_owned()];
        arguments.extend(names.iter().map(|name| format!("./{name}")));
        let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
        let mut logger = Subject::Ours.start(&arguments, dir.path(), feed.stdin());
        until("the directory is there", || dir.join(names[0]).is_dir());
        let newest = || collect::archives(&dir.join(names[0])).pop_last();
        for _ in 0..12 {
            let before = newest();
            until("the logger rotates", || newest() != before);
        }

        feed.end();
        assert!(logger.end().success());
        assert_eq!(messages(&dir), "", "{limit}");
    }
}

#[test]
fn a_directory_with_room_waits_for_a_full_one() {
    let Some((dir, disk)) = small_disk("size=300k") else { return };
    let feed = Feed::pipe(Lengths::Mixed, Pace::Saturated);
    let mut logger = start(&task(100_000_000, &["other", "main"]), &dir, &feed);
    until("the logger cannot write", || messages(&dir).contains("unable to write to ./main/current, pausing"));
    let length = |name: &str| fs::metadata(dir.join(name).join("current")).unwrap().len();
    let ahead = length("other") - length("main");
    assert!(ahead < 1_000_000, "the directory with room is {ahead} bytes ahead");

    disk.remount("size=500m");
    until("it writes again", || length("main") > 400_000);

    let written = feed.end();
    assert!(logger.end().success(), "{}", messages(&dir));
    check(&dir, "main", written);
    check(&dir, "other", written);
}

#[test]
fn a_logger_continues_when_a_disk_without_inodes_has_some_again() {
    let Some((dir, disk)) = small_disk("size=100m,nr_inodes=12") else { return };
    let feed = Feed::pipe(Lengths::Mixed, Pace::Bursts(20, Duration::from_millis(1)));
    let mut logger = start(&task(4096, &["main"]), &dir, &feed);
    until("the logger cannot make a file", || messages(&dir).contains("pausing: out of disk space"));

    let count = || fs::read_dir(dir.join("main")).unwrap().count();
    let before = count();
    disk.remount("size=100m,nr_inodes=1000000");
    until("it makes files again", || count() > before + 3);

    let written = feed.end();
    assert!(logger.end().success(), "{}", messages(&dir));
    check(&dir, "main", written);
}
