//! What a killed logger leaves, and what the next one makes of it: `current` is appended to where the journal shows that it
//! is whole, and a batch is completed by the rules that it was begun with.

use std::fs;
use std::io::{PipeReader, Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use logyard::sys::signal::{self, Signal};

use testkit::logdir::{LogDirFiles, current_bytes, put, without_stamps};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, peer, skipped, until};

fn numbered(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:06} abcdefghijklmnopqrstuvwxyz\n").into_bytes()).collect()
}

/// Tells whether strace is there and works.
fn can_trace() -> bool {
    if peer("strace").is_none() {
        return false;
    }
    let mut trial = Command::new("/usr/bin/strace");
    let can =
        trial.args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !can {
        skipped("strace may not trace here, so nothing was made to fail");
    }
    can
}

/// A logger under strace, which makes a call fail or kills the logger there.
struct Traced(Running);

impl Traced {
    fn start(workdir: &Path, inject: &str, script: &[&str], input: &PipeReader) -> Traced {
        let mut strace = Command::new("/usr/bin/strace");
        let call = inject.split(':').next().expect("there is a first part");
        let options = [format!("trace={call}"), format!("inject={inject}")];
        strace.args(["-f", "-b", "execve", "-qq", "-o", "trace", "-e", &options[0], "-e", &options[1]]);
        strace.arg(Multilog::Ours.path()).args(script).current_dir(workdir);
        let messages = fs::File::create(workdir.join("messages")).unwrap();
        let stdin: Stdio = input.try_clone().unwrap().into();
        Traced(Running::start(strace.stdin(stdin).stderr(messages)))
    }

    /// The logger itself.
    fn pid(&self) -> i32 {
        let pid = self.0.pid();
        let mut child = None;
        until("strace has started the logger", || {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            child = children.split_whitespace().next().and_then(|child| child.parse().ok());
            child.is_some_and(|child: i32| {
                fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "multilog")
            })
        });
        child.unwrap()
    }

    /// Sends the logger a signal and waits until it is gone.
    fn end_by(mut self, signal: Signal) {
        signal::send(self.pid(), signal).unwrap();
        self.0.end();
    }

    /// Waits until strace has killed it, or it has left by itself.
    fn end(mut self) {
        self.0.end();
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Where the test failed: strace would go and leave the logger behind.
        if self.0.is_alive() {
            let _ = signal::send(self.pid(), Signal::SIGKILL);
        }
    }
}

/// Logs what is in a pipe, to its end.
#[track_caller]
fn log_to_end(workdir: &Path, script: &[&str], input: PipeReader) -> String {
    let (status, words) = Running::start(Multilog::Ours.command(workdir, script).stdin(input)).end_and_words();
    assert!(status.success(), "{status}: {words}");
    words
}

#[track_caller]
fn assert_same(found: &[u8], expected: &[u8], shown: &str) {
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| bytes[same.saturating_sub(40)..(same + 40).min(bytes.len())].escape_ascii().to_string();
    assert!(
        found == expected,
        "{shown}: {} and {} bytes, from {same} on {} and {}",
        found.len(),
        expected.len(),
        around(found),
        around(expected)
    );
}

#[test]
fn a_hundred_kills_with_twenty_lines_each_keep_all_lines_in_current() {
    for is_one_pipe in [true, false] {
        let workdir = Workdir::in_memory();
        let main = workdir.join("main");
        let (mut input, mut output) = pipe().unwrap();
        for kills in 0..100 {
            if !is_one_pipe {
                (input, output) = pipe().unwrap();
            }
            let mut command = Multilog::Ours.command(workdir.path(), &["n10", "./main"]);
            let logger = Running::start(command.stdin(input.try_clone().unwrap()));
            output.write_all(&numbered(kills * 20..kills * 20 + 20)).unwrap();
            let wanted = numbered(0..kills * 20 + 20).len() as u64;
            until("the lines are logged", || current_bytes(&main) == Some(wanted));
            logger.kill();
        }
        drop(output);
        log_to_end(workdir.path(), &["n10", "./main"], input);

        let files = LogDirFiles::read(&main);
        assert_same(&files.file("current").bytes, &numbered(0..2000), "current");
        assert_eq!(files.archives().count(), 0);
        assert_eq!(files.fixed_names(), ["current", "lock", "state"]);
    }
}

#[test]
fn what_the_processor_kept_is_kept_when_a_logger_is_killed_between_rotations() {
    let workdir = Workdir::in_memory();
    let main = workdir.join("main");
    let (input, mut output) = pipe().unwrap();
    let script = ["s4096", "!cat; cat <&4 >&5; echo x >&5", "./main"];
    for kills in 0..3 {
        let mut command = Multilog::Ours.command(workdir.path(), &script);
        let logger = Running::start(command.stdin(input.try_clone().unwrap()));
        // Two thirds of a file each.
        output.write_all(&numbered(kills * 50..kills * 50 + 50)).unwrap();
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
    drop(output);
    log_to_end(workdir.path(), &script, input);

    let files = LogDirFiles::read(&main);
    assert_same(&files.joined(), &numbered(0..150), "the log");
    let archives = files.archives().count();
    assert!(archives >= 1 && files.archives().all(|(name, _)| name.ends_with(".s")));
    assert_eq!(files.file("state").bytes, "x\n".repeat(archives).as_bytes());
}

#[test]
fn a_current_that_somebody_else_wrote_to_becomes_an_archive() {
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
        let workdir = Workdir::in_memory();
        let current = workdir.join("main/current");
        let (input, mut output) = pipe().unwrap();
        let logger =
            Running::start(Multilog::Ours.command(workdir.path(), &["./main"]).stdin(input.try_clone().unwrap()));
        output.write_all(&numbered(0..20)).unwrap();
        until("the lines are logged", || fs::read(&current).is_ok_and(|bytes| bytes == numbered(0..20)));
        logger.kill();
        act(&current);
        let found = fs::read(&current).unwrap();
        drop(output);
        log_to_end(workdir.path(), &["./main"], input);

        let files = LogDirFiles::read(&workdir.join("main"));
        let archives: Vec<_> = files.archives().collect();
        assert!(archives.len() == 1 && archives[0].0.ends_with(".u"), "{archives:?}");
        assert!(archives[0].1.bytes.starts_with(&found));
        assert_eq!(files.file("current").bytes, b"");
    }
}

#[test]
fn a_journal_of_another_boot_or_an_older_version_vouches_for_nothing() {
    for at in [7, 48] {
        let workdir = Workdir::in_memory();
        let main = workdir.join("main");
        let (input, mut output) = pipe().unwrap();
        let logger =
            Running::start(Multilog::Ours.command(workdir.path(), &["./main"]).stdin(input.try_clone().unwrap()));
        output.write_all(&numbered(0..20)).unwrap();
        until("the lines are logged", || current_bytes(&main) == Some(numbered(0..20).len() as u64));
        logger.kill();
        let mut journal = fs::read(main.join("journal")).unwrap();
        journal[at] ^= 1;
        fs::write(main.join("journal"), journal).unwrap();
        drop(output);
        log_to_end(workdir.path(), &["./main"], input);

        let files = LogDirFiles::read(&main);
        let archives: Vec<_> = files.archives().collect();
        assert!(archives.len() == 1 && archives[0].0.ends_with(".u"), "{archives:?}");
        assert_same(&files.joined(), &numbered(0..20), "the log");
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
fn a_successor_with_another_script_completes_what_was_begun_once() {
    if !can_trace() {
        return;
    }
    for (before, after) in CHANGES {
        for call in ["write", "readv"] {
            for when in 1..=4 {
                let workdir = Workdir::in_memory();
                let (input, mut output) = pipe().unwrap();
                output.write_all(&numbered(0..400)).unwrap();
                drop(output);
                let inject = format!("{call}:signal=SIGKILL:when={when}");
                Traced::start(workdir.path(), &inject, before, &input).end();
                let words = log_to_end(workdir.path(), after, input);

                let log = without_stamps(&LogDirFiles::read(&workdir.join("main")).joined());
                let shown = format!("{before:?}, then {after:?}, killed at {call} {when}");
                assert_same(&log, &numbered(0..400), &shown);
                assert_eq!(words, "", "{shown}");
            }
        }
    }
}

#[test]
fn what_belongs_to_a_directory_that_is_no_longer_named_is_left_out_and_announced() {
    if !can_trace() {
        return;
    }
    let workdir = Workdir::in_memory();
    let (input, mut output) = pipe().unwrap();
    output.write_all(&numbered(0..100)).unwrap();
    drop(output);
    // Before the second directory gets anything.
    Traced::start(workdir.path(), "write:signal=SIGKILL:when=2", &["./main", "./other"], &input).end();
    assert_eq!(current_bytes(&workdir.join("main")), Some(numbered(0..100).len() as u64));
    assert_eq!(current_bytes(&workdir.join("other")), Some(0));

    let words = log_to_end(workdir.path(), &["n5", "./main"], input);

    let left_out = numbered(0..100).len();
    assert_eq!(
        words,
        format!(
            "multilog: warning: {left_out} bytes of the last logger's belong to directories that are no longer named, \
             and are not written there\n"
        )
    );
    assert_same(&LogDirFiles::read(&workdir.join("main")).joined(), &numbered(0..100), "main");
    assert_eq!(current_bytes(&workdir.join("other")), Some(0));
}

#[test]
fn a_directory_that_was_made_anew_gets_the_lines_again() {
    if !can_trace() {
        return;
    }
    let workdir = Workdir::in_memory();
    let (input, mut output) = pipe().unwrap();
    output.write_all(&numbered(0..100)).unwrap();
    drop(output);
    Traced::start(workdir.path(), "write:signal=SIGKILL:when=2", &["./main", "./other"], &input).end();
    fs::rename(workdir.join("other"), workdir.join("old")).unwrap();

    log_to_end(workdir.path(), &["./main", "./other"], input);

    assert_same(&LogDirFiles::read(&workdir.join("other")).joined(), &numbered(0..100), "other");
}

#[test]
fn a_journal_that_was_copied_with_its_directory_takes_no_line_away() {
    if !can_trace() {
        return;
    }
    let workdir = Workdir::in_memory();
    let (input, mut output) = pipe().unwrap();
    output.write_all(&numbered(0..100)).unwrap();
    drop(output);
    Traced::start(workdir.path(), "write:signal=SIGKILL:when=1", &["./main"], &input).end();
    fs::create_dir(workdir.join("copy")).unwrap();
    for name in ["journal", "current", "state"] {
        fs::copy(workdir.join("main").join(name), workdir.join("copy").join(name)).unwrap();
    }

    log_to_end(workdir.path(), &["./copy"], input);

    assert_same(&LogDirFiles::read(&workdir.join("copy")).joined(), &numbered(0..100), "copy");
}

/// Logs where fsync fails, ends the logger, and says what the next one finds.
#[track_caller]
fn end_after_refusal(inject: &str, script: &[&str], end: impl FnOnce(Traced, &Path)) -> LogDirFiles {
    let workdir = Workdir::in_memory();
    let (input, mut output) = pipe().unwrap();
    output.write_all(&numbered(0..20)).unwrap();
    let logger = Traced::start(workdir.path(), inject, script, &input);
    end(logger, workdir.path());
    for _ in 0..2 {
        // Killed at once: what the first has found out is not lost with it.
        let mut command = Multilog::Ours.command(workdir.path(), script);
        let logger = Running::start(command.stdin(input.try_clone().unwrap()));
        until("the next logger is ready", || {
            let journal = fs::read(workdir.join("main/journal"));
            journal.is_ok_and(|journal| journal.starts_with(b"LOGYARD"))
                && current_bytes(&workdir.join("main")) == Some(0)
        });
        logger.kill();
    }
    drop(output);
    log_to_end(workdir.path(), script, input);
    LogDirFiles::read(&workdir.join("main"))
}

#[track_caller]
fn assert_is_unfinished_archive(files: &LogDirFiles) {
    let archives: Vec<_> = files.archives().collect();
    assert!(archives.len() == 1 && archives[0].0.ends_with(".u"), "{archives:?}");
    assert_same(&archives[0].1.bytes, &numbered(0..20), "the archive");
    assert_eq!(files.file("current").bytes, b"");
}

#[test]
fn a_current_that_the_disk_refused_becomes_an_unfinished_archive() {
    if !can_trace() {
        return;
    }
    let said = |workdir: &Path| {
        until("the failure is announced", || {
            fs::read_to_string(workdir.join("messages")).is_ok_and(|said| said.contains("current to disk"))
        });
    };
    // Killed after the y fsync that failed, and in the same moment.
    let files = end_after_refusal("fsync:error=EIO:when=1", &["y1", "./main"], |logger, workdir| {
        said(workdir);
        logger.end_by(Signal::SIGKILL);
    });
    assert_is_unfinished_archive(&files);
    let files = end_after_refusal("fsync:error=EIO:signal=SIGKILL:when=1", &["y1", "./main"], |logger, _| logger.end());
    assert_is_unfinished_archive(&files);
    // The same at TERM, and where the logger leaves by itself.
    let term = |logger: &Traced, workdir: &Path| {
        until("the lines are logged", || current_bytes(&workdir.join("main")) == Some(numbered(0..20).len() as u64));
        signal::send(logger.pid(), Signal::SIGTERM).unwrap();
    };
    for inject in ["fsync:error=EIO:when=1", "fsync:error=EIO:signal=SIGKILL:when=1"] {
        let files = end_after_refusal(inject, &["./main"], |logger, workdir| {
            term(&logger, workdir);
            logger.end();
        });
        assert_is_unfinished_archive(&files);
    }
}

#[test]
fn a_processed_file_that_the_disk_refused_is_archived_once() {
    if !can_trace() {
        return;
    }
    // The logger waits for input when TERM comes, or for the finisher, as the next file is full.
    for lines in [150, 400] {
        let workdir = Workdir::in_memory();
        let main = workdir.join("main");
        let (input, mut output) = pipe().unwrap();
        output.write_all(&numbered(0..lines)).unwrap();
        // The finisher's third fsync: processed has its mode already.
        let logger = Traced::start(workdir.path(), "fsync:error=EIO:when=3+", &["s4096", "!cat", "./main"], &input);
        until("the failure is announced, and the next file is as full as it will be", || {
            let said = fs::read_to_string(workdir.join("messages")).unwrap_or_default();
            let filled_bytes = current_bytes(&main).unwrap_or(0);
            said.contains("processed to disk") && (lines < 200 || filled_bytes > 4000)
        });
        logger.end_by(Signal::SIGTERM);
        drop(output);
        log_to_end(workdir.path(), &["s4096", "!cat", "./main"], input);

        let files = LogDirFiles::read(&main);
        assert_same(&files.joined(), &numbered(0..lines), &format!("{lines} lines"));
        assert!(!main.join("processed").exists() && !main.join("previous").exists());
    }
}
