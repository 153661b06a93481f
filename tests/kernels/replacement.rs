//! svscan and supervise are replaced by new programs where a call is refused.

use nix::sys::signal::Signal;

use testkit::kernels::{Outcome, Refusal, play};
use testkit::replaced_programs::ReplacedPrograms;
use testkit::service_fixture::{ServiceFixture, kill_by_id, send};
use testkit::until;

/// The programs are replaced twice; the service and its logger keep their processes, and nothing that comes is missed.
fn continues(refusal: &Refusal) -> Outcome {
    let fixture = ServiceFixture::with_service("echo line of $$; exec sleep 1000");
    fixture.script("sv/a/log/run", "exec multilog ./main");
    let programs = ReplacedPrograms::new(&fixture);
    let mut command = refusal.command(&programs.path("svscan"), &["sv"], None);
    // The launcher belongs to the fixture too.
    for (name, value) in programs.command("svscan", &[]).get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.current_dir(fixture.path("."));
    let svscan = fixture.start_command("out", command);
    let logged = || fixture.read("sv/a/log/main/current");
    until(&format!("the first line was logged; {}", fixture.read("out")), || {
        logged().lines().count() == 1 && fixture.is("sv/a", "up") && fixture.is("sv/a/log", "up")
    });
    let before = [fixture.pid("sv/a"), fixture.pid("sv/a/log")];

    for _ in 0..2 {
        programs.replace();
        send(svscan, Signal::SIGURG);
        programs.until_executed(3);
        assert_eq!([fixture.pid("sv/a"), fixture.pid("sv/a/log")], before, "{}", fixture.read("out"));
    }
    kill_by_id(before[0]);
    until("the end of the service was noticed", || fixture.read("sv/a/supervise/last-exit") == "signal 9\n");
    until("the second line was logged", || logged().lines().count() == 2);
    fixture.svc(&["-d", "sv/a"]);
    fixture.until_stat("sv/a", "down");
    send(svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(svscan), Some(0), "{}", fixture.read("out"));
    until("nothing is left", || fixture.processes().iter().all(|seen| seen.state == 'Z'));
    let said = fixture.read("out");
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains(": warning: ")).collect();
    assert!(!said.contains("unable to execute"), "{said}");
    if warnings.is_empty() { Outcome::Same } else { Outcome::Weaker(warnings[0].to_owned()) }
}

#[test]
fn services_continue_when_svscan_and_supervise_are_replaced() {
    let calls = ["signalfd4", "memfd_create", "pidfd", "inotify_init1", "pipe2", "all of them"];
    play("replacement", &Refusal::of(&calls), continues);
}

mod torture {
    use super::{Refusal, continues, play};

    #[test]
    #[ignore = "part of the torture: every call"]
    fn services_continue_when_the_programs_are_replaced_whichever_call_is_refused() {
        play("replacement", &Refusal::all(), continues);
    }
}
