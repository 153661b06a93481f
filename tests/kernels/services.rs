//! svscan, supervise and the tools beside them where a call is refused.

use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::supervise::service_fixture::{ServiceFixture, bin_dir, kill_by_id, send};
use testkit::kernels::{Outcome, Refusal, judge, play};
use testkit::{DEADLINE, until};

/// Each copy of the service says so in a file, and prints a line.
const SERVICE: &str = "echo $$ >>started; echo line of $$; exec sleep 1000";

fn command(den: &ServiceFixture, refusal: &Refusal, program: &str, arguments: &[&str]) -> Command {
    let mut launched = refusal.command(&bin_dir().join(program), arguments, None);
    // The den's marks, on the launcher.
    for (name, value) in den.command(program, &[]).get_envs() {
        if let Some(value) = value {
            launched.env(name, value);
        }
    }
    launched.current_dir(den.path("."));
    launched
}

/// Runs a tool to its end under the refusal, and returns its exit code and what it said.
fn tool(den: &ServiceFixture, refusal: &Refusal, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(den, refusal, program, arguments).output().expect("the program can be started");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn started(den: &ServiceFixture) -> Vec<i32> {
    den.read("sv/a/started").lines().map(|line| line.parse().expect("a process")).collect()
}

/// The copies of the service that run.
fn copies(den: &ServiceFixture) -> Vec<i32> {
    let copies = started(den);
    copies
        .into_iter()
        .filter(|copy| den.processes().iter().any(|seen| seen.pid == *copy && seen.state != 'Z'))
        .collect()
}

/// Waits like `until`, in a den whose svscan may leave.
fn until_in(den: &ServiceFixture, what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}: {:#?}\n{}", den.processes(), den.read("out"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A service with a log: its supervisor is killed and comes back, it is told to restart, to go down and up, and svscan ends it.
fn keeps_one_copy(refusal: &Refusal) -> Outcome {
    let den = ServiceFixture::new();
    den.script("sv/a/run", SERVICE);
    den.script("sv/a/log/run", "exec multilog ./main");
    let svscan = den.start_command("out", command(&den, refusal, "svscan", &["sv"]));
    let logged = || den.read("sv/a/log/main/current");
    until_in(&den, "the service runs or svscan declined", || started(&den).len() == 1 || declined(&den));
    if started(&den).is_empty() {
        assert_eq!(den.wait(svscan), Some(111));
        return Outcome::Declined(said(&den).join("; "));
    }
    let first = started(&den)[0];
    let line_of = |process: i32| format!("line of {process}\n");
    until_in(&den, "the first line was logged", || logged() == line_of(first));
    until_in(&den, "the supervisor says so", || den.pid("sv/a") == first);

    // Another supervisor takes the service over.
    let supervisor = den.processes_of("supervise a")[0];
    kill_by_id(supervisor);
    let new = |den: &ServiceFixture| den.processes_of("supervise a").into_iter().find(|process| *process != supervisor);
    until_in(&den, "another supervisor came", || new(&den).is_some() && den.is_supervised("sv/a"));
    until_in(&den, "it knows the service", || den.is("sv/a", "up"));
    assert_eq!((den.pid("sv/a"), started(&den)), (first, vec![first]), "{}", den.read("out"));

    // What is adopted can be told to end, and its end is noticed.
    let (code, words) = tool(&den, refusal, "svc", &["-t", "sv/a"]);
    assert_eq!((code, words.as_str()), (Some(0), ""));
    until_in(&den, "the service was restarted", || started(&den).len() == 2);
    assert_eq!(copies(&den), started(&den)[1..], "one copy runs");
    let second = started(&den)[1];
    until_in(&den, "its line was logged", || logged() == [line_of(first), line_of(second)].concat());

    // Once more, and down, by the tools.
    let other = new(&den).expect("it runs");
    kill_by_id(other);
    until_in(&den, "a third supervisor came", || {
        let running = den.processes_of("supervise a");
        running.len() == 1 && running[0] != other && den.is_supervised("sv/a") && den.is("sv/a", "up")
    });
    assert_eq!(tool(&den, refusal, "svc", &["-d", "sv/a"]), (Some(0), String::new()));
    let (code, words) = tool(&den, refusal, "svwait", &["-d", "-t", "50", "sv/a"]);
    assert_eq!(code, Some(0), "{words}");
    until_in(&den, "no copy runs", || copies(&den).is_empty());
    assert_eq!(tool(&den, refusal, "svok", &["sv/a"]).0, Some(0));
    assert_eq!(tool(&den, refusal, "svstat", &["sv/a"]).0, Some(0));
    assert_eq!(tool(&den, refusal, "svc", &["-u", "sv/a"]), (Some(0), String::new()));
    let (code, words) = tool(&den, refusal, "svwait", &["-u", "-t", "50", "sv/a"]);
    assert_eq!(code, Some(0), "{words}");
    until_in(&den, "the third copy runs", || started(&den).len() == 3);
    let third = started(&den)[2];
    until_in(&den, "its line was logged", || logged().ends_with(&line_of(third)));

    // A service that comes later is noticed.
    den.script("new/run", "exec sleep 1000");
    std::fs::rename(den.path("new"), den.path("sv/b")).expect("it can be moved");
    until_in(&den, "a new service was noticed", || den.is("sv/b", "up"));
    assert!(den.processes().iter().all(|seen| seen.state != 'Z'), "everybody is collected: {:#?}", den.processes());

    send(svscan, Signal::SIGTERM);
    assert_eq!(den.wait(svscan), Some(0), "{}", den.read("out"));
    until("nothing is left", || den.processes().is_empty());
    let lines: String = [first, second, third].map(line_of).concat();
    assert_eq!(logged(), lines, "each line once");
    let said = said(&den);
    // One warning for each program that has something to say.
    let mut programs: Vec<&str> = said.iter().filter_map(|line| line.split(": ").next()).collect();
    let count = programs.len();
    programs.dedup();
    assert!(said.iter().all(|line| line.contains(": warning: ")), "{said:#?}");
    match said.len() {
        0 => judge("", refusal),
        _ => Outcome::Weaker(format!("{} ({count} warnings of {programs:?})", said[0])),
    }
}

/// What the programs have said, without what the harness prints, each sentence once.
fn said(den: &ServiceFixture) -> Vec<String> {
    let mut lines: Vec<String> =
        den.read("out").lines().filter(|line| line.contains(": ")).map(str::to_owned).collect();
    lines.retain(|line| ["svscan: ", "supervise: ", "multilog: "].iter().any(|program| line.starts_with(program)));
    lines.sort();
    lines.dedup();
    lines
}

fn declined(den: &ServiceFixture) -> bool {
    said(den).iter().any(|line| line.contains(": fatal: "))
}

#[test]
fn a_service_has_one_copy_whoever_is_killed() {
    let calls = [
        "pidfd",
        "pidfd_send_signal",
        "waitid",
        "inotify_init1",
        "inotify_add_watch",
        "signalfd4",
        "faccessat2",
        "clone3",
        "pipe2",
        "all of them",
    ];
    play("service", &Refusal::of(&calls), keeps_one_copy);
}

mod torture {
    use super::{Refusal, keeps_one_copy, play};

    #[test]
    #[ignore = "part of the torture: every call"]
    fn a_service_has_one_copy_whichever_call_is_refused() {
        play("service", &Refusal::all(), keeps_one_copy);
    }
}

/// svscanboot shows the messages of what it starts, and ends it.
fn boots(refusal: &Refusal) -> Outcome {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "echo one >&2; exec sleep 1000");
    let sv = den.path("sv");
    let boot = den.start_command("out", command(&den, refusal, "svscanboot", &[sv.to_str().expect("it is UTF-8")]));
    let is_shown = || {
        den.processes()
            .iter()
            .any(|seen| seen.command.contains("service errors: ...") && seen.command.trim_end().ends_with("one"))
    };
    until_in(&den, "the message is shown", is_shown);
    send(boot, Signal::SIGTERM);
    assert_eq!(den.wait(boot), Some(0));
    until("nothing is left", || den.processes().is_empty());
    Outcome::Same
}

#[test]
fn svscanboot_starts_and_ends_everything() {
    play("svscanboot", &Refusal::of(&["signalfd4", "faccessat2", "pipe2", "pidfd"]), boots);
}
