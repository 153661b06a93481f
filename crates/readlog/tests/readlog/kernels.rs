//! readlog where a call is refused.

use std::fs;
use std::io::Write;
use std::path::Path;

use logyard::sys::{Errno, signal::Signal};
use testkit::kernels::tools::{Commands, every_command_works, workdir};
use testkit::kernels::{Outcome, Refusal, judge, play};
use testkit::logger::Running;
use testkit::until;

/// What `Refusal::command` starts.
#[test]
#[ignore = "the launcher of other tests"]
fn launch() {
    testkit::kernels::launch();
}

/// Each command by name; what they need is in the working directory.
const COMMANDS: Commands = &[
    ("readlog", "readlog -o tai64n main"),
    ("readlog -n", "readlog -o cat -n 1 main"),
    ("readlog -g", "readlog -o cat -g second main"),
    ("readlog --cursor", "readlog -o cat --cursor seen main; readlog -o cat --cursor seen main"),
    ("readlog --cursor into a pipe", "mkfifo pipe; cat pipe & readlog -o cat --cursor seen2 main >pipe; wait"),
];

#[test]
fn readlog_does_its_work_or_says_why_it_cannot() {
    every_command_works(COMMANDS, Path::new(env!("CARGO_BIN_EXE_readlog")).parent().unwrap());
}

/// A reader that follows prints what is appended.
fn follows(refusal: &Refusal) -> Outcome {
    let (workdir, _socket) = workdir();
    let output = workdir.join("out");
    let arguments = ["-f", "-o", "cat", "main"];
    let mut command = refusal.command(Path::new(env!("CARGO_BIN_EXE_readlog")), &arguments, Some(&output));
    let words = fs::File::create(workdir.join("words")).unwrap();
    let mut reader = Running::start(command.current_dir(workdir.path()).stderr(words));
    let printed = || fs::read_to_string(&output).unwrap_or_default();
    let said = || fs::read_to_string(workdir.join("words")).unwrap_or_default();
    until("the lines in the files are printed, or readlog has exited", || {
        printed().ends_with("third\n") || !reader.is_alive()
    });
    if !reader.is_alive() {
        assert_eq!(reader.end().code(), Some(111), "{}", said());
        return Outcome::Declined(said().trim_end().to_owned());
    }
    let mut current = fs::File::options().append(true).open(workdir.join("main/current")).unwrap();
    current.write_all(b"@400000003ce2404100000000 fourth\n").unwrap();
    until("what was appended is printed", || printed().ends_with("fourth\n"));
    fs::rename(workdir.join("main/current"), workdir.join("main/@400000003ce2404200000000.s")).unwrap();
    fs::write(workdir.join("main/current"), "@400000003ce2404300000000 fifth\n").unwrap();
    until("what a rotation brought is printed", || printed().ends_with("fifth\n"));
    reader.signal(Signal::SIGINT);
    assert_eq!(reader.end().code(), Some(130), "{}", said());
    assert_eq!(printed(), "first\nsecond\nthird\nfourth\nfifth\n");
    judge(&said(), refusal)
}

#[test]
fn a_reader_follows_or_says_why_it_cannot() {
    let names = ["inotify_init1", "inotify_add_watch", "statx", "getrandom", "all of them"];
    play("follow", &Refusal::of(&names), follows);
}

// readlog.1 > "Where the system allows no more instances or watches, a message says so, and readlog looks at the directories
// twice a second."
#[test]
fn a_reader_that_cannot_watch_says_why_and_looks() {
    let cells = [
        ("inotify_init1", Errno::ENOSYS, "system call not available"),
        ("inotify_init1", Errno::EPERM, "permission denied"),
        ("inotify_init1", Errno::EMFILE, "no more inotify instances are allowed (fs.inotify.max_user_instances)"),
        ("inotify_init1", Errno::ENFILE, "system cannot open more files"),
        ("inotify_add_watch", Errno::ENOSYS, "system call not available"),
        ("inotify_add_watch", Errno::EPERM, "permission denied"),
        ("inotify_add_watch", Errno::ENOSPC, "no more inotify watches are allowed (fs.inotify.max_user_watches)"),
        ("inotify_add_watch", Errno::ENOMEM, "out of memory"),
    ];
    let refusals = cells.map(|(name, answer, _)| Refusal::with(name, answer));
    play("follow without inotify", &refusals, |refusal| {
        let outcome = follows(refusal);
        let cell = cells.iter().find(|(name, answer, _)| (*name, *answer) == (refusal.name, refusal.answer));
        let why = cell.expect("one of the cells").2;
        let words = "readlog: warning: unable to watch directories, checking them twice a second";
        assert_eq!(outcome, Outcome::Weaker(format!("{words}: {why}")));
        outcome
    });
}
