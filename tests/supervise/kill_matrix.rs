//! Any two of svscan, the supervisors, the logger and the service are killed, one after the other: there are never two
//! copies of the service, no line is lost or duplicated, and the service is supervised and logged again.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use testkit::service_fixture::{ServiceFixture, kill_by_id, send};
use testkit::until;

use super::numbered;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Svscan,
    Supervise,
    LogSupervise,
    Logger,
    Service,
}

const VICTIMS: [Victim; 5] = [Victim::Svscan, Victim::Supervise, Victim::LogSupervise, Victim::Logger, Victim::Service];

struct Tree {
    fixture: ServiceFixture,
    svscan: i32,
}

impl Tree {
    fn new() -> Tree {
        let fixture = ServiceFixture::with_service(numbered::SERVICE);
        fs::create_dir_all(fixture.path("sv/a/log/main")).unwrap();
        fixture.script("sv/a/log/run", "exec multilog n100000 ./main");
        let svscan = fixture.svscan("sv");
        let tree = Tree { fixture, svscan };
        tree.until_moving();
        tree
    }

    fn kill(&mut self, victim: Victim) {
        self.processes(victim).into_iter().for_each(kill_by_id);
        if victim == Victim::Svscan {
            self.restart_svscan();
        }
    }

    fn processes(&self, victim: Victim) -> Vec<i32> {
        let all = |command: &str| self.fixture.processes_of(command);
        match victim {
            Victim::Svscan => vec![self.svscan],
            Victim::Supervise => all("supervise a"),
            Victim::LogSupervise => all("supervise a/log"),
            Victim::Logger => all("multilog n100000 ./main"),
            Victim::Service => all("/bin/sh ./run"),
        }
    }

    /// As init would.
    fn restart_svscan(&mut self) {
        self.fixture.wait(self.svscan);
        self.svscan = self.fixture.svscan("sv");
    }

    /// Kills svscan and the others, and starts svscan again only when the service has gone on writing for a while.
    fn kill_all_before_svscan_restarts(&mut self, others: &[Victim]) {
        let service = self.fixture.pid("sv/a");
        kill_by_id(self.svscan);
        for victim in others {
            self.processes(*victim).into_iter().for_each(kill_by_id);
            until(&format!("{victim:?} is gone"), || self.processes(*victim).is_empty());
        }
        let written = || self.fixture.read(&format!("sv/a/written.{service}")).trim().parse().unwrap_or(0_u64);
        let before = written();
        until("the service goes on writing", || written() > before + 50);

        self.restart_svscan();
        self.until_moving();

        assert_eq!(self.fixture.pid("sv/a"), service, "the service did not have to be restarted");
    }

    /// Waits until lines that the service writes now are logged, and everything is supervised.
    fn until_moving(&self) -> Duration {
        let start = Instant::now();
        let seen = self.logged().len();
        let is_kept = |dir: &str| self.fixture.pid(dir) != 0 && self.fixture.is_supervised(dir);
        until(&format!("the service is logged; {}", self.fixture.read("out")), || {
            let service = self.fixture.pid("sv/a");
            let is_alive = fs::exists(format!("/proc/{service}/exe")).unwrap_or(false);
            is_kept("sv/a") && is_kept("sv/a/log") && is_alive && {
                let logged = self.logged();
                logged.len() > seen && logged.last().is_some_and(|(copy, _)| *copy == service)
            }
        });
        start.elapsed()
    }

    fn logged(&self) -> Vec<(i32, u64)> {
        numbered::logged(&self.fixture, "a")
    }

    /// Ends svscan by TERM, and checks what was logged.
    fn check(self) {
        send(self.svscan, nix::sys::signal::Signal::SIGTERM);
        assert_eq!(self.fixture.wait(self.svscan), Some(0));
        until("nothing is left", || {
            self.fixture.processes().iter().all(|seen| seen.command.starts_with("sleep 0.") || seen.state == 'Z')
        });
        numbered::check(&self.fixture, "a");
    }
}

#[test]
fn nothing_is_lost_while_the_service_alone_is_left() {
    thread::scope(|scope| {
        for others in
            [&[Victim::LogSupervise, Victim::Logger][..], &[Victim::LogSupervise, Victim::Logger, Victim::Supervise]]
        {
            scope.spawn(move || {
                let mut tree = Tree::new();
                for _ in 0..3 {
                    tree.kill_all_before_svscan_restarts(others);
                }
                tree.check();
            });
        }
    });
}

fn pairs() -> Vec<(Victim, Victim)> {
    VICTIMS.iter().flat_map(|first| VICTIMS.map(|second| (*first, second))).filter(|(a, b)| a != b).collect()
}

/// Kills each pair in turn, the second a moment after the first, and checks the log at the end.
#[allow(clippy::print_stderr)] // How long each took, shown by --nocapture.
fn kill_in_pairs(pairs: &[(Victim, Victim)], rounds: u64) {
    let mut tree = Tree::new();
    for round in 0..rounds {
        for (first, second) in pairs {
            tree.kill(*first);
            thread::sleep(Duration::from_millis(round * 7 % 40));
            tree.kill(*second);
            let took = tree.until_moving();
            eprintln!("{first:?} then {second:?}: moving again after {took:?}");
        }
    }
    tree.check();
}

#[test]
fn any_two_processes_may_be_killed() {
    let pairs = pairs();
    thread::scope(|scope| {
        for part in pairs.chunks(4) {
            scope.spawn(|| kill_in_pairs(part, 1));
        }
    });
}

#[test]
#[ignore = "the long version"]
fn any_two_processes_may_be_killed_many_times() {
    let pairs = pairs();
    thread::scope(|scope| {
        for part in pairs.chunks(4) {
            scope.spawn(|| kill_in_pairs(part, 20));
        }
    });
}
