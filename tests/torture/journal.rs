//! A journal that somebody truncates, removes, overwrites or replaces: the logger goes on, and no line is lost. If the logger
//! is killed just then, at most one batch is logged twice.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::feed::{Feed, Pace};
use super::lines::Lengths;
use super::subject::{Subject, Target, Task};
use crate::torture::collect::Collected;
use crate::torture::verdict::Counts;
use testkit::logger::messages;
use testkit::{Workdir, until};

#[track_caller]
fn log_while(act: impl Fn(&Path)) {
    let dir = Workdir::new();
    let feed = Feed::pipe(Lengths::Ordinary, Pace::Saturated);
    let task = Task {
        is_stamped: true,
        size_bytes: 100_000,
        processor: None,
        targets: vec![Target { name: "main", without: None }],
    };
    let arguments = Subject::Ours.arguments(&task, dir.path());
    let mut collected = Collected::new(dir.join("main"), Counts::new(Lengths::Ordinary, true, b"abc"));
    let journal = dir.join("main/journal");
    for _ in 0..5 {
        let mut logger = Subject::Ours.start(&arguments, dir.path(), feed.stdin());
        until("there is a journal", || journal.exists());
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(3));
            act(&journal);
        }
        let early = logger.ended();
        assert!(early.is_none(), "{early:?}: {}", messages(&dir));
        logger.kill();
        collected.gather();
        act(&journal);
    }
    feed.stop();
    let mut last = Subject::Ours.start(&arguments, dir.path(), feed.stdin());
    let written = feed.end();
    assert!(last.end().success());
    let verdict = collected.finish(written);
    assert_eq!([verdict.lost, verdict.misplaced], [0, 0], "{verdict:?}");
    // After each of the five kills, the log may end within a line. Without a journal the next logger ends that line.
    assert!(verdict.torn <= 5, "{verdict:?}");
}

#[test]
fn an_emptied_journal_loses_nothing() {
    log_while(|journal| drop(fs::File::create(journal).unwrap()));
}

#[test]
fn a_removed_journal_loses_nothing() {
    log_while(|journal| drop(fs::remove_file(journal)));
}

#[test]
fn a_journal_of_garbage_loses_nothing() {
    log_while(|journal| {
        let mut file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(journal).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
    });
}

#[test]
fn a_journal_of_another_length_loses_nothing() {
    log_while(|journal| {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(journal).unwrap();
        file.set_len(if file.metadata().unwrap().len() == 4096 { 100_000 } else { 100 }).unwrap();
    });
}

#[test]
fn a_foreign_journal_is_not_trusted() {
    let other = Workdir::new();
    let feed = Feed::pipe(Lengths::Ordinary, Pace::Saturated);
    let logger = Subject::Ours.start(&["t", "./main"], other.path(), feed.stdin());
    until("there is a journal", || other.join("main/journal").exists());
    until("it tells of a batch", || {
        fs::read(other.join("main/journal")).is_ok_and(|page| page.starts_with(b"LOGYARD"))
    });
    logger.kill();
    let foreign = fs::read(other.join("main/journal")).unwrap();

    log_while(|journal| {
        let mut file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(journal).unwrap();
        file.write_all(&foreign).unwrap();
    });

    // Let its writer go.
    feed.stop();
    let mut last = Subject::Ours.start(&["t", "./main"], other.path(), feed.stdin());
    feed.end();
    assert!(last.end().success());
}
