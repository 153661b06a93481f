//! Connections survive the end of their reader, if the store has room for them.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use testkit::service_fixture::{ServiceFixture, kill_by_id};
use testkit::until;

use crate::kills::{is_kept, logged};
use crate::receiver::{SOCKLOG, free_port};

#[test]
fn connections_go_on_when_the_reader_is_killed() {
    let (count, connections, port) = (20_000_u64, 4, free_port());
    let fixture = ServiceFixture::new();
    fs::create_dir_all(fixture.path("sv/log/log")).unwrap();
    fixture.script("sv/log/run", &format!("exec {SOCKLOG} -t inet 127.0.0.1 {port}"));
    fixture.script("sv/log/log/run", "exec multilog s1000000 n1000 ./main");
    fixture.svscan("sv");
    until("the socket is kept", || is_kept(&fixture, 2));
    let streams: Vec<_> = (0..connections).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    until("the connections are kept", || is_kept(&fixture, 2 + connections));
    thread::scope(|scope| {
        for (sender, mut stream) in streams.into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..count {
                    let message = format!("<13>sender {sender} message {number}");
                    // Both framings.
                    let framed = match number % 2 {
                        0 => format!("{message}\n"),
                        _ => format!("{} {message}", message.len()),
                    };
                    stream.write_all(framed.as_bytes()).unwrap();
                }
            });
        }
        for round in 0..6 {
            thread::sleep(Duration::from_millis(3 + 5 * round));
            until("a reader runs", || fixture.pid("sv/log") != 0);
            kill_by_id(fixture.pid("sv/log"));
        }
    });
    let text = || String::from_utf8(logged(&fixture)).unwrap();
    let last = format!("message {}\n", count - 1);
    until("everything is logged", || text().matches(&last).count() == connections);
    for sender in 0..connections {
        let all = text();
        let beginning = format!("127.0.0.1: user.notice: sender {sender} message ");
        let numbers = all.lines().filter_map(|line| line.strip_prefix(&beginning)?.parse::<u64>().ok());
        assert!(numbers.eq(0..count), "sender {sender}: each once and in order");
    }
}
