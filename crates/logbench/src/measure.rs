//! One run: logbench starts a logger in a directory, feeds it through a pipe, and measures the time and memory it needs.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::check::{Difference, check_filtered, check_log, log_files};
use crate::error::Error;
use crate::feed::{Pace, Written};
use crate::follow::{Latency, follow};
use crate::scratch_dir::{RunDir, ScratchDir};
use crate::stamps::StampRule;
use crate::subject::Subject;
use crate::task::{Expected, Task};
use crate::watch::{KillReason, Progress, Watcher};
use logyard::sys::process::child::{Child, Usage};
use logyard::sys::process::ended::Ended;
use logyard::sys::signal::SignalQueue;
use logyard::sys::{clock, pipe};

/// How long the logger may take to empty the pipe before its memory is measured.
const DRAINING: Duration = Duration::from_millis(100);
/// How long a logger that is fed at a rate has to begin its log: its start is no latency.
const STARTING: Duration = Duration::from_secs(1);
/// Where a filter's output goes.
const OUTPUT: &str = "output";

/// Runs subjects. Its fields are the same for all runs.
#[derive(Debug)]
pub(crate) struct Runner<'t> {
    pub(crate) task: &'t Task,
    pub(crate) input: &'t [u8],
    pub(crate) expected: &'t Expected<'t>,
    pub(crate) pace: Pace,
    /// Where the runs' directories are made.
    pub(crate) scratch_dir: &'t ScratchDir,
    pub(crate) wants_latency: bool,
    /// A logger that makes no progress for this long is killed.
    pub(crate) patience: Duration,
    pub(crate) interruptions: SignalQueue,
}

/// The figures of a run, and whether they count.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) usage: Usage,
    /// The peak memory of the logger; of several processes, that of the largest.
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) latency: Option<Latency>,
    pub(crate) verdict: Verdict,
}

/// Whether the figures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The log is right.
    Right,
    /// Lines are missing, or surplus.
    Wrong(Difference),
    /// The logger failed, or there is no log to compare.
    Failed(String),
}

impl Runner<'_> {
    /// Runs a subject once.
    pub(crate) fn measure(&mut self, subject: &Subject) -> Result<Run, Error> {
        let run_dir = self.run_dir_for(subject)?;
        let command = CString::new(&subject.command[..]).map_err(|_| Error::Usage("a NUL in a command".to_owned()))?;
        let (from, start) = (clock::now(), Instant::now());
        let finished = self.run(&command, &run_dir.0, self.input)?;
        // If the clock was set meanwhile, nobody can tell which stamps are true.
        let to = clock::now();
        let is_set = (to.seconds - from.seconds).abs_diff(start.elapsed().as_secs().cast_signed()) > 2;
        let stamps = (!is_set).then(|| StampRule::new(from, to, self.pace.rate.is_some()));
        let verdict = match (finished.hung, finished.ended) {
            (Some(how), _) => Verdict::Failed(how),
            (None, Ended::Exited(0)) => self.verify(subject, &run_dir.0, stamps.as_ref())?,
            (None, Ended::Exited(code)) => Verdict::Failed(format!("exit code {code}")),
            (None, Ended::Killed(signal)) => Verdict::Failed(format!("killed by signal {signal}")),
        };
        Ok(Run {
            wall: finished.wall,
            usage: finished.usage,
            peak_bytes: finished.peak_bytes,
            latency: finished.latency,
            verdict,
        })
    }

    /// A directory for one run, with the configuration that the subject needs.
    pub(crate) fn run_dir_for(&self, subject: &Subject) -> Result<RunDir, Error> {
        let run_dir = self.scratch_dir.run_dir()?;
        if let (Task::Log(task), Some(config)) = (self.task, &subject.config) {
            let log = run_dir.0.join(&task.directory);
            let written = std::fs::create_dir_all(&log).and_then(|()| std::fs::write(log.join("config"), config));
            written.map_err(|error| Error::file("write", &log.join("config"), &error))?;
        }
        Ok(run_dir)
    }

    /// Starts a shell command in a directory, feeds it, and waits for its end.
    pub(crate) fn run(&mut self, command: &CString, run_dir: &Path, input: &[u8]) -> Result<FinishedCommand, Error> {
        if self.interruptions.take().is_some() {
            return Err(Error::Interrupted);
        }
        let log = match self.task {
            Task::Log(task) if self.wants_latency => Some(run_dir.join(&task.directory)),
            _ => None,
        };
        let output = match self.task {
            Task::Filter => run_dir.join(OUTPUT),
            Task::Log(_) => PathBuf::from("/dev/null"),
        };
        let output = File::create(&output).map_err(|error| Error::file("create", &output, &error))?;
        let directory = File::open(run_dir).map_err(|error| Error::file("open directory", run_dir, &error))?;
        let (end, source) = pipe::new().map_err(|errno| Error::unable("create pipe", errno))?;
        let (is_over, progress) = (AtomicBool::new(false), Progress::default());
        let (gone, alive) = pipe::new().map_err(|errno| Error::unable("create pipe", errno))?;

        let start = Instant::now();
        // The child owns the descriptors before anything can fail.
        let child = Child::start_shell(command, directory.as_fd(), [(end.as_fd(), 0), (output.as_fd(), 1)], |_| ())
            .map_err(|errno| Error::unable("fork", errno))?;
        drop(end);
        std::thread::scope(|scope| {
            let follower = log.as_ref().map(|log| scope.spawn(|| follow(log, &is_over)));
            let (interruptions, gone) = (self.interruptions.as_fd(), gone.as_fd());
            let (child, progress) = (&child, &progress);
            let watcher = Watcher { child, progress, directory: run_dir, patience: self.patience };
            let watcher = scope.spawn(move || watcher.watch(interruptions, gone));
            if let Some(log) = &log {
                wait_for(&log.join("current"));
            }
            let fed = self.pace.feed(source.as_fd(), input, progress);
            let peak_bytes = peak_bytes(child, &source);
            drop(source);
            let waited = child.wait_with_usage();
            let wall = start.elapsed();
            drop(alive);
            is_over.store(true, Ordering::Release);
            let seen = follower.map(|follower| follower.join().expect("reading along does not panic"));
            let hung = match watcher.join().expect("watching does not panic") {
                Some(KillReason::Interrupted) => return Err(Error::Interrupted),
                Some(KillReason::DiskFull) => return Err(Error::full(&self.scratch_dir.parent)),
                Some(KillReason::Hung(how)) => Some(how),
                None => None,
            };
            let written: Vec<Written> = fed?;
            let (ended, usage) = waited.map_err(|errno| Error::unable("wait for the logger", errno))?;
            let latency = seen.and_then(|seen| Latency::between(&written, &seen));
            Ok(FinishedCommand { ended, hung, wall, usage, peak_bytes, latency })
        })
    }

    /// Checks the log, or the output of a filter.
    fn verify(&self, subject: &Subject, run_dir: &Path, stamps: Option<&StampRule>) -> Result<Verdict, Error> {
        let log = match self.task {
            Task::Filter => None,
            Task::Log(task) => match log_directory(run_dir, &task.directory) {
                Some(log) => Some(log),
                None => return Ok(Verdict::Failed("no log directory was left".to_owned())),
            },
        };
        if let Some(limit) = subject.limit {
            let files = log.map_or_else(|| Ok(vec![run_dir.join(OUTPUT)]), |log| log_files(&log))?;
            let left_bytes = files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
            let is_kept = limit.is_kept_in(left_bytes);
            return Ok(if is_kept { Verdict::Right } else { Verdict::Failed(format!("left {left_bytes} bytes")) });
        }
        let difference = match log {
            Some(log) => {
                // A label in the input stands where the logger's own stamp would be looked for.
                let is_stamped = matches!(self.task, Task::Log(task) if task.stamps);
                check_log(&log, self.expected, stamps.filter(|_| is_stamped))?
            }
            None => check_filtered(&run_dir.join(OUTPUT), self.expected)?,
        };
        Ok(if difference.is_none() { Verdict::Right } else { Verdict::Wrong(difference) })
    }
}

/// A command that was fed and has exited.
#[derive(Debug)]
pub(crate) struct FinishedCommand {
    pub(crate) ended: Ended,
    /// How it hung, if it was killed for that.
    hung: Option<String>,
    wall: Duration,
    usage: Usage,
    peak_bytes: Option<u64>,
    latency: Option<Latency>,
}

/// The log directory that the script names, or else whichever has a `current`: a given command line may name another.
fn log_directory(run_dir: &Path, named: &str) -> Option<PathBuf> {
    let has_current = |directory: &PathBuf| directory.join("current").exists();
    let named = run_dir.join(named);
    if named.is_dir() {
        return Some(named);
    }
    std::fs::read_dir(run_dir).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find(has_current)
}

/// Waits until a file is there; with a limit, because some loggers create theirs with the first line.
fn wait_for(file: &Path) {
    let start = Instant::now();
    while !file.exists() && start.elapsed() < STARTING {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The most memory that a process and those it started have had, each for itself, as soon as the pipe is empty.
///
/// `wait4` would be wrong: it includes the memory that the process had before it became the logger, which was logbench's.
fn peak_bytes(child: &Child, pipe: &OwnedFd) -> Option<u64> {
    let start = Instant::now();
    while pipe::waiting_bytes(pipe).is_ok_and(|bytes| bytes > 0) && start.elapsed() < DRAINING {
        std::hint::spin_loop();
    }
    peak_bytes_of(child.pid())
}

fn peak_bytes_of(process: logyard::sys::process::pid::Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let own = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let numbers = children.split_ascii_whitespace().filter_map(|number| number.parse().ok());
    numbers.filter_map(peak_bytes_of).chain([own]).max()
}
