//! The optional files of a service directory.

use std::fs;

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, masked, transcript};
use testkit::until;

#[test]
fn finish_gets_the_exit_code_and_the_signal() {
    let fixture = ServiceFixture::with_service("test -e second && exec sleep 1000; echo >second; exit 7");
    fixture.script("sv/a/finish", "echo \"$1 $2\" >>finished; exec sleep 0.1");
    fixture.supervise("sv/a");
    until("it has finished once", || fixture.read("sv/a/finished") == "7 0\n");

    fixture.until_stat("sv/a", "up");
    fixture.svc(&["-dx", "sv/a"]);

    until("it has finished twice", || fixture.read("sv/a/finished") == "7 0\n-1 15\n");
    until("the supervisor has left", || fixture.processes().is_empty());
}

#[test]
fn the_successor_of_a_killed_supervise_runs_finish() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.script("sv/a/finish", "echo \"$1 $2\" >>finished");
    let first = fixture.supervise("sv/a");
    fixture.until_runs("sv/a");
    kill_by_id(first);
    fixture.wait(first);
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    fixture.svc(&["-o", "sv/a"]);
    kill_by_id(fixture.pid("sv/a"));

    // -1 0 where the kernel does not tell the signal of a process that is not a child.
    until("it has finished", || ["-1 9\n", "-1 0\n"].contains(&fixture.read("sv/a/finished").as_str()));
}

#[test]
fn down_signal_replaces_term() {
    let fixture = ServiceFixture::new();
    fixture.script(
        "sv/a/run",
        "trap '' TERM; trap 'echo INT >>got; exit' INT; echo ready >got; while :; do sleep 0.05; done",
    );
    fixture.write("sv/a/down-signal", "INT\n");
    fixture.supervise("sv/a");
    until("it is ready", || fixture.read("sv/a/got") == "ready\n");

    fixture.svc(&["-d", "sv/a"]);

    fixture.until_stat("sv/a", "down");
    assert_eq!(fixture.read("sv/a/got"), "ready\nINT\n");
}

#[test]
fn timeout_kill_kills_a_service_that_ignores_term() {
    let fixture =
        ServiceFixture::with_service("trap 'echo TERM >>got' TERM; echo ready >got; while :; do sleep 0.05; done");
    fixture.write("sv/a/timeout-kill", "200\n");
    fixture.supervise("sv/a");
    until("it is ready", || fixture.read("sv/a/got") == "ready\n");

    fixture.svc(&["-d", "sv/a"]);

    fixture.until_stat("sv/a", "down");
    assert_eq!(fixture.read("sv/a/supervise/last-exit"), "signal 9\n");
    assert_eq!(fixture.read("sv/a/got"), "ready\nTERM\n");
}

#[test]
fn setsid_gives_the_service_a_session_of_its_own() {
    let session = |fixture: &ServiceFixture, dir: &str| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", fixture.pid(dir))).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse::<i32>().unwrap()
    };
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.script("sv/b/run", "exec sleep 1000");
    fixture.write("sv/b/setsid", "");
    for dir in ["sv/a", "sv/b"] {
        fixture.supervise(dir);
        until("it runs", || {
            fixture.pid(dir) != 0
                && fs::read(format!("/proc/{}/cmdline", fixture.pid(dir))).is_ok_and(|c| c.starts_with(b"sleep"))
        });
    }

    assert_ne!(session(&fixture, "sv/a"), fixture.pid("sv/a"));
    assert_eq!(session(&fixture, "sv/b"), fixture.pid("sv/b"));
}

#[test]
fn readiness_is_shown_by_svstat_and_awaited_by_svwait() {
    let fixture = ServiceFixture::with_service("while ! test -e go; do sleep 0.02; done; echo >&7; exec sleep 1000");
    fixture.write("sv/a/notification-fd", "7\n");
    let first = fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "not ready");
    let (code, _, error) = transcript(&fixture.run(Maker::Ours, "svwait", &["-u", "-t", "0.2", "sv/a"]));
    assert_eq!((code, error.as_str()), (Some(111), "svwait: fatal: unable to wait for sv/a: timed out\n"));

    // Readiness outlives the supervisor.
    kill_by_id(first);
    fixture.wait(first);
    fixture.supervise("sv/a");
    fixture.write("sv/a/go", "");
    let (code, _, error) = transcript(&fixture.run(Maker::Ours, "svwait", &["-u", "-t", "60", "sv/a"]));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(fixture.stat("sv/a").contains(", ready "), "{}", fixture.stat("sv/a"));

    fs::remove_file(fixture.path("sv/a/go")).unwrap();
    fixture.svc(&["-t", "sv/a"]);
    fixture.until_stat("sv/a", "not ready");
}

#[test]
fn svwait_waits_for_several_services_to_go_down() {
    let fixture = ServiceFixture::new();
    for dir in ["sv/a", "sv/b"] {
        fixture.script(&format!("{dir}/run"), "exec sleep 1000");
        fixture.supervise(dir);
    }
    assert_eq!(fixture.run(Maker::Ours, "svwait", &["-u", "sv/a", "sv/b"]).status.code(), Some(0));

    fixture.svc(&["-d", "sv/a"]);
    fixture.svc(&["-dx", "sv/b"]);

    assert_eq!(fixture.run(Maker::Ours, "svwait", &["-d", "-t60", "sv/a", "sv/b"]).status.code(), Some(0));
    assert!(fixture.stat("sv/a").contains("down"));
    let usage = (Some(100), String::new(), "svwait: usage: svwait -u|-U|-d [ -t seconds ] service ...\n".to_owned());
    for arguments in [&[][..], &["-u"], &["sv/a"], &["-u", "-t", "soon", "sv/a"]] {
        assert_eq!(transcript(&fixture.run(Maker::Ours, "svwait", arguments)), usage, "{arguments:?}");
    }
    let (code, _, words) = transcript(&fixture.run(Maker::Ours, "svwait", &["-d", "--timeout", "sv/a"]));
    assert_eq!((code, words), (Some(100), format!("svwait: illegal option --timeout\n{}", usage.2)));
}

#[test]
fn a_bad_option_file_is_named_and_ignored() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.write("sv/a/down-signal", "SIGNOTHING\n");
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    fixture.svc(&["-d", "sv/a"]);

    fixture.until_stat("sv/a", "down");
    assert_eq!(fixture.read("out"), "supervise: warning: unable to read sv/a/down-signal: bad format\n");
}

#[test]
fn svstat_shows_a_service_and_its_log_as_text_and_as_json() {
    let fixture = ServiceFixture::with_service("test -e second && exec sleep 1000; echo >second; exit 7");
    fixture.script("sv/a/log/run", "exec cat >/dev/null");
    fixture.svscan("sv");
    until("it was started twice", || fixture.read("sv/a/supervise/starts") == "2\n");
    fixture.until_stat("sv/a/log", "up");
    fixture.until_stat("sv/a", "up");

    let (_, long, _) = transcript(&fixture.run(Maker::Ours, "svstat", &["-l", "sv/a"]));
    let (_, json, _) = transcript(&fixture.run(Maker::Ours, "svstat", &["--json", "sv/a", "missing"]));

    let lines: Vec<String> = long.lines().map(masked).collect();
    assert_eq!(
        lines,
        [
            "sv/a: up (pid N) N seconds",
            "  starts: 2, last exit: exit N",
            "  log: up (pid N) N seconds",
            "    starts: 1, last exit: none",
            "    waiting: N of N bytes",
            "    logger: unknown (no journal of multilog)",
            "  svscan: paired with its log"
        ]
    );
    let pid = fixture.pid("sv/a");
    assert!(
        json.starts_with(&format!("{{\"service\":\"sv/a\",\"error\":null,\"state\":\"up\",\"pid\":{pid},\"seconds\":")),
        "{json}"
    );
    assert!(
        json.contains("\"starts\":2,\"last_exit\":{\"code\":7,\"signal\":null},\"log\":{\"service\":\"sv/a/log\","),
        "{json}"
    );
    let missing = "\n{\"service\":\"missing\",\"error\":\"unable to chdir: file does not exist\",\"state\":null,";
    assert!(json.contains(missing) && json.ends_with(",\"log\":null,\"svscan\":null}\n"), "{json}");
}
