//! What the integration tests of all crates share.
//!
//! - [`Workdir`]: a directory for one test. [`until`]: waits for a condition. [`skipped`]: says what was not tested, and why.
//! - [`program`]: a program under test. [`peer`], [`tool`], [`strace`]: a program of the system, if it is installed.
//! - [`executable`]: scripts and copies of programs that a test makes and runs.
//! - [`logger`]: multilog and 0.76's, processes that end with their test, and [`logger::LoggerFixture`].
//! - [`service_fixture`]: services, and the supervision programs of ours and 0.76.
//! - [`replaced_programs`]: svscan and supervise that are replaced by other files while they run.
//! - [`logdir`]: the files of a log directory. [`corpus`]: logs to test with.
//! - [`unread`]: a standard error that is full and that nobody reads. [`mounted`]: file systems for one test.
//! - [`terminal`]: a terminal that a program under test has for itself.
//! - [`kernels`]: programs that run where the system refuses a call.

#![allow(missing_docs, missing_debug_implementations, clippy::unwrap_used)] // Tests are its only readers.

pub mod corpus;
pub mod executable;
pub mod kernels;
pub mod logdir;
pub mod logger;
pub mod mounted;
mod programs;
pub mod replaced_programs;
pub mod service_fixture;
mod spawn;
pub mod terminal;
pub mod unread;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use programs::{program, program_directory, program_of_crate};

/// How long a test waits for a condition before it fails. Generous: it is reached only by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A directory that belongs to one test. Dropped, it is removed.
#[derive(Debug)]
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

/// The processor time that a process has used, in ticks of which there are 100 a second.
#[must_use]
pub fn processor_ticks(process: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// Fails if two long texts differ, and shows the place where they begin to differ.
#[track_caller]
pub fn assert_same(found: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    assert_same_in("the text", found, expected);
}

/// The same, with the name of what is compared.
#[track_caller]
pub fn assert_same_in(what: &str, found: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let (found, expected) = (found.as_ref(), expected.as_ref());
    if found == expected {
        return;
    }
    let same = found.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let line = 1 + found[..same].iter().filter(|&&byte| byte == b'\n').count();
    let around = |text: &[u8]| text[same.saturating_sub(60)..text.len().min(same + 60)].escape_ascii().to_string();
    panic!(
        "{what} differs from byte {same} on, in line {line}\n   found, {} bytes: …{}…\nexpected, {} bytes: …{}…",
        found.len(),
        around(found),
        expected.len(),
        around(expected)
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

/// strace, if it is installed and may trace; `None`, with a notice that names what was not done, if not.
pub fn strace(not_done: &str) -> Option<Command> {
    let program = tool("strace")?;
    let mut trial = Command::new(&program);
    trial.args(["-qq", "-o", "/dev/null", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    let may_trace = trial.status().is_ok_and(|status| status.success());
    if !may_trace {
        skipped(format_args!("strace may not trace here, so {not_done}"));
    }
    may_trace.then(|| Command::new(program))
}

/// Tells whether the tests run as root; if not, says what was not tested.
pub fn is_root(what: impl std::fmt::Display) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        skipped(format_args!("{what}: only root can"));
    }
    is_root
}

/// Says what was not tested, and why.
pub fn skipped(what: impl std::fmt::Display) {
    report(format_args!("SKIPPED: {what}"));
}

/// Prints a line about the tests as a whole, once. It goes straight to standard error, because the harness shows nothing that
/// a passing test prints.
pub fn report(what: impl std::fmt::Display) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("{what}\n");
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
