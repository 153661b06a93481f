//! Programs that send to syslog.

use std::process::Command;

use testkit::{tool, until};

use crate::receiver::{Receiver, SOCKLOG};

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn logger_sends_by_every_way_and_in_every_format() {
    let Some(logger) = tool("logger") else { return };
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let local = |options: &[&str]| {
        run(Command::new(&logger)
            .args(["-u", receiver.path().to_str().unwrap(), "-p", "mail.err", "-t", "tag"])
            .args(options));
    };
    local(&["one"]);
    local(&["--id=7", "two"]);
    local(&["--rfc3164", "three"]);
    local(&["--rfc5424", "--msgid", "ID", "four"]);
    local(&["--rfc5424=notime,notq,nohost", "five"]);
    local(&["--octet-count", "-d", "six"]);
    local(&["-i", "seven"]);
    local(&["--rfc5424=notime,notq", "--sd-id", "x@1", "--sd-param", "a=\"b\"", "eight"]);
    local(&["--size", "4", "nine is cut"]);
    local(&["with\ttab\nand line"]);
    std::fs::write(receiver.workdir.join("lines"), "<11>ten\n").unwrap();
    let file = receiver.workdir.join("lines");
    local(&["--prio-prefix", "-f", file.to_str().unwrap()]);
    let lines = receiver.text(11);
    let ends = [
        " tag: one",
        " tag[7]: two",
        " tag: three",
        " four",
        " five",
        " tag: six",
        "]: seven",
        " [x@1 a=\"b\"] eight",
        " tag: nine",
        " tag: with\\x09tab\\x0aand line",
        " tag: ten",
    ];
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(end), "{lines:#?}");
        let beginning = if end == " tag: ten" { "user.err: " } else { "mail.err: " };
        // A datagram with a length before it is no message that a socket of datagrams expects.
        assert!(line.starts_with(beginning) || (end == " tag: six" && line.contains("<19>")), "{lines:#?}");
    }

    let receiver = Receiver::unix(SOCKLOG, &["-s"]);
    run(Command::new(&logger).args(["-u", receiver.path().to_str().unwrap(), "-p", "cron.info", "stream"]));
    let lines = receiver.text(1);
    assert!(lines[0].starts_with("cron.info: ") && lines[0].ends_with(" stream"), "{lines:?}");

    let receiver = Receiver::inet(SOCKLOG, &[]);
    let port = receiver.port().to_string();
    for way in
        [&["-d"][..], &["-T"], &["-T", "--octet-count"], &["-T", "--octet-count", "--rfc5424"], &["-d", "--rfc3164"]]
    {
        run(Command::new(&logger).args(["-n", "127.0.0.1", "-P", &port, "-p", "local3.debug", "net"]).args(way));
    }
    let lines = receiver.text(5);
    assert!(
        lines.iter().all(|line| line.starts_with("127.0.0.1: local3.debug: ") && line.ends_with("net")),
        "{lines:#?}"
    );
}

#[test]
fn python_sends_by_every_way() {
    let Some(python) = tool("python3") else { return };
    let program = "
import logging, logging.handlers, socket, sys
kind, where = sys.argv[1:]
address = where if where.startswith('/') else ('127.0.0.1', int(where))
kinds = {'datagram': socket.SOCK_DGRAM, 'stream': socket.SOCK_STREAM}
handler = logging.handlers.SysLogHandler(address=address, facility='daemon', socktype=kinds[kind])
log = logging.getLogger('a'); log.addHandler(handler)
log.error('one'); log.critical('two %s', 'words')
handler.close()
";
    let python = |kind: &str, place: &str| run(Command::new(&python).args(["-c", program, kind, place]));
    for options in [&[][..], &["-s"]] {
        let receiver = Receiver::unix(SOCKLOG, options);
        let kind = if options.is_empty() { "datagram" } else { "stream" };
        python(kind, receiver.path().to_str().unwrap());
        assert_eq!(receiver.text(2), ["daemon.err: one", "daemon.crit: two words"]);
    }
    let receiver = Receiver::inet(SOCKLOG, &[]);
    python("datagram", &receiver.port().to_string());
    python("stream", &receiver.port().to_string());
    let expected = ["127.0.0.1: daemon.err: one", "127.0.0.1: daemon.crit: two words"];
    assert_eq!(receiver.text(4), [expected, expected].concat());
}

#[test]
fn rsyslogd_forwards_with_counted_messages() {
    let Some(rsyslogd) = tool("rsyslogd") else { return };
    let Some(logger) = tool("logger") else { return };
    let receiver = Receiver::inet(SOCKLOG, &["-t"]);
    let directory = receiver.workdir.path().display().to_string();
    let configuration = format!(
        "global(workDirectory=\"{directory}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{directory}/in\" RateLimit.Interval=\"0\")\n\
         action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\")\n",
        receiver.port()
    );
    std::fs::write(receiver.workdir.join("conf"), configuration).unwrap();
    let daemon = testkit::logger::Running::start(
        Command::new(rsyslogd).args(["-n", "-iNONE", "-f"]).arg(receiver.workdir.join("conf")),
    );
    until("rsyslogd listens", || receiver.workdir.join("in").exists());
    for number in 0..20 {
        let text = format!("number {number}");
        run(Command::new(&logger).args(["-u", &format!("{directory}/in"), "-t", "tag", "-p", "auth.notice", &text]));
    }
    let is_there = |number: usize| {
        let output = receiver.output();
        let end = format!("tag: number {number}\n");
        String::from_utf8_lossy(&output).contains(&end)
    };
    until("all are forwarded", || (0..20).all(is_there));
    let output = String::from_utf8(receiver.output()).unwrap();
    let ours: Vec<&str> = output.lines().filter(|line| line.contains("tag: number")).collect();
    assert!(ours.iter().all(|line| line.starts_with("127.0.0.1: auth.notice: ")), "{ours:#?}");
    assert_eq!(ours.len(), 20);
    daemon.kill();
}
