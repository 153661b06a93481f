//! `logship compact`: kills at each step and at random moments, archives that come late, two encoders. After each kill, DuckDB
//! compares every line of the view with its source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use testkit::logger::Running;
use testkit::skipped;

use crate::python::{self, CREDENTIALS, Moto};
use crate::torture::Random;
use crate::{Fixture, assert_says, files_below, label};

/// The day after that of the archives.
const BEFORE: &str = "2026-09-22";

/// Raw objects of one host in a directory, and a place for merged ones.
struct Compacting {
    fixture: Fixture,
}

impl Compacting {
    /// Ships archives of two services.
    fn new(archives: u64, lines: u64) -> Compacting {
        let compacting = Compacting { fixture: Fixture::new() };
        for service in ["mail", "web"] {
            compacting.fixture.archives(&format!("h1/{service}"), archives, lines);
        }
        compacting.ship();
        compacting
    }

    fn ship(&self) {
        let url = self.fixture.url();
        let arguments = ["ship", "--once", "--host", "h1", "h1/mail/log/main", "h1/web/log/main", &url];
        assert_says(&self.fixture.run(&arguments), 0, "0 failed, 0 lost");
    }

    /// Ships an archive of the same day that comes late.
    fn ship_late(&self, number: u64) {
        let name = format!("{}.s", label(500_000 + number));
        self.fixture.archive("h1/mail", &name, format!("{} late {number}\n", label(number)));
        self.ship();
    }

    fn compacted(&self) -> PathBuf {
        self.fixture.workdir.join("compacted")
    }

    /// The command, killed when it makes the system call for the so manieth time, if that is asked for.
    fn command(&self, level: &str, killed_at: Option<(&str, u32)>) -> Command {
        let (raw, into) = (self.fixture.url(), format!("file://{}", self.compacted().display()));
        let arguments = ["compact", "--before", BEFORE, "--object-max", "5k", "--level", level, &raw, &into];
        let compact = self.fixture.command(&arguments);
        let Some((call, number)) = killed_at else { return compact };
        let mut strace = Command::new("strace");
        let inject = format!("--inject={call}:signal=SIGKILL:when={number}");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), &inject, "--"]);
        strace.arg(compact.get_program()).args(compact.get_args()).current_dir(self.fixture.workdir.path());
        strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        strace
    }

    /// Every line is in the view once.
    #[track_caller]
    fn compare(&self) -> String {
        let paths = [self.fixture.workdir.path(), &self.fixture.store(), &self.compacted()];
        let paths = paths.map(|path: &Path| path.to_str().unwrap().to_owned());
        python::run_with(include_str!("compare.py"), &[&paths[0], &paths[1], &paths[2]])
    }

    /// The merged objects, and those that the markers name.
    fn merged(&self) -> (Vec<String>, Vec<String>) {
        let (mut objects, mut named) = (Vec::new(), Vec::new());
        for (key, bytes) in files_below(&self.compacted()) {
            if key.starts_with("markers/") {
                let text = String::from_utf8(bytes).unwrap();
                let (_, rest) = text.lines().next().unwrap().split_once("\"compacted\":\"").unwrap();
                named.push(rest.split('"').next().unwrap().to_owned());
            } else {
                objects.push(key);
            }
        }
        named.sort();
        (objects, named)
    }
}

#[test]
fn objects_of_closed_days_are_merged_and_markers_name_them() {
    let compacting = Compacting::new(5, 20);
    let output = compacting.command("3", None).output().unwrap();
    assert_says(&output, 0, "10 objects (200 lines) merged into ");

    let (objects, named) = compacting.merged();

    assert_eq!(objects, named);
    assert!(objects.len() >= 2 && objects.len() < 10, "{objects:?}");
    assert_says(&compacting.command("3", None).output().unwrap(), 0, "0 objects (0 lines) merged into 0");
    if python::has("duckdb") {
        assert_eq!(compacting.compare(), "200 lines, each once, in 10 objects\n");
    }
}

#[test]
fn a_day_that_is_not_closed_is_left_alone() {
    let compacting = Compacting::new(2, 2);
    let (raw, into) = (compacting.fixture.url(), format!("file://{}", compacting.compacted().display()));

    let output = compacting.fixture.run(&["compact", "--before", "2026-09-21", &raw, &into]);

    assert_says(&output, 0, "0 objects (0 lines) merged into 0");
    assert!(files_below(&compacting.compacted()).is_empty());
}

#[test]
fn a_dry_run_creates_nothing() {
    let compacting = Compacting::new(2, 2);
    let (raw, into) = (compacting.fixture.url(), format!("file://{}", compacting.compacted().display()));

    let output = compacting.fixture.run(&["compact", "--dry-run", "--before", BEFORE, &raw, &into]);

    assert_says(&output, 0, "would merge 2 objects into data/date=2026-09-21/host=h1/service=mail/000001-");
    assert!(!compacting.compacted().exists());
}

#[test]
fn a_store_is_not_compacted_into_itself() {
    let fixture = Fixture::new();

    assert_says(&fixture.run(&["compact", &fixture.url(), &fixture.url()]), 111, "into itself: name another prefix");
}

#[test]
fn a_damaged_object_is_named_and_the_others_are_merged() {
    let compacting = Compacting::new(2, 20);
    let key = compacting.fixture.objects().into_keys().find(|key| key.contains("service=mail")).unwrap();
    fs::write(compacting.fixture.store().join(&key), "no Parquet file").unwrap();

    let output = compacting.command("3", None).output().unwrap();

    assert_says(&output, 1, &format!("{key} is damaged: "));
    assert_says(&output, 1, "2 objects (40 lines) merged into 1");
}

#[test]
fn a_raw_object_that_was_merged_and_removed_is_not_shipped_again() {
    let compacting = Compacting::new(3, 20);
    assert!(compacting.command("3", None).output().unwrap().status.success());
    fs::remove_dir_all(compacting.fixture.store()).unwrap();
    let (url, into) = (compacting.fixture.url(), format!("file://{}", compacting.compacted().display()));
    let run = |command: &[&str]| {
        let logs = ["--compacted", &into, "h1/mail/log/main", "h1/web/log/main", &url];
        compacting.fixture.run(&[command, &logs].concat())
    };

    assert_says(&run(&["ship", "--once"]), 0, "0 archives shipped (0 lines, 0 bytes, 0 in the store), 6 were there");

    assert!(compacting.fixture.objects().is_empty());
    assert_says(&run(&["verify", "--content"]), 0, "6 archives (120 lines) are in the store, 0 are missing, 0 differ");
    // An archive that differs from what was merged is noticed.
    let log = compacting.fixture.log("h1/mail");
    let name = files_below(&log).into_keys().find(|name| name.starts_with('@')).unwrap();
    fs::write(log.join(name), "something else\n").unwrap();
    assert_says(&run(&["verify"]), 1, "5 archives (100 lines) are in the store, 0 are missing, 1 differ");
}

#[test]
fn a_kill_at_each_step_leaves_each_line_in_the_view_once() {
    if !python::has("duckdb") {
        return;
    }
    let is_there = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        return skipped(format_args!("no strace, so logship compact was not killed at each step"));
    }
    for call in ["linkat", "unlinkat"] {
        let compacting = Compacting::new(3, 20);
        let mut number = 0;
        loop {
            number += 1;
            // Each time another encoder, and an archive that comes late.
            let level = if number % 2 == 0 { "3" } else { "9" };
            let status = compacting.command(level, Some((call, number))).status().unwrap();
            compacting.compare();
            if status.success() {
                break;
            }
            compacting.ship_late(u64::from(number));
            assert!(number < 60, "{call}: it never ends");
        }
        assert!(number > 1, "{call} is never made");
        // What the killed runs left is gone with the next marker of the same number, or used.
        assert!(compacting.command("3", None).output().unwrap().status.success());
        let (objects, named) = compacting.merged();
        assert_eq!(objects, named, "{call}");
        compacting.compare();
    }
}

#[test]
fn two_at_once_merge_each_object_once() {
    let compacting = Compacting::new(8, 20);
    let start = |level| {
        let mut command = compacting.command(level, None);
        command.stderr(Stdio::piped()).spawn().unwrap()
    };

    let runs: Vec<_> = ["3", "9", "3"].map(start).into_iter().collect();

    let merged: u32 = runs
        .into_iter()
        .map(|run| {
            let output = run.wait_with_output().unwrap();
            assert_says(&output, 0, " merged into ");
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            words.lines().last().unwrap().split(' ').nth(1).unwrap().parse::<u32>().unwrap()
        })
        .sum();
    assert_eq!(merged, 16, "each by one of them");
    let (objects, named) = compacting.merged();
    assert_eq!(objects, named);
    if python::has("duckdb") {
        compacting.compare();
    }
}

/// Kills a compaction at random moments. After each kill an archive comes late, and the next run encodes differently.
fn kill_at_random(compacting: &Compacting, store: &[&str; 2], others: &[&str], kills: u32, compare: &dyn Fn()) {
    let command = |round: u32| {
        let level = ["3", "9", "1"][round as usize % 3];
        let arguments = ["compact", "--before", BEFORE, "--object-max", "5k", "--level", level];
        let mut command = compacting.fixture.command(&[&arguments[..], others, store].concat());
        command.envs(CREDENTIALS).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begin = Instant::now();
    let trial = format!("{}-trial", store[1]);
    let words = [&["compact", "--before", BEFORE, "--object-max", "5k"], others, &[store[0], &trial]].concat();
    assert_says(&compacting.fixture.command(&words).envs(CREDENTIALS).output().unwrap(), 0, " merged into ");
    let whole = begin.elapsed();
    let (mut random, mut killed, mut round) = (Random(7), 0, 0);
    while killed < kills {
        round += 1;
        let count = 1 + round % 2;
        let mut runs: Vec<Running> = (0..count).map(|_| Running::start(&mut command(round))).collect();
        sleep(whole.mul_f64(random.next()));
        let alive = runs.iter_mut().filter_map(|run| run.is_alive().then_some(())).count();
        runs.into_iter().for_each(Running::kill);
        killed += u32::from(alive > 0);
        compare();
        compacting.ship_late(u64::from(round));
    }
    assert!(command(0).status().unwrap().success());
    compare();
    testkit::report(format_args!("compact was killed at {killed} moments in {round} rounds: {whole:?} at most"));
}

#[test]
#[ignore = "takes minutes; .ci/torture runs it"]
fn torture_compact_is_killed_at_50_moments_in_a_directory() {
    if !python::has("duckdb") {
        return;
    }
    let compacting = Compacting::new(25, 200);
    let (raw, into) = (compacting.fixture.url(), format!("file://{}", compacting.compacted().display()));

    kill_at_random(&compacting, &[&raw, &into], &[], 50, &|| drop(compacting.compare()));

    let (objects, named) = compacting.merged();
    assert_eq!(objects, named);
}

#[test]
#[ignore = "takes minutes; .ci/torture runs it"]
fn torture_compact_is_killed_at_20_moments_in_s3() {
    let Some(moto) = Moto::start().filter(|_| python::has("duckdb")) else { return };
    let compacting = Compacting::new(10, 100);
    let endpoint = moto.url();
    let logs = compacting.fixture.workdir.path().to_str().unwrap().to_owned();
    let compare = || {
        let ship = ["ship", "--once", "--endpoint", &endpoint, "h1/mail/log/main", "h1/web/log/main", "s3://logs/raw"];
        assert_says(&compacting.fixture.command(&ship).envs(CREDENTIALS).output().unwrap(), 0, "0 failed, 0 lost");
        let [raw, into] = ["raw", "compacted"].map(|prefix| format!("{endpoint}/logs/{prefix}"));
        python::run_with(include_str!("compare.py"), &[&logs, &raw, &into]);
    };
    compare();
    let stores = ["s3://logs/raw", "s3://logs/compacted"];

    kill_at_random(&compacting, &stores, &["--endpoint", &endpoint], 20, &compare);
}
