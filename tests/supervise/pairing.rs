//! svscan: services that come and go, and the pipe between a service and its logger.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id};
use testkit::until;

const TALKING: &str = "echo started $$; exec sleep 1000";
const LOGGING: &str = "exec cat >>main/current";

fn log(fixture: &ServiceFixture, service: &str) {
    fs::create_dir_all(fixture.path(service).join("log/main")).unwrap();
    fixture.script(&format!("{service}/log/run"), LOGGING);
}

fn make_sticky(fixture: &ServiceFixture, service: &str) {
    fs::set_permissions(fixture.path(service), fs::Permissions::from_mode(0o1755)).unwrap();
}

#[track_caller]
fn until_logged(fixture: &ServiceFixture, service: &str) {
    let current = format!("{service}/log/main/current");
    until(&format!("{service} is logged; svscan said {}", fixture.read("out")), || {
        let pid = fixture.pid(service);
        pid != 0 && fixture.read(&current).lines().any(|line| line == format!("started {pid}"))
    });
}

#[test]
fn a_service_with_a_log_is_started_with_its_logger() {
    let fixture = ServiceFixture::with_service(TALKING);
    log(&fixture, "sv/a");

    fixture.svscan("sv");

    until_logged(&fixture, "sv/a");
    assert_eq!(fixture.read("sv/a/supervise/starts"), "1\n");
    let mode = fixture.path("sv/a/supervise/logpipe").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(fixture.read("out"), "");
}

#[test]
fn a_sticky_service_waits_for_its_log() {
    for is_linked in [false, true] {
        let fixture = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        fixture.script(&format!("{home}/a/run"), TALKING);
        make_sticky(&fixture, &format!("{home}/a"));
        if is_linked {
            symlink("../home/a", fixture.path("sv/a")).unwrap();
        }
        fixture.svscan("sv");
        until("it is named", || fixture.read("out").contains("a is sticky and has no log"));

        log(&fixture, &format!("{home}/a"));

        until_logged(&fixture, "sv/a");
        assert_eq!(fixture.read("sv/a/supervise/starts"), "1\n");
        assert_eq!(fixture.read("out").lines().count(), 1);
    }
}

#[test]
fn a_late_log_is_connected_by_one_restart() {
    for is_linked in [false, true] {
        let fixture = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        fixture.script(&format!("{home}/a/run"), TALKING);
        fixture.script(&format!("{home}/other/run"), TALKING);
        if is_linked {
            symlink("../home/a", fixture.path("sv/a")).unwrap();
            symlink("../home/other", fixture.path("sv/other")).unwrap();
        }
        fixture.svscan("sv");
        fixture.until_stat("sv/a", "up");
        fixture.until_stat("sv/other", "up");
        let other = fixture.pid("sv/other");

        // Not complete until its run can be executed.
        let set_mode = |run, mode| fs::set_permissions(fixture.path(run), fs::Permissions::from_mode(mode)).unwrap();
        fixture.script("run", LOGGING);
        set_mode("run", 0o644);
        fs::create_dir_all(fixture.path(home).join("a/log/main")).unwrap();
        let run = format!("{home}/a/log/run");
        fs::rename(fixture.path("run"), fixture.path(&run)).unwrap();
        set_mode(&run, 0o755);

        until_logged(&fixture, "sv/a");
        assert_eq!(fixture.read("sv/a/supervise/starts"), "2\n");
        assert_eq!(fixture.read("sv/a/supervise/last-exit"), "signal 15\n");
        assert_eq!((fixture.pid("sv/other"), fixture.read("sv/other/supervise/starts").as_str()), (other, "1\n"));
        assert!(fixture.read("out").contains("svscan: warning: a/log exists now: restarting a to connect them\n"));
    }
}

#[test]
fn a_sticky_bit_that_is_set_late_is_noticed_and_the_log_connected() {
    for is_linked in [false, true] {
        let fixture = ServiceFixture::new();
        let home = if is_linked { "home" } else { "sv" };
        fixture.script(&format!("{home}/a/run"), TALKING);
        if is_linked {
            symlink("../home/a", fixture.path("sv/a")).unwrap();
        }
        fixture.svscan("sv");
        fixture.until_stat("sv/a", "up");

        make_sticky(&fixture, &format!("{home}/a"));
        until("it is named", || fixture.read("out").contains("a is sticky and has no log"));
        log(&fixture, &format!("{home}/a"));

        until_logged(&fixture, "sv/a");
        assert_eq!(fixture.read("sv/a/supervise/starts"), "2\n");
    }
}

#[test]
fn a_late_log_does_not_start_a_service_that_is_down() {
    let fixture = ServiceFixture::with_service(TALKING);
    fixture.svscan("sv");
    fixture.until_stat("sv/a", "up");
    fixture.svc(&["-d", "sv/a"]);
    fixture.until_stat("sv/a", "down");

    log(&fixture, "sv/a");
    fixture.until_stat("sv/a/log", "up");
    fixture.svc(&["-u", "sv/a"]);

    until_logged(&fixture, "sv/a");
    assert_eq!(fixture.read("sv/a/supervise/starts"), "2\n");
}

#[test]
fn a_service_with_two_names_runs_once_and_dot_names_are_skipped() {
    let fixture = ServiceFixture::new();
    fixture.svscan("sv");
    fixture.script("sv/.hidden/run", TALKING);
    fixture.script("home/a/run", TALKING);
    symlink("../home/a", fixture.path("sv/one")).unwrap();
    symlink("../home/a", fixture.path("sv/two")).unwrap();
    fixture.write("sv/plain", "");

    fixture.until_stat("sv/one", "up");
    fs::rename(fixture.path("sv/.hidden"), fixture.path("sv/shown")).unwrap();
    fixture.until_stat("sv/shown", "up");

    assert_eq!(fixture.read("home/a/supervise/starts"), "1\n");
    until("both have spoken", || fixture.read("out").lines().count() == 2);
}

#[test]
fn a_removed_service_keeps_running_and_is_not_restarted() {
    let fixture = ServiceFixture::new();
    fixture.script("home/a/run", "exec sleep 1000");
    symlink("../home/a", fixture.path("sv/a")).unwrap();
    fixture.svscan("sv");
    fixture.until_stat("sv/a", "up");

    fs::remove_file(fixture.path("sv/a")).unwrap();
    assert!(fixture.is("home/a", "up"));
    fixture.svc(&["-dx", "home/a"]);
    until("its supervisor has left", || fixture.stat("home/a").ends_with("supervise not running"));

    // A name that comes afterwards is seen, so the scans have gone on.
    fixture.script("sv/b/run", "exec sleep 1000");
    fixture.until_stat("sv/b", "up");
    assert!(fixture.stat("home/a").ends_with("supervise not running"));
}

#[test]
fn dangling_links_are_named_once() {
    let fixture = ServiceFixture::new();
    symlink("../missing", fixture.path("sv/a")).unwrap();
    fixture.script("sv/b/run", "exec sleep 1000");

    fixture.svscan("sv");
    fixture.until_stat("sv/b", "up");
    fixture.script("sv/c/run", "exec sleep 1000");
    fixture.until_stat("sv/c", "up");

    assert_eq!(fixture.read("out"), "svscan: warning: unable to stat a: file does not exist\n");
}

#[test]
fn a_reached_limit_is_reported_once() {
    let fixture = ServiceFixture::new();
    for number in 0..40 {
        fixture.script(&format!("sv/{number}/run"), "exec sleep 1000");
        fixture.script(&format!("sv/{number}/log/run"), "exec cat >/dev/null");
    }
    let svscan = Maker::Ours.program("svscan");
    let arguments = ["-c", "ulimit -n 30; exec \"$0\" sv", svscan.to_str().unwrap()];

    fixture.start_command("out", fixture.command("/bin/sh", &arguments));
    until("it is said", || !fixture.read("out").is_empty());
    // Services that come meanwhile make it look again.
    for name in ["x", "y"] {
        fixture.script(&format!("sv/{name}/run"), "exec sleep 1000");
        fixture.until_stat(&format!("sv/{name}"), "up");
    }

    let said = fixture.read("out");
    assert!(said.contains("process cannot open more files"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn messages_about_a_log_name_its_service() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fs::create_dir(fixture.path("sv/a/log")).unwrap();

    fixture.svscan("sv");

    until("it is said", || {
        fixture.read("out").contains("supervise: fatal: unable to start a/log/run: file does not exist\n")
    });
}

#[test]
fn a_new_svscan_adopts_running_services() {
    let fixture = ServiceFixture::with_service(TALKING);
    log(&fixture, "sv/a");
    let first = fixture.svscan("sv");
    until_logged(&fixture, "sv/a");
    let pids = (fixture.pid("sv/a"), fixture.pid("sv/a/log"));

    kill_by_id(first);
    fixture.wait(first);
    fixture.svscan("sv");
    fixture.script("sv/b/run", "exec sleep 1000");
    fixture.until_stat("sv/b", "up");

    assert_eq!((fixture.pid("sv/a"), fixture.pid("sv/a/log")), pids);
    assert_eq!(fixture.read("out"), "");
    // And it takes over from the supervisors that the old one had started.
    for supervise in fixture.processes_of("supervise a").into_iter().chain(fixture.processes_of("supervise a/log")) {
        kill_by_id(supervise);
    }
    until("they are supervised again", || fixture.is("sv/a", "up") && fixture.is("sv/a/log", "up"));
    assert_eq!((fixture.pid("sv/a"), fixture.pid("sv/a/log")), pids);
}
