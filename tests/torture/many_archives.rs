//! Directories with very many archives: the successor of a killed logger logs before it has removed them, and obeys TERM.
//!
//! strace makes each removal so slow that all of them take longer than any
//! test waits.

use std::fs;
use std::io::{PipeReader, Write};
use std::path::Path;
use std::time::Instant;

use logyard::sys::signal::{self, Signal};

use super::namespace::{Kind, Scene, in_own_namespace};
use super::subject::Subject;
use crate::torture::collect;
use testkit::logger::{Multilog, Running, messages};
use testkit::{Workdir, report, strace, until};

/// Makes the directory of a killed logger, with this number of archives.
fn make_archives(main: &Path, archives: u32) {
    fs::create_dir(main).unwrap();
    for number in 0..archives {
        fs::File::create(main.join(format!("@4{number:023x}.s"))).unwrap();
    }
    fs::write(main.join("current"), "before the kill\n").unwrap();
}

/// Starts our multilog under strace, which makes a call slow; `None`, with a notice, if that cannot be done.
fn start_slowed(injection: &str, dir: &Path, script: &[&str], stdin: PipeReader) -> Option<Running> {
    let mut strace = strace("no system call was slowed down")?;
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={injection}")]);
    Some(Running::start_in(strace.arg(Multilog::Ours.path()).args(script), dir, stdin))
}

#[test]
fn many_archives_are_removed_beside_the_logging_and_term_ends_it() {
    let dir = Workdir::in_memory();
    let main = dir.join("main");
    make_archives(&main, 8000);
    let (input, mut output) = std::io::pipe().unwrap();
    // Eighty seconds for all.
    let script = ["n3", "./main"];
    let Some(mut logger) = start_slowed("unlinkat:delay_enter=10000", dir.path(), &script, input) else { return };
    output.write_all(b"after it\n").unwrap();

    until("the line is logged", || fs::read(main.join("current")).is_ok_and(|current| current == b"after it\n"));
    let left = collect::archives(&main).len();
    assert!(left > 1000, "it was logged when {left} archives were left");
    until("more are removed while nothing else happens", || collect::archives(&main).len() < left);
    signal::send(logger.traced_logger(), Signal::SIGTERM).unwrap();
    let status = logger.end();

    assert!(status.success(), "{status}");
    assert!(collect::archives(&main).len() > 3, "it has waited until all were removed");
}

#[test]
fn term_ends_a_start_that_reads_a_slow_directory() {
    let dir = Workdir::in_memory();
    make_archives(&dir.join("main"), 20_000);
    let (input, _output) = std::io::pipe().unwrap();
    // More than a minute for all.
    let script = ["n3", "./main"];
    let Some(mut logger) = start_slowed("getdents64:delay_enter=2500000", dir.path(), &script, input) else { return };
    let pid = logger.traced_logger();
    until("it has the lock", || dir.join("main/lock").exists());

    let start = Instant::now();
    signal::send(pid, Signal::SIGTERM).unwrap();
    let status = logger.end();

    assert!(status.success(), "{status} after {:?}", start.elapsed());
    assert_eq!(fs::read(dir.join("main/current")).unwrap(), b"before the kill\n");
    assert_eq!(messages(&dir), "");
}

#[test]
fn surplus_archives_are_removed_at_the_end_of_the_input() {
    for archives in [10, 3000, 10_000] {
        let dir = Workdir::in_memory();
        make_archives(&dir.join("main"), archives);
        let (input, output) = std::io::pipe().unwrap();
        drop(output);

        let mut logger = Subject::Ours.start(&["n3", "./main"], dir.path(), input);

        assert!(logger.end().success());
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
            make_archives(&main, archives);
            let (input, mut output) = std::io::pipe().unwrap();
            let start = Instant::now();
            let mut logger = Subject::Ours.start(&["n10", "./main"], dir.path(), input);
            output.write_all(b"a line\n").unwrap();
            until("the line is logged", || fs::read(main.join("current")).is_ok_and(|current| current == b"a line\n"));
            let ready = start.elapsed();

            let (status, took) = logger.terminate();

            assert!(status.success(), "{status}");
            assert!(took < super::term::A_SECOND, "TERM took {took:?}");
            report(format_args!("{archives} archives on ext4: a line after {ready:.1?}, TERM {took:.1?}"));
        }
    });
}
