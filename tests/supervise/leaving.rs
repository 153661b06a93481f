//! svscan leaves: services first, then loggers that have written everything, and nothing is left.

use std::fs;

use nix::sys::signal::Signal;

use super::den::{Den, Maker, send};
use crate::util::until;

/// A service that writes numbered lines, and a last one when it is asked to end. It counts and writes in one command, for the
/// shell looks for signals between two.
const NUMBERING: &str = "trap 'echo end; echo $i >last; exit' TERM
    i=0; while :; do echo $((i=i+1)); sleep 0.02; done";

#[test]
fn everything_is_written_before_svscan_leaves() {
    let den = Den::new();
    let services: Vec<String> = (0..8).map(|number| format!("sv/{number}")).collect();
    for service in &services {
        den.script(&format!("{service}/run"), NUMBERING);
        // Not cat: one that is asked to end between reading and writing loses what it has read.
        den.script(&format!("{service}/log/run"), "exec multilog ./main");
    }
    den.script("sv/alone/run", "exec sleep 1000");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    for service in &services {
        until("lines are logged", || den.read(&format!("{service}/log/main/current")).lines().count() > 5);
    }
    // A logger that is down, or has just died, still gets to write what is in the pipe.
    den.run(Maker::Ours, "svc", &["-d", "sv/1/log"]);
    den.until_stat("sv/1/log", "down");
    super::den::kill_by_id(den.pid("sv/2"));

    send(svscan, Signal::SIGTERM);

    assert_eq!(den.wait(svscan), Some(0));
    until("nothing is left", || den.processes().iter().all(|seen| seen.command.starts_with("sleep 0.")));
    for service in services {
        let logged = den.read(&format!("{service}/log/main/current"));
        let last = den.read(&format!("{service}/last"));
        let mut lines = logged.lines().rev();
        if !last.is_empty() {
            assert_eq!(lines.next(), Some("end"), "{service}");
            assert_eq!(lines.next(), Some(last.trim()), "{service}");
        }
    }
    assert_eq!(den.read("out"), "");
}

#[test]
fn a_service_that_does_not_listen_is_killed_in_time() {
    let den = Den::new();
    den.script("sv/deaf/run", "trap '' TERM; echo x; touch ready; while :; do sleep 0.05; done");
    den.write("sv/deaf/timeout-kill", "300");
    fs::create_dir_all(den.path("sv/deaf/log/main")).unwrap();
    den.script("sv/deaf/log/run", "exec cat >>main/current");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    until("it runs", || den.exists("sv/deaf/ready"));

    send(svscan, Signal::SIGTERM);

    assert_eq!(den.wait(svscan), Some(0));
    assert_eq!(den.read("sv/deaf/supervise/last-exit"), "signal 9\n");
    assert_eq!(den.read("sv/deaf/log/main/current"), "x\n");
}

#[test]
fn a_second_term_waits_for_nobody() {
    let den = Den::new();
    den.script("sv/deaf/run", "trap '' TERM; touch ready; while :; do sleep 0.05; done");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    until("it runs", || den.exists("sv/deaf/ready"));

    send(svscan, Signal::SIGTERM);
    until("it was asked to end", || den.is("sv/deaf", "want down"));
    send(svscan, Signal::SIGTERM);

    assert_eq!(den.wait(svscan), Some(0));
}

#[test]
fn what_a_killed_supervisor_has_left_is_stopped_too() {
    let den = Den::new();
    den.script("sv/a/run", "exec sleep 1000");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    den.until_stat("sv/a", "up");

    send(svscan, Signal::SIGSTOP);
    den.processes_of("supervise a").into_iter().for_each(super::den::kill_by_id);
    send(svscan, Signal::SIGTERM);
    send(svscan, Signal::SIGCONT);

    assert_eq!(den.wait(svscan), Some(0));
    assert!(den.processes().is_empty(), "{:#?}", den.processes());
}

#[test]
fn a_log_that_another_process_keeps_open_is_ended_all_the_same() {
    let den = Den::new();
    den.script("sv/a/run", "(trap '' TERM; exec sleep 1000) & echo started; exec sleep 1000");
    fs::create_dir_all(den.path("sv/a/log/main")).unwrap();
    den.script("sv/a/log/run", "exec cat >>main/current");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    until("it is logged", || den.read("sv/a/log/main/current") == "started\n");

    send(svscan, Signal::SIGTERM);

    assert_eq!(den.wait(svscan), Some(0));
    assert!(den.read("out").contains("a has ended and another process keeps its output open: ending a/log"));
    assert_eq!(den.processes().len(), 1, "{:#?}", den.processes());
}

#[test]
fn hup_looks_at_everything_at_once() {
    let den = Den::new();
    den.script("sv/a/run", "exec sleep 1000");
    let svscan = den.start("out", Maker::Ours, "svscan", &["sv"]);
    den.until_stat("sv/a", "up");
    den.run(Maker::Ours, "svc", &["-dx", "sv/a"]);
    until("its supervisor has left", || den.stat("sv/a").ends_with("supervise not running"));

    until("it is supervised again", || {
        send(svscan, Signal::SIGHUP);
        den.is("sv/a", "up")
    });
}
