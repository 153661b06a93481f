//! A logger that was killed, and its successor: the successor appends to `current` if the journal shows that it is whole, and
//! completes a batch by the rules that it was begun with.

use std::fs;
use std::io::Write;
use std::path::Path;

use logyard::logdir::checksum::hash;
use logyard::multilog::journal::layout;
use logyard::sys::pipe::waiting_bytes;
use logyard::sys::signal::{self, Signal};

use testkit::logdir::{LogDirFiles, current_bytes, put, without_stamps};
use testkit::logger::{LoggerFixture, Running};
use testkit::{assert_same_in, strace, until};

fn numbered(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:06} abcdefghijklmnopqrstuvwxyz\n").into_bytes()).collect()
}

/// What is not tested without strace.
const NOT_DONE: &str = "no logger was killed at a system call, and no call made to fail";

/// Logs some lines by a logger that is killed when all of them are in `current`.
#[track_caller]
fn log_and_kill(script: &[&str], lines: &[u8]) -> LoggerFixture {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start(script);
    fixture.write(lines);
    fixture.until_current(lines.len());
    // If it is killed before, its successor finds the lines in the pipe, and cannot know that they are logged.
    until("the lines are removed from the pipe", || waiting_bytes(&fixture.output) == Ok(0));
    logger.kill();
    fixture
}

/// Logs some lines by a logger that is killed at one of its system calls; `None`, with a notice, if strace cannot do that.
#[track_caller]
fn log_and_kill_at(call: &str, when: u32, script: &[&str], lines: &[u8]) -> Option<LoggerFixture> {
    let strace = strace(NOT_DONE)?;
    let LoggerFixture { workdir, input, output } = LoggerFixture::with_input(lines);
    // At the end of its input the logger exits if it was not killed.
    drop(output);
    let (_, output) = std::io::pipe().unwrap();
    let fixture = LoggerFixture { workdir, input, output };
    fixture.start_traced(strace, &format!("{call}:signal=SIGKILL:when={when}"), script).end();
    Some(fixture)
}

#[track_caller]
fn assert_is_unfinished_archive(files: &LogDirFiles) -> &[u8] {
    let archives: Vec<_> = files.archives().collect();
    assert!(archives.len() == 1 && archives[0].0.ends_with(".u"), "{archives:?}");
    &archives[0].1.bytes
}

#[test]
fn a_hundred_kills_keep_all_lines_in_current() {
    for is_one_pipe in [true, false] {
        let mut fixture = LoggerFixture::new();
        for kills in 0..100 {
            if !is_one_pipe {
                (fixture.input, fixture.output) = std::io::pipe().unwrap();
            }
            let logger = fixture.start(&["n10", "./main"]);
            fixture.write(numbered(kills * 20..kills * 20 + 20));
            fixture.until_current(numbered(0..kills * 20 + 20).len());
            logger.kill();
        }
        let (workdir, _) = fixture.log_rest(&["n10", "./main"]);

        let files = LogDirFiles::read(&workdir.join("main"));
        assert_same_in("current", &files.file("current").bytes, numbered(0..2000));
        assert_eq!(files.archives().count(), 0);
        assert_eq!(files.fixed_names(), ["current", "lock", "state"]);
    }
}

#[test]
fn the_state_of_a_processor_survives_a_kill_between_rotations() {
    let mut fixture = LoggerFixture::new();
    let main = fixture.main();
    let script = ["s4096", "!cat; cat <&4 >&5; echo x >&5", "./main"];
    for kills in 0..3 {
        let logger = fixture.start(&script);
        // Two thirds of a file each.
        fixture.write(numbered(kills * 50..kills * 50 + 50));
        until("the lines are logged, and the file before is finished", || {
            let names = fs::read_dir(&main).into_iter().flatten().flatten().map(|entry| entry.file_name());
            let logs: Vec<_> = names.filter(|name| name == "current" || name.as_encoded_bytes()[0] == b'@').collect();
            let bytes =
                logs.iter().filter_map(|name| fs::metadata(main.join(name)).ok()).map(|log| log.len()).sum::<u64>();
            let is_finished = ["previous", "processed"].iter().all(|name| !main.join(name).exists());
            bytes == numbered(0..kills * 50 + 50).len() as u64 && is_finished
        });
        logger.kill();
    }
    let (_workdir, _) = fixture.log_rest(&script);

    let files = LogDirFiles::read(&main);
    assert_same_in("the log", files.joined(), numbered(0..150));
    let archives = files.archives().count();
    assert!(archives >= 1 && files.archives().all(|(name, _)| name.ends_with(".s")));
    assert_eq!(files.file("state").bytes, "x\n".repeat(archives).as_bytes());
}

#[test]
fn a_current_that_another_process_changed_becomes_an_archive() {
    for act in [
        (|main| drop(fs::OpenOptions::new().append(true).open(main).unwrap().write_all(b"mine\n"))) as fn(&Path),
        |main| fs::OpenOptions::new().write(true).open(main).unwrap().set_len(9).unwrap(),
        |main| fs::hard_link(main, main.with_file_name("mine")).unwrap(),
        |main| {
            let bytes = fs::read(main).unwrap();
            fs::rename(main, main.with_file_name("mine")).unwrap();
            put(main, 0o644, &bytes);
        },
    ] {
        let fixture = log_and_kill(&["./main"], &numbered(0..20));
        let current = fixture.main().join("current");
        assert_eq!(fs::read(&current).unwrap(), numbered(0..20));
        act(&current);
        let found = fs::read(&current).unwrap();
        let (workdir, _) = fixture.log_rest(&["./main"]);

        let files = LogDirFiles::read(&workdir.join("main"));
        assert!(assert_is_unfinished_archive(&files).starts_with(&found));
        assert_eq!(files.file("current").bytes, b"");
    }
}

/// Computes the checksum of a journal's heading anew, as the table in `journal::layout` says.
fn update_heading_checksum(page: &mut [u8]) {
    let heading_bytes = u32::from_le_bytes(page[16..20].try_into().unwrap());
    let heading = &page[32..][..usize::try_from(heading_bytes).unwrap()];
    let checksum = hash([&page[16..24], heading]);
    page[24..32].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn a_journal_of_another_boot_or_version_is_not_trusted() {
    // Byte 7 is the version. Byte 48 is in the boot, which the heading's checksum covers: unless the checksum is made anew, it
    // rejects the journal before the boot is compared.
    for (at, is_checksum_valid) in [(7, true), (48, false), (48, true)] {
        let fixture = log_and_kill(&["./main"], &numbered(0..20));
        let journal = fixture.main().join("journal");
        let mut page = fs::read(&journal).unwrap();
        page[at] ^= 1;
        if is_checksum_valid {
            update_heading_checksum(&mut page);
        }
        assert_eq!(layout::read(&page).is_some(), at == 48 && is_checksum_valid);
        fs::write(journal, page).unwrap();
        let (workdir, _) = fixture.log_rest(&["./main"]);

        let files = LogDirFiles::read(&workdir.join("main"));
        assert_is_unfinished_archive(&files);
        assert_same_in("the log", files.joined(), numbered(0..20));
    }
}

/// A killed logger's script and its successor's; both log everything to `./main`.
const CHANGES: &[(&[&str], &[&str])] = &[
    (&["n10", "./main"], &["n20", "./main"]),
    (&["t", "n10", "./main"], &["./main"]),
    (&["./main"], &["t", "s4096", "n10", "./main"]),
    (&["s16000", "n90", "./main"], &["s4096", "n90", "./main"]),
    (&["./main"], &["!cat", "./main"]),
    (&["./other", "./main"], &["./main", "./other"]),
    (&["./main"], &["./other", "./main"]),
    (&["./other", "./main"], &["./more", "./main", "./other"]),
    (&["./main", "-*", "./other"], &["-*", "./other", "+*", "./main"]),
];

#[test]
fn a_successor_with_another_script_completes_a_batch_once() {
    for (before, after) in CHANGES {
        for call in ["write", "readv"] {
            for when in 1..=4 {
                let Some(fixture) = log_and_kill_at(call, when, before, &numbered(0..400)) else { return };
                let (workdir, words) = fixture.log_rest(after);

                let log = without_stamps(&LogDirFiles::read(&workdir.join("main")).joined());
                let shown = format!("{before:?}, then {after:?}, killed at {call} {when}");
                assert_same_in(&shown, log, numbered(0..400));
                assert_eq!(words, "", "{shown}");
            }
        }
    }
}

#[test]
fn bytes_for_a_directory_that_the_script_no_longer_names_are_reported() {
    // Before the second directory gets anything.
    let killed = log_and_kill_at("write", 2, &["./main", "./other"], &numbered(0..100));
    let Some(fixture) = killed else { return };
    assert_eq!(current_bytes(&fixture.main()), Some(numbered(0..100).len() as u64));
    assert_eq!(current_bytes(&fixture.workdir.join("other")), Some(0));

    let (workdir, words) = fixture.log_rest(&["n5", "./main"]);

    let left_out = numbered(0..100).len();
    assert_eq!(
        words,
        format!(
            "multilog: warning: {left_out} bytes of the last logger belong to directories that the script no longer names, \
             and are not written\n"
        )
    );
    assert_same_in("main", LogDirFiles::read(&workdir.join("main")).joined(), numbered(0..100));
    assert_eq!(current_bytes(&workdir.join("other")), Some(0));
}

#[test]
fn a_directory_that_was_replaced_gets_the_lines_again() {
    let killed = log_and_kill_at("write", 2, &["./main", "./other"], &numbered(0..100));
    let Some(fixture) = killed else { return };
    fs::rename(fixture.workdir.join("other"), fixture.workdir.join("old")).unwrap();

    let (workdir, _) = fixture.log_rest(&["./main", "./other"]);

    assert_same_in("other", LogDirFiles::read(&workdir.join("other")).joined(), numbered(0..100));
}

#[test]
fn a_copied_journal_removes_no_line() {
    let Some(fixture) = log_and_kill_at("write", 1, &["./main"], &numbered(0..100)) else { return };
    let copy = fixture.workdir.join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["journal", "current", "state"] {
        fs::copy(fixture.main().join(name), copy.join(name)).unwrap();
    }

    let (_workdir, _) = fixture.log_rest(&["./copy"]);

    assert_same_in("copy", LogDirFiles::read(&copy).joined(), numbered(0..100));
}

/// Logs where fsync fails, ends the logger, and lets successors find what it has left. `None`, with a notice, if strace cannot
/// make a call fail.
#[track_caller]
fn end_after_failed_fsync(
    inject: &str,
    script: &[&str],
    end: impl FnOnce(&LoggerFixture, Running),
) -> Option<LogDirFiles> {
    let strace = strace(NOT_DONE)?;
    let fixture = LoggerFixture::with_input(&numbered(0..20));
    let logger = fixture.start_traced(strace, inject, script);
    end(&fixture, logger);
    for _ in 0..2 {
        // Killed at once: what the first has found out is not lost with it.
        let logger = fixture.start(script);
        until("the next logger is ready", || {
            let journal = fs::read(fixture.main().join("journal"));
            journal.is_ok_and(|journal| journal.starts_with(b"LOGYARD")) && current_bytes(&fixture.main()) == Some(0)
        });
        logger.kill();
    }
    let (workdir, _) = fixture.log_rest(script);
    Some(LogDirFiles::read(&workdir.join("main")))
}

#[test]
fn a_current_whose_fsync_failed_becomes_an_unfinished_archive() {
    let wait = |_: &LoggerFixture, mut logger: Running| {
        logger.end();
    };
    let kill_after_message = |fixture: &LoggerFixture, logger: Running| {
        until("the failure is announced", || fixture.messages().contains("current to disk"));
        logger.end_traced_logger(Signal::SIGKILL);
    };
    let term = |fixture: &LoggerFixture, mut logger: Running| {
        fixture.until_current(numbered(0..20).len());
        signal::send(logger.traced_logger(), Signal::SIGTERM).unwrap();
        logger.end();
    };
    let (fails, fails_and_kills) = ("fsync:error=EIO:when=1", "fsync:error=EIO:signal=SIGKILL:when=1");
    type End = fn(&LoggerFixture, Running);
    let cases: [(&str, &[&str], End); 4] = [
        // Killed after the y fsync that failed, and in the same moment.
        (fails, &["y1", "./main"], kill_after_message),
        (fails_and_kills, &["y1", "./main"], wait),
        // The same at TERM.
        (fails, &["./main"], term),
        (fails_and_kills, &["./main"], term),
    ];
    for (inject, script, end) in cases {
        let Some(files) = end_after_failed_fsync(inject, script, end) else { return };

        assert_same_in("the archive", assert_is_unfinished_archive(&files), numbered(0..20));
        assert_eq!(files.file("current").bytes, b"");
    }
}

#[test]
fn a_processed_file_whose_fsync_failed_is_archived_once() {
    // The logger waits for input when TERM comes, or for the finisher, as the next file is full.
    for lines in [150, 400] {
        let Some(strace) = strace(NOT_DONE) else { return };
        let fixture = LoggerFixture::with_input(&numbered(0..lines));
        let script = ["s4096", "!cat", "./main"];
        // The finisher's third fsync: processed has its mode already.
        let logger = fixture.start_traced(strace, "fsync:error=EIO:when=3+", &script);
        until("the failure is announced, and the next file is as full as it will be", || {
            let filled_bytes = current_bytes(&fixture.main()).unwrap_or(0);
            fixture.messages().contains("processed to disk") && (lines < 200 || filled_bytes > 4000)
        });
        logger.end_traced_logger(Signal::SIGTERM);
        let (workdir, _) = fixture.log_rest(&script);

        let files = LogDirFiles::read(&workdir.join("main"));
        assert_same_in(&format!("the log of {lines} lines"), files.joined(), numbered(0..lines));
        assert!(["previous", "processed"].iter().all(|name| !files.0.contains_key(*name)));
    }
}
