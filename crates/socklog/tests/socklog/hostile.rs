//! Messages that are meant to do harm.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::prelude::*;
use socklog::frame::{self, Frame};
use socklog::line::Form;
use testkit::until;

use crate::receiver::{Receiver, SOCKLOG};

#[test]
fn every_byte_is_written_and_none_begins_a_line() {
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let socket = receiver.datagrams();
    for byte in 0..=u8::MAX {
        socket.send(&[b"<13>a", &[byte][..], b"z"].concat()).unwrap();
    }
    socket.send(b"<13>real\n<8>kernel: forged\x1b[2J").unwrap();
    let lines = receiver.lines(257);
    for (byte, line) in (0..=u8::MAX).zip(&lines) {
        let shown = if byte < 0x20 || byte == 0x7f { format!("\\x{byte:02x}").into_bytes() } else { vec![byte] };
        assert_eq!(*line, [b"user.notice: a", &shown[..], b"z"].concat());
    }
    assert_eq!(lines[256], b"user.notice: real\\x0a<8>kernel: forged\\x1b[2J");
}

#[test]
fn empty_and_endless_datagrams_are_lines() {
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let socket = receiver.datagrams();
    for message in [&b""[..], b"\n\0\n", &[0; 65_536], &[b'\n'; 65_536], &[1; 65_536], b"<13>end"] {
        socket.send(message).unwrap();
    }
    let lines = receiver.lines(6);
    assert!(lines[..4].iter().all(Vec::is_empty));
    assert_eq!((lines[4].len(), &lines[5][..]), (4 * 65_536, &b"user.notice: end"[..]));
}

#[test]
fn what_is_no_priority_is_text() {
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let socket = receiver.datagrams();
    let texts =
        ["<13x", "<>x", "<0000013>x", "<-1>x", "< 13>x", "<13", "<99999999999999999999>x", "<\u{661}>x", "<1<13>x"];
    for text in texts {
        socket.send(text.as_bytes()).unwrap();
    }
    // A number without a facility.
    socket.send(b"<999>x").unwrap();
    let lines = receiver.text(texts.len() + 1);
    assert_eq!(lines[..texts.len()], texts);
    assert_eq!(lines[texts.len()], "unknown.debug: <999>x");
}

#[test]
fn datagrams_of_the_network_are_one_line_each() {
    let receiver = Receiver::inet(SOCKLOG, &["-u"]);
    let socket = receiver.udp();
    // The longest that there can be.
    let long = [&b"<13>"[..], &[b'\n'; 65_502], b"x"].concat();
    for message in [&b""[..], b"\0", b"<13>real\n<8>kernel: forged\x1b[2J\r", &long] {
        socket.send(message).unwrap();
    }
    let lines = receiver.text(4);
    assert_eq!(lines[..2], ["127.0.0.1: ", "127.0.0.1: "]);
    assert_eq!(lines[2], "127.0.0.1: user.notice: real\\x0a<8>kernel: forged\\x1b[2J\\x0d");
    assert_eq!(lines[3], format!("127.0.0.1: user.notice: {}x", "\\x0a".repeat(65_502)));
}

#[test]
fn a_connection_forges_no_line() {
    let receiver = Receiver::inet(SOCKLOG, &["-t"]);
    let mut stream = receiver.tcp();
    stream.write_all(b"32 <13>real\n<8>kernel: forged\x1b[2J\r\0\n<13>next\x07\r\n\n\0\n").unwrap();
    assert_eq!(
        receiver.text(2),
        ["127.0.0.1: user.notice: real\\x0a<8>kernel: forged\\x1b[2J\\x0d", "127.0.0.1: user.notice: next\\x07\\x0d"]
    );
}

#[test]
fn half_a_frame_harms_nobody_else() {
    let mut receiver = Receiver::inet(SOCKLOG, &[]);
    let beginnings: [&[u8]; 7] =
        [b"1", b"999999999", b"5 he", b"99999999999999999999 x", b"\0\0\0", b"<13", b"524288 <13>"];
    let open: Vec<TcpStream> = beginnings
        .iter()
        .map(|beginning| {
            let mut stream = receiver.tcp();
            stream.write_all(beginning).unwrap();
            stream
        })
        .collect();
    let mut other = receiver.tcp();
    other.write_all(b"11 <13>counted<14>line\n").unwrap();
    assert_eq!(receiver.text(2), ["127.0.0.1: user.notice: counted", "127.0.0.1: user.info: line"]);
    drop(open);
    // What was begun is written when it is certain that no more comes.
    receiver.text(8);
    assert!(receiver.is_running());
}

#[test]
fn a_message_that_is_announced_too_long_ends_the_connection() {
    let receiver = Receiver::inet(SOCKLOG, &[]);
    let mut stream = receiver.tcp();
    stream.write_all(b"3 <1>524289 <13>").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "closed");
    let lines = receiver.text(2);
    assert_eq!(lines[0], "127.0.0.1: kern.alert: ");
    assert!(lines[1].starts_with("syslog.warn: socklog: closing a connection: a message of 524289 bytes"), "{lines:?}");
}

#[test]
fn a_line_without_end_becomes_several() {
    let receiver = Receiver::inet(SOCKLOG, &[]);
    let mut stream = receiver.tcp();
    stream.write_all(&vec![b'x'; 524_288 + 7]).unwrap();
    drop(stream);
    let lengths: Vec<usize> = receiver.lines(2).iter().map(|line| line.len() - "127.0.0.1: ".len()).collect();
    assert_eq!(lengths, [524_288, 7]);
}

#[test]
fn a_local_sender_of_single_bytes_is_never_stuck() {
    let receiver = Receiver::unix(SOCKLOG, &["-s"]);
    let mut stream = receiver.stream();
    // The kernel has room for a few hundred such writes.
    for _ in 0..1000 {
        stream.write_all(b"x").unwrap();
    }
    stream.write_all(b"\n").unwrap();
    assert_eq!(receiver.lines(1)[0].len(), 1000);
}

#[test]
fn ten_thousand_idle_connections_cost_little_memory() {
    let many = 10_000;
    // The receiver and the test each need so many.
    let _ = logyard::sys::limit::raise_descriptors();
    let receiver = Receiver::inet(SOCKLOG, &[]);
    receiver.udp().send(b"<13>first").unwrap();
    receiver.text(1);
    let before = receiver.memory_kib();
    let mut open = Vec::new();
    while open.len() < many {
        match TcpStream::connect(("127.0.0.1", receiver.port())) {
            Ok(mut stream) => {
                stream.write_all(b"<13>begun").unwrap();
                open.push(stream);
            }
            Err(error) => {
                testkit::skipped(format_args!("only {} connections were possible: {error}", open.len()));
                break;
            }
        }
    }
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", receiver.child.id())).unwrap().count();
    until("all are accepted", || descriptors() >= open.len());
    open[0].write_all(b" and ended\n").unwrap();
    receiver.text(2);
    let grown = receiver.memory_kib() - before;
    testkit::report(format_args!("{} connections grew the receiver by {grown} KiB", open.len()));
    assert!(grown < 10_000, "{grown} KiB");
}

proptest! {
    #[test]
    fn a_message_is_one_line(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut lines = Vec::new();
        Form::Named.append(&mut lines, b"origin: ", &message);
        prop_assert_eq!(socklog::line::count(&lines), 1);
        prop_assert!(lines.ends_with(b"\n"));
        prop_assert!(!lines[..lines.len() - 1].iter().any(|byte| *byte < b' ' || *byte == 0x7f));
    }

    #[test]
    fn where_a_message_ends_does_not_depend_on_how_much_has_come(
        stream in proptest::collection::vec(prop_oneof![Just(b'1'), Just(b' '), Just(b'\n'), Just(0), any::<u8>()], 1..60),
        cut in 0..60_usize,
    ) {
        if let Frame::Message { next, .. } = frame::first(&stream[..cut.min(stream.len())]) {
            prop_assert!(next > 0 && next <= cut);
            prop_assert_eq!(frame::first(&stream), frame::first(&stream[..cut.min(stream.len())]));
        }
    }
}
