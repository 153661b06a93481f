//! Threads that send numbered messages, as syslog(3) does: a message that cannot be sent, not even on a new connection, is
//! lost.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::syslog::daemons::Place;
use crate::syslog::request::Transport;

/// Between the bursts of a sender that does not send at full speed.
const BETWEEN_BURSTS: Duration = Duration::from_millis(10);
/// What a burst is.
const BURST: u32 = 25;

/// When a sender stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until<'u> {
    /// After so many messages, which it sends at full speed.
    Count(u32),
    /// When this becomes true. It sends 2500 messages in a second.
    True(&'u AtomicBool),
}

/// A connection to the daemon.
enum Connection {
    Unix(UnixDatagram),
    Stream(UnixStream),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Connection {
    fn open(transport: Transport, place: &Place) -> io::Result<Connection> {
        let address = ("127.0.0.1", place.port);
        Ok(match transport {
            Transport::Unix => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&place.socket)?;
                Connection::Unix(socket)
            }
            Transport::Stream => Connection::Stream(UnixStream::connect(&place.socket)?),
            Transport::Udp => {
                let socket = UdpSocket::bind(("127.0.0.1", 0))?;
                socket.connect(address)?;
                Connection::Udp(socket)
            }
            Transport::Tcp => Connection::Tcp(TcpStream::connect(address)?),
        })
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Connection::Unix(socket) => socket.send(message).map(drop),
            Connection::Udp(socket) => socket.send(message).map(drop),
            Connection::Stream(stream) => stream.write_all(message),
            Connection::Tcp(stream) => stream.write_all(message),
        }
    }
}

/// A message. `written` finds its numbers again.
fn write_message(message: &mut Vec<u8>, transport: Transport, sender: u32, number: u32) {
    message.clear();
    let end = if matches!(transport, Transport::Stream | Transport::Tcp) { "\n" } else { "" };
    let _ = write!(
        message,
        "<13>Oct  1 12:00:00 sender[{sender}]: message {number} from a program that logs a line of some length{end}"
    );
}

/// Sends, and returns how many messages each sender has sent.
pub(crate) fn send(transport: Transport, place: &Place, senders: u32, until: Until<'_>) -> Vec<u32> {
    thread::scope(|scope| {
        let all: Vec<_> =
            (0..senders).map(|sender| scope.spawn(move || send_as(transport, place, sender, until))).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
    })
}

fn send_as(transport: Transport, place: &Place, sender: u32, until: Until<'_>) -> u32 {
    let mut connection = Connection::open(transport, place).ok();
    let (mut message, mut number, start) = (Vec::new(), 0, Instant::now());
    loop {
        match until {
            Until::Count(count) if number >= count => return number,
            Until::True(is_over) if is_over.load(Ordering::Relaxed) => return number,
            Until::True(_) if number % BURST == 0 => {
                let next = BETWEEN_BURSTS * (number / BURST);
                thread::sleep(next.saturating_sub(start.elapsed()));
            }
            _ => {}
        }
        write_message(&mut message, transport, sender, number);
        let is_sent = connection.as_mut().is_some_and(|connection| connection.send(&message).is_ok());
        if !is_sent {
            connection = Connection::open(transport, place).ok();
            if let Some(connection) = &mut connection {
                let _ = connection.send(&message);
            }
        }
        number += 1;
    }
}
