//! svscan: services that come and go, and the pipe between a service and its logger.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::supervise::service_fixture::{Maker, ServiceFixture};
use testkit::until;

const TALKING: &str = "echo started $$; exec sleep 1000";
const LOGGING: &str = "exec cat >>main/current";

fn log(den: &ServiceFixture, service: &str) {
    fs::create_dir_all(den.path(service).join("log/main")).unwrap();
    den.script(&format!("{service}/log/run"), LOGGING);
}

fn make_sticky(den: &ServiceFixture, service: &str) {
    fs::set_permissions(den.path(service), fs::Permissions::from_mode(0o1755)).unwrap();
}

#[track_caller]
fn until_logged(den: &ServiceFixture, service: &str) {
    let current = format!("{service}/log/main/current");
    until(&format!("{service} is logged; svscan said {}", den.read("out")), || {
        let pid = den.pid(service);
        pid != 0 && den.read(&current).lines().any(|line| line == format!("started {pid}"))
    });
}

fn svscan(den: &ServiceFixture) -> i32 {
    den.start("out", Maker::Ours, "svscan", &["sv"])
}

#[test]
fn a_log_at_first_sight_makes_a_pair() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", TALKING);
    log(&den, "sv/a");

    svscan(&den);

    until_logged(&den, "sv/a");
    assert_eq!(den.read("sv/a/supervise/starts"), "1\n");
    let mode = den.path("sv/a/supervise/logpipe").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(den.read("out"), "");
}

#[test]
fn a_sticky_service_waits_for_its_log() {
    for is_linked in [false, true] {
        let den = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        den.script(&format!("{home}/a/run"), TALKING);
        make_sticky(&den, &format!("{home}/a"));
        if is_linked {
            symlink("../home/a", den.path("sv/a")).unwrap();
        }
        svscan(&den);
        until("it is named", || den.read("out").contains("a is sticky and has no log"));

        log(&den, &format!("{home}/a"));

        until_logged(&den, "sv/a");
        assert_eq!(den.read("sv/a/supervise/starts"), "1\n");
        assert_eq!(den.read("out").lines().count(), 1);
    }
}

#[test]
fn a_log_that_comes_late_is_joined_by_one_restart() {
    for is_linked in [false, true] {
        let den = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        den.script(&format!("{home}/a/run"), TALKING);
        den.script(&format!("{home}/other/run"), TALKING);
        if is_linked {
            symlink("../home/a", den.path("sv/a")).unwrap();
            symlink("../home/other", den.path("sv/other")).unwrap();
        }
        svscan(&den);
        den.until_stat("sv/a", "up");
        den.until_stat("sv/other", "up");
        let other = den.pid("sv/other");

        // Not complete until its run can be executed.
        fs::create_dir_all(den.path(home).join("a/log/main")).unwrap();
        den.write(&format!("{home}/a/log/run"), &format!("#!/bin/sh\n{LOGGING}\n"));
        fs::set_permissions(den.path(home).join("a/log/run"), fs::Permissions::from_mode(0o755)).unwrap();

        until_logged(&den, "sv/a");
        assert_eq!(den.read("sv/a/supervise/starts"), "2\n");
        assert_eq!(den.read("sv/a/supervise/last-exit"), "signal 15\n");
        assert_eq!((den.pid("sv/other"), den.read("sv/other/supervise/starts").as_str()), (other, "1\n"));
        assert!(den.read("out").contains("svscan: warning: a/log has come: restarting a to join the two\n"));
    }
}

#[test]
fn a_sticky_bit_that_comes_late_is_noticed_and_its_log_joined() {
    for is_linked in [false, true] {
        let den = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        den.script(&format!("{home}/a/run"), TALKING);
        if is_linked {
            symlink("../home/a", den.path("sv/a")).unwrap();
        }
        svscan(&den);
        den.until_stat("sv/a", "up");

        make_sticky(&den, &format!("{home}/a"));
        until("it is named", || den.read("out").contains("a is sticky and has no log"));
        log(&den, &format!("{home}/a"));

        until_logged(&den, "sv/a");
        assert_eq!(den.read("sv/a/supervise/starts"), "2\n");
    }
}

#[test]
fn a_late_log_leaves_a_service_that_is_down_down() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", TALKING);
    svscan(&den);
    den.until_stat("sv/a", "up");
    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);
    den.until_stat("sv/a", "down");

    log(&den, "sv/a");
    den.until_stat("sv/a/log", "up");
    den.run(Maker::Ours, "svc", &["-u", "sv/a"]);

    until_logged(&den, "sv/a");
    assert_eq!(den.read("sv/a/supervise/starts"), "2\n");
}

#[test]
fn services_are_found_under_any_number_of_names_and_dot_names_are_not() {
    let den = ServiceFixture::new();
    svscan(&den);
    den.script("sv/.hidden/run", TALKING);
    den.script("home/a/run", TALKING);
    symlink("../home/a", den.path("sv/one")).unwrap();
    symlink("../home/a", den.path("sv/two")).unwrap();
    den.write("sv/plain", "");

    den.until_stat("sv/one", "up");
    fs::rename(den.path("sv/.hidden"), den.path("sv/shown")).unwrap();
    den.until_stat("sv/shown", "up");

    assert_eq!(den.read("home/a/supervise/starts"), "1\n");
    until("both have spoken", || den.read("out").lines().count() == 2);
}

#[test]
fn a_service_that_has_gone_is_left_running_and_not_started_again() {
    let den = ServiceFixture::new();
    den.script("home/a/run", "exec sleep 1000");
    symlink("../home/a", den.path("sv/a")).unwrap();
    svscan(&den);
    den.until_stat("sv/a", "up");

    fs::remove_file(den.path("sv/a")).unwrap();
    assert!(den.is("home/a", "up"));
    den.run(Maker::Ours, "svc", &["-dx", "home/a"]);
    until("its supervisor has left", || den.stat("home/a").ends_with("supervise not running"));

    // A name that comes afterwards is seen, so the scans have gone on.
    den.script("sv/b/run", "exec sleep 1000");
    den.until_stat("sv/b", "up");
    assert!(den.stat("home/a").ends_with("supervise not running"));
}

#[test]
fn names_that_lead_nowhere_are_named_once() {
    let den = ServiceFixture::new();
    symlink("../missing", den.path("sv/a")).unwrap();
    den.script("sv/b/run", "exec sleep 1000");

    svscan(&den);
    den.until_stat("sv/b", "up");
    den.script("sv/c/run", "exec sleep 1000");
    den.until_stat("sv/c", "up");

    assert_eq!(den.read("out"), "svscan: warning: unable to stat a: file does not exist\n");
}

#[test]
fn a_limit_that_is_reached_is_named_once() {
    let den = ServiceFixture::new();
    for number in 0..40 {
        den.script(&format!("sv/{number}/run"), "exec sleep 1000");
        den.script(&format!("sv/{number}/log/run"), "exec cat >/dev/null");
    }
    let svscan = Maker::Ours.program("svscan");
    let arguments = ["-c", "ulimit -n 30; exec \"$0\" sv", svscan.to_str().unwrap()];

    den.start_command("out", den.command("/bin/sh", &arguments));
    until("it is said", || !den.read("out").is_empty());
    // Services that come meanwhile make it look again.
    for name in ["x", "y"] {
        den.script(&format!("sv/{name}/run"), "exec sleep 1000");
        den.until_stat(&format!("sv/{name}"), "up");
    }

    let said = den.read("out");
    assert!(said.contains("process cannot open more files"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn messages_of_a_log_name_its_service() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", "exec sleep 1000");
    fs::create_dir(den.path("sv/a/log")).unwrap();

    svscan(&den);

    until("it is said", || {
        den.read("out").contains("supervise: fatal: unable to start a/log/run: file does not exist\n")
    });
}

#[test]
fn a_new_svscan_finds_what_an_old_one_has_left() {
    let den = ServiceFixture::new();
    den.script("sv/a/run", TALKING);
    log(&den, "sv/a");
    let first = svscan(&den);
    until_logged(&den, "sv/a");
    let pids = (den.pid("sv/a"), den.pid("sv/a/log"));

    super::service_fixture::kill_by_id(first);
    den.wait(first);
    svscan(&den);
    den.script("sv/b/run", "exec sleep 1000");
    den.until_stat("sv/b", "up");

    assert_eq!((den.pid("sv/a"), den.pid("sv/a/log")), pids);
    assert_eq!(den.read("out"), "");
    // And it takes over from the supervisors that the old one had started.
    for supervise in den.processes_of("supervise a").into_iter().chain(den.processes_of("supervise a/log")) {
        super::service_fixture::kill_by_id(supervise);
    }
    until("they are supervised again", || den.is("sv/a", "up") && den.is("sv/a/log", "up"));
    assert_eq!((den.pid("sv/a"), den.pid("sv/a/log")), pids);
}
