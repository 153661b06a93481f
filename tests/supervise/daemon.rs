//! supervise by itself: its files, its restarts, and the service of a killed supervise.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use logyard::sys::process::pidfd;
use nix::sys::signal::Signal;

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, send};
use testkit::{strace, until};

#[test]
fn the_files_are_those_of_0_76_and_a_few_more() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    let mode = |file: &str| {
        let metadata = fixture.path("sv/a/supervise").join(file).symlink_metadata().expect("the file is there");
        (metadata.file_type().is_fifo(), metadata.permissions().mode() & 0o7777, metadata.len())
    };
    assert_eq!(fixture.path("sv/a/supervise").metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(mode("lock"), (false, 0o600, 0));
    assert_eq!(mode("control"), (true, 0o600, 0));
    assert_eq!(mode("ok"), (true, 0o600, 0));
    assert_eq!(mode("status"), (false, 0o644, 18));
    assert_eq!(fixture.read("sv/a/supervise/starts"), "1\n");
    assert!(fixture.read("sv/a/supervise/process").starts_with(&format!("run {} ", fixture.pid("sv/a"))));
}

#[test]
fn a_service_that_ends_is_restarted_and_its_exit_code_recorded() {
    let fixture = ServiceFixture::with_service("echo x >>starts; exit 3");

    fixture.supervise("sv/a");
    until("it was started three times", || fixture.read("sv/a/starts").len() >= 6);

    assert_eq!(fixture.read("sv/a/supervise/last-exit"), "exit 3\n");
}

#[test]
fn a_file_named_down_keeps_a_service_from_starting() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.write("sv/a/down", "");

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "down");
    assert!(!fixture.stat("sv/a").contains("normally up"));

    fixture.svc(&["-u", "sv/a"]);
    fixture.until_stat("sv/a", "normally down");
}

#[test]
fn the_successor_of_a_killed_supervise_adopts_the_service() {
    let fixture = ServiceFixture::with_service("echo started >>starts; exec sleep 1000");
    let first = fixture.supervise("sv/a");
    let service = fixture.until_runs("sv/a");
    let line = fixture.stat("sv/a");

    kill_by_id(first);
    fixture.wait(first);
    assert_eq!(fixture.stat("sv/a"), "sv/a: supervise not running");
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    assert_eq!(fixture.pid("sv/a"), service, "{line}");
    assert_eq!(fixture.read("sv/a/starts"), "started\n");
    // It is steered as any other, and its end is noticed though it is not a child.
    fixture.svc(&["-t", "sv/a"]);
    until("it was started again", || fixture.read("sv/a/starts") == "started\nstarted\n");
    let last = fixture.read("sv/a/supervise/last-exit");
    assert!(last == "signal 15\n" || last == "unknown\n", "{last:?}");
    assert_eq!(fixture.read("out"), "");
}

#[test]
fn the_wanted_state_survives_a_killed_supervise() {
    let fixture = ServiceFixture::with_service("trap '' TERM; echo started >>starts; while :; do sleep 0.1; done");
    let first = fixture.supervise("sv/a");
    until("it runs", || fixture.exists("sv/a/starts"));
    fixture.svc(&["-o", "sv/a"]);
    until("the wish is written down", || {
        std::fs::read(fixture.path("sv/a/supervise/status")).is_ok_and(|s| s[17] == 0)
    });

    kill_by_id(first);
    fixture.wait(first);
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    kill_by_id(fixture.pid("sv/a"));

    fixture.until_stat("sv/a", "down");
    assert_eq!(fixture.read("sv/a/starts"), "started\n");
}

#[test]
fn a_process_that_reuses_the_pid_is_not_taken_for_the_service() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let first = fixture.supervise("sv/a");
    let service = fixture.until_runs("sv/a");
    kill_by_id(first);
    fixture.wait(first);
    // One that was started in the same tick of the kernel's clock would bear the service's whole name.
    let mut bystander = 0;
    until("one runs that was started at another time", || {
        bystander = fixture.start_command("out", fixture.command("/bin/sleep", &["1000"]));
        pidfd::start_time(bystander) != pidfd::start_time(service)
    });
    let record = fixture.read("sv/a/supervise/process").replacen(&service.to_string(), &bystander.to_string(), 1);
    fixture.write("sv/a/supervise/process", &record);

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    assert_ne!(fixture.pid("sv/a"), bystander);
    fixture.svc(&["-dx", "sv/a"]);
    until("the supervisor has left", || fixture.stat("sv/a").ends_with("supervise not running"));
    assert!(fixture.processes().iter().any(|seen| seen.pid == bystander));
}

#[test]
fn a_second_supervisor_does_not_start_the_service_again() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    let service = fixture.pid("sv/a");

    let output = fixture.run(Maker::Ours, "supervise", &["sv/a"]);

    assert_eq!(output.status.code(), Some(111));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "supervise: fatal: unable to acquire sv/a/supervise/lock: temporary failure\n");
    assert_eq!(fixture.pid("sv/a"), service);
}

#[test]
fn term_ends_the_service_and_then_the_supervisor() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let supervise = fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    send(supervise, Signal::SIGTERM);

    assert_eq!(fixture.wait(supervise), Some(0));
    assert_eq!(fixture.processes().len(), 0);
}

#[test]
fn the_supervise_directory_may_be_a_dangling_link() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    std::os::unix::fs::symlink("../elsewhere", fixture.path("sv/a/supervise")).unwrap();

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    assert!(fixture.exists("sv/elsewhere/status"));
}

#[test]
fn a_failed_fork_is_retried() {
    let Some(strace) = strace("no fork was made to fail") else { return };
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    let supervise = Maker::Ours.program("supervise");
    let arguments = [
        "-o",
        "trace",
        "-e",
        "trace=clone,clone3,fork,vfork",
        "-e",
        "inject=clone,clone3,fork,vfork:error=EAGAIN:when=1..2",
        supervise.to_str().unwrap(),
        "sv/a",
    ];

    fixture.start_command("out", fixture.command(strace.get_program(), &arguments));
    until("it is up", || fixture.stat("sv/a").contains("up (pid"));

    assert_eq!(
        fixture.read("out"),
        "supervise: warning: unable to fork for sv/a, sleeping 1 second: temporary failure\n\
         supervise: warning: unable to fork for sv/a, sleeping 2 seconds: temporary failure\n"
    );
}

#[test]
fn a_service_inherits_signals_and_descriptors() {
    let fixture = ServiceFixture::new();
    fixture.script(
        "sv/a/run",
        "grep -E '^Sig(Blk|Ign)' /proc/self/status >signals; ls /proc/self/fd >fds; exec sleep 1000",
    );

    fixture.supervise("sv/a");
    until("it has looked", || !fixture.read("sv/a/fds").is_empty());

    // What any child of the test has.
    let child = |program: &str, arguments: &[&str]| {
        String::from_utf8(fixture.command(program, arguments).output().unwrap().stdout).unwrap()
    };
    let signals = child("/bin/grep", &["-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
    assert!(signals.starts_with("SigBlk:\t0000000000000000\nSigIgn:\t"), "{signals}");
    assert_eq!(fixture.read("sv/a/signals"), signals);
    assert_eq!(fixture.read("sv/a/fds"), child("/bin/ls", &["/proc/self/fd"]));
}

#[test]
fn the_end_of_a_service_is_noticed_if_sigchld_is_ignored() {
    let Some(env) = testkit::tool("env") else { return };
    let fixture = ServiceFixture::with_service("echo $$ >>started; exec sleep 0.01");
    let supervise = Maker::Ours.program("supervise");
    let command = fixture.command(env, &["--ignore-signal=CHLD", supervise.to_str().expect("it is UTF-8"), "sv/a"]);
    let supervisor = fixture.start_command("out", command);

    until("the service was started again", || fixture.read("sv/a/started").lines().count() >= 2);

    send(supervisor, Signal::SIGTERM);
    assert_eq!(fixture.wait(supervisor), Some(0));
}
