//! The reader, the filters, the chain-loading tools, setup and splogger where a call is refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

#[cfg(feature = "readlog")]
use logyard::sys::{Errno, signal::Signal};

use super::refusal::Refusal;
use super::{Outcome, play};
use crate::supervise::den::bin_dir;
use crate::util::Workdir;
use crate::util::logdir::mask_labels;
#[cfg(feature = "readlog")]
use crate::util::{logger::Running, until};

/// Each command by name; what they need is in the working directory.
const COMMANDS: &[(&str, &str)] = &[
    ("tai64n", "tai64n <env/ONE"),
    ("tai64nlocal", "TZ=Europe/Berlin tai64nlocal <main/current"),
    ("setlock", "setlock -n lock echo held"),
    ("setlock waits", "setlock lock setlock -n other echo held"),
    ("setlock taken", "setlock lock setlock -n lock echo both"),
    ("softlimit", "softlimit -o 20 sh -c 'ulimit -n'"),
    ("softlimit none", "softlimit echo ran"),
    ("envdir", "envdir env sh -c 'echo $ONE'"),
    ("envuidgid", "envuidgid root sh -c 'echo $UID $GID'"),
    ("setuidgid", "setuidgid root echo ran"),
    ("fghack", "fghack sh -c 'sleep 0.01 & echo behind'"),
    ("pgrphack", "pgrphack echo ran"),
    ("readproctitle", "readproctitle service errors: .......... </dev/null"),
    ("splogger", "echo text >line; SPLOGGER_SOCKET=socket splogger tag 3 <line"),
    ("svok", "svok ."),
    ("svstat", "svstat ."),
    ("svc", "svc -u ."),
    ("svwait", "svwait -d ."),
    ("logyard-setup", "logyard-setup --root root -n"),
    #[cfg(feature = "readlog")]
    ("readlog", "readlog -o tai64n main"),
    #[cfg(feature = "readlog")]
    ("readlog -n", "readlog -o cat -n 1 main"),
    #[cfg(feature = "readlog")]
    ("readlog -g", "readlog -o cat -g second main"),
    #[cfg(feature = "readlog")]
    ("readlog --cursor", "readlog -o cat --cursor seen main; readlog -o cat --cursor seen main"),
    #[cfg(feature = "readlog")]
    ("readlog --cursor into a pipe", "mkfifo pipe; cat pipe & readlog -o cat --cursor seen2 main >pipe; wait"),
];

fn workdir() -> (Workdir, UnixDatagram) {
    let workdir = Workdir::new();
    for directory in ["main", "env", "root"] {
        fs::create_dir(workdir.join(directory)).unwrap();
    }
    fs::write(workdir.join("env/ONE"), "value\n").unwrap();
    let first = format!("@{} first\n", "400000003ce2403d00000000");
    fs::write(workdir.join("main/@400000003ce2403e00000000.s"), first).unwrap();
    fs::write(workdir.join("main/current"), "@400000003ce2403f00000000 second\n@400000003ce2404000000000 third\n")
        .unwrap();
    let socket = UnixDatagram::bind(workdir.join("socket")).unwrap();
    (workdir, socket)
}

/// Runs all the commands in one shell; returns for each its output with standard error, and its exit code at the end.
fn run_all(command: &dyn Fn(&Path, &[&str], &Path) -> std::process::Command) -> BTreeMap<&'static str, String> {
    let (workdir, _socket) = workdir();
    let commands = COMMANDS.iter().enumerate();
    let script: String = commands
        .map(|(number, (_, command))| format!("({command}) >out.{number} 2>&1; echo $? >>out.{number}\n"))
        .collect();
    let mut shell = command(Path::new("/bin/sh"), &["-c", &script], &workdir.join("stdout"));
    let path = format!("{}:/usr/bin:/bin", bin_dir().display());
    let done = shell.current_dir(workdir.path()).env("PATH", path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = |number: usize| {
        let bytes = fs::read(workdir.join(format!("out.{number}"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&mask_labels(&bytes)).into_owned();
        text.replace(&workdir.path().display().to_string(), "WORK")
    };
    COMMANDS.iter().enumerate().map(|(number, (name, _))| (*name, said(number))).collect()
}

/// Every command says the same as without a refusal, or one warning more, or why it cannot.
fn does_the_same(refusal: &Refusal, unrefused: &BTreeMap<&str, String>) -> Outcome {
    let refused = run_all(&|program, arguments, output| refusal.command(program, arguments, Some(output)));
    let mut outcome = Vec::new();
    for (name, said) in refused {
        let expected = &unrefused[name];
        if said == *expected {
            continue;
        }
        let lines: Vec<&str> = said.lines().collect();
        let without_warnings: String =
            lines.iter().filter(|line| !line.contains(": warning: ")).map(|line| format!("{line}\n")).collect();
        let [.., message, "111"] = lines[..] else {
            let warnings = lines.iter().filter(|line| line.contains(": warning: ")).count();
            assert!(without_warnings == *expected && warnings == 1, "{name}: {said}\nand not\n{expected}");
            outcome.push(format!("{name} warns: {}", lines.iter().find(|line| line.contains(": warning: ")).unwrap()));
            continue;
        };
        assert!(lines.len() == 2 && message.contains(": fatal: "), "{name}: {said}\nand not\n{expected}");
        outcome.push(format!("{name} declines: {message}"));
    }
    match outcome.is_empty() {
        true => Outcome::Same,
        false if outcome.iter().all(|one| one.contains(" declines: ")) => Outcome::Declined(outcome.join("; ")),
        false => Outcome::Weaker(outcome.join("; ")),
    }
}

#[test]
fn every_tool_does_its_work_or_says_why_it_cannot() {
    let unrefused = run_all(&|program, arguments, _| {
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        command
    });
    play("tools", &Refusal::all(), |refusal| does_the_same(refusal, &unrefused));
}

/// A reader that follows prints what is appended.
#[cfg(feature = "readlog")]
fn follows(refusal: &Refusal) -> Outcome {
    let (workdir, _socket) = workdir();
    let output = workdir.join("out");
    let arguments = ["-f", "-o", "cat", "main"];
    let mut command = refusal.command(&bin_dir().join("readlog"), &arguments, Some(&output));
    let words = fs::File::create(workdir.join("words")).unwrap();
    let mut reader = Running::start(command.current_dir(workdir.path()).stderr(words));
    let printed = || fs::read_to_string(&output).unwrap_or_default();
    let said = || fs::read_to_string(workdir.join("words")).unwrap_or_default();
    until("what is there is printed, or the reader declined", || printed().ends_with("third\n") || !reader.is_alive());
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
    super::judge(&said(), refusal)
}

#[cfg(feature = "readlog")]
#[test]
fn a_reader_follows_or_says_why_it_cannot() {
    let names = ["inotify_init1", "inotify_add_watch", "statx", "getrandom", "all of them"];
    play("follow", &Refusal::of(&names), follows);
}

// readlog.1 > "Where the system allows no more instances or watches, a message says so, and readlog looks at the directories
// twice a second."
#[cfg(feature = "readlog")]
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
        let words = "readlog: warning: unable to watch directories, looking at them twice a second";
        assert_eq!(outcome, Outcome::Weaker(format!("{words}: {why}")));
        outcome
    });
}
