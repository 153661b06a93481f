//! If multilog cannot create its journal, at the start or later, it says so and creates the journal when it can.

use std::fs;
use std::path::PathBuf;

use logyard::sys::signal::Signal;

use testkit::logdir::current_bytes;
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, skipped, strace, until};

/// Starts a logger in a directory that `prepare` has put something into.
fn start(prepare: impl FnOnce(&LoggerFixture)) -> (LoggerFixture, Running) {
    let fixture = LoggerFixture::new();
    fs::create_dir(fixture.main()).unwrap();
    prepare(&fixture);
    let logger = fixture.start_with_messages(&["./main"]);
    fixture.until_ready();
    (fixture, logger)
}

fn journal(fixture: &LoggerFixture) -> PathBuf {
    fixture.main().join("journal")
}

/// Logs a line now and then until something has happened: a logger that is idle does nothing.
fn log_until(fixture: &mut LoggerFixture, what: &str, condition: impl Fn(&LoggerFixture) -> bool) {
    until(what, || {
        let before = current_bytes(&fixture.main()).unwrap_or(0);
        fixture.write("a line\n");
        until("the line is logged", || current_bytes(&fixture.main()) > Some(before));
        std::thread::sleep(std::time::Duration::from_millis(20));
        condition(fixture)
    });
}

#[track_caller]
fn end(mut logger: Running) {
    logger.signal(Signal::SIGTERM);
    let status = logger.end();
    assert!(status.success(), "{status}");
}

const UNABLE: &str = "multilog: warning: unable to keep ./main/journal: permission denied\n";
const AGAIN: &str = "multilog: warning: keeping ./main/journal again\n";

#[test]
fn a_journal_that_could_not_be_created_at_the_start_is_created_later() {
    let (mut fixture, logger) = start(|fixture| fs::create_dir(journal(fixture)).unwrap());
    assert_eq!(fixture.messages(), UNABLE);

    fs::remove_dir(journal(&fixture)).unwrap();
    log_until(&mut fixture, "there is a journal", |fixture| journal(fixture).is_file());

    assert_eq!(fixture.messages(), [UNABLE, AGAIN].concat());
    log_until(&mut fixture, "it tells of a batch", |fixture| {
        fs::read(journal(fixture)).is_ok_and(|page| page.starts_with(b"LOGYARD") && page[8] != 0)
    });
    end(logger);
}

#[test]
fn a_journal_that_could_not_be_replaced_is_created_later() {
    let (mut fixture, logger) = start(|_| ());
    until("there is a journal", || journal(&fixture).is_file());
    // Its page goes with the next line, and its name cannot be had.
    fs::OpenOptions::new().write(true).open(journal(&fixture)).unwrap().set_len(0).unwrap();
    fs::remove_file(journal(&fixture)).unwrap();
    fs::create_dir(journal(&fixture)).unwrap();
    log_until(&mut fixture, "it is missed", |fixture| !fixture.messages().is_empty());
    assert_eq!(fixture.messages(), UNABLE);

    fs::remove_dir(journal(&fixture)).unwrap();
    log_until(&mut fixture, "there is a journal", |fixture| journal(fixture).is_file());

    assert_eq!(fixture.messages(), [UNABLE, AGAIN].concat());
    end(logger);
}

#[test]
fn one_warning_names_a_directory_on_a_network_file_system() {
    let Some(mut strace) = strace("no network file system was feigned") else { return };
    let workdir = Workdir::in_memory();
    // The number of NFS, where the kernel answers.
    let inject = "inject=fstatfs:poke_exit=@arg2=6969000000000000";
    strace.args(["-qq", "-o", "/dev/null", "-e", inject]).arg(Multilog::Ours.path()).args(["./one", "./two"]);
    strace.current_dir(workdir.path()).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());

    let (status, words) = Running::start(&mut strace).end_and_words();

    if !status.success() && !words.contains("multilog") {
        skipped("strace may not change answers here, so no network file system was feigned");
        return;
    }
    let expected = "multilog: warning: ./one is on a network file system (NFS): kills are untested there\n";
    assert_eq!((status.code(), &words[..]), (Some(0), expected));
}

#[test]
fn an_incomplete_journal_is_removed() {
    for (directory, script) in [("one", &["./one"][..]), ("two", &["./one", "./two"])] {
        for is_pipe in [false, true] {
            let fixture = LoggerFixture::with_input(b"one\n");
            fs::create_dir(fixture.workdir.join(directory)).unwrap();
            let unfinished = fixture.workdir.join(directory).join("newjournal");
            fs::write(&unfinished, b"LOGYARD").unwrap();
            let file = fixture.workdir.join("input");
            fs::write(&file, b"one\n").unwrap();
            let mut command = Multilog::Ours.command(fixture.workdir.path(), script);
            let stdin = if is_pipe { fixture.stdin() } else { fs::File::open(file).unwrap().into() };

            let logger = Running::start(command.stdin(stdin));
            let LoggerFixture { workdir: _workdir, output, .. } = fixture;
            drop(output);
            let (status, words) = logger.end_and_words();

            assert!(status.success() && words.is_empty(), "{status}: {words}");
            assert!(!unfinished.exists(), "{script:?}, from a pipe: {is_pipe}");
        }
    }
}
