//! Old archives: kills of idle loggers change none, and a clock that was wrong does not disturb their order.
//!
//! The clock itself cannot be set for one process here: our programs are static, and time namespaces do not cover the
//! time of day. A directory full of names from another year is what a logger meets after the clock was set; a clock that
//! changes while a logger runs is tested with the simulated directory.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::lines::{self, Lengths};
use super::subject::Subject;
use crate::torture::collect;
use testkit::{Workdir, until};

const YEAR_SECONDS: u64 = 365 * 24 * 3600;

fn log_lines(dir: &Path, script: &[&str], numbers: std::ops::Range<u64>) {
    let (reading_end, mut writing_end) = std::io::pipe().unwrap();
    let mut logger = Subject::Ours.start(script, dir, reading_end);
    for number in numbers {
        let mut line = Vec::new();
        lines::push(number, Lengths::Ordinary, &mut line);
        writing_end.write_all(&line).unwrap();
    }
    drop(writing_end);
    assert!(logger.end().success());
}

#[test]
fn a_hundred_kills_of_idle_loggers_change_no_archive() {
    let dir = Workdir::new();
    log_lines(dir.path(), &["s4096", "n4", "./main"], 0..200);
    // Without a rotation: now there is something in current.
    log_lines(dir.path(), &["s100000", "n4", "./main"], 200..201);
    let history = || {
        let main = dir.join("main");
        let archives = collect::archives(&main);
        archives.into_iter().map(|name| (fs::read(main.join(&name)).unwrap(), name)).collect::<Vec<_>>()
    };
    let current = fs::read(dir.join("main/current")).unwrap();
    let before = history();
    assert_eq!(before.len(), 3);
    assert!(!current.is_empty());
    let (reading_end, _writing_end) = std::io::pipe().unwrap();
    let script = ["s4096", "n4", "./main"];

    for _ in 0..100 {
        let stdin = reading_end.try_clone().unwrap();
        let logger = Subject::Ours.start(&script, dir.path(), stdin);
        let descriptors = format!("/proc/{}/fd", logger.pid());
        until("the logger has current open", || {
            let is_open = fs::read_dir(&descriptors)
                .unwrap()
                .flatten()
                .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|file| file.ends_with("main/current")));
            let is_ready = |current: fs::Metadata| current.permissions().mode() & 0o777 == 0o644;
            is_open && fs::metadata(dir.join("main/current")).is_ok_and(is_ready)
        });
        logger.kill();
    }

    // The journal shows each time that current is whole.
    assert_eq!(history(), before);
    assert_eq!(fs::read(dir.join("main/current")).unwrap(), current);
}

/// Makes a hundred archives with names of this time, logs, and checks the names and the contents of what is kept.
#[track_caller]
fn log_among_names_from(seconds: u64) {
    let dir = Workdir::new();
    let main = dir.join("main");
    fs::create_dir(&main).unwrap();
    for number in 0..100 {
        let name = format!("@{:016x}{:08x}.s", (1 << 62) + 10 + seconds, number);
        File::create(main.join(name)).unwrap().write_all(b"old\n").unwrap();
    }
    let newest_old = collect::archives(&main).last().unwrap().clone();

    log_lines(dir.path(), &["s4096", "n10", "./main"], 0..600);
    let names = collect::archives(&main);
    log_lines(dir.path(), &["s4096", "n10", "./main"], 600..1200);

    assert_eq!(names.len(), 9);
    let is_newer = names.iter().filter(|&name| name.as_os_str() > newest_old.as_os_str()).count();
    let is_later = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() < seconds;
    assert!(is_newer == 9, "{is_newer} names of 9 follow {}, later: {is_later}", newest_old.display());
    let log = collect::all(&main);
    let kept: Vec<u64> = log
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| lines::recognise(line, Lengths::Ordinary).expect("only what was logged last is left"))
        .collect();
    assert!(kept.len() > 100);
    assert_eq!(kept, (1200 - kept.len() as u64..1200).collect::<Vec<_>>());
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn archive_names_increase_after_the_clock_was_set_back_a_year() {
    log_among_names_from(now() + YEAR_SECONDS);
}

#[test]
fn archive_names_increase_after_the_clock_was_set_forward_two_years() {
    log_among_names_from(now() - 2 * YEAR_SECONDS);
}
