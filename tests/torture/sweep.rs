//! The sweep: loggers log the same few lines again and again. Each time, strace kills the logger at another system call, or
//! makes another system call fail.
//!
//! The lines wait in a pipe without a writer, so that every logger comes to the end by itself. Whatever the first one
//! did, the next one must start and exit cleanly, and then every line must be there once and in order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::feed::FilledPipe;
use super::lines::Lengths;
use super::subject::{Subject, Target, Task};
use crate::torture::collect::Collected;
use crate::torture::verdict::{Counts, Verdict};
use testkit::logger::{Multilog, Running, messages};
use testkit::{Workdir, strace, until};

/// Enough for four or five rotations at the smallest size.
const LINES: u64 = 16;
/// How many cases run at once: most of them rest for 5 seconds.
const AT_ONCE: usize = 64;
/// How long a logger may take over the lines, with several pauses of 5 seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// More calls of one kind than this are a loop without rest.
const CALLS_MAX: usize = 3000;

/// What is not tested without strace.
const NOT_DONE: &str = "no system call failed, and none killed a logger";

/// What the first logger meets.
const ERRORS: [&str; 10] =
    ["EIO", "ENOSPC", "EINTR", "EAGAIN", "EMFILE", "ENOMEM", "EROFS", "EDQUOT", "EPERM", "ENOSYS"];
/// Calls of the C library and of the loader: what they are to do when they fail is not ours to say.
const NOT_OURS: [&str; 17] = [
    "umask",
    "execve",
    "brk",
    "arch_prctl",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "prlimit64",
    "mprotect",
    "munmap",
    "mmap",
    "exit_group",
    "exit",
    "futex",
    "rt_sigprocmask",
    "rt_sigaction",
    "getrandom",
];
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Plain,
    /// The thread that finishes files cannot be had.
    Alone,
    TwoDirectories,
    Processor,
}

impl Work {
    const ALL: [Work; 4] = [Work::Plain, Work::Alone, Work::TwoDirectories, Work::Processor];

    fn task(self) -> Task {
        let main = Target { name: "main", without: None };
        let task = Task { is_stamped: true, size_bytes: 4096, processor: None, targets: vec![main] };
        match self {
            Work::Plain | Work::Alone => task,
            Work::TwoDirectories => Task {
                is_stamped: false,
                targets: vec![Target { name: "one", without: Some('b') }, Target { name: "two", without: Some('c') }],
                ..task
            },
            Work::Processor => Task { processor: Some("cat"), ..task },
        }
    }
}

/// What happens to the first logger: at its `when`th `call`.
#[derive(Clone, Debug)]
struct Fault {
    work: Work,
    call: String,
    when: usize,
    /// `None`: killed.
    error: Option<&'static str>,
}

/// What followed a fault.
#[derive(Debug)]
struct Outcome {
    verdict: Verdict,
    trouble: Option<String>,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.trouble.is_none() && self.verdict.is_spotless()
    }
}

/// strace, with the logger to be started under it.
fn traced(work: Work, dir: &Workdir, options: &[String]) -> Command {
    let mut strace = strace(NOT_DONE).expect("it was there before");
    // The processor is nobody's business here: from its execve on it is left alone.
    strace.args(["-f", "-b", "execve", "-qq", "-o", "trace"]).args(options);
    if work == Work::Alone {
        strace.args(["-e", "inject=clone3:error=EAGAIN"]);
    }
    strace.arg(Multilog::Ours.path()).args(Subject::Ours.arguments(&work.task(), dir.path()));
    strace
}

/// How often each process or thread makes each call, at most.
fn calls(work: Work) -> BTreeMap<String, usize> {
    let dir = Workdir::new();
    let mut logger = Running::start_in(&mut traced(work, &dir, &[]), dir.path(), FilledPipe::new(LINES).stdin());
    assert!(logger.end_within(PATIENCE).success());
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for line in fs::read_to_string(dir.join("trace")).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (Some(process), Some(call)) = (words.next(), words.next()) else { continue };
        let Some((call, _)) = call.split_once('(') else { continue };
        *counts.entry((call.into(), process.into())).or_default() += 1;
    }
    // The child on its way to become the processor is not counted: it is run again when something hits it.
    let children: Vec<String> =
        counts.keys().filter(|(call, _)| call == "fchdir").map(|(_, child)| child.clone()).collect();
    counts.retain(|(_, process), _| !children.contains(process));
    let mut most = BTreeMap::new();
    for ((call, _), count) in counts {
        let entry = most.entry(call).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// Tells whether nobody holds the lock of a directory.
fn is_unlocked(directory: &Path) -> bool {
    File::open(directory.join("lock")).map_or(true, |lock| lock.try_lock().is_ok())
}

impl Fault {
    fn inject(&self) -> Outcome {
        let dir = Workdir::new();
        let pipe = FilledPipe::new(LINES);
        let what = match self.error {
            None => "signal=SIGKILL".to_owned(),
            Some(error) => format!("error={error}"),
        };
        let options = [
            "-e".into(),
            format!("trace={}{}", self.call, if self.work == Work::Alone { ",clone3" } else { "" }),
            "-e".into(),
            format!("inject={}:{what}:when={}", self.call, self.when),
        ];
        let mut troubles = Vec::new();
        let start = Instant::now();
        let mut first = Running::start_in(&mut traced(self.work, &dir, &options), dir.path(), pipe.stdin());
        let said = || messages(&dir);
        let ended = loop {
            match first.ended() {
                Some(status) => break Some(status),
                // strace counts the calls of each process from 1, so that what hits the child on its way to become the
                // processor hits every child.
                None if said().contains("processor failed") || said().contains("processor crashed") => break None,
                None if start.elapsed() > PATIENCE => {
                    troubles.push("hangs".to_owned());
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if let Some(status) = ended.filter(|status| self.error.is_some() && !matches!(status.code(), Some(0 | 111))) {
            troubles.push(format!("the first left with {status}"));
        }
        first.kill_with_children();
        // A child that has not become the processor yet holds the lock for a moment longer.
        let targets = self.work.task().targets;
        until("the directories are free", || targets.iter().all(|target| is_unlocked(&dir.join(target.name))));
        let traced =
            File::open(dir.join("trace")).map_or(0, |trace| std::io::read_to_string(trace).unwrap().lines().count());
        if traced > CALLS_MAX {
            troubles.push(format!("spins: {traced} calls"));
        }
        let task = self.work.task();
        let arguments = Subject::Ours.arguments(&task, dir.path());
        let mut next = Subject::Ours.start(&arguments, dir.path(), pipe.stdin());
        let status = next.end_within(PATIENCE);
        if !status.success() {
            troubles.push(format!("the next left with {status}"));
        }
        let mut verdict = Verdict::default();
        for target in &task.targets {
            let counts = Counts::new(Lengths::Kilobyte, task.is_stamped, target.classes());
            verdict.add(Collected::new(dir.join(target.name), counts).finish(LINES));
            for left in ["previous", "processed"] {
                if dir.join(target.name).join(left).exists() {
                    troubles.push(format!("{left} is left"));
                }
            }
        }
        if !troubles.is_empty() || !verdict.is_spotless() {
            troubles.push(format!("after {:.1?} they had said {:?}", start.elapsed(), said()));
        }
        Outcome { verdict, trouble: (!troubles.is_empty()).then(|| troubles.join("; ")) }
    }
}

/// Injects all faults, several at once, and fails with those that were not survived.
#[track_caller]
fn inject_all(faults: &[Fault]) {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let bad = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(faults.len()) {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = fault.inject();
                    if !outcome.is_good() {
                        eprintln!("{fault:?}: {outcome:?}");
                        bad.lock().unwrap().push(format!("{fault:?}: {outcome:?}"));
                    }
                }
            });
        }
    });
    let mut bad = bad.into_inner().unwrap();
    bad.sort();
    eprintln!("{} faults, {} not survived, {:.1?}", faults.len(), bad.len(), start.elapsed());
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn kills(work: Work) -> Vec<Fault> {
    let faults = calls(work).into_iter().filter(|(call, _)| call != "execve");
    faults
        .flat_map(|(call, count)| (1..=count).map(move |when| Fault { work, call: call.clone(), when, error: None }))
        .collect()
}

fn errors(work: Work, errors: &[&'static str]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (call, count) in calls(work) {
        if NOT_OURS.contains(&&*call) || (work == Work::Alone && call == "clone3") {
            continue;
        }
        for &error in errors {
            faults.extend((1..=count).map(|when| Fault { work, call: call.clone(), when, error: Some(error) }));
        }
    }
    faults
}

#[test]
fn a_kill_at_some_system_calls_loses_nothing() {
    if strace(NOT_DONE).is_none() {
        return;
    }
    let faults: Vec<Fault> = Work::ALL.into_iter().flat_map(kills).step_by(17).collect();
    inject_all(&faults);
}

#[test]
fn an_error_at_some_system_calls_loses_nothing() {
    if strace(NOT_DONE).is_none() {
        return;
    }
    let faults: Vec<Fault> = Work::ALL.into_iter().flat_map(|work| errors(work, &ERRORS)).step_by(97).collect();
    inject_all(&faults);
}

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn a_kill_at_every_system_call_loses_nothing() {
    if strace(NOT_DONE).is_none() {
        return;
    }
    inject_all(&Work::ALL.into_iter().flat_map(kills).collect::<Vec<_>>());
}

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn an_error_at_every_system_call_loses_nothing() {
    if strace(NOT_DONE).is_none() {
        return;
    }
    // What an error is called makes a difference where it is met; the other work meets them in the same places.
    let some = |work| if work == Work::Plain { &ERRORS[..] } else { &ERRORS[..4] };
    inject_all(&Work::ALL.into_iter().flat_map(|work| errors(work, some(work))).collect::<Vec<_>>());
}
