//! Messages from any bytes. Over a connection, in any pieces: each message is one line without control characters, and the
//! lines do not depend on the pieces. As a datagram: the same, and the lines are never much longer than the message.
#![no_main]

use std::cell::Cell;
use std::io::Write;
use std::os::unix::net::UnixStream;

use libfuzzer_sys::fuzz_target;

use logyard::sys::fd;
use socklog::connection::{Connection, Look, PEEKED_BYTES};
use socklog::frame::{self, Frame, MESSAGE_BYTES_MAX};
use socklog::line::{self, Form};

const ORIGIN: &[u8] = b"192.0.2.1: ";
/// More might not have room in the socket.
const BYTES_MAX: usize = 32 * 1024;
const WRITES_MAX: usize = 64;
/// The names of the longest priority, in place of its number.
const NAMES_BYTES: usize = 32;

thread_local! {
    /// It is large: making it takes longer than all else.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fuzz_target!(|input: (&[u8], Vec<u8>, u8)| {
    let (bytes, cuts, form) = input;
    let form = [Form::Named, Form::Raw, Form::RawAndNamed][usize::from(form) % 3];
    let bytes = &bytes[..bytes.len().min(BYTES_MAX)];

    let mut lines = Vec::new();
    form.append(&mut lines, ORIGIN, bytes);
    check(&lines, form);

    assert_eq!(over_connection(bytes, &cuts, form), at_once(bytes, form));
});

/// Fails unless these are the lines of one message.
fn check(lines: &[u8], form: Form) {
    let expected = if form == Form::RawAndNamed { 2 } else { 1 };
    assert_eq!(line::count(lines), expected);
    assert!(lines.ends_with(b"\n"));
    assert!(!lines.iter().any(|&byte| byte != b'\n' && (byte < b' ' || byte == 0x7f)), "no control characters");
}

/// The lines of a whole stream.
fn at_once(stream: &[u8], form: Form) -> Vec<u8> {
    let (mut all, mut at) = (Vec::new(), 0);
    let mut append = |message: &[u8]| {
        if message.iter().any(|byte| !matches!(byte, b'\n' | 0)) {
            let mut lines = Vec::new();
            form.append(&mut lines, ORIGIN, message);
            check(&lines, form);
            assert!(lines.len() <= 2 * (4 * message.len() + ORIGIN.len() + NAMES_BYTES), "bounded");
            all.extend_from_slice(&lines);
        }
    };
    while at < stream.len() {
        match frame::first(&stream[at..]) {
            Frame::Message { start, end, next } => {
                assert!(start <= end && end <= next && next > 0 && at + next <= stream.len());
                append(&stream[at + start..at + end]);
                at += next;
            }
            Frame::Partial { needed } => {
                assert!(needed > stream.len() - at);
                append(&stream[at..]);
                break;
            }
            Frame::TooLong { length } => {
                assert!(length > MESSAGE_BYTES_MAX);
                break;
            }
        }
    }
    all
}

/// The lines that a connection gives when the stream comes in pieces.
fn over_connection(stream: &[u8], cuts: &[u8], form: Form) -> Vec<u8> {
    let (mut sender, receiver) = UnixStream::pair().expect("the system has sockets");
    let mut connection = Connection::new(receiver.into(), ORIGIN.to_vec()).expect("a socket");
    let (mut room, mut lines, mut rest) = (ROOM.take(), Vec::new(), stream);
    room.resize(PEEKED_BYTES, 0);
    for &cut in cuts.iter().take(WRITES_MAX) {
        let (piece, more) = rest.split_at(usize::from(cut).min(rest.len()));
        sender.write_all(piece).expect("there is room");
        rest = more;
        if !look(&mut connection, &mut room, form, &mut lines) {
            return lines;
        }
        assert_eq!(connection.aside_bytes(), 0, "what waits is in the kernel");
    }
    sender.write_all(rest).expect("there is room");
    drop(sender);
    // The end of a connection is an event of its own.
    connection.has_ended = true;
    while look(&mut connection, &mut room, form, &mut lines) {}
    ROOM.set(room);
    lines
}

/// Takes what is there; says whether the connection goes on.
fn look(connection: &mut Connection, room: &mut [u8], form: Form, all: &mut Vec<u8>) -> bool {
    loop {
        let mut lines = Vec::new();
        match connection.look(room, form, &mut lines) {
            Look::Lines { bytes } => {
                all.extend_from_slice(&lines);
                assert_eq!(fd::read(&*connection, &mut room[..bytes]), Ok(bytes));
            }
            Look::Nothing => return true,
            Look::Closed(_) => return false,
        }
    }
}
