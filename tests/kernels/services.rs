//! svscan, supervise and the tools beside them where a call is refused.

use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;

use testkit::kernels::{Outcome, Refusal, judge, play};
use testkit::service_fixture::{ServiceFixture, kill_by_id, send};
use testkit::{DEADLINE, until};

/// Each copy of the service says so in a file, and prints a line.
const SERVICE: &str = "echo $$ >>started; echo line of $$; exec sleep 1000";

fn command(fixture: &ServiceFixture, refusal: &Refusal, program: &str, arguments: &[&str]) -> Command {
    let mut launched = refusal.command(&testkit::program(program), arguments, None);
    // The launcher belongs to the fixture too.
    for (name, value) in fixture.command(program, &[]).get_envs() {
        if let Some(value) = value {
            launched.env(name, value);
        }
    }
    launched.current_dir(fixture.path("."));
    launched
}

/// Runs a tool to its end under the refusal, and returns its exit code and what it said.
fn tool(fixture: &ServiceFixture, refusal: &Refusal, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(fixture, refusal, program, arguments).output().expect("the program can be started");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn started(fixture: &ServiceFixture) -> Vec<i32> {
    fixture.read("sv/a/started").lines().map(|line| line.parse().expect("a process")).collect()
}

/// The copies of the service that run.
fn copies(fixture: &ServiceFixture) -> Vec<i32> {
    let copies = started(fixture);
    copies
        .into_iter()
        .filter(|copy| fixture.processes().iter().any(|seen| seen.pid == *copy && seen.state != 'Z'))
        .collect()
}

/// Waits like `until`, and shows the processes and messages if it fails.
fn until_in(fixture: &ServiceFixture, what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < DEADLINE,
            "waited in vain until {what}: {:#?}\n{}",
            fixture.processes(),
            fixture.read("out")
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A service with a log: its supervise is killed and replaced; svc restarts the service, stops and starts it; svscan ends it.
fn keeps_one_copy(refusal: &Refusal) -> Outcome {
    let fixture = ServiceFixture::with_service(SERVICE);
    fixture.script("sv/a/log/run", "exec multilog ./main");
    let svscan = fixture.start_command("out", command(&fixture, refusal, "svscan", &["sv"]));
    let logged = || fixture.read("sv/a/log/main/current");
    until_in(&fixture, "the service runs or svscan declined", || started(&fixture).len() == 1 || declined(&fixture));
    if started(&fixture).is_empty() {
        assert_eq!(fixture.wait(svscan), Some(111));
        return Outcome::Declined(said(&fixture).join("; "));
    }
    let first = started(&fixture)[0];
    let line_of = |process: i32| format!("line of {process}\n");
    until_in(&fixture, "the first line was logged", || logged() == line_of(first));
    until_in(&fixture, "the supervisor says so", || fixture.pid("sv/a") == first);

    // Another supervisor takes the service over.
    let supervisor = fixture.processes_of("supervise a")[0];
    kill_by_id(supervisor);
    let new = |fixture: &ServiceFixture| {
        fixture.processes_of("supervise a").into_iter().find(|process| *process != supervisor)
    };
    until_in(&fixture, "another supervisor came", || new(&fixture).is_some() && fixture.is_supervised("sv/a"));
    until_in(&fixture, "it knows the service", || fixture.is("sv/a", "up"));
    assert_eq!((fixture.pid("sv/a"), started(&fixture)), (first, vec![first]), "{}", fixture.read("out"));

    // The new supervise can end the service that it has adopted, and notices its end.
    let (code, words) = tool(&fixture, refusal, "svc", &["-t", "sv/a"]);
    assert_eq!((code, words.as_str()), (Some(0), ""));
    until_in(&fixture, "the service was restarted", || started(&fixture).len() == 2);
    assert_eq!(copies(&fixture), started(&fixture)[1..], "one copy runs");
    let second = started(&fixture)[1];
    until_in(&fixture, "its line was logged", || logged() == [line_of(first), line_of(second)].concat());

    // Once more, and down, by the tools.
    let other = new(&fixture).expect("it runs");
    kill_by_id(other);
    until_in(&fixture, "a third supervisor came", || {
        let running = fixture.processes_of("supervise a");
        running.len() == 1 && running[0] != other && fixture.is_supervised("sv/a") && fixture.is("sv/a", "up")
    });
    assert_eq!(tool(&fixture, refusal, "svc", &["-d", "sv/a"]), (Some(0), String::new()));
    let (code, words) = tool(&fixture, refusal, "svwait", &["-d", "-t", "50", "sv/a"]);
    assert_eq!(code, Some(0), "{words}");
    until_in(&fixture, "no copy runs", || copies(&fixture).is_empty());
    assert_eq!(tool(&fixture, refusal, "svok", &["sv/a"]).0, Some(0));
    assert_eq!(tool(&fixture, refusal, "svstat", &["sv/a"]).0, Some(0));
    assert_eq!(tool(&fixture, refusal, "svc", &["-u", "sv/a"]), (Some(0), String::new()));
    let (code, words) = tool(&fixture, refusal, "svwait", &["-u", "-t", "50", "sv/a"]);
    assert_eq!(code, Some(0), "{words}");
    until_in(&fixture, "the third copy runs", || started(&fixture).len() == 3);
    let third = started(&fixture)[2];
    until_in(&fixture, "its line was logged", || logged().ends_with(&line_of(third)));

    // A service that comes later is noticed.
    fixture.script("new/run", "exec sleep 1000");
    std::fs::rename(fixture.path("new"), fixture.path("sv/b")).expect("it can be moved");
    until_in(&fixture, "a new service was noticed", || fixture.is("sv/b", "up"));
    assert!(
        fixture.processes().iter().all(|seen| seen.state != 'Z'),
        "everybody is collected: {:#?}",
        fixture.processes()
    );

    send(svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(svscan), Some(0), "{}", fixture.read("out"));
    until("nothing is left", || fixture.processes().is_empty());
    let lines: String = [first, second, third].map(line_of).concat();
    assert_eq!(logged(), lines, "each line once");
    let said = said(&fixture);
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
fn said(fixture: &ServiceFixture) -> Vec<String> {
    let mut lines: Vec<String> =
        fixture.read("out").lines().filter(|line| line.contains(": ")).map(str::to_owned).collect();
    lines.retain(|line| ["svscan: ", "supervise: ", "multilog: "].iter().any(|program| line.starts_with(program)));
    lines.sort();
    lines.dedup();
    lines
}

fn declined(fixture: &ServiceFixture) -> bool {
    said(fixture).iter().any(|line| line.contains(": fatal: "))
}

#[test]
fn a_service_never_runs_twice() {
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
    fn a_service_never_runs_twice_whichever_call_is_refused() {
        play("service", &Refusal::all(), keeps_one_copy);
    }
}

/// svscanboot shows the messages of what it starts, and ends it.
fn boots(refusal: &Refusal) -> Outcome {
    let fixture = ServiceFixture::with_service("echo one >&2; exec sleep 1000");
    let sv = fixture.path("sv");
    let boot =
        fixture.start_command("out", command(&fixture, refusal, "svscanboot", &[sv.to_str().expect("it is UTF-8")]));
    let is_shown = || {
        fixture
            .processes()
            .iter()
            .any(|seen| seen.command.contains("service errors: ...") && seen.command.trim_end().ends_with("one"))
    };
    until_in(&fixture, "the message is shown", is_shown);
    send(boot, Signal::SIGTERM);
    assert_eq!(fixture.wait(boot), Some(0));
    until("nothing is left", || fixture.processes().is_empty());
    Outcome::Same
}

#[test]
fn svscanboot_starts_and_stops_everything() {
    play("svscanboot", &Refusal::of(&["signalfd4", "faccessat2", "pipe2", "pidfd"]), boots);
}
