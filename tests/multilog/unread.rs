//! A standard error that nobody reads delays nothing, and multilog counts the alerts that did not fit.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use logyard::sys::signal::Signal;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use};
use testkit::logger::{Multilog, Running};
use testkit::unread::{Kind, Unread};
use testkit::{Workdir, until};

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

#[test]
fn alerts_that_do_not_fit_are_dropped_and_counted() {
    for kind in Kind::ALL {
        let dir = Workdir::in_memory();
        let mut unread = Unread::new(kind, &dir);
        let mut logger = Running::start(
            Multilog::Ours.command(dir.path(), &["e", "./main"]).stdin(Stdio::piped()).stderr(unread.stdio()),
        );
        let mut input = logger.take_stdin();
        let text = lines(0..300);

        input.write_all(text.as_bytes()).unwrap();

        until("all lines are logged", || current_bytes(&dir.join("main")) == Some(text.len() as u64));
        assert!(unread.is_blocking(), "{kind:?}: others share it");
        // The warning comes without more input.
        let warning = "multilog: warning: standard error was full: 300 alerts dropped\n";
        let seen =
            unread.read_until(&format!("{kind:?}: it is said what was dropped"), |text| text.ends_with("dropped\n"));
        assert_eq!(seen, warning, "{kind:?}");
        input.write_all(b"one more\n").unwrap();
        let seen = unread.read_until(&format!("{kind:?}: alerts come again"), |text| text.ends_with("more\n"));
        assert_eq!(seen, "one more\n", "{kind:?}");
        drop(input);
        assert!(logger.end().success());
    }
}

#[test]
fn each_alert_is_read_or_counted() {
    let dir = Workdir::in_memory();
    let mut logger = Running::start(
        Multilog::Ours.command(dir.path(), &["e", "./main"]).stdin(Stdio::piped()).stderr(Stdio::piped()),
    );
    let mut input = logger.take_stdin();
    let text = lines(0..100_000);
    let writer = std::thread::spawn({
        let text = text.clone();
        move || input.write_all(text.as_bytes()).unwrap()
    });

    let (status, words) = logger.words_and_end();

    writer.join().unwrap();
    assert!(status.success());
    assert_eq!(LogDirFiles::read(&dir.join("main")).archives().count(), 9);
    let mut dropped = 0;
    let mut expected = text.lines();
    for line in words.lines() {
        match line.strip_prefix("multilog: warning: standard error was full: ") {
            Some(rest) => {
                // Only a machine that is busy with something else gets here.
                let number = rest.split(' ').next().unwrap().parse().unwrap();
                dropped += number;
                assert!(expected.by_ref().take(number).count() == number);
            }
            None => assert_eq!(Some(line), expected.next()),
        }
    }
    assert_eq!(expected.count(), 0, "{dropped} were dropped and said");
}

#[test]
fn messages_that_do_not_fit_delay_neither_logging_nor_term() {
    for kind in Kind::ALL {
        let dir = Workdir::in_memory();
        let mut unread = Unread::new(kind, &dir);
        let mut logger = Running::start(
            Multilog::Ours
                .command(dir.path(), &["nonsense", "s4096", "n100", "!echo x >> ../runs; exit 1", "./main"])
                .stdin(Stdio::piped())
                .stderr(unread.stdio()),
        );
        let mut input = logger.take_stdin();
        input.write_all(lines(0..300).as_bytes()).unwrap();
        until("the processor has failed twice", || fs::read_to_string(dir.join("runs")).is_ok_and(|x| x.len() >= 4));
        until("the logging goes on", || is_in_use(&dir.join("main")));

        logger.signal(Signal::SIGTERM);

        assert!(logger.end().success());
        drop(input);
        assert_eq!(
            String::from_utf8(LogDirFiles::read(&dir.join("main")).joined()).unwrap(),
            lines(0..300),
            "{kind:?}"
        );
        assert!(!unread.read().contains("nonsense"), "there was no room for that");
    }
}

#[test]
fn alerts_that_a_full_disk_refuses_are_counted() {
    let dir = Workdir::in_memory();
    let messages = dir.join("messages");
    fs::write(&messages, "x".repeat(1000)).unwrap();
    let file = fs::OpenOptions::new().append(true).open(&messages).unwrap();
    // No file may grow beyond 1000 bytes.
    let mut command = Command::new(env!("CARGO_BIN_EXE_softlimit"));
    command.args(["-f", "1000", env!("CARGO_BIN_EXE_multilog"), "e", "./main"]).current_dir(dir.path());
    let mut logger = Running::start(command.stdin(Stdio::piped()).stderr(file));
    let mut input = logger.take_stdin();
    input.write_all(b"one\ntwo\n").unwrap();
    until("both are logged", || current_bytes(&dir.join("main")) == Some(8));

    let file = fs::OpenOptions::new().write(true).open(&messages).unwrap();
    file.set_len(0).unwrap();
    input.write_all(b"three\n").unwrap();
    drop(input);

    assert!(logger.end().success());
    let mut said = String::new();
    fs::File::open(&messages).unwrap().read_to_string(&mut said).unwrap();
    // The message about the journal, which is too big for the limit, is one of them.
    let (warning, rest) = said.split_once('\n').unwrap();
    assert!(warning.starts_with("multilog: warning: standard error was full: 2 alerts"), "{said}");
    assert_eq!(rest, "three\n");
}
