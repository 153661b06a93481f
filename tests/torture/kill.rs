//! Loggers that are killed at random moments under load, and started again: nothing is lost, duplicated, torn or misplaced.

use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::feed::{Feed, Pace};
use super::lines::{Lengths, scramble};
use super::subject::{Subject, Target, Task};
use crate::torture::collect::Collected;
use crate::torture::verdict::{Counts, Verdict};
use testkit::logger::{Running, messages};
use testkit::{Workdir, until};

/// How long a logger may take to read to the end of its input and exit.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is asked of the loggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Plain,
    Stamped,
    TwoDirectories,
    Small,
    Gzip,
}

impl Case {
    const ALL: [Case; 5] = [Case::Plain, Case::Stamped, Case::TwoDirectories, Case::Small, Case::Gzip];

    fn task(self) -> Task {
        let main = Target { name: "main", without: None };
        let task = Task { is_stamped: false, size_bytes: 1_000_000, processor: None, targets: vec![main] };
        match self {
            Case::Plain => task,
            Case::Stamped => Task { is_stamped: true, ..task },
            Case::TwoDirectories => Task {
                is_stamped: true,
                targets: vec![Target { name: "one", without: Some('b') }, Target { name: "two", without: Some('c') }],
                ..task
            },
            Case::Small => Task { size_bytes: 4096, ..task },
            Case::Gzip => Task { processor: Some("gzip"), ..task },
        }
    }
}

/// How a logger comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Killed,
    Terminated,
}

/// One run: a saturated pipe, and loggers that come and go.
pub struct Run {
    case: Case,
    /// Who logs; each time one of them at random.
    subjects: &'static [Subject],
    end: End,
    ends: u64,
    lengths: Lengths,
    is_fifo: bool,
    /// Each logger has another script.
    is_changing: bool,
    seed: u64,
    /// Where the logs are; the usual place for temporary files if `None`.
    inside: Option<PathBuf>,
}

/// A task of the same lines for the same directories, in other words.
fn changed(task: &Task, random: u64) -> Task {
    let mut targets = task.targets.clone();
    targets.rotate_left(random as usize % task.targets.len());
    Task {
        size_bytes: [task.size_bytes, 4096, 30_000, 4_000_000][random as usize / 10 % 4],
        processor: [None, Some("cat")][random as usize / 1000 % 2],
        targets,
        ..*task
    }
}

/// What a run found.
#[derive(Debug)]
pub struct Report {
    lines: u64,
    verdict: Verdict,
    /// Loggers that exited by themselves, or without success.
    refusals: u64,
    longest_leave: Duration,
}

impl Run {
    pub fn new(case: Case, ends: u64) -> Run {
        Run {
            case,
            subjects: &[Subject::Ours],
            end: End::Killed,
            ends,
            lengths: Lengths::Mixed,
            is_fifo: false,
            is_changing: false,
            seed: case as u64,
            inside: None,
        }
    }

    /// The same with the logs in another directory.
    pub fn inside(self, directory: PathBuf) -> Run {
        Run { inside: Some(directory), ..self }
    }

    /// Does it; `None` if a peer is not installed.
    fn go(&self) -> Option<Report> {
        self.subjects.iter().try_for_each(|subject| subject.program().map(drop))?;
        let dir = self.inside.as_deref().map_or_else(Workdir::new, Workdir::inside);
        let task = self.case.task();
        let feed = if self.is_fifo {
            Feed::fifo(&dir.join("fifo"), self.lengths, Pace::Saturated)
        } else {
            Feed::pipe(self.lengths, Pace::Saturated)
        };
        let mut directories: Vec<Collected> = task
            .targets
            .iter()
            .map(|target| {
                let counts = Counts::new(self.lengths, task.is_stamped, target.classes());
                Collected::new(dir.join(target.name), counts)
            })
            .collect();
        let mut random = scramble(self.seed);
        let mut next = |below: u64| {
            random = scramble(random);
            random % below
        };
        let mut longest_leave = Duration::ZERO;
        let mut refusals = 0;
        let start = |which: usize, random: u64| {
            let task = if self.is_changing { changed(&task, random) } else { task.clone() };
            let mut arguments = self.subjects[which].arguments(&task, dir.path());
            // In front of the others, and so where the journal is; or behind them.
            if self.is_changing {
                let front = usize::from(task.is_stamped);
                let place = if random / 100 % 2 == 1 { front } else { arguments.len() };
                arguments.insert(place, "./more".into());
            }
            self.subjects[which].start(&arguments, dir.path(), feed.stdin())
        };
        for _ in 0..self.ends {
            let which = next(self.subjects.len() as u64) as usize;
            let mut logger = start(which, next(10_000));
            std::thread::sleep(Duration::from_micros(5_000 + next(75_000)));
            if logger.ended().is_some() {
                refusals += 1;
            } else if self.end == End::Killed {
                logger.kill();
            } else {
                let (status, took) = match self.subjects[which] {
                    Subject::Ours => logger.terminate(),
                    _ => (end_peer(&mut logger), Duration::ZERO),
                };
                longest_leave = longest_leave.max(took);
                // A logger that had not yet come so far as to catch the signal dies of it.
                refusals += u64::from(!status.success() && status.signal() != Some(Signal::SIGTERM as i32));
            }
            directories.iter_mut().for_each(Collected::gather);
        }
        feed.stop();
        loop {
            let mut last = start(0, 0);
            until("the pipe is empty or the last logger leaves", || feed.is_ended() || last.ended().is_some());
            if last.end_within(PATIENCE).success() && feed.is_ended() {
                break;
            }
            refusals += 1;
            assert!(refusals <= self.ends, "nobody reads to the end: {}", messages(&dir));
        }
        let lines = feed.end();
        let mut verdict = Verdict::default();
        for collected in directories {
            verdict.add(collected.finish(lines));
        }
        if !verdict.is_spotless() || refusals > 0 {
            eprintln!("{}", messages(&dir));
        }
        Some(Report { lines, verdict, refusals, longest_leave })
    }

    /// The run is ours, and nothing may be wrong.
    #[track_caller]
    pub fn prove(&self) -> Option<Report> {
        let start = Instant::now();
        let report = self.go()?;
        eprintln!("{:?}, {} times {:?}: {report:?}, {:.1?}", self.case, self.ends, self.end, start.elapsed());
        assert!(report.verdict.is_spotless(), "{:?}: {:?}", self.case, report.verdict);
        assert_eq!(report.refusals, 0, "{:?}: loggers left by themselves", self.case);
        // multilog.8 says nothing of how long; doc/reliability.md promises a second.
        assert!(report.longest_leave < Duration::from_secs(1), "TERM took {:?}", report.longest_leave);
        Some(report)
    }
}

/// How many ends a case has in the ordinary run.
const FEW: u64 = 10;

/// Ends a peer. s6-log retries some errors for ever and then ignores SIGTERM: it is killed, and counts as one that failed.
fn end_peer(peer: &mut Running) -> ExitStatus {
    const TERM_PATIENCE: Duration = Duration::from_secs(10);
    peer.signal(Signal::SIGTERM);
    let start = Instant::now();
    while start.elapsed() < TERM_PATIENCE {
        if let Some(status) = peer.ended() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    peer.signal(Signal::SIGKILL);
    peer.end()
}

#[test]
fn killed_plain_loggers_lose_nothing() {
    Run::new(Case::Plain, FEW).prove();
}

#[test]
fn killed_stamping_loggers_lose_nothing() {
    Run::new(Case::Stamped, FEW).prove();
}

#[test]
fn killed_loggers_with_two_directories_lose_nothing() {
    Run::new(Case::TwoDirectories, FEW).prove();
}

#[test]
fn killed_loggers_that_rotate_all_the_time_lose_nothing() {
    Run::new(Case::Small, FEW).prove();
}

#[test]
fn killed_loggers_with_another_script_each_time_lose_nothing() {
    for case in [Case::Stamped, Case::TwoDirectories] {
        Run { is_changing: true, ..Run::new(case, FEW) }.prove();
    }
}

#[test]
fn killed_loggers_with_a_processor_lose_nothing() {
    Run::new(Case::Gzip, FEW).prove();
}

#[test]
fn killed_loggers_on_a_named_pipe_lose_nothing() {
    Run { is_fifo: true, ..Run::new(Case::Stamped, FEW) }.prove();
}

#[test]
fn terminated_loggers_lose_nothing() {
    for case in Case::ALL {
        Run { end: End::Terminated, ..Run::new(case, FEW / 2) }.prove();
    }
}

#[test]
fn our_logger_and_0_76_hand_the_pipe_over_to_each_other() {
    const BOTH: &[Subject] = &[Subject::Ours, Subject::Multilog];
    for case in Case::ALL {
        Run { end: End::Terminated, subjects: BOTH, ..Run::new(case, FEW / 2) }.prove();
    }
}

/// How many ends a case has in the long run.
const MANY: u64 = 300;

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn three_hundred_kills_of_each_kind_lose_nothing() {
    let mut lines = 0;
    for case in Case::ALL {
        lines += Run::new(case, MANY).prove().map_or(0, |report| report.lines);
    }
    // The fast cases go on until there are ten million lines.
    for round in 1.. {
        if lines >= 10_000_000 {
            break;
        }
        let more = Run { seed: round, ..Run::new(Case::Stamped, MANY) };
        lines += more.prove().map_or(0, |report| report.lines);
    }
    eprintln!("{lines} lines in all");
}

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn three_hundred_terminations_of_each_kind_lose_nothing() {
    for case in Case::ALL {
        Run { end: End::Terminated, ..Run::new(case, MANY) }.prove();
        Run { end: End::Terminated, subjects: &[Subject::Ours, Subject::Multilog], ..Run::new(case, MANY / 3) }.prove();
    }
}

/// The table of doc/reliability.md. What the peers do is shown, not judged.
#[test]
#[ignore = "takes minutes: .ci/torture"]
fn figures_of_all_loggers() {
    let mut table = String::from(
        "| logger | script | signal | times | lines | lost | duplicated | torn | misplaced | exited early |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for end in [End::Killed, End::Terminated] {
        for case in Case::ALL {
            for subject in [&[Subject::Ours], &[Subject::Multilog], &[Subject::S6Log], &[Subject::Svlogd]] {
                let ends = MANY / 5;
                let Some(Report { lines, verdict, refusals, .. }) =
                    (Run { end, subjects: subject, ..Run::new(case, ends) }).go()
                else {
                    continue;
                };
                let Verdict { lost, duplicated, torn, misplaced, .. } = verdict;
                let signal = if end == End::Killed { Signal::SIGKILL } else { Signal::SIGTERM };
                writeln!(
                    table,
                    "| {:?} | {case:?} | {signal} | {ends} | {lines} | {lost} | {duplicated} | {torn} | {misplaced} | {refusals} |",
                    subject[0]
                )
                .unwrap();
                eprintln!("{}", table.lines().last().unwrap());
            }
        }
    }
    eprintln!("{table}");
}
