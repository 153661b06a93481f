//! The lines, compared with those of the socklog that Debian has.

use std::io::Write;
use std::process::{Command, Stdio};

use testkit::tool;

use crate::receiver::{Receiver, SOCKLOG};

/// Messages that both programs write alike.
fn plain_messages() -> Vec<Vec<u8>> {
    let odd = [
        "no priority",
        "<999>x",
        "<13x",
        "<>x",
        "<013>z",
        "<0000013>z",
        "<-1>x",
        "< 13>x",
        "<13>",
        "<13> a  ",
        "<13>\u{e9}",
    ];
    let real = ["<13>Oct  1 12:00:00 host prog[1]: hi\n", "<14>1 2003-10-11T22:14:15.003Z host app 1 - - text"];
    let numbers = (1..260).map(|number| format!("<{number}>text {number}"));
    odd.iter().chain(&real).map(|text| (*text).to_owned()).chain(numbers).map(String::into_bytes).collect()
}

#[test]
fn priorities_are_written_as_the_original_writes_them() {
    let Some(original) = tool("socklog") else { return };
    for options in [&[][..], &["-r"], &["-R"], &["-U"]] {
        let lines = [original.to_str().unwrap(), SOCKLOG].map(|program| {
            let receiver = Receiver::unix(program, options);
            let socket = receiver.datagrams();
            for message in plain_messages() {
                socket.send(&message).unwrap();
            }
            receiver.text(plain_messages().len() * if options == ["-r"] { 2 } else { 1 })
        });
        assert_eq!(lines[1], lines[0], "{options:?}");
    }
}

#[test]
fn the_sender_is_written_as_the_original_writes_it() {
    let Some(original) = tool("socklog") else { return };
    for options in [&[][..], &["-r"], &["-R"]] {
        let lines = [original.to_str().unwrap(), SOCKLOG].map(|program| {
            let receiver = Receiver::inet(program, options);
            let socket = receiver.udp();
            let each = if options == ["-r"] { 2 } else { 1 };
            // The original's buffer is small.
            for (number, message) in plain_messages().iter().enumerate() {
                socket.send(message).unwrap();
                if number % 50 == 0 {
                    receiver.lines((number + 1) * each);
                }
            }
            receiver.text(plain_messages().len() * each)
        });
        assert_eq!(lines[1], lines[0], "{options:?}");
    }
}

#[test]
fn the_severity_of_number_zero_has_a_name() {
    // The original takes 0 for no priority. It is the gravest of all.
    let receiver = Receiver::unix(SOCKLOG, &[]);
    receiver.datagrams().send(b"<0>panic").unwrap();
    assert_eq!(receiver.text(1), ["kern.emerg: panic"]);
}

#[test]
fn a_connection_on_standard_input_is_read_as_the_original_reads_it() {
    let input = b"<13>one\n<14>two\n\n<15>th\0ree\n<9999>four\nlast";
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("REMOTE", "a b").env("OTHER", "c").env_remove("ABSENT");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty(), "that is the connection");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(SOCKLOG, &["ucspi", "OTHER"]).1.lines().next(), Some("c: user.notice: one"));
    let Some(original) = tool("socklog") else { return };
    for arguments in [&["ucspi"][..], &["ucspi", "REMOTE", "ABSENT", "OTHER"], &["-r", "ucspi", "OTHER"]] {
        assert_eq!(run(SOCKLOG, arguments), run(original.to_str().unwrap(), arguments), "{arguments:?}");
    }
}

#[test]
fn a_long_message_stays_whole() {
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let message = [&b"<13>"[..], &[b'a'; 200_000], b"end"].concat();
    receiver.datagrams().send(&message).unwrap();
    assert_eq!(receiver.lines(1)[0], [b"user.notice: ", &message[4..]].concat());
}

#[test]
fn the_process_and_user_of_the_sender_are_written_if_asked_for() {
    let receiver = Receiver::unix(SOCKLOG, &["-p"]);
    receiver.datagrams().send(b"<13>hello").unwrap();
    let (user, process) = (logyard::sys::process::pidfd::own_user(), std::process::id());
    let line = format!("uid={user},pid={process}: user.notice: hello");
    assert_eq!(receiver.text(1)[0], line);

    let receiver = Receiver::unix(SOCKLOG, &["-ps"]);
    receiver.stream().write_all(b"<13>hello\n").unwrap();
    assert_eq!(receiver.text(1)[0], line);
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (arguments, code, words) in [
        (&["-x"][..], 100, "socklog: illegal option -- x\nsocklog: usage: socklog "),
        (&["-d"], 100, "socklog: option requires an argument -- d\nsocklog: usage: socklog "),
        (&["--help"], 100, "socklog: illegal option --help\nsocklog: usage: socklog "),
        (&["--version", "unix"], 100, "socklog: illegal option --version\nsocklog: usage: socklog "),
        (&["pipe"], 100, "socklog: usage: socklog "),
        (&["inet", "127.0.0.1", "x"], 111, "socklog: fatal: bad port number: x\n"),
        (&["unix", "/nonexistent/log"], 111, "socklog: fatal: unable to bind /nonexistent/log: file does not exist\n"),
    ] {
        let output = Command::new(SOCKLOG).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.starts_with(words), "{text}");
    }
    let output = Command::new(SOCKLOG).arg("--version").output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"socklog 0."), "{output:?}");
}

#[test]
fn a_socket_that_somebody_reads_is_not_taken_away() {
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let output = Command::new(SOCKLOG).arg("unix").arg(receiver.path()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert!(text.ends_with("log: another program reads it\n"), "{text}");
    receiver.datagrams().send(b"<13>still read").unwrap();
    assert_eq!(receiver.text(1), ["user.notice: still read"]);
}
