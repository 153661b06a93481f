//! The optional files of a service directory.

use std::fs;

use crate::supervise::service_fixture::{Maker, ServiceFixture, transcript};
use testkit::until;

#[test]
fn finish_gets_the_exit_code_and_the_signal() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "test -e second && exec sleep 1000; echo >second; exit 7");
    den.script("sv/a/finish", "echo \"$1 $2\" >>finished; exec sleep 0.1");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    until("it has finished once", || den.read("sv/a/finished") == "7 0\n");

    den.until_stat("sv/a", "up");
    den.run(Maker::Ours, "svc", &["-dx", "sv/a"]);

    until("it has finished twice", || den.read("sv/a/finished") == "7 0\n-1 15\n");
    until("the supervisor has left", || den.processes().is_empty());
}

#[test]
fn a_killed_supervisor_is_followed_by_one_that_runs_finish() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "exec sleep 1000");
    den.script("sv/a/finish", "echo \"$1 $2\" >>finished");
    let first = den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");
    super::service_fixture::kill_by_id(first);
    den.wait(first);
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");

    den.run(Maker::Ours, "svc", &["-o", "sv/a"]);
    super::service_fixture::kill_by_id(den.pid("sv/a"));

    // -1 0 where the kernel does not tell the signal of a process that is not a child.
    until("it has finished", || ["-1 9\n", "-1 0\n"].contains(&den.read("sv/a/finished").as_str()));
}

#[test]
fn down_signal_replaces_term() {
    let den = ServiceFixture::new();
    den.script(
        "sv/a/run",
        "trap '' TERM; trap 'echo INT >>got; exit' INT; echo ready >got; while :; do sleep 0.05; done",
    );
    den.write("sv/a/down-signal", "INT\n");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    until("it is ready", || den.read("sv/a/got") == "ready\n");

    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);

    den.until_stat("sv/a", "down");
    assert_eq!(den.read("sv/a/got"), "ready\nINT\n");
}

#[test]
fn timeout_kill_ends_what_does_not_listen() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "trap 'echo TERM >>got' TERM; echo ready >got; while :; do sleep 0.05; done");
    den.write("sv/a/timeout-kill", "200\n");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    until("it is ready", || den.read("sv/a/got") == "ready\n");

    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);

    den.until_stat("sv/a", "down");
    assert_eq!(den.read("sv/a/supervise/last-exit"), "signal 9\n");
    assert_eq!(den.read("sv/a/got"), "ready\nTERM\n");
}

#[test]
fn setsid_gives_the_service_a_session_of_its_own() {
    let session = |den: &ServiceFixture, dir: &str| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", den.pid(dir))).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse::<i32>().unwrap()
    };
    let den = ServiceFixture::new();
    den.script("sv/a/run", "exec sleep 1000");
    den.script("sv/b/run", "exec sleep 1000");
    den.write("sv/b/setsid", "");
    for dir in ["sv/a", "sv/b"] {
        den.start("out", Maker::Ours, "supervise", &[dir]);
        until("it runs", || {
            den.pid(dir) != 0
                && fs::read(format!("/proc/{}/cmdline", den.pid(dir))).is_ok_and(|c| c.starts_with(b"sleep"))
        });
    }

    assert_ne!(session(&den, "sv/a"), den.pid("sv/a"));
    assert_eq!(session(&den, "sv/b"), den.pid("sv/b"));
}

#[test]
fn readiness_is_shown_and_awaited() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "while ! test -e go; do sleep 0.02; done; echo >&7; exec sleep 1000");
    den.write("sv/a/notification-fd", "7\n");
    let first = den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "not ready");
    let (code, _, error) = transcript(&den.run(Maker::Ours, "svwait", &["-u", "-t", "0.2", "sv/a"]));
    assert_eq!((code, error.as_str()), (Some(111), "svwait: fatal: unable to wait for sv/a: timed out\n"));

    // Readiness outlives the supervisor.
    super::service_fixture::kill_by_id(first);
    den.wait(first);
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.write("sv/a/go", "");
    let (code, _, error) = transcript(&den.run(Maker::Ours, "svwait", &["-u", "-t", "60", "sv/a"]));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(den.stat("sv/a").contains(", ready "), "{}", den.stat("sv/a"));

    fs::remove_file(den.path("sv/a/go")).unwrap();
    den.run(Maker::Ours, "svc", &["-t", "sv/a"]);
    den.until_stat("sv/a", "not ready");
}

#[test]
fn svwait_waits_for_down_and_for_several() {
    let den = ServiceFixture::new();
    for dir in ["sv/a", "sv/b"] {
        den.script(&format!("{dir}/run"), "exec sleep 1000");
        den.start("out", Maker::Ours, "supervise", &[dir]);
    }
    assert_eq!(den.run(Maker::Ours, "svwait", &["-u", "sv/a", "sv/b"]).status.code(), Some(0));

    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);
    den.run(Maker::Ours, "svc", &["-dx", "sv/b"]);

    assert_eq!(den.run(Maker::Ours, "svwait", &["-d", "-t60", "sv/a", "sv/b"]).status.code(), Some(0));
    assert!(den.stat("sv/a").contains("down"));
    let usage = (Some(100), String::new(), "svwait: usage: svwait -u|-d [ -t seconds ] service ...\n".to_owned());
    for arguments in [&[][..], &["-u"], &["sv/a"], &["-u", "-t", "soon", "sv/a"]] {
        assert_eq!(transcript(&den.run(Maker::Ours, "svwait", arguments)), usage, "{arguments:?}");
    }
}

#[test]
fn an_option_that_makes_no_sense_is_named_and_left_out() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "exec sleep 1000");
    den.write("sv/a/down-signal", "SIGNOTHING\n");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");

    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);

    den.until_stat("sv/a", "down");
    assert_eq!(den.read("out"), "supervise: warning: unable to read sv/a/down-signal: bad format\n");
}

#[test]
fn the_pair_is_shown_to_people_and_to_programs() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "test -e second && exec sleep 1000; echo >second; exit 7");
    den.script("sv/a/log/run", "exec cat >/dev/null");
    den.start("out", Maker::Ours, "svscan", &["sv"]);
    until("it was started twice", || den.read("sv/a/supervise/starts") == "2\n");
    den.until_stat("sv/a/log", "up");
    den.until_stat("sv/a", "up");

    let (_, long, _) = transcript(&den.run(Maker::Ours, "svstat", &["-l", "sv/a"]));
    let (_, json, _) = transcript(&den.run(Maker::Ours, "svstat", &["--json", "sv/a", "missing"]));

    let lines: Vec<String> = long.lines().map(super::service_fixture::masked).collect();
    assert_eq!(
        lines,
        [
            "sv/a: up (pid N) N seconds",
            "  starts: 2, last exit: exit N",
            "  log: up (pid N) N seconds",
            "    starts: 1, last exit: none",
            "  svscan: paired with its log"
        ]
    );
    let pid = den.pid("sv/a");
    assert!(json.starts_with(&format!("{{\"service\":\"sv/a\",\"state\":\"up\",\"pid\":{pid},\"seconds\":")), "{json}");
    assert!(json.contains("\"starts\":2,\"last_exit\":{\"code\":7},\"log\":{\"service\":\"sv/a/log\","), "{json}");
    assert!(
        json.ends_with("\n{\"service\":\"missing\",\"error\":\"unable to chdir: file does not exist\"}\n"),
        "{json}"
    );
}
