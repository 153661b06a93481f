//! svscan exits: it ends the services first, then their loggers, which have logged every line; no process is left.

use std::fs;

use nix::sys::signal::Signal;

use testkit::service_fixture::{Seen, ServiceFixture, kill_by_id, send};
use testkit::until;

/// A service that writes numbered lines, and a last one when it is asked to end. It counts and writes in one command, for the
/// shell looks for signals between two.
const NUMBERING: &str = "trap 'echo end; echo $i >last; exit' TERM
    i=0; while :; do echo $((i=i+1)); sleep 0.02; done";

#[test]
fn every_line_is_logged_before_svscan_exits() {
    let fixture = ServiceFixture::new();
    let services: Vec<String> = (0..8).map(|number| format!("sv/{number}")).collect();
    for service in &services {
        fixture.script(&format!("{service}/run"), NUMBERING);
        // Not cat: one that is asked to end between reading and writing loses what it has read.
        fixture.script(&format!("{service}/log/run"), "exec multilog ./main");
    }
    fixture.script("sv/alone/run", "exec sleep 1000");
    let svscan = fixture.svscan("sv");
    for service in &services {
        until("lines are logged", || fixture.read(&format!("{service}/log/main/current")).lines().count() > 5);
    }
    // A logger that is down, or has just died, still gets to write what is in the pipe.
    fixture.svc(&["-d", "sv/1/log"]);
    fixture.until_stat("sv/1/log", "down");
    kill_by_id(fixture.pid("sv/2"));

    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    until("nothing is left", || fixture.processes().iter().all(|seen| seen.command.starts_with("sleep 0.")));
    for service in services {
        let logged = fixture.read(&format!("{service}/log/main/current"));
        let last = fixture.read(&format!("{service}/last"));
        let mut lines = logged.lines().rev();
        if !last.is_empty() {
            assert_eq!(lines.next(), Some("end"), "{service}");
            assert_eq!(lines.next(), Some(last.trim()), "{service}");
        }
    }
    assert_eq!(fixture.read("out"), "");
}

#[test]
fn a_service_that_ignores_term_is_killed_after_its_timeout() {
    let fixture = ServiceFixture::with_service("trap '' TERM; echo x; touch ready; while :; do sleep 0.05; done");
    fixture.write("sv/a/timeout-kill", "300");
    fs::create_dir_all(fixture.path("sv/a/log/main")).unwrap();
    fixture.script("sv/a/log/run", "exec cat >>main/current");
    let svscan = fixture.svscan("sv");
    until("it runs", || fixture.exists("sv/a/ready"));

    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    assert_eq!(fixture.read("sv/a/supervise/last-exit"), "signal 9\n");
    assert_eq!(fixture.read("sv/a/log/main/current"), "x\n");
}

#[test]
fn a_second_term_ends_svscan_at_once() {
    let fixture = ServiceFixture::with_service("trap '' TERM; touch ready; while :; do sleep 0.05; done");
    let svscan = fixture.svscan("sv");
    until("it runs", || fixture.exists("sv/a/ready"));

    send(svscan, Signal::SIGTERM);
    until("it was asked to end", || fixture.is("sv/a", "want down"));
    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
}

#[test]
fn the_service_of_a_killed_supervise_is_stopped() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let svscan = fixture.svscan("sv");
    fixture.until_stat("sv/a", "up");

    send(svscan, Signal::SIGSTOP);
    fixture.processes_of("supervise a").into_iter().for_each(kill_by_id);
    send(svscan, Signal::SIGTERM);
    send(svscan, Signal::SIGCONT);

    assert_eq!(fixture.wait(svscan), Some(0));
    assert!(fixture.processes().is_empty(), "{:#?}", fixture.processes());
}

#[test]
fn a_logger_is_ended_though_another_process_holds_its_pipe() {
    let fixture = ServiceFixture::with_service("(trap '' TERM; exec sleep 1000) & echo started; exec sleep 1000");
    fs::create_dir_all(fixture.path("sv/a/log/main")).unwrap();
    fixture.script("sv/a/log/run", "exec cat >>main/current");
    let svscan = fixture.svscan("sv");
    until("it is logged", || fixture.read("sv/a/log/main/current") == "started\n");

    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    assert!(fixture.read("out").contains("a has ended and another process keeps its output open: ending a/log"));
    assert_eq!(fixture.processes().len(), 1, "{:#?}", fixture.processes());
}

#[test]
fn hup_makes_svscan_scan_at_once() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let svscan = fixture.svscan("sv");
    fixture.until_stat("sv/a", "up");
    fixture.svc(&["-dx", "sv/a"]);
    until("its supervisor has left", || fixture.stat("sv/a").ends_with("supervise not running"));

    until("it is supervised again", || {
        send(svscan, Signal::SIGHUP);
        fixture.is("sv/a", "up")
    });
}

/// What becomes of the name of a service that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// `rm scan/a`: the link goes.
    Removed,
    /// `ln -sfn ../store/new scan/a`: the link leads to another service.
    Redirected,
    /// `mv scan/a scan/.a`.
    Hidden,
    /// `rm -rf scan/a`: the directory itself goes.
    Erased,
}

/// How svscan has come to its supervisors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinship {
    /// It has started them.
    Child,
    /// It has found them: an earlier svscan was killed.
    Found,
}

impl Loss {
    const ALL: [Loss; 4] = [Loss::Removed, Loss::Redirected, Loss::Hidden, Loss::Erased];

    fn apply(self, fixture: &ServiceFixture) {
        let name = fixture.path("scan/a");
        match self {
            Loss::Removed => fs::remove_file(name).unwrap(),
            Loss::Redirected => {
                std::os::unix::fs::symlink("../store/new", fixture.path("scan/.new")).unwrap();
                fs::rename(fixture.path("scan/.new"), name).unwrap();
            }
            Loss::Hidden => fs::rename(name, fixture.path("scan/.a")).unwrap(),
            Loss::Erased => fs::remove_dir_all(name).unwrap(),
        }
    }
}

/// Waits until svscan has found this number of supervisors.
fn until_found(svscan: i32, supervisors: usize) {
    until("it has found what runs", || {
        let open = fs::read_dir(format!("/proc/{svscan}/fd")).into_iter().flatten().flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.filter(|path| path.ends_with("supervise/ok")).count() == supervisors
    });
}

/// Runs a service whose name then goes, and ends svscan. `ignores_term`: the service ignores TERM, so that svscan needs a
/// second one.
fn lose(loss: Loss, kinship: Kinship, is_logged: bool, ignores_term: bool) {
    let what = format!("{loss:?} {kinship:?} logged: {is_logged} ignores TERM: {ignores_term}");
    let fixture = ServiceFixture::new();
    fs::create_dir(fixture.path("scan")).unwrap();
    let place = if loss == Loss::Erased { "scan/a" } else { "store/a" };
    let trap = if ignores_term { "trap '' TERM" } else { "trap 'echo end; exit' TERM" };
    fixture.script(&format!("{place}/run"), &format!("{trap}; echo begin; while :; do sleep 0.02; done"));
    fixture.script("store/new/run", "exec sleep 1000");
    if is_logged {
        let log = fixture.path("logged");
        fixture.script(&format!("{place}/log/run"), &format!("exec multilog {}", log.display()));
    }
    if loss != Loss::Erased {
        std::os::unix::fs::symlink("../store/a", fixture.path("scan/a")).unwrap();
    }
    let is_begun =
        || if is_logged { fixture.read("logged/current") == "begin\n" } else { fixture.read("out") == "begin\n" };
    let mut svscan = fixture.svscan("scan");
    until(&format!("it has begun: {what}"), is_begun);
    fixture.until_stat("scan/a", "up");
    if kinship == Kinship::Found {
        kill_by_id(svscan);
        fixture.wait(svscan);
        svscan = fixture.svscan("scan");
        until_found(svscan, if is_logged { 2 } else { 1 });
    }

    loss.apply(&fixture);
    send(svscan, Signal::SIGTERM);
    if ignores_term {
        // It is asked for a second time once it has seen the first.
        std::thread::sleep(std::time::Duration::from_millis(200));
        send(svscan, Signal::SIGTERM);
    }

    assert_eq!(fixture.wait(svscan), Some(0), "{what}: {}", fixture.read("out"));
    let is_left = |seen: &Seen| seen.state != 'Z' && !seen.command.starts_with("sleep 0.");
    until(&format!("nothing is left of {what}"), || !fixture.processes().iter().any(is_left));
    if is_logged && !ignores_term {
        assert_eq!(fixture.read("logged/current"), "begin\nend\n", "{what}");
    }
}

fn lose_in_every_way(kinship: Kinship, is_logged: bool) {
    std::thread::scope(|scope| {
        for loss in Loss::ALL {
            for ignores_term in [false, true] {
                scope.spawn(move || lose(loss, kinship, is_logged, ignores_term));
            }
        }
    });
}

#[test]
fn a_service_is_ended_if_its_name_is_gone() {
    lose_in_every_way(Kinship::Child, false);
}

#[test]
fn a_service_with_a_log_is_ended_if_its_name_is_gone() {
    lose_in_every_way(Kinship::Child, true);
}

#[test]
fn an_adopted_service_is_ended_if_its_name_is_gone() {
    lose_in_every_way(Kinship::Found, false);
}

#[test]
fn an_adopted_service_with_a_log_is_ended_if_its_name_is_gone() {
    lose_in_every_way(Kinship::Found, true);
}

#[test]
fn quit_kills_a_service_that_ignores_term() {
    let fixture = ServiceFixture::with_service("trap '' TERM; touch ready; while :; do sleep 0.05; done");
    let supervise = fixture.supervise("sv/a");
    until("it runs", || fixture.exists("sv/a/ready"));

    send(supervise, Signal::SIGQUIT);

    assert_eq!(fixture.wait(supervise), Some(0));
    assert_eq!(fixture.read("sv/a/supervise/last-exit"), "signal 9\n");
}

#[test]
fn a_second_term_does_not_wait_for_a_stopped_supervise() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let svscan = fixture.svscan("sv");
    fixture.until_stat("sv/a", "up");
    fixture.processes_of("supervise a").into_iter().for_each(|supervise| send(supervise, Signal::SIGSTOP));

    // Until it has seen two: two that come at once are one.
    until("it leaves", || {
        send(svscan, Signal::SIGTERM);
        fixture.read("out") == "svscan: warning: exiting although a still runs\n"
    });

    assert_eq!(fixture.wait(svscan), Some(0));
}

#[test]
fn the_logger_of_a_service_that_cannot_be_ended_is_ended() {
    std::thread::scope(|scope| {
        for logger in ["exec multilog ./main", "trap '' TERM; echo x >up; while :; do sleep 0.05; done"] {
            scope.spawn(move || {
                let fixture = ServiceFixture::with_service("echo begin; exec sleep 1000");
                fixture.script("sv/a/log/run", logger);
                let svscan = fixture.svscan("sv");
                until("it is logged", || {
                    fixture.read("sv/a/log/main/current") == "begin\n" || fixture.exists("sv/a/log/up")
                });
                fixture.until_stat("sv/a", "up");
                fixture.until_stat("sv/a/log", "up");
                // For svscan the same as a service that waits for a disk: its supervisor does not end.
                fixture.processes_of("supervise a").into_iter().for_each(|supervise| send(supervise, Signal::SIGSTOP));

                // Asking again and again puts nothing off.
                until("it leaves", || {
                    send(svscan, Signal::SIGTERM);
                    fixture.read("out") == "svscan: warning: exiting although a still runs\n"
                });

                assert_eq!(fixture.wait(svscan), Some(0));
                // svscan exits three seconds after the second TERM, whether or not the logger has been killed by then.
                let is_of_service = |seen: &Seen| seen.command == "sleep 1000" || seen.command.ends_with("supervise a");
                until(&format!("only the service is left, and not {logger}"), || {
                    let mut left = fixture.processes();
                    left.retain(|seen| seen.state != 'Z' && !seen.command.starts_with("sleep 0."));
                    left.len() == 2 && left.iter().all(is_of_service)
                });
            });
        }
    });
}

#[test]
fn a_service_is_ended_if_its_control_fifo_is_gone() {
    let fixture = ServiceFixture::new();
    for service in ["a", "b"] {
        fixture.script(&format!("sv/{service}/run"), "echo begin; exec sleep 1000");
        fixture.script(&format!("sv/{service}/log/run"), "exec multilog ../logged");
    }
    let svscan = fixture.svscan("sv");
    for service in ["a", "b"] {
        until("it is logged", || fixture.read(&format!("sv/{service}/logged/current")) == "begin\n");
        fixture.until_stat(&format!("sv/{service}/log"), "up");
    }

    fs::remove_dir_all(fixture.path("sv/a/supervise")).unwrap();
    fs::remove_dir_all(fixture.path("sv/a/log/supervise")).unwrap();
    // The log's name leads to another service.
    fs::rename(fixture.path("sv/b/log"), fixture.path("sv/b/.log")).unwrap();
    fixture.script("sv/b/log/run", "exec cat");
    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    assert!(fixture.processes().iter().all(|seen| seen.state == 'Z'), "{:#?}", fixture.processes());
}

#[test]
fn svscan_exits_if_a_service_and_its_log_directory_were_erased() {
    std::thread::scope(|scope| {
        for (kinship, terms) in [(Kinship::Child, 1), (Kinship::Child, 2), (Kinship::Found, 2)] {
            scope.spawn(move || {
                let fixture = ServiceFixture::new();
                fixture.script("scan/a/run", "trap '' TERM; while :; do echo line; sleep 0.02; done");
                fixture.script("scan/a/log/run", "exec multilog ./main");
                if terms == 1 {
                    fixture.script("scan/a/run", "while :; do echo line; sleep 0.02; done");
                }
                let mut svscan = fixture.svscan("scan");
                until("it is logged", || fixture.read("scan/a/log/main/current").len() > 20);
                if kinship == Kinship::Found {
                    kill_by_id(svscan);
                    fixture.wait(svscan);
                    svscan = fixture.svscan("scan");
                    until_found(svscan, 2);
                }

                fs::rename(fixture.path("scan/a"), fixture.path("scan/.a")).unwrap();
                fs::remove_dir_all(fixture.path("scan/.a")).unwrap();
                // The logger notices it, and tries to make its directory again from then on.
                until("it is noticed", || fixture.read("out").contains("unable to open directory ./main"));
                send(svscan, Signal::SIGTERM);
                if terms == 2 {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    send(svscan, Signal::SIGTERM);
                }

                assert_eq!(fixture.wait(svscan), Some(0), "{}", fixture.read("out"));
                let is_left = |seen: &Seen| seen.state != 'Z' && !seen.command.starts_with("sleep 0.");
                until("nothing is left", || !fixture.processes().iter().any(is_left));
            });
        }
    });
}
