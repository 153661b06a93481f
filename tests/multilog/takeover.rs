//! Recovery: the disk states of `doc/logdir.md`, made by hand and by killing loggers, ours and 0.76's.

use std::io::{Write, pipe};
use std::path::Path;

use testkit::logdir::{LogDirFiles, current_bytes, is_archive_name, is_in_use, put};
use testkit::logger::{Multilog, Running, Stray};
use testkit::{Workdir, until};

/// A disk state: files with their modes, and what must have become of them.
struct DiskState {
    name: &'static str,
    files: &'static [(&'static str, u32, &'static str)],
    /// A file that has an archive's name too.
    linked: Option<&'static str>,
    /// The letter, mode and text of each archive that is made, in order.
    archives: &'static [(char, u32, &'static str)],
    /// What current begins with, and what state holds.
    current: &'static str,
    state: Option<&'static str>,
}

const DISK_STATES: &[DiskState] = &[
    DiskState {
        name: "a clean exit",
        files: &[("current", 0o744, "old\n"), ("state", 0o644, "kept")],
        linked: None,
        archives: &[],
        current: "old\n",
        state: Some("kept"),
    },
    DiskState {
        name: "a clean exit, with files that are not touched",
        files: &[
            ("current", 0o744, "old\n"),
            ("processed", 0o744, "x"),
            ("newstate", 0o644, "y"),
            ("notes", 0o600, "z"),
        ],
        linked: None,
        archives: &[],
        current: "old\n",
        state: None,
    },
    DiskState {
        name: "nothing but the directory",
        files: &[],
        linked: None,
        archives: &[],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "killed while appending",
        files: &[("current", 0o644, "torn"), ("state", 0o644, "kept")],
        linked: None,
        archives: &[('u', 0o644, "torn")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "killed before current had its mode",
        files: &[("current", 0o600, "torn"), ("state", 0o644, "kept")],
        linked: None,
        archives: &[('u', 0o600, "torn")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[1] killed after current was renamed",
        files: &[("previous", 0o644, "old\n"), ("state", 0o644, "kept")],
        linked: None,
        archives: &[('u', 0o644, "old\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[2] killed when previous was on the disk",
        files: &[("previous", 0o744, "old\n"), ("current", 0o644, "new\n"), ("state", 0o644, "kept")],
        linked: None,
        archives: &[('u', 0o744, "old\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[3] killed while processing",
        files: &[
            ("previous", 0o744, "old\n"),
            ("processed", 0o644, "ol"),
            ("newstate", 0o644, "half"),
            ("current", 0o644, "new\n"),
            ("state", 0o644, "kept"),
        ],
        linked: None,
        archives: &[('u', 0o744, "old\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[4] killed when processed was complete",
        files: &[
            ("previous", 0o744, "old\n"),
            ("processed", 0o744, "OLD\n"),
            ("newstate", 0o644, "next"),
            ("current", 0o644, "new\n"),
            ("state", 0o644, "kept"),
        ],
        linked: None,
        archives: &[('s', 0o744, "OLD\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[5] killed when previous was gone",
        files: &[("processed", 0o744, "OLD\n"), ("current", 0o644, "new\n"), ("state", 0o644, "next")],
        linked: None,
        archives: &[('s', 0o744, "OLD\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[6] killed when processed had both names",
        files: &[("processed", 0o744, "OLD\n"), ("current", 0o644, "new\n"), ("state", 0o644, "next")],
        linked: Some("processed"),
        archives: &[('s', 0o744, "OLD\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "[6] killed when previous had both names",
        files: &[("previous", 0o744, "old\n"), ("current", 0o644, "new\n"), ("state", 0o644, "kept")],
        linked: Some("previous"),
        archives: &[('s', 0o744, "old\n"), ('u', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
    DiskState {
        name: "killed in recovery, when current had both names",
        files: &[("current", 0o644, "new\n")],
        linked: Some("current"),
        archives: &[('s', 0o644, "new\n")],
        current: "",
        state: Some(""),
    },
];

#[test]
fn every_disk_state_is_recovered_as_by_0_76() {
    for multilog in Multilog::installed() {
        for state in DISK_STATES {
            let shown = format!("{multilog:?}: {}", state.name);
            let workdir = Workdir::new();
            let main = workdir.join("main");
            std::fs::create_dir(&main).unwrap();
            for (name, mode, text) in state.files {
                put(&main.join(name), *mode, text.as_bytes());
            }
            if let Some(name) = state.linked {
                std::fs::hard_link(main.join(name), main.join("@4000000037c219bf2ef02e94.s")).unwrap();
            }

            log_to_end(multilog, workdir.path(), &["./main"], b"line\n");

            let files = LogDirFiles::read(&main);
            let archives: Vec<(char, u32, &str)> = files
                .archives()
                .map(|(name, found)| {
                    assert!(is_archive_name(name) && found.links == 1, "{shown}: {name} with {} links", found.links);
                    (name.chars().last().unwrap(), found.mode, std::str::from_utf8(&found.bytes).unwrap())
                })
                .collect();
            assert_eq!(archives, state.archives, "{shown}");
            let current = files.file("current");
            assert_eq!(
                (current.mode, &current.bytes[..]),
                (0o744, format!("{}line\n", state.current).as_bytes()),
                "{shown}"
            );
            assert_eq!(files.0.get("state").map(|found| &found.bytes[..]), state.state.map(str::as_bytes), "{shown}");
            assert!(!files.0.contains_key("previous"), "{shown}");
        }
    }
}

#[test]
fn an_empty_current_makes_no_archive() {
    let workdir = Workdir::new();
    std::fs::create_dir(workdir.join("main")).unwrap();
    put(&workdir.join("main/current"), 0o644, b"");
    put(&workdir.join("main/@4000000037c219bf2ef02e94.s"), 0o744, b"history\n");

    log_to_end(Multilog::Ours, workdir.path(), &["n2", "./main"], b"");

    let files = LogDirFiles::read(&workdir.join("main"));
    assert_eq!(files.joined(), b"history\n");
    assert_eq!(files.archives().count(), 1);
}

#[test]
fn a_previous_beside_a_clean_current_is_kept_as_an_archive() {
    let workdir = Workdir::new();
    std::fs::create_dir(workdir.join("main")).unwrap();
    put(&workdir.join("main/current"), 0o744, &b"clean\n".repeat(600));
    put(&workdir.join("main/previous"), 0o644, b"a stranger's\n");

    log_to_end(Multilog::Ours, workdir.path(), &["s4096", "./main"], &b"new\n".repeat(200));

    let files = LogDirFiles::read(&workdir.join("main"));
    let (name, found) = files.archives().next().unwrap();
    assert!(name.ends_with(".u"), "{name}");
    assert_eq!(found.bytes, b"a stranger's\n");
    assert_eq!(files.joined().len(), 13 + 6 * 600 + 4 * 200);
}

/// Where a logger is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Lines are in current, and it waits for more.
    Waiting,
    /// Its processor has not written anything.
    BeforeOutput,
    /// Its processor has written everything and has not ended.
    AfterOutput,
}

#[test]
fn a_successor_keeps_what_a_killed_logger_had_written() {
    let installed = Multilog::installed();
    for killed in &installed {
        for next in &installed {
            for moment in [Moment::Waiting, Moment::BeforeOutput, Moment::AfterOutput] {
                kill_and_take_over(*killed, *next, moment);
            }
        }
    }
}

fn kill_and_take_over(killed: Multilog, next: Multilog, moment: Moment) {
    let shown = format!("{killed:?} killed {moment:?}, then {next:?}");
    let workdir = Workdir::new();
    let main = workdir.join("main");
    let processor = match moment {
        Moment::Waiting => "!cat",
        Moment::BeforeOutput => "!echo $$ >../pid; kill -STOP $$; cat",
        Moment::AfterOutput => "!cat; echo kept >&5; echo $$ >../pid; kill -STOP $$",
    };
    let (input, mut output) = pipe().unwrap();
    let script = ["s4096", processor, "./main"];
    let logger = Running::start(killed.command(workdir.path(), &script).stdin(input.try_clone().unwrap()));
    until("the logger works", || is_in_use(&main));
    let mut written = Vec::new();
    let lines_max = if matches!(moment, Moment::Waiting) { 9 } else { usize::MAX };
    // A line at a time, so that nothing but what is in the directory has been read.
    for number in 0..lines_max {
        let line = format!("{:<80}\n", format!("line {number}"));
        output.write_all(line.as_bytes()).unwrap();
        written.extend_from_slice(line.as_bytes());
        let is_rotated = || main.join("previous").exists();
        until("the line is written", || is_rotated() || current_bytes(&main) == Some(written.len() as u64));
        // A rotation follows the line that fills the file, if one does.
        if written.len() >= 4096 - 2000 {
            until("the file is rotated", is_rotated);
            break;
        }
    }
    let stopped = (!matches!(moment, Moment::Waiting)).then(|| {
        let processor = Stray::from_file(&workdir.join("pid"));
        until("the processor has stopped", || processor.is_stopped());
        processor
    });

    logger.kill();
    drop(stopped);
    output.write_all(b"the next line\n").unwrap();
    drop(output);
    let mut logger = Running::start(next.command(workdir.path(), &["s4096", "!cat", "./main"]).stdin(input));
    let status = logger.end();

    let files = LogDirFiles::read(&main);
    written.extend_from_slice(b"the next line\n");
    assert!(status.success(), "{shown}: {status}");
    assert_eq!(files.joined(), written, "{shown}");
    // 0.76 does not know our journal, and does not remove it.
    let journal: &[&str] = if killed == Multilog::Ours && next != Multilog::Ours { &["journal"] } else { &[] };
    let expected = [&["current"][..], journal, &["lock", "state"]].concat();
    assert_eq!(files.fixed_names(), expected, "{shown}");
    // Ours shows its successor that current is whole; anything else becomes an archive.
    let is_kept = [killed, next] == [Multilog::Ours; 2] && matches!(moment, Moment::Waiting);
    let current = if is_kept { &written[..] } else { b"the next line\n" };
    assert_eq!(files.file("current").bytes, current, "{shown}");
    assert!(files.archives().all(|(name, _)| is_archive_name(name) && name.ends_with(".u")), "{shown}");
}

/// Logs an input to its end.
#[track_caller]
fn log_to_end(multilog: Multilog, directory: &Path, script: &[&str], input: &[u8]) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(input).unwrap();
    drop(writer);
    let (status, words) = Running::start(multilog.command(directory, script).stdin(reader)).end_and_words();
    assert!(status.success() && words.is_empty(), "{multilog:?}: {status}, {words}");
}
