//! Space that is preallocated for a log that grows fast: multilog frees it when the log is quiet, at its exit, and after a kill.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use logyard::sys::pipe::waiting_bytes;
use logyard_corpus::{Corpus, Shape};
use nix::sys::signal::Signal;

use testkit::logdir::{LogDirFiles, is_archive_name};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::until;

/// More space than this behind the end of a file was preallocated.
const SLACK_BYTES: u64 = 64 * 1024;
const FILE_BYTES: usize = 400_000;

/// A logger whose log grows so fast that it preallocates space.
struct Fast {
    fixture: LoggerFixture,
    logger: Running,
    corpus: Corpus,
}

fn script() -> [String; 4] {
    ["t".into(), format!("s{FILE_BYTES}"), "n4".into(), "./main".into()]
}

/// How much space a file has behind its end; `None` if it is not there, as `current` within a rotation.
fn slack_bytes(file: &Path) -> Option<u64> {
    fs::metadata(file).ok().map(|file| (file.blocks() * 512).saturating_sub(file.len()))
}

impl Fast {
    /// Starts the logger, and writes to it until `current` has more space than it fills.
    fn start() -> Fast {
        let fixture = LoggerFixture::new();
        let logger = fixture.start(&script());
        let mut fast = Fast { fixture, logger, corpus: Corpus::new(Shape::Qmail, 1, u64::MAX) };
        until("space is preallocated", || {
            fast.feed(FILE_BYTES / 8);
            // What was fed has been taken, so that nothing rotates afterwards.
            until("the pipe is empty", || waiting_bytes(&fast.fixture.output) == Ok(0));
            let current = fast.main().join("current");
            fast.has_spare()
                && fs::metadata(&current).is_ok_and(|current| current.len() > 0)
                && slack_bytes(&current).is_some_and(|bytes| bytes > SLACK_BYTES)
        });
        fast
    }

    fn main(&self) -> PathBuf {
        self.fixture.main()
    }

    fn feed(&mut self, bytes: usize) {
        let mut fed = 0;
        while fed < bytes {
            let line = self.corpus.next_line().unwrap();
            fed += line.len();
            self.fixture.write(line);
        }
    }

    /// Whether the logger holds a file of the directory that has no name.
    fn has_spare(&self) -> bool {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.logger.pid())).unwrap();
        descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).any(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('#') && name.ends_with("(deleted)")
        })
    }

    fn names_of_archives(&self) -> Vec<String> {
        LogDirFiles::read(&self.main()).archives().map(|(name, _)| name.to_owned()).collect()
    }
}

/// The directory has only its usual files, and none has more space than it needs.
#[track_caller]
fn check_files(main: &Path) {
    for entry in fs::read_dir(main).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(is_archive_name(name) || ["current", "journal", "lock", "state"].contains(&name), "{name}");
        let slack_bytes = slack_bytes(&path).unwrap();
        assert!(slack_bytes <= SLACK_BYTES, "{name} has {slack_bytes} bytes more than it needs");
    }
}

#[test]
fn preallocated_space_is_freed_when_the_log_is_quiet() {
    let fast = Fast::start();
    let current = fast.main().join("current");

    until("the space is freed", || {
        !fast.has_spare() && slack_bytes(&current).is_some_and(|bytes| bytes <= SLACK_BYTES)
    });

    check_files(&fast.main());
}

#[test]
fn preallocated_space_is_freed_at_exit_and_by_an_early_rotation() {
    let mut fast = Fast::start();
    let before = fast.names_of_archives();

    fast.logger.deliver(Signal::SIGALRM);
    until("it has rotated", || fast.names_of_archives().last() != before.last());
    fast.logger.deliver(Signal::SIGTERM);
    assert!(fast.logger.end().success());

    check_files(&fast.main());
}

#[test]
fn a_successor_frees_the_preallocated_space_of_a_killed_logger() {
    let Fast { fixture, logger, .. } = Fast::start();
    let main = fixture.main();
    // While its input is open: at the end of its input the logger would exit cleanly.
    logger.kill();

    // Without the pipe, so that the successor archives current.
    let mut next = Running::start(&mut Multilog::Ours.command(fixture.workdir.path(), &script()));
    assert!(next.end().success());

    check_files(&main);
    let last = LogDirFiles::read(&main).archives().last().map(|(name, _)| name.to_owned()).unwrap();
    assert!(last.ends_with(".u"), "{last}");
}
