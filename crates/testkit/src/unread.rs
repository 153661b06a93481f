//! A standard error that is full and that nobody reads; and the kinds of pipes that a descriptor can lead to.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::{DEADLINE, Workdir};

/// What a standard input or error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pipe,
    Fifo,
    Socket,
    Terminal,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Pipe, Kind::Fifo, Kind::Socket, Kind::Terminal];

    /// Makes one; returns the end of the reader and that of the writer. A FIFO gets the name `fifo`, and never ends.
    pub fn open(self, fifo: &Path) -> (OwnedFd, OwnedFd) {
        match self {
            Kind::Pipe => {
                let (reader, writer) = std::io::pipe().unwrap();
                (reader.into(), writer.into())
            }
            Kind::Fifo => {
                nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
                let both = OpenOptions::new().read(true).write(true).open(fifo).unwrap();
                let writer = OpenOptions::new().write(true).open(fifo).unwrap();
                (both.into(), writer.into())
            }
            Kind::Socket => {
                let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
                (reader.into(), writer.into())
            }
            Kind::Terminal => raw_terminal(),
        }
    }
}

/// A standard error that is full, and the end of its reader.
pub struct Unread {
    reader: File,
    writer: OwnedFd,
}

/// What it was filled with.
const FILLING: u8 = b'#';

impl Unread {
    pub fn new(kind: Kind, dir: &Workdir) -> Unread {
        let (reader, writer) = kind.open(&dir.join("standard-error"));
        set_non_blocking(&writer, true);
        // A terminal moves bytes to a second buffer after a while, of which nothing tells: it is full when nothing has gone in
        // several times.
        let rounds = if kind == Kind::Terminal { 4 } else { 1 };
        let mut full_rounds = 0;
        while full_rounds < rounds {
            full_rounds += 1;
            // At last byte by byte: there is no room for any message.
            for block in [4096, 100, 1] {
                while nix::unistd::write(&writer, &[FILLING].repeat(block)).is_ok() {
                    full_rounds = 0;
                }
            }
            if kind == Kind::Terminal {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        set_non_blocking(&writer, false);
        set_non_blocking(&reader, true);
        Unread { reader: reader.into(), writer }
    }

    /// What a program gets as its standard error.
    pub fn stdio(&self) -> Stdio {
        self.writer.try_clone().unwrap().into()
    }

    /// Tells whether the file that all writers share is still as it was.
    pub fn is_blocking(&self) -> bool {
        !OFlag::from_bits_retain(fcntl(&self.writer, FcntlArg::F_GETFL).unwrap()).contains(OFlag::O_NONBLOCK)
    }

    /// Reads the bytes in it, without the filling.
    pub fn read(&mut self) -> String {
        let mut all = read_available(&self.reader);
        all.retain(|&byte| byte != FILLING);
        String::from_utf8(all).unwrap()
    }

    /// Reads until the text that has come is as wanted.
    #[track_caller]
    pub fn read_until(&mut self, what: &str, mut is_it: impl FnMut(&str) -> bool) -> String {
        let mut text = String::new();
        let start = std::time::Instant::now();
        while !is_it(&text) {
            assert!(start.elapsed() < DEADLINE, "waited in vain until {what}; it reads {text:?}");
            std::thread::sleep(std::time::Duration::from_millis(2));
            text += &self.read();
        }
        text
    }
}

/// Reads all that a file or a non-blocking descriptor has now.
pub fn read_available(mut reader: &File) -> Vec<u8> {
    let mut all = Vec::new();
    match reader.read_to_end(&mut all) {
        Ok(_) => {}
        // What came before is in the vector.
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
    }
    all
}

/// A terminal that passes bytes on as they are: the end of its display, and that of programs.
fn raw_terminal() -> (OwnedFd, OwnedFd) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut settings = tcgetattr(&pty.slave).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).unwrap();
    (pty.master, pty.slave)
}

/// Sets or clears what all who share the open file see.
pub fn set_non_blocking(descriptor: impl AsFd, on: bool) {
    let before = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL).unwrap());
    let mut flags = before;
    flags.set(OFlag::O_NONBLOCK, on);
    fcntl(descriptor, FcntlArg::F_SETFL(flags)).unwrap();
}
