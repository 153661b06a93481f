//! A socklog that runs for one test, with its socket in a directory of its own.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use testkit::{Workdir, until};

/// The program under test.
pub(crate) const SOCKLOG: &str = env!("CARGO_BIN_EXE_socklog");

/// A receiver whose output goes to the file `out`. Dropped, it is killed.
pub(crate) struct Receiver {
    pub(crate) workdir: Workdir,
    pub(crate) child: Child,
    port: u16,
}

impl Receiver {
    /// Starts a receiver with a socket in the file system.
    pub(crate) fn unix(program: &str, options: &[&str]) -> Receiver {
        let workdir = Workdir::new();
        let path = workdir.join("log");
        let arguments = [options, &["unix", path.to_str().unwrap()]].concat();
        Receiver::start(program, workdir, &arguments, 0)
    }

    /// Starts a receiver on a port that is free. If somebody takes it first, another one is tried.
    pub(crate) fn inet(program: &str, options: &[&str]) -> Receiver {
        loop {
            let port = free_port();
            let digits = port.to_string();
            let arguments = [options, &["inet", "127.0.0.1", &digits]].concat();
            let mut receiver = Receiver::start_at(program, Workdir::new(), &arguments, port);
            until("it listens, or has ended", || receiver.is_listening() || receiver.has_ended());
            if receiver.is_listening() || !receiver.messages().contains("address already used") {
                assert!(receiver.is_listening(), "{}", receiver.messages());
                return receiver;
            }
        }
    }

    fn start(program: &str, workdir: Workdir, arguments: &[&str], port: u16) -> Receiver {
        let receiver = Receiver::start_at(program, workdir, arguments, port);
        until("it listens", || receiver.is_listening());
        receiver
    }

    fn start_at(program: &str, workdir: Workdir, arguments: &[&str], port: u16) -> Receiver {
        let file = |name: &str| Stdio::from(File::create(workdir.join(name)).unwrap());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(workdir.path()).stdin(Stdio::null());
        let child = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Receiver { workdir, child, port }
    }

    fn is_listening(&self) -> bool {
        self.messages().contains("starting")
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.workdir.join("log")
    }

    pub(crate) fn messages(&self) -> String {
        fs::read_to_string(self.workdir.join("err")).unwrap()
    }

    pub(crate) fn output(&self) -> Vec<u8> {
        fs::read(self.workdir.join("out")).unwrap()
    }

    /// The output when it has so many lines.
    #[track_caller]
    pub(crate) fn lines(&self, count: usize) -> Vec<Vec<u8>> {
        let lines = |output: &[u8]| output.iter().filter(|&&byte| byte == b'\n').count();
        until(&format!("there are {count} lines"), || lines(&self.output()) >= count);
        let output = self.output();
        assert_eq!(lines(&output), count, "{}", output.escape_ascii());
        output.split(|&byte| byte == b'\n').take(count).map(<[u8]>::to_vec).collect()
    }

    /// The same as text.
    #[track_caller]
    pub(crate) fn text(&self, count: usize) -> Vec<String> {
        self.lines(count).into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
    }

    pub(crate) fn datagrams(&self) -> UnixDatagram {
        connected(&self.path())
    }

    pub(crate) fn stream(&self) -> UnixStream {
        UnixStream::connect(self.path()).unwrap()
    }

    pub(crate) fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", self.port)).unwrap();
        socket
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How much memory it uses, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, for datagrams and for connections.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A datagram socket that sends to a path.
pub(crate) fn connected(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(path).unwrap();
    socket
}
