//! The directory of all runs, and the process that removes it if logbench is killed.
//!
//! The sweeper is a process of its own. It reads from a pipe whose writing end only logbench holds, so it sees the end of the
//! pipe however logbench exits. Then it removes the directory.

use std::ffi::CString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::subject::quoted;
use logyard::cli::Exit;
use logyard::sys::process::child::Child;
use logyard::sys::{fd, pipe, program};

/// The sweeper's name on the command line.
pub(crate) const SWEEP: &str = "sweep";
/// How long the sweeper tries to remove a directory to which a logger still writes.
const SWEEPING: Duration = Duration::from_secs(60);
/// How long it waits between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The directory of all runs; removed when dropped.
#[derive(Debug)]
pub(crate) struct ScratchDir {
    /// The parent directory, as the user gave it.
    pub(crate) parent: PathBuf,
    path: PathBuf,
    runs: AtomicU64,
    /// The sweeper, and the writing end of its pipe; `None` if it could not be started.
    sweeper: Option<(Child, OwnedFd)>,
}

impl ScratchDir {
    /// Makes the directory in `parent`.
    pub(crate) fn new(parent: &Path) -> Result<ScratchDir, Error> {
        let unable = |error| Error::file("create directory", parent, &error);
        let path = first_free(&parent.canonicalize().map_err(unable)?);
        // The sweeper is started first, so that a kill at any moment leaves no directory.
        let sweeper = start_sweeper(&path);
        if let Err(error) = std::fs::create_dir(&path) {
            // The directory belongs to another process, and must not be swept.
            if let Some((sweeper, _)) = &sweeper {
                let _ = sweeper.kill_group();
                let _ = sweeper.wait();
            }
            return Err(unable(error));
        }
        Ok(ScratchDir { parent: parent.to_owned(), path, runs: AtomicU64::new(0), sweeper })
    }

    /// A new directory for a run.
    pub(crate) fn run_dir(&self) -> Result<RunDir, Error> {
        let path = self.path.join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&path).map_err(|error| Error::file("create directory", &path, &error))?;
        Ok(RunDir(path))
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // A directory that cannot be removed stays: the report is worth more.
        let _ = std::fs::remove_dir_all(&self.path);
        if let Some((sweeper, alive)) = self.sweeper.take() {
            drop(alive);
            let _ = sweeper.wait();
        }
    }
}

/// The directory of a run; removed when dropped.
#[derive(Debug)]
pub(crate) struct RunDir(pub(crate) PathBuf);

impl Drop for RunDir {
    fn drop(&mut self) {
        // As above.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name in `parent` that nothing has.
fn first_free(parent: &Path) -> PathBuf {
    let process = std::process::id();
    let names = (0..).map(|number: u64| parent.join(format!("logbench-{process}-{number}")));
    names.into_iter().find(|path| path.symlink_metadata().is_err()).expect("names are endless")
}

fn start_sweeper(directory: &Path) -> Option<(Child, OwnedFd)> {
    let own = PathBuf::from(String::from_utf8(program::own_path()?).ok()?);
    let command = format!("exec {} {SWEEP} {}", quoted(&own), quoted(directory));
    let command = CString::new(command).ok()?;
    let root = File::open("/").ok()?;
    let null = File::options().write(true).open("/dev/null").ok()?;
    let (gone, alive) = pipe::new().ok()?;
    let descriptors = [(gone.as_fd(), 0), (null.as_fd(), 1), (null.as_fd(), 2)];
    let sweeper = Child::start_shell(&command, root.as_fd(), descriptors, |_| ()).ok()?;
    Some((sweeper, alive))
}

/// The sweeper: waits for the end of standard input, then removes a directory that [`ScratchDir::new`] made.
pub(crate) fn sweep(directory: &Path) -> Exit {
    let is_ours = directory.file_name().is_some_and(|name| name.as_bytes().starts_with(b"logbench-"));
    if !is_ours || !directory.is_absolute() {
        return Exit::USAGE;
    }
    while matches!(fd::read(fd::stdin(), &mut [0]), Ok(1)) {}
    let start = Instant::now();
    while start.elapsed() < SWEEPING {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => std::thread::sleep(PAUSE),
            _ => return Exit::OK,
        }
    }
    Exit::TROUBLE
}
