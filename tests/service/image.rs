//! The container image, without a container engine: svscan as process 1 of the tree that `packaging/image` makes, whose standard
//! output the loggers share.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logyard::sys::signal::{self, Signal};
use logyard_corpus::Random;

use testkit::logdir::{LogDirFiles, without_stamps};
use testkit::{report, until};

use super::root::{Root, init_of};
use crate::multilog::copies::{BATCH_BYTES, Printed};

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(1);

/// The service prints so many further numbers whenever a number comes through a FIFO.
const RUN: &str = "exec 3<>/gate\n\
    i=0\n\
    while read -r count <&3; do seq \"$i\" \"$((i + count - 1))\"; i=$((i + count)); done\n";

/// What a run did.
#[derive(Debug)]
struct Outcome {
    printed: Printed,
    stop: Duration,
}

/// Prints lines through a logger that is killed again and again, and stops the container. Returns `None`, with a notice, where no
/// container can be started.
fn run(lines: usize, kills: usize, copy: &str) -> Option<Outcome> {
    let root = Root::of_image()?;
    root.script("/service/web/run", RUN);
    let logger = format!("exec setuidgid logger multilog t '{copy}=web: ' s16M n100000 /var/log/web");
    root.script("/service/web/log/run", &logger);
    nix::unistd::mkfifo(&root.at("/gate"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let mut gate = fs::OpenOptions::new().read(true).write(true).open(root.at("/gate")).unwrap();
    let (output, writer) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || std::io::read_to_string(output).unwrap());
    let mut container = root.boot_into(&["/command/svscan", "/service"], writer);
    let log = root.at("/var/log/web");
    let svc = |arguments: [&str; 2]| {
        let done = Command::new("chroot").arg(root.path()).arg("/command/svc").args(arguments).status().unwrap();
        assert!(done.success());
    };

    let mut random = Random::new(1);
    for kill in 0..kills {
        let mut logger = BTreeSet::new();
        until("the logger works", || {
            logger = loggers(&root);
            !logger.is_empty() && testkit::logdir::is_in_use(&log)
        });
        let share = lines * (kill + 1) / kills - lines * kill / kills;
        writeln!(gate, "{share}").unwrap();
        std::thread::sleep(Duration::from_micros(random.below(30_000) as u64));
        logger.iter().for_each(|&logger| signal::send(logger, Signal::SIGKILL).unwrap());
        until("it has ended", || loggers(&root).is_disjoint(&logger));
        // Without this, it is started again a second later.
        svc(["-u", "/service/web/log"]);
    }
    let logged = || without_stamps(&LogDirFiles::read(&log).joined());
    let bytes: usize = (0..lines).map(|number| format!("{number}\n").len()).sum();
    until("all lines are logged", || directory_bytes(&log) >= (bytes + 26 * lines) as u64);
    let init = init_of(&container).expect("svscan runs");
    let start = Instant::now();
    signal::send(init, Signal::SIGTERM).unwrap();
    let status = container.end();
    let stop = start.elapsed();

    let words = container.end_and_words().1;
    assert!(status.success(), "svscan exits cleanly: {status}: {words}");
    let expected: String = (0..lines).map(|number| format!("{number}\n")).collect();
    testkit::assert_same_in("the log directory", logged(), expected);
    assert_eq!(words, "", "nothing is said");
    let printed = reading.join().unwrap();
    assert!(printed.split_inclusive('\n').all(|line| line.starts_with("web: @4000")), "each has its prefix");
    Some(Outcome { printed: Printed::of(&printed, lines), stop })
}

/// The loggers in a root.
fn loggers(root: &Root) -> BTreeSet<i32> {
    let is_logger = |process: i32| {
        fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name == "multilog\n")
            && fs::read_link(format!("/proc/{process}/root")).is_ok_and(|path| path == root.path())
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|&process| is_logger(process)).collect()
}

fn directory_bytes(log: &std::path::Path) -> u64 {
    let files = fs::read_dir(log).unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let is_log = entry.file_name() == "current" || entry.file_name().as_encoded_bytes().starts_with(b"@");
        is_log.then(|| entry.metadata().ok()).flatten()
    });
    files.map(|file| file.len()).sum()
}

fn check(outcome: &Outcome, kills: usize) {
    let Outcome { printed, stop: _ } = outcome;
    // Prefix and timestamp belong to the batch.
    assert!(printed.repeats <= kills && printed.longest_bytes <= BATCH_BYTES, "{printed:?}");
}

#[test]
fn a_container_shows_each_line_although_its_logger_is_killed_and_stops_within_a_second() {
    // A machine that is busy with something else may need another attempt.
    let mut taken = Vec::new();
    for _ in 0..3 {
        let Some(outcome) = run(20_000, 5, "1b") else { return };
        check(&outcome, 5);
        if outcome.stop < STOP {
            return;
        }
        taken.push(outcome.stop);
    }
    panic!("stopping took {taken:?}");
}

#[test]
#[ignore = "takes a minute"]
fn torture_of_a_container_with_a_million_lines_and_fifty_kills() {
    for copy in ["1b", "1"] {
        let Some(outcome) = run(1_000_000, 50, copy) else { return };
        report(format_args!("{copy}: 10^6 lines, 50 kills: {outcome:?}"));
        check(&outcome, 50);
        assert!(outcome.stop < STOP, "{:?}", outcome.stop);
    }
}

#[test]
fn a_program_that_is_missing_or_needs_libraries_is_named() {
    let image = || {
        let mut image = Command::new(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/image"));
        image.stdin(Stdio::null());
        image
    };
    let words = |mut command: Command| {
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let work = testkit::Workdir::new();
    fs::create_dir(work.join("programs")).unwrap();
    let mut missing = image();
    missing.arg("--programs").arg(work.join("programs")).arg(work.join("root"));
    let (code, said) = words(missing);
    assert!(code == Some(111) && said.ends_with("programs/envdir: no such file\n"), "{said}");

    fs::copy("/bin/sh", work.join("programs/envdir")).unwrap();
    let mut dynamic = image();
    dynamic.arg("--programs").arg(work.join("programs")).arg(work.join("other"));
    let (code, said) = words(dynamic);
    assert!(code == Some(111) && said.ends_with("is linked dynamically\n"), "{said}");
    let mut none = image();
    none.arg("--programs");
    assert_eq!(words(none).0, Some(100));
    let mut full = image();
    full.arg(work.path());
    assert!(words(full).1.ends_with("is not empty\n"));
}
