//! Directories with very many archives: a killed logger's successor reads before it has removed them, and answers TERM.
//!
//! How long a removal takes is the disk's affair. Here strace makes each so slow that all of them take longer than any
//! test waits.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::namespace::{Kind, Scene, in_own_namespace};
use super::subject::{Logger, Subject, is_ok};
use crate::torture::collect;
use testkit::{DEADLINE, Workdir, report, skipped, tool, until};

/// Makes a directory as a killed logger leaves it, with so many archives.
fn make_crowd(main: &Path, archives: u32) {
    fs::create_dir(main).unwrap();
    for number in 0..archives {
        fs::File::create(main.join(format!("@4{number:023x}.s"))).unwrap();
    }
    fs::write(main.join("current"), "before the kill\n").unwrap();
}

/// Our multilog with a script, behind strace with an injection; `None`, with a notice, where that cannot be done.
fn traced(injection: &str, dir: &Path, script: &[&str], stdin: Stdio) -> Option<Logger> {
    let strace = tool("strace")?;
    let may_trace =
        Command::new(&strace).args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !may_trace {
        skipped("strace may not trace here, so nothing was slowed down");
        return None;
    }
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={injection}")]);
    command.arg(Subject::Ours.program().unwrap()).args(script);
    Some(Logger::spawn(&mut command, dir, stdin))
}

/// What strace started.
fn tracee(strace: &Logger) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", strace.pid());
    // It starts others for a moment, to see what it may do.
    let is_logger = |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "multilog\n");
    let child = || fs::read_to_string(&path).ok()?.split_whitespace().find(is_logger)?.parse().ok();
    until("strace has started the logger", || child().is_some());
    Pid::from_raw(child().unwrap())
}

#[test]
fn a_crowd_of_archives_is_removed_beside_the_logging_and_term_ends_it() {
    let dir = Workdir::in_memory();
    let main = dir.join("main");
    make_crowd(&main, 8000);
    let (input, mut output) = std::io::pipe().unwrap();
    // Eighty seconds for all.
    let script = ["n3", "./main"];
    let Some(mut logger) = traced("unlinkat:delay_enter=10000", dir.path(), &script, input.into()) else { return };
    output.write_all(b"after it\n").unwrap();

    until("the line is logged", || fs::read(main.join("current")).is_ok_and(|current| current == b"after it\n"));
    let left = collect::archives(&main).len();
    assert!(left > 1000, "it was logged when {left} archives were left");
    until("more are removed while nothing else happens", || collect::archives(&main).len() < left);
    kill(tracee(&logger), Signal::SIGTERM).unwrap();
    let status = logger.wait(DEADLINE);

    assert!(is_ok(status), "{status}");
    assert!(collect::archives(&main).len() > 3, "it has waited until all were removed");
}

#[test]
fn term_ends_the_start_in_a_crowd_that_takes_long_to_look_at() {
    let dir = Workdir::in_memory();
    make_crowd(&dir.join("main"), 20_000);
    let (input, _output) = std::io::pipe().unwrap();
    // More than a minute for all.
    let script = ["n3", "./main"];
    let Some(mut logger) = traced("getdents64:delay_enter=2500000", dir.path(), &script, input.into()) else { return };
    let pid = tracee(&logger);
    until("it has the lock", || dir.join("main/lock").exists());

    let start = Instant::now();
    kill(pid, Signal::SIGTERM).unwrap();
    let status = logger.wait(DEADLINE);

    assert!(is_ok(status), "{status} after {:?}", start.elapsed());
    assert_eq!(fs::read(dir.join("main/current")).unwrap(), b"before the kill\n");
    assert_eq!(fs::read_to_string(dir.join("messages")).unwrap(), "");
}

#[test]
fn at_the_end_of_the_input_all_that_is_too_much_is_removed() {
    for archives in [10, 3000, 10_000] {
        let dir = Workdir::in_memory();
        make_crowd(&dir.join("main"), archives);
        let (input, output) = std::io::pipe().unwrap();
        drop(output);

        let mut logger = Logger::start(
            &Subject::Ours.program().unwrap(),
            &["n3", "./main"].map(str::to_owned),
            dir.path(),
            input.into(),
        );

        assert!(is_ok(logger.wait(DEADLINE)));
        let left = collect::archives(&dir.join("main"));
        assert_eq!(left.len(), 2, "of {archives}");
        assert!(left.last().is_some_and(|newest| newest.to_string_lossy().ends_with(".u")), "the newest is not there");
    }
}

#[test]
#[ignore = "makes 600,000 files: .ci/torture"]
fn a_start_among_half_a_million_archives_is_quick() {
    in_own_namespace(|| {
        for archives in [100_000, 500_000] {
            let Some(scene) = Scene::mount(Kind::Ext4, "16g") else { return };
            let dir = Workdir::inside(scene.path());
            let main = dir.join("main");
            make_crowd(&main, archives);
            let (input, mut output) = std::io::pipe().unwrap();
            let program = Subject::Ours.program().unwrap();
            let start = Instant::now();
            let logger = Logger::start(&program, &["n10", "./main"].map(str::to_owned), dir.path(), input.into());
            output.write_all(b"a line\n").unwrap();
            until("the line is logged", || fs::read(main.join("current")).is_ok_and(|current| current == b"a line\n"));
            let ready = start.elapsed();

            let (status, took) = logger.terminate(DEADLINE);

            assert!(is_ok(status), "{status}");
            assert!(took < super::term::A_SECOND, "TERM took {took:?}");
            report(format_args!("{archives} archives on ext4: a line after {ready:.1?}, TERM {took:.1?}"));
        }
    });
}
