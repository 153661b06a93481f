//! splogger with a syslog socket of the test, and with Debian's rsyslogd.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use logyard::sys::signal::Signal;

use testkit::logger::Running;
use testkit::{Workdir, until};

use super::syslogd::Rsyslogd;

fn splogger(socket: &Path, arguments: &[&str]) -> Command {
    let mut splogger = Command::new(env!("CARGO_BIN_EXE_splogger"));
    splogger.args(arguments).env("SPLOGGER_SOCKET", socket).env("TZ", "UTC");
    splogger.stdin(Stdio::piped()).stderr(Stdio::piped());
    splogger
}

/// Starts it with some input, which ends.
fn with_input(socket: &Path, arguments: &[&str], input: impl Into<Vec<u8>>) -> Running {
    let mut child = splogger(socket, arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.into();
    std::thread::spawn(move || stdin.write_all(&input));
    Running::of(child)
}

fn receiver(socket: &Path) -> UnixDatagram {
    let receiver = UnixDatagram::bind(socket).unwrap();
    receiver.set_read_timeout(Some(testkit::DEADLINE)).unwrap();
    receiver
}

fn receive(receiver: &UnixDatagram) -> String {
    let mut room = [0; 4096];
    loop {
        match receiver.recv(&mut room) {
            // A signal that another test takes ends the call too.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            count => return String::from_utf8(room[..count.unwrap()].to_vec()).unwrap(),
        }
    }
}

/// What is behind the moment.
fn text(message: &str) -> &str {
    message.split_once(": ").unwrap().1.split_once([' ', '+']).unwrap().1
}

// splogger.8 > "hands each to the syslog daemon as tag, :, the moment …, and the line"
#[test]
fn a_message_has_priority_time_tag_and_timestamp() {
    let dir = Workdir::new();
    let receiver = receiver(&dir.join("log"));

    let run = with_input(&dir.join("log"), &["pop3d", "3"], "status: exiting\nalert: no\nwarning: perhaps\n");
    let messages: Vec<String> = (0..3).map(|_| receive(&receiver)).collect();

    assert_eq!(run.end_and_words(), (ok(), String::new()));
    let priorities: Vec<&str> = messages.iter().map(|message| message.split('>').next().unwrap()).collect();
    assert_eq!(priorities, ["<30", "<25", "<28"], "daemon.info, daemon.alert, daemon.warning");
    let rest = messages[0].split_once('>').unwrap().1;
    // A month, a day that is padded with a space, and a time.
    let separators = [3, 6, 9, 12].map(|at| char::from(rest.as_bytes()[at]));
    assert_eq!(separators, [' ', ' ', ':', ':'], "{rest}");
    assert!(rest[15..].starts_with(" pop3d: "), "{rest}");
    let (seconds, micros) = rest[23..].split(' ').next().unwrap().split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000 && micros.len() == 6, "{rest}");
    assert_eq!(text(&messages[0]), "status: exiting");
}

fn ok() -> std::process::ExitStatus {
    std::process::ExitStatus::default()
}

#[test]
fn tag_and_facility_have_qmails_defaults() {
    let dir = Workdir::new();
    let receiver = receiver(&dir.join("log"));
    for (arguments, priority, tag) in
        [(&[][..], "<22>", " splogger: "), (&["qmail"], "<22>", " qmail: "), (&["x", "local7"], "<190>", " x: ")]
    {
        let run = with_input(&dir.join("log"), arguments, "line\n");
        let message = receive(&receiver);

        assert_eq!(run.end_and_words(), (ok(), String::new()));
        assert!(message.starts_with(priority) && message.contains(tag), "{arguments:?}: {message}");
    }

    let run = with_input(&dir.join("log"), &["x", "nonsense"], "line\n");
    assert!(receive(&receiver).starts_with("<14>"), "logging goes on");
    assert_eq!(run.end_and_words().1, "splogger: warning: unknown facility nonsense, using user\n");
}

// splogger.8 > "A line of more than 799 bytes goes on in further messages, which repeat its moment"
#[test]
fn a_long_line_is_folded_and_a_last_line_needs_no_newline() {
    let dir = Workdir::new();
    let receiver = receiver(&dir.join("log"));
    let input = format!("{}\n\nla\tst", "x".repeat(1600));

    let run = with_input(&dir.join("log"), &[], input);
    let messages: Vec<String> = (0..4).map(|_| receive(&receiver)).collect();

    assert_eq!(run.end_and_words(), (ok(), String::new()));
    let moment = |message: &str| message.split("splogger: ").nth(1).unwrap()[..17].to_owned();
    assert_eq!(moment(&messages[0]), moment(&messages[2]));
    let marks: Vec<char> =
        messages.iter().map(|message| message.split("splogger: ").nth(1).unwrap().chars().nth(17).unwrap()).collect();
    assert_eq!(marks, [' ', '+', '+', ' ']);
    assert_eq!(messages.iter().map(|message| text(message).len()).collect::<Vec<_>>(), [799, 799, 2, 5]);
    assert_eq!(text(&messages[3]), "la?st");
}

#[test]
fn messages_on_a_stream_socket_end_with_nul() {
    let dir = Workdir::new();
    let listener = UnixListener::bind(dir.join("log")).unwrap();

    let run = with_input(&dir.join("log"), &[], "one\ntwo\n");
    let mut received = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut received).unwrap();

    assert_eq!(run.end_and_words(), (ok(), String::new()));
    let messages: Vec<&[u8]> = received.split(|&byte| byte == 0).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].ends_with(b" one") && messages[1].ends_with(b" two") && messages[2].is_empty());
}

// splogger.8 > "While there is no daemon, or the daemon does not read, splogger waits and reads no more"
#[test]
fn a_daemon_that_starts_late_gets_every_message() {
    let dir = Workdir::new();
    let mut child = splogger(&dir.join("log"), &[]).spawn().unwrap();
    let mut words = child.stderr.take().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let run = Running::of(child);
    let mut said = vec![0; 512];
    let count = words.read(&mut said).unwrap();
    let expected =
        format!("splogger: warning: unable to write to {}, pausing: file does not exist\n", dir.join("log").display());
    assert_eq!(String::from_utf8_lossy(&said[..count]), expected);

    let receiver = receiver(&dir.join("log"));

    assert_eq!([text(&receive(&receiver)), text(&receive(&receiver))], ["one", "two"]);
    assert_eq!(run.end_and_words().0, ok());
    let mut said = String::new();
    words.read_to_string(&mut said).unwrap();
    assert_eq!(said, format!("splogger: warning: writing to {} again, nothing is lost\n", dir.join("log").display()));
}

#[test]
fn term_without_a_daemon_reports_the_lost_messages() {
    let dir = Workdir::new();
    let mut child = splogger(&dir.join("log"), &[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\nthree").unwrap();
    let mut words = child.stderr.take().unwrap();
    let _ = words.read(&mut [0; 512]).unwrap();
    let mut run = Running::of(child);

    run.signal(Signal::SIGTERM);

    assert_eq!(run.end().code(), Some(111));
    let mut said = String::new();
    words.read_to_string(&mut said).unwrap();
    assert_eq!(said, "splogger: fatal: exiting, up to 3 messages are lost\n");
}

#[test]
fn splogger_waits_for_a_daemon_that_does_not_read() {
    let dir = Workdir::new();
    let receiver = receiver(&dir.join("log"));
    let lines: String = (0..20_000).map(|number| format!("{number}\n")).collect();

    let mut run = with_input(&dir.join("log"), &[], lines);
    std::thread::sleep(Duration::from_millis(300));
    assert!(run.is_alive(), "it waits");
    for number in 0..20_000 {
        assert_eq!(text(&receive(&receiver)), number.to_string());
    }

    assert_eq!(run.end_and_words(), (ok(), String::new()));
}

// Shown by: 10,000 lines with all rules arrive in order at a real syslog daemon.
#[test]
fn ten_thousand_lines_arrive_in_order_at_a_real_daemon() {
    let Some(mut daemon) = Rsyslogd::installed() else { return };
    daemon.start();
    let line = |number: usize| match number % 5 {
        0 => format!("alert: {number}"),
        1 => format!("warning: {number}"),
        2 => format!("\u{7}caf\u{e9}\t{number}"),
        3 => format!("{number} {}", "x".repeat(900)),
        _ => format!("status: {number}"),
    };
    let input: String = (0..10_000).map(|number| line(number) + "\n\n").collect();

    let run = with_input(&daemon.socket(), &["pop3d", "local3"], input);
    let expected = 12_000; // Each fifth line is folded.
    until("all messages have arrived", || daemon.messages().len() >= expected);

    assert_eq!(run.end_and_words(), (ok(), String::new()));
    let mut messages = daemon.messages().into_iter();
    for number in 0..10_000 {
        let message = messages.next().unwrap();
        let (before, after) = message.split_once(" pop3d: ").unwrap();
        let (_, text) = after.split_at(17);
        let (priority, expected) = match number % 5 {
            0 => ("local3.alert", format!(" alert: {number}")),
            1 => ("local3.warning", format!(" warning: {number}")),
            2 => ("local3.info", format!(" ?caf???{number}")),
            3 => ("local3.info", format!(" {}", &line(number)[..799])),
            _ => ("local3.info", format!(" status: {number}")),
        };
        assert_eq!((before.split('<').next().unwrap(), text), (priority, expected.as_str()));
        if number % 5 == 3 {
            let rest = messages.next().unwrap();
            assert_eq!(rest.split_once('+').unwrap().1, &line(number)[799..]);
        }
    }
    assert_eq!(messages.next(), None);
}

// Shown by: "with the daemon stopped and started in between, the loss is what syslog itself cannot keep, and is said".
#[test]
fn splogger_survives_restarts_of_a_real_daemon() {
    let Some(mut daemon) = Rsyslogd::installed() else { return };
    daemon.start();
    let mut child = splogger(&daemon.socket(), &["pop3d"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let run = Running::of(child);
    let writer = std::thread::spawn(move || {
        for number in 0..10_000 {
            stdin.write_all(format!("{number}\n").as_bytes()).unwrap();
            if number % 100 == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });

    for _ in 0..2 {
        let before = daemon.messages().len();
        until("more has arrived", || daemon.messages().len() > before + 1000);
        daemon.stop();
        std::thread::sleep(Duration::from_millis(300));
        daemon.start();
    }
    writer.join().unwrap();
    let (status, said) = run.end_and_words();
    daemon.stop();

    assert!(status.success(), "{said}");
    let numbers: Vec<u32> =
        daemon.messages().iter().map(|message| message.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order, and none twice");
    let lost = 10_000 - numbers.len();
    let owned: usize =
        said.lines().filter_map(|line| line.split_once("up to ")?.1.split(' ').next()?.parse::<usize>().ok()).sum();
    assert!(lost <= owned, "{lost} were lost, and this was said: {said}");
    assert!(said.contains("writing to "), "{said}");
}
