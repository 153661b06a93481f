//! The memory of a logger: how much it uses while it is idle and busy, and what it does with too little of it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use logyard_corpus::{Corpus, Shape};

use testkit::logdir::{LogDirFiles, current_bytes, without_stamps};
use testkit::logger::{Multilog, Running};
use testkit::unread::{Kind, Unread};
use testkit::{Workdir, report, until};

/// What 0.76 holds for itself on Debian 12, in kB; twice this is allowed.
const THEIRS_KB: u64 = 96;
/// What a busy logger may hold, in kB, as its manual page says.
const BUSY_MAX_KB: u64 = 2048;

/// What a process has written to and shares with nobody, in kB.
fn private_kb(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_logger_uses_little_memory_even_after_a_burst() {
    let workdir = Workdir::in_memory();
    let (input, mut output) = std::io::pipe().unwrap();
    // A file that has just been written counts as private, the programs' own text too: a copy that is on the disk does not.
    let program = Multilog::Ours.path();
    OpenOptions::new().read(true).open(&program).unwrap().sync_all().unwrap();
    let mut command = Multilog::Ours.command(workdir.path(), &["t", "s1000000", "n3", "./main"]);
    let mut logger = Running::start(command.stdin(Stdio::from(input)));
    let length = || current_bytes(&workdir.join("main")).unwrap_or(0);

    output.write_all(b"one line\n").unwrap();
    until("a line is there", || length() > 0);
    let fresh_kb = private_kb(logger.pid());
    let mut corpus = Corpus::new(Shape::Qmail, 1, u64::MAX);
    for _ in 0..50_000 {
        output.write_all(corpus.next_line().unwrap()).unwrap();
    }
    let busy_kb = private_kb(logger.pid());
    // It looks after itself some seconds after the last line.
    until("the memory is given back", || private_kb(logger.pid()) <= 2 * THEIRS_KB);
    let idle_kb = private_kb(logger.pid());
    drop(output);
    assert!(logger.end().success());

    assert!(fresh_kb <= 2 * THEIRS_KB, "{fresh_kb} kB with one line");
    assert!(busy_kb <= BUSY_MAX_KB, "{busy_kb} kB while busy");
    report(format_args!(
        "multilog: {fresh_kb} kB of its own with one line, {busy_kb} while busy, {idle_kb} afterwards"
    ));
}

/// What the kernel needs to start a program at all, beside what is in its file: a stack and the program's own data.
const START_BYTES: u64 = 400_000;
/// With so much more than its file is long a logger works.
const WORKING_BYTES: u64 = 900_000;

#[test]
fn a_logger_with_little_memory_works_or_reports_why_not() {
    let program = Multilog::Ours.path();
    // No more than that is mapped of it.
    let program_bytes = fs::metadata(&program).unwrap().len();
    let mut corpus = Corpus::new(Shape::Qmail, 1, u64::MAX);
    let input: Vec<u8> = (0..5000).flat_map(|_| corpus.next_line().unwrap().to_vec()).collect();
    for limit in (500_000..=8_000_000_u64).step_by(300_000) {
        // A processor has the same limit, and a shell may need more.
        for script in [&["t", "s16777215", "./m"][..], &["t", "n1000", "./m"], &["t", "n1000", "./m", "./o"]] {
            let workdir = Workdir::in_memory();
            fs::write(workdir.join("input"), &input).unwrap();
            let mut cat = Command::new("cat");
            let mut cat = cat.arg(workdir.join("input")).stdout(Stdio::piped()).spawn().unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_softlimit"));
            command.args(["-m", &limit.to_string()]).arg(&program).args(script).current_dir(workdir.path());
            command.stdin(cat.stdout.take().unwrap()).stdout(Stdio::null());
            command.stderr(File::create(workdir.join("words")).unwrap());

            let status = Running::start(&mut command).end();

            // It holds the reading end, and cat may have more to write.
            drop(command);
            let _ = cat.wait();
            let words = fs::read_to_string(workdir.join("words")).unwrap();
            let shown = format!("-m {limit} {script:?}: {status}; {words}");
            if status.signal().is_some() || status.code() == Some(127) {
                // The kernel could not start it.
                assert!(limit < program_bytes + START_BYTES && !workdir.join("m").exists(), "{shown}");
                continue;
            }
            if status.code() == Some(111) {
                assert!(words.ends_with("out of memory\n"), "{shown}");
                assert!(limit < program_bytes + WORKING_BYTES, "{shown}");
                continue;
            }
            assert!(status.success(), "{shown}");
            assert!(without_stamps(&LogDirFiles::read(&workdir.join("m")).joined()) == input, "{shown}");
        }
    }
}

#[test]
fn a_logger_out_of_memory_exits_if_nobody_reads_standard_error() {
    // A script that needs more memory than the program needs to start.
    let selectors: Vec<String> = (0..5000).map(|number| format!("-pattern{number}*")).collect();
    let start = |limit: u64, workdir: &Workdir, stderr: Stdio| {
        let (input, mut output) = std::io::pipe().unwrap();
        output.write_all(b"one\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_softlimit"));
        command.args(["-m", &limit.to_string()]).arg(Multilog::Ours.path()).args(&selectors).arg("./m");
        command.current_dir(workdir.path()).stdin(input).stdout(Stdio::null()).stderr(stderr);
        Running::start(&mut command)
    };
    let runs_out = |limit: &u64| {
        let workdir = Workdir::in_memory();
        let (status, words) = start(*limit, &workdir, Stdio::piped()).end_and_words();
        status.code() == Some(111) && words.ends_with("out of memory\n")
    };
    let limits: Vec<u64> = (500_000..8_000_000).step_by(500_000).filter(runs_out).collect();
    assert!(!limits.is_empty(), "no limit was met");

    for (limit, kind) in limits.iter().flat_map(|&limit| Kind::ALL.map(|kind| (limit, kind))) {
        let workdir = Workdir::in_memory();
        let mut unread = Unread::new(kind, &workdir);

        let status = start(limit, &workdir, unread.stdio()).end();

        assert_eq!(status.code(), Some(111), "-m {limit}, {kind:?}");
        assert_eq!(unread.read(), "", "{kind:?}");
    }
}
