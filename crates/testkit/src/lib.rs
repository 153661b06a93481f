//! What the integration tests share: a directory of their own, the programs under test, the peers, and patience.

#![allow(missing_docs, missing_debug_implementations, clippy::unwrap_used)] // Tests are its only readers.

pub mod corpus;
pub mod kernels;
pub mod logdir;
pub mod logger;
pub mod mounted;
mod programs;

pub use programs::program;
pub mod unread;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for a condition before it fails. Generous: it is reached only by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A directory that belongs to one test and goes with it.
pub struct Workdir(TempDir);

#[allow(clippy::new_without_default)] // Each test says when it makes one.
impl Workdir {
    pub fn new() -> Workdir {
        Workdir(TempDir::with_prefix("logyard-").expect("the temporary directory can be written"))
    }

    /// The same in memory where the system has such a place: for tests that make very many files.
    pub fn in_memory() -> Workdir {
        match TempDir::with_prefix_in("logyard-", "/dev/shm") {
            Ok(directory) => Workdir(directory),
            Err(_) => Workdir::new(),
        }
    }

    /// The same in another directory.
    pub fn inside(directory: &Path) -> Workdir {
        Workdir(TempDir::with_prefix_in("logyard-", directory).expect("the directory can be written"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Waits until `condition` holds; fails the test when it still does not after [`DEADLINE`].
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Fails if two long texts differ, and shows the first line that does.
#[track_caller]
pub fn assert_same(found: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let (found, expected) = (found.as_ref(), expected.as_ref());
    if found == expected {
        return;
    }
    let lines = |text| <[u8]>::split_inclusive(text, |&byte| byte == b'\n');
    let agreeing = lines(found).zip(lines(expected)).take_while(|(one, other)| one == other).count();
    let shown = |text| match lines(text).nth(agreeing) {
        Some(line) => format!("{:?}", String::from_utf8_lossy(&line[..line.len().min(500)])),
        None => "the end".to_owned(),
    };
    let count = |text| lines(text).count();
    panic!(
        "line {} differs (of {} found, {} expected)\n   found: {}\nexpected: {}",
        agreeing + 1,
        count(found),
        count(expected),
        shown(found),
        shown(expected)
    );
}

/// Where Debian's package puts a peer; `None`, with a notice, where it is not installed.
pub fn peer(program: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/bin").join(program);
    if path.exists() {
        return Some(path);
    }
    skipped(format_args!("{} is not installed, so nothing was compared with it", path.display()));
    None
}

/// Where a tool that a test needs is; `None`, with a notice, where it is not installed.
pub fn tool(program: &str) -> Option<PathBuf> {
    let path = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.exists());
    if path.is_none() {
        skipped(format_args!("there is no {program} here, which a test needs"));
    }
    path
}

/// Says what was not tested, and why.
pub fn skipped(what: impl std::fmt::Display) {
    report(format_args!("SKIPPED: {what}"));
}

/// Says something about the tests as a whole, once, to whoever runs them: past the harness, which keeps to itself what
/// a test that passes prints.
pub fn report(what: impl std::fmt::Display) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("{what}\n");
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
