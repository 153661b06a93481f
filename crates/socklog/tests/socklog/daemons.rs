//! Daemons of Debian that log by syslog(3), each with a `/dev` of its own, in which `/dev/log` is the socket of the test.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use testkit::logger::Running;
use testkit::{is_root, skipped, tool, until};

use crate::receiver::{Receiver, SOCKLOG, free_port};

/// Starts a program with a `/dev` and a `/run` of its own, and with other files in the place of those of the host.
/// `None`, with a notice, where that is not allowed.
fn start(receiver: &Receiver, replaced: &[(&str, &str)], program: &[&str]) -> Option<Running> {
    if !is_root("start a daemon with a /dev of its own") {
        return None;
    }
    let unshare = tool("unshare")?;
    if !Command::new(&unshare).args(["--mount", "true"]).output().is_ok_and(|done| done.status.success()) {
        skipped("unshare is not allowed here, so no daemon was started with a /dev of its own");
        return None;
    }
    let mut prepare = "mkdir dev && mount -t tmpfs none dev && ln -s \"$PWD/log\" dev/log && \
                       for device in null zero full random urandom tty; do \
                       touch dev/$device && mount --bind /dev/$device dev/$device || exit; done && \
                       mount --rbind dev /dev && mount -t tmpfs none /run && mkdir -m 755 /run/sshd"
        .to_owned();
    for (own, host) in replaced {
        prepare.push_str(&format!(" && mount --bind {own} {host}"));
    }
    prepare.push_str(" && exec \"$0\" \"$@\"");
    let mut command = Command::new(unshare);
    command.args(["--mount", "sh", "-c", &prepare]).args(program).stdin(Stdio::null());
    Some(Running::start(command.current_dir(receiver.workdir.path()).stdout(Stdio::null())))
}

/// Waits until there is a line that begins and ends so.
#[track_caller]
fn until_logged(receiver: &Receiver, beginning: &str, end: &str) {
    let is_there = || {
        let output = receiver.output();
        let text = String::from_utf8_lossy(&output);
        text.lines().any(|line| line.starts_with(beginning) && line.ends_with(end))
    };
    until(&format!("{beginning} … {end} is logged"), is_there);
}

#[test]
fn sshd_logs_here() {
    let (Some(sshd), Some(keygen)) = (tool("sshd"), tool("ssh-keygen")) else { return };
    let receiver = Receiver::unix(SOCKLOG, &[]);
    let key = receiver.workdir.join("key");
    let made = Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let port = free_port();
    let options = ["ListenAddress=127.0.0.1", "PidFile=none", "UsePAM=no"].map(|option| format!("-o{option}"));
    let (port_text, key) = (port.to_string(), key.display().to_string());
    let program = [sshd.to_str().unwrap(), "-D", "-f", "/dev/null", "-p", &port_text, "-h", &key];
    let program = [&program[..], &options.each_ref().map(String::as_str)].concat();
    let Some(daemon) = start(&receiver, &[], &program) else { return };

    until_logged(&receiver, "auth.info: ", &format!("Server listening on 127.0.0.1 port {port}."));
    // Somebody who does not speak its language.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"\x1b[2Jhello\n").unwrap();
    until_logged(&receiver, "auth.err: ", ": client sent invalid protocol identifier \"\\033[2Jhello\"");
    let _ = stream.read(&mut [0]);
    daemon.kill();
}

#[test]
fn cron_logs_here() {
    let Some(cron) = tool("cron") else { return };
    let receiver = Receiver::unix(SOCKLOG, &[]);
    fs::create_dir(receiver.workdir.join("empty")).unwrap();
    fs::write(receiver.workdir.join("crontab"), "@reboot root true\n").unwrap();
    // None of the host's jobs are run.
    let replaced = [("crontab", "/etc/crontab"), ("empty", "/etc/cron.d"), ("empty", "/var/spool/cron/crontabs")];
    let Some(daemon) = start(&receiver, &replaced, &[cron.to_str().unwrap(), "-f"]) else { return };

    until_logged(&receiver, "cron.info: ", "(CRON) INFO (Running @reboot jobs)");
    until_logged(&receiver, "cron.info: ", "(root) CMD (true)");
    daemon.kill();
}
