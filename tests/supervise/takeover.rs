//! Our svscan takes over a tree that 0.76's svscan has started: services, loggers and pipes continue.

use std::fs;

use nix::sys::signal::Signal;

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, send};
use testkit::until;

use super::numbered;

/// 0.76 runs a service with a logger; then its svscan is killed, and ours comes.
fn taken_over(fixture: &ServiceFixture) -> i32 {
    fixture.script("sv/a/log/run", "exec multilog n100000 ./main");
    fixture.script("sv/a/run", numbered::SERVICE);
    let theirs = fixture.start("out", Maker::Theirs, "svscan", &["sv"]);
    until("the service is logged", || !numbered::logged(fixture, "a").is_empty());
    let before = ["sv/a", "sv/a/log"].map(|dir| fixture.pid(dir));
    kill_by_id(theirs);
    fixture.wait(theirs);
    let svscan = fixture.svscan("sv");
    let holds_pipe = || {
        let open = fs::read_dir(format!("/proc/{svscan}/fd")).into_iter().flatten().flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let reader = fs::read_link(format!("/proc/{}/fd/0", before[1])).unwrap();
        links.filter(|link| *link == reader).count() == 2
    };
    until("it has opened both ends of the pipe", holds_pipe);
    assert_eq!(["sv/a", "sv/a/log"].map(|dir| fixture.pid(dir)), before, "nothing was started");
    svscan
}

fn until_moving(fixture: &ServiceFixture) {
    let seen = numbered::logged(fixture, "a").len();
    until(&format!("lines are logged; {}", fixture.read("out")), || {
        let logged = numbered::logged(fixture, "a");
        logged.len() > seen && logged.last().is_some_and(|(copy, _)| *copy == fixture.pid("sv/a"))
    });
}

fn end(fixture: &ServiceFixture, svscan: i32) {
    send(svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(svscan), Some(0), "{}", fixture.read("out"));
    until("nothing is left", || {
        fixture.processes().iter().all(|seen| seen.command.starts_with("sleep 0.") || seen.state == 'Z')
    });
    numbered::check(fixture, "a");
}

#[test]
fn supervisors_of_0_76_can_be_exchanged_one_by_one() {
    if !Maker::Theirs.is_here() {
        return;
    }
    for order in [["sv/a", "sv/a/log"], ["sv/a/log", "sv/a"]] {
        let fixture = ServiceFixture::new();
        let svscan = taken_over(&fixture);
        for dir in order {
            let line = format!("supervise {}", dir.rsplit("sv/").next().unwrap());
            let old = fixture.pid(dir);
            let theirs = fixture.processes_of(if dir == "sv/a" { "supervise a" } else { "supervise log" });
            fixture.svc(&["-dx", dir]);
            let runs = |process: &i32| fixture.processes().iter().any(|seen| seen.pid == *process);
            until("their supervise has exited", || !theirs.iter().any(runs) && !fixture.is_supervised(dir));
            // Otherwise it waits five seconds.
            send(svscan, Signal::SIGHUP);
            until("svscan has started our supervise", || {
                fixture.processes_of(&line).iter().any(|pid| {
                    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == testkit::program("supervise"))
                }) && ![0, old].contains(&fixture.pid(dir))
            });
            until_moving(&fixture);
        }
        end(&fixture, svscan);
    }
}

#[test]
fn a_tree_of_0_76_is_ended_without_loss() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let fixture = ServiceFixture::new();
    let svscan = taken_over(&fixture);

    end(&fixture, svscan);
}
