//! Readiness: services that report it by `notification-fd` or to `NOTIFY_SOCKET`, and what svstat, svwait and svscan make of it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use logyard::sys::signal::Signal;
use logyard::sys::unix_socket;

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, send, transcript};
use testkit::until;

/// The service of [`service`], as a test of this file.
const SERVICE: &str = "supervise::readiness::service";

/// Set where a test supervises it.
const SERVED: &str = "LOGYARD_TEST_SERVICE";

/// A service that sends what it is told to: each new line of the file `orders` in its directory, to its `NOTIFY_SOCKET`, itself or
/// by a child. It says in `done` how many lines it has sent.
#[test]
#[ignore = "it is what the other tests supervise"]
fn service() {
    let socket = std::env::var_os("NOTIFY_SOCKET");
    let Some(socket) = socket.filter(|_| std::env::var_os(SERVED).is_some()) else { return };
    let socket = socket.into_encoded_bytes();
    if let Ok(message) = std::env::var("MESSAGE_OF_CHILD") {
        unix_socket::send_datagram(&socket, message.as_bytes()).unwrap();
        return;
    }
    let mut sent = 0;
    loop {
        let orders = fs::read_to_string("orders").unwrap_or_default();
        for line in orders.split_inclusive('\n').skip(sent).filter_map(|line| line.strip_suffix('\n')) {
            match line.strip_prefix("child ") {
                Some(message) => {
                    let mut child = Command::new(std::env::current_exe().unwrap());
                    child.args(["--exact", SERVICE, "--ignored"]).env("MESSAGE_OF_CHILD", message);
                    assert!(child.output().unwrap().status.success());
                }
                None if line == "exit" => std::process::exit(0),
                None => unix_socket::send_datagram(&socket, line.as_bytes()).unwrap(),
            }
            sent += 1;
            fs::write("done.new", sent.to_string()).unwrap();
            fs::rename("done.new", "done").unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The service `sv/a` is the one above.
fn fixture() -> ServiceFixture {
    let this = std::env::current_exe().unwrap();
    let run = format!(
        "rm -f orders done; : >started; {SERVED}=1 exec '{}' --exact {SERVICE} --ignored >test-output",
        this.display()
    );
    ServiceFixture::with_service(&run)
}

/// Has the service send messages one after the other, and waits until they are sent.
#[track_caller]
fn order(fixture: &ServiceFixture, lines: &[&str]) {
    let before = fixture.read("sv/a/orders");
    let orders = lines.iter().fold(before, |orders, line| format!("{orders}{line}\n"));
    let count = orders.lines().count().to_string();
    fixture.write("sv/a/orders", &orders);
    until("the messages are sent", || fixture.read("sv/a/done") == count);
}

/// Starts the supervisor, and waits until the service answers.
fn supervise(fixture: &ServiceFixture) -> i32 {
    let supervisor = fixture.supervise("sv/a");
    until("the service has been started", || fixture.exists("sv/a/started"));
    supervisor
}

fn svwait(fixture: &ServiceFixture, arguments: &[&str]) -> Option<i32> {
    fixture.run(Maker::Ours, "svwait", arguments).status.code()
}

fn is_ready(fixture: &ServiceFixture) -> bool {
    fixture.is("sv/a", "ready ")
}

#[test]
fn a_service_says_to_its_socket_that_it_is_ready() {
    // svwait.8 > "Wait until the services are up and have reported that they are ready."
    let fixture = fixture();
    supervise(&fixture);
    order(&fixture, &["STATUS=starting", "READY=0", "MAINPID=1"]);
    assert!(!is_ready(&fixture));
    assert_eq!(svwait(&fixture, &["-u", "-t", "60", "sv/a"]), Some(0));
    let late = fixture.run(Maker::Ours, "svwait", &["-U", "-t", "0.1", "sv/a"]);
    assert_eq!(transcript(&late).2, "svwait: fatal: unable to wait for sv/a: timed out\n");

    order(&fixture, &["STATUS=up\nREADY=1"]);

    assert_eq!(svwait(&fixture, &["-U", "-t", "60", "sv/a"]), Some(0));
    assert!(is_ready(&fixture), "{}", fixture.stat("sv/a"));
    let since = fixture.read("sv/a/supervise/ready");
    order(&fixture, &["READY=1"]);
    order(&fixture, &["STOPPING=1"]);
    until("it is not ready any more", || !fixture.exists("sv/a/supervise/ready"));
    order(&fixture, &["READY=1", "RELOADING=1", "READY=1", "READY=1"]);
    until("it is ready", || is_ready(&fixture));
    assert_ne!(fixture.read("sv/a/supervise/ready"), since);

    // A process that takes its place is not.
    order(&fixture, &["READY=1"]);
    fixture.write("sv/a/orders", &(fixture.read("sv/a/orders") + "exit\n"));
    until("it is not ready", || fixture.is("sv/a", "up") && !is_ready(&fixture));
    assert_eq!(fixture.read("out"), "", "nothing is said");
}

#[test]
fn ready_twice_is_ready_since_the_first_time() {
    let fixture = fixture();
    supervise(&fixture);
    order(&fixture, &["READY=1"]);
    until("it is ready", || is_ready(&fixture));
    let since = fixture.read("sv/a/supervise/ready");

    order(&fixture, &["READY=1", "READY=1", "READY=1"]);
    for _ in 0..20 {
        assert_eq!(fixture.read("sv/a/supervise/ready"), since);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn messages_of_others_do_not_count() {
    let fixture = fixture();
    supervise(&fixture);
    order(&fixture, &["STATUS=starting"]);
    let socket = fixture.path("sv/a/supervise/fdstore");

    // This process, a child of the service, and both again when it is ready.
    unix_socket::send_datagram(socket.as_os_str().as_encoded_bytes(), b"READY=1").unwrap();
    order(&fixture, &["child READY=1", "STATUS=child was here"]);
    assert_eq!(svwait(&fixture, &["-U", "-t", "0.2", "sv/a"]), Some(111));
    order(&fixture, &["READY=1"]);
    until("it is ready", || is_ready(&fixture));
    let since = fixture.read("sv/a/supervise/ready");
    unix_socket::send_datagram(socket.as_os_str().as_encoded_bytes(), b"STOPPING=1").unwrap();
    order(&fixture, &["child STOPPING=1", "READY=1"]);

    assert_eq!(svwait(&fixture, &["-U", "-t", "60", "sv/a"]), Some(0));
    assert_eq!(fixture.read("sv/a/supervise/ready"), since);
}

#[test]
fn readiness_outlives_the_supervisor_and_not_the_service() {
    let fixture = fixture();
    let first = supervise(&fixture);
    order(&fixture, &["READY=1"]);
    until("it is ready", || is_ready(&fixture));
    let service = fixture.pid("sv/a");
    kill_by_id(first);
    fixture.wait(first);
    let second = fixture.supervise("sv/a");
    until("it has a supervisor", || fixture.is_supervised("sv/a"));
    assert!(is_ready(&fixture), "{}", fixture.stat("sv/a"));
    order(&fixture, &["STOPPING=1"]);
    until("it is not ready", || !is_ready(&fixture));
    order(&fixture, &["READY=1"]);
    until("it is ready again", || is_ready(&fixture));

    // Both are killed: the file says nothing of the next process.
    kill_by_id(second);
    fixture.wait(second);
    fixture.write("sv/a/down", "");
    kill_by_id(service);
    until("nothing runs", || fixture.processes().is_empty());
    assert!(fixture.exists("sv/a/supervise/ready"));
    fixture.supervise("sv/a");
    until("it is down", || fixture.is("sv/a", "down"));
    assert!(!fixture.exists("sv/a/supervise/ready"));
}

#[test]
fn a_descriptor_that_is_closed_without_a_newline_says_nothing() {
    let fixture = ServiceFixture::with_service("printf x >&7; exec 7>&-; : >closed; exec sleep 1000");
    fixture.write("sv/a/notification-fd", "7\n");
    fixture.supervise("sv/a");
    until("it has closed it", || fixture.exists("sv/a/closed"));

    assert_eq!(svwait(&fixture, &["-U", "-t", "0.2", "sv/a"]), Some(111));
    assert!(fixture.is("sv/a", "not ready"), "{}", fixture.stat("sv/a"));
}

#[test]
fn a_newline_that_comes_late_from_a_process_before_does_not_count() {
    let run = "if test -e second; then : >third; exec sleep 1000; fi; : >second\n\
               (while ! test -e late; do sleep 0.02; done; echo >&7; : >written) &";
    let fixture = ServiceFixture::with_service(run);
    fixture.write("sv/a/notification-fd", "7\n");
    fixture.supervise("sv/a");
    until("it has been started again", || fixture.exists("sv/a/third"));

    fixture.write("sv/a/late", "");

    until("the newline is written", || fixture.exists("sv/a/written"));
    assert_eq!(svwait(&fixture, &["-u", "-t", "0.2", "sv/a"]), Some(111));
    assert!(fixture.is("sv/a", "not ready"), "{}", fixture.stat("sv/a"));
}

/// Starts svscan with a socket and the descriptor 7, a file `told`; returns its process and the socket.
fn svscan(fixture: &ServiceFixture) -> (i32, UnixDatagram) {
    let socket = UnixDatagram::bind(fixture.path("socket")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut command = fixture.command("sh", &["-c", "exec svscan -d 7 sv 7>told"]);
    command.env("NOTIFY_SOCKET", fixture.path("socket"));
    (fixture.start_command("out", command), socket)
}

fn message(socket: &UnixDatagram) -> Option<String> {
    let mut room = [0; 100];
    match socket.recv(&mut room) {
        Ok(count) => Some(String::from_utf8_lossy(&room[..count]).into_owned()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            None
        }
    }
}

#[test]
fn svscan_says_when_its_services_are_started_and_when_it_stops_them() {
    // svscan.8 > "Tells when all services have been started"
    let fixture =
        ServiceFixture::with_service("echo \"$NOTIFY_SOCKET\" >socket; ls -l /proc/$$/fd >open; exec sleep 1000");
    fixture.script("sv/paired/run", "exec sleep 1000");
    fixture.script("sv/paired/log/run", "exec multilog ./main");
    fixture.script("sv/down/run", "exec sleep 1000");
    fixture.write("sv/down/down", "");
    fixture.script("sv/failing/run", "exit 1");
    let (svscan, socket) = svscan(&fixture);

    let mut seen = None;
    until("it says that they are started", || {
        seen = message(&socket);
        seen.is_some()
    });

    assert_eq!(seen.as_deref(), Some("READY=1"));
    until("it says so twice", || fixture.read("told") == "\n");
    for service in ["sv/a", "sv/paired", "sv/paired/log"] {
        assert!(fixture.is(service, "up"), "{}", fixture.stat(service));
    }
    until("the service has said what it got", || !fixture.read("sv/a/open").is_empty());
    let own = fixture.path("sv/a/supervise/fdstore");
    assert_eq!(fixture.read("sv/a/socket").trim_end(), fs::canonicalize(own).unwrap().to_str().unwrap());
    assert!(!fixture.read("sv/a/open").contains("told"), "{}", fixture.read("sv/a/open"));

    send(svscan, Signal::SIGTERM);
    assert_eq!(fixture.wait(svscan), Some(0));
    assert_eq!([message(&socket).as_deref(), message(&socket).as_deref()], [Some("STOPPING=1"), None]);
    assert_eq!((fixture.read("told"), fixture.read("out")), ("\n".to_owned(), String::new()));
}

#[test]
fn svscan_waits_for_a_supervisor_that_cannot_start() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.script("sv/b/run", "exec sleep 1000");
    fixture.write("sv/b/supervise", "in the way");
    let (svscan, socket) = svscan(&fixture);
    fixture.until_stat("sv/a", "up");
    until("the other one has failed", || !fixture.read("out").is_empty());
    assert_eq!(message(&socket), None);

    fs::remove_file(fixture.path("sv/b/supervise")).unwrap();
    send(svscan, Signal::SIGHUP);

    until("it says that they are started", || message(&socket).as_deref() == Some("READY=1"));
    assert!(fixture.is("sv/b", "up"), "{}", fixture.stat("sv/b"));
}

#[test]
fn an_empty_directory_is_ready_and_a_socket_that_is_away_is_named_once() {
    let fixture = ServiceFixture::new();
    let mut command = fixture.command("sh", &["-c", "exec svscan -d 7 sv 7>told"]);
    command.env("NOTIFY_SOCKET", "/nowhere");
    let svscan = fixture.start_command("out", command);
    until("it is ready", || fixture.read("told") == "\n");

    send(svscan, Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    let warning = "svscan: warning: unable to send READY=1 to NOTIFY_SOCKET: file does not exist\n";
    assert_eq!(fixture.read("out"), warning);
    for arguments in ["-d", "-d 2 sv", "-d x sv", "-d 9 sv"] {
        let script = format!("exec svscan {arguments}");
        let (code, _, error) = transcript(&fixture.command("sh", &["-c", &script]).output().unwrap());
        assert_eq!((code, &*error), (Some(100), "svscan: usage: svscan [ -d fd ] [ dir ]\n"), "{arguments}");
    }
}
