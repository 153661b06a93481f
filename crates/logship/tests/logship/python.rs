//! Programs of Python that tests use: moto, a server that speaks the protocol of S3, and the engine DuckDB.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use testkit::logger::Running;
use testkit::{skipped, until};

/// Tells whether a module of Python is installed; if not, says what was not tested.
pub(crate) fn has(module: &str) -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("import {module}")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let has = command.status().is_ok_and(|status| status.success());
    if !has {
        skipped(format_args!("python3 has no {module}, so logship was not tested with it"));
    }
    has
}

/// A number of a port that nobody uses.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// moto, with an empty bucket `logs`. It ends with its test.
pub(crate) struct Moto {
    pub(crate) port: u16,
    _server: Running,
}

impl Moto {
    /// Starts moto; `None`, with a notice, if it is not installed.
    pub(crate) fn start() -> Option<Moto> {
        if !has("moto.server") {
            return None;
        }
        let port = free_port();
        let mut command = Command::new("python3");
        command.args(["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Running::start(&mut command);
        until("moto accepts connections", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let moto = Moto { port, _server: server };
        let make =
            format!("import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:{port}/logs', method='PUT'))");
        run(&make);
        Some(moto)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Runs a script, and returns what it printed.
pub(crate) fn run(script: &str) -> String {
    run_with(script, &[])
}

/// Runs a script with arguments, and returns what it printed.
pub(crate) fn run_with(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3").args(["-c", script]).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the environment says to programs that use moto.
pub(crate) const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
