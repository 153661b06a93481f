//! Datagrams and connections of the network.

use std::io::Write;

use logyard::sys::signal::Signal;
use testkit::service_fixture::send;
use testkit::until;

use crate::receiver::{Receiver, SOCKLOG};

/// What lines say of dropped messages.
fn dropped(lines: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(lines);
    let counts = text.lines().filter_map(|line| {
        let line = line.strip_prefix("syslog.warn: socklog: ")?;
        line.strip_suffix(" messages dropped by the kernel")?.parse::<u64>().ok()
    });
    counts.sum()
}

#[test]
fn what_was_sent_is_what_was_written_and_what_was_counted_as_dropped() {
    let receiver = Receiver::inet(SOCKLOG, &["-u"]);
    let process = receiver.child.id().cast_signed();
    let socket = receiver.udp();
    let text = "x".repeat(4000);
    let mut sent = 0_u64;
    for round in 0..3 {
        // While it is stopped, its buffer fills.
        send(process, Signal::SIGSTOP);
        for number in 0..10_000 {
            socket.send(format!("<13>{round} {number} {text}").as_bytes()).unwrap();
            sent += 1;
        }
        send(process, Signal::SIGCONT);
    }
    let written = |output: &[u8]| output.windows(12).filter(|window| window == b"user.notice:").count() as u64;
    until("everything is accounted for", || {
        let output = receiver.output();
        written(&output) + dropped(&output) >= sent
    });
    let output = receiver.output();
    let (written, dropped) = (written(&output), dropped(&output));
    testkit::report(format_args!("{sent} sent = {written} written + {dropped} dropped"));
    assert_eq!(written + dropped, sent);
    assert!(dropped > 0, "the buffer was full");
}

#[test]
fn counted_and_ended_messages_come_on_one_connection() {
    let receiver = Receiver::inet(SOCKLOG, &["-t"]);
    let mut stream = receiver.tcp();
    stream.write_all(b"<13>one\n13 <14>two\nlines<15>three\0").unwrap();
    let first = ["127.0.0.1: user.notice: one", "127.0.0.1: user.info: two\\x0alines"];
    assert_eq!(receiver.text(3)[..2], first);
    stream.write_all(b"11 <16>in").unwrap();
    stream.write_all(b" parts<17>last").unwrap();
    drop(stream);
    assert_eq!(
        receiver.text(5)[2..],
        ["127.0.0.1: user.debug: three", "127.0.0.1: mail.emerg: in part", "127.0.0.1: s<17>last"]
    );
}

#[test]
fn messages_that_come_byte_by_byte_are_whole() {
    let receiver = Receiver::inet(SOCKLOG, &["-t"]);
    let mut stream = receiver.tcp();
    stream.set_nodelay(true).unwrap();
    for byte in b"<13>slow\n9 <14>count" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(receiver.text(2), ["127.0.0.1: user.notice: slow", "127.0.0.1: user.info: count"]);
}
