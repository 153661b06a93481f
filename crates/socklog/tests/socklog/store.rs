//! The descriptor store of supervise, as a service uses it.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;

use logyard::sys::passing;
use testkit::service_fixture::{ServiceFixture, kill_by_id};
use testkit::until;

use crate::kills::{is_kept, logged, service, socket};
use crate::receiver::{SOCKLOG, connected};

#[track_caller]
fn until_logged(fixture: &ServiceFixture, text: &str) {
    until(&format!("{text} is logged"), || String::from_utf8_lossy(&logged(fixture)).contains(text));
}

#[test]
fn messages_wait_in_the_kernel_while_the_reader_is_down() {
    let fixture = service("");
    fixture.svc(&["-d", "sv/log"]);
    fixture.until_stat("sv/log", "down");
    let sender = connected(&socket(&fixture));
    for number in 0..5 {
        sender.send(format!("<14>waits {number}").as_bytes()).unwrap();
    }
    fixture.svc(&["-u", "sv/log"]);
    until_logged(&fixture, "user.info: waits 4\n");
    let expected: String = (0..5).map(|number| format!("user.info: waits {number}\n")).collect();
    assert_eq!(String::from_utf8(logged(&fixture)).unwrap(), expected);
}

#[test]
fn only_the_process_of_the_service_can_store() {
    let fixture = service("");
    let before = fixture.read("sv/log/supervise/stored");
    let outsider = connected(&fixture.path("sv/log/supervise/fdstore"));
    let (mine, _other) = UnixDatagram::pair().unwrap();
    for _ in 0..3 {
        passing::send(&outsider, b"FDSTORE=1\nFDNAME=planted", &[mine.as_fd().as_raw_fd()]).unwrap();
        passing::send(&outsider, b"FDSTOREREMOVE=1\nFDNAME=socklog-datagrams", &[]).unwrap();
    }
    // The supervisor has read them when this comes through.
    fixture.svc(&["-d", "sv/log"]);
    fixture.until_stat("sv/log", "down");
    assert_eq!(fixture.read("sv/log/supervise/stored"), before);
}

#[test]
fn a_killed_supervisor_and_then_a_killed_reader_lose_nothing() {
    let fixture = service("");
    let supervisor = fixture.processes_of("supervise log")[0];
    kill_by_id(supervisor);
    until("another one keeps the socket", || {
        let is_another = matches!(fixture.processes_of("supervise log")[..], [process] if process != supervisor);
        is_another && fixture.is_supervised("sv/log") && is_kept(&fixture, 2)
    });
    let reader = fixture.pid("sv/log");
    let sender = connected(&socket(&fixture));
    let paused = fixture.svc(&["-p", "sv/log"]);
    assert!(paused.status.success() && paused.stderr.is_empty(), "{paused:?}");
    until("the reader is stopped", || fixture.processes().iter().any(|seen| seen.pid == reader && seen.state == 'T'));
    sender.send(b"<13>in the queue").unwrap();
    kill_by_id(reader);
    until_logged(&fixture, "user.notice: in the queue\n");
}

#[test]
fn more_than_the_file_allows_is_refused() {
    let fixture = ServiceFixture::new();
    std::fs::create_dir_all(fixture.path("sv/log")).unwrap();
    fixture.write("sv/log/fdstore-max", "1\n");
    fixture.script("sv/log/run", &format!("exec {SOCKLOG} unix {}", socket(&fixture).display()));
    fixture.supervise("sv/log");
    let words = "supervise: warning: unable to store 1 descriptors for sv/log: fdstore-max is 1\n";
    until("it says so", || fixture.read("out").contains(words));
    assert_eq!(fixture.read("sv/log/supervise/stored").lines().count(), 1);
}

#[test]
fn a_notification_descriptor_in_the_way_is_named() {
    let fixture = service("");
    fixture.write("sv/log/notification-fd", "3\n");
    fixture.svc(&["-t", "sv/log"]);
    let words =
        "supervise: warning: not passing stored descriptors to log: notification-fd is 3, and must be 5 or more\n";
    until("it says so", || fixture.read("out").contains(words));
}

#[test]
fn a_service_gets_its_descriptors_under_the_numbers_of_the_convention() {
    let fixture = service("");
    fixture.script(
        "sv/log/run",
        "echo \"$LISTEN_FDS $LISTEN_FDNAMES $([ $LISTEN_PID = $$ ] && echo same)\" > seen; ls -l /proc/$$/fd > open; exec sleep 600",
    );
    fixture.svc(&["-t", "sv/log"]);
    until("it has looked", || fixture.read("sv/log/open").contains("socket:"));
    assert_eq!(fixture.read("sv/log/seen"), "2 socklog-ring:socklog-datagrams same\n");
    let open = fixture.read("sv/log/open");
    assert!(open.contains(" 3 -> /memfd:logyard") && open.contains(" 4 -> socket:"), "{open}");
}

#[test]
fn a_supervisor_that_exits_leaves_no_socket() {
    let fixture = ServiceFixture::with_service("exec sleep 600");
    let supervisor = fixture.supervise("sv/a");
    until("there is a socket", || fixture.exists("sv/a/supervise/fdstore"));
    fixture.until_stat("sv/a", "up");
    fixture.svc(&["-dx", "sv/a"]);
    assert_eq!(fixture.wait(supervisor), Some(0));
    assert!(!fixture.exists("sv/a/supervise/fdstore") && !fixture.exists("sv/a/supervise/stored"));
}
