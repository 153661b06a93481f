//! The long versions: `cargo test --release -p readlog -- --ignored`.

use std::io::Write;

use logyard::sys::signal::Signal;

use super::cursor::kill_again_and_again;
use super::follow::{follower, logger, numbered, text};
use super::log_directory;
use testkit::logger::Multilog;
use testkit::{Workdir, until};

#[test]
#[ignore = "takes minutes"]
fn every_line_of_two_hundred_killed_readers_is_printed_once() {
    for (processor, through_pipe) in [(None, false), (None, true), (Some("!cat"), true)] {
        kill_again_and_again(&Workdir::in_memory(), 200, 100_000, processor, through_pipe);
    }
}

/// The reader is stopped from time to time; what is missing then is told, and everything else is printed once.
fn follow(rotations: u64, script: &[&str]) {
    let dir = Workdir::in_memory();
    log_directory(&dir, "main", &[]);
    let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
    let (mut logger, mut input) = logger(&dir, Multilog::Ours, script);
    // 4096 bytes at most in a file, of lines of 26 and about 47 bytes.
    let count = rotations * 30;
    input.write_all(numbered(0, 1).as_bytes()).unwrap();
    until("the first line was printed", || !text(&dir, "out").is_empty());
    for (i, from) in (0..count).step_by(300).enumerate() {
        match i % 200 {
            150 => reader.signal(Signal::SIGSTOP),
            160 => reader.signal(Signal::SIGCONT),
            _ => {}
        }
        input.write_all(numbered(from.max(1), from + 300).as_bytes()).unwrap();
    }
    reader.signal(Signal::SIGCONT);
    drop(input);
    // All of it may take longer than anything is waited for: what counts is that it goes on.
    let printed = || std::fs::metadata(dir.join("out")).map_or(0, |out| out.len());
    while logger.is_alive() {
        let before = printed();
        until("the logger goes on", || !logger.is_alive() || printed() > before);
    }
    logger.end();
    let end = format!("{} ", count - 1);
    until("the last line was printed", || text(&dir, "out").lines().last().is_some_and(|line| line.starts_with(&end)));
    reader.signal(Signal::SIGINT);
    reader.end();

    let out = text(&dir, "out");
    let numbers: Vec<u64> = out.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(numbers.is_sorted_by(|one, next| one < next), "a line was printed twice or out of order");
    let told = text(&dir, "err").lines().filter(|line| line.contains("files were removed from main")).count();
    assert_eq!(told, gaps, "{}", text(&dir, "err"));
    assert_eq!(numbers.first(), Some(&0));
}

#[test]
fn a_reader_that_is_stopped_at_times_misses_only_what_it_says() {
    follow(1000, &["t", "s4096", "n3", "./main"]);
    follow(100, &["t", "s4096", "n3", "!cat", "./main"]);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_rotations_are_followed() {
    follow(100_000, &["t", "s4096", "n3", "./main"]);
    follow(100_000, &["t", "s4096", "n3", "!cat", "./main"]);
}
