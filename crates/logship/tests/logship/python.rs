//! Programs of Python that tests use: moto, a server that speaks the protocol of S3, and the engine DuckDB.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use testkit::logger::Running;
use testkit::skipped;

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
        // moto chooses a free port, and says which. A port that a test chooses may be taken meanwhile.
        let script = "exec python3 -c 'from moto.server import main; main()' -H 127.0.0.1 -p 0 2>&1";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Running::start(&mut command);
        let (send, receive) = mpsc::channel();
        let said = BufReader::new(server.take_stdout());
        // It reads on, so that moto never waits for room in the pipe.
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let port = line.rsplit_once("http://127.0.0.1:").and_then(|(_, port)| port.trim().parse::<u16>().ok());
                port.into_iter().for_each(|port| send.send(port).unwrap_or(()));
            }
        });
        let port = receive.recv_timeout(testkit::DEADLINE).expect("moto says where it listens");
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
