//! The run scripts of the qmail guides, with stand-ins for the servers, the accounts and the places.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{open_to_all, ours, path};
use testkit::logger::Multilog;
use testkit::{Workdir, executable, is_root, until};

/// Writes a run script.
fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    let file = dir.join(name);
    executable::script(&file, text);
    file
}

/// A `tcpserver` that does nothing until its input ends. It is static, as what is to start in two million bytes must be.
fn stand_in_server(dir: &Path) {
    symlink(ours().join("readproctitle"), dir.join("tcpserver")).unwrap();
}

/// What `/proc` says of a soft limit.
fn soft_limit(process: u32, name: &str) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit that every Linux has");
    line.split_whitespace().next().expect("a number").to_owned()
}

#[test]
fn servers_start_within_the_memory_limit_of_old_run_scripts() {
    let smtpd = "QMAILDUID=`id -u root`
NOFILESGID=`id -g root`
MAXSMTPD=`cat control/concurrencyincoming`
exec softlimit -m 2000000 \\
    tcpserver -v -R -l 0 -x /etc/tcp.smtp.cdb -c \"$MAXSMTPD\" \\
        -u \"$QMAILDUID\" -g \"$NOFILESGID\" 0 smtp /var/qmail/bin/qmail-smtpd 2>&1
";
    let pop3d = "exec softlimit -m 3000000 \\
    tcpserver -v -R -H -l 0 0 110 /var/qmail/bin/qmail-popup HOST \\
        /bin/checkpassword /var/qmail/bin/qmail-pop3d Maildir 2>&1
";
    let smtpd_line = "tcpserver -v -R -l 0 -x /etc/tcp.smtp.cdb -c 20 -u 0 -g 0 0 smtp ..........................";
    let pop3d_line = "tcpserver -v -R -H -l 0 0 110 /var/qmail/bin/qmail-popup HOST /bin/checkpassword \
                      /var/qmail/bin/qmail-pop3d .......";
    for (text, bytes, line) in [(smtpd, "2000000", smtpd_line), (pop3d, "3000000", pop3d_line)] {
        let dir = Workdir::new();
        std::fs::create_dir(dir.join("control")).unwrap();
        std::fs::write(dir.join("control/concurrencyincoming"), "20\n").unwrap();
        stand_in_server(dir.path());
        let search =
            std::env::join_paths(std::iter::once(dir.path().to_owned()).chain(std::env::split_paths(&path(&ours()))));

        let mut server = Command::new(script(dir.path(), "run", text))
            .current_dir(dir.path())
            .env("PATH", search.unwrap())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();

        until("the server runs in the place of the script", || {
            let shown = std::fs::read(format!("/proc/{}/cmdline", server.id())).unwrap_or_default();
            String::from_utf8_lossy(&shown).trim_end_matches('\0').replace('\0', " ") == line
        });
        for limit in ["Max address space", "Max data size", "Max stack size"] {
            assert_eq!(soft_limit(server.id(), limit), bytes, "{limit}");
        }
        drop(server.stdin.take());
        assert_eq!(server.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn every_tool_runs_within_the_memory_limit_of_old_run_scripts() {
    let dir = Workdir::new();
    std::fs::create_dir(dir.join("env")).unwrap();
    stand_in_server(dir.path());
    let mut tools = vec!["envuidgid root", "envdir env", "softlimit -o 100", "setlock lock", "pgrphack", "fghack"];
    if is_root("call setuidgid") {
        tools.push("setuidgid root");
    }
    for tool in tools {
        let said = super::said(dir.path(), &format!("softlimit -m 2000000 {tool} ./tcpserver ..... && echo ran"));

        assert_eq!(said, "ran\n", "{tool}");
    }
}

#[test]
fn a_logger_runs_as_a_user_of_its_own() {
    if !is_root("start a logger for another user") {
        return;
    }
    for multilog in Multilog::installed() {
        let dir = open_to_all(&["setuidgid"]);
        executable::copy(&multilog.path(), &dir.join("bin/multilog"));
        std::fs::create_dir(dir.join("qmail")).unwrap();
        chown(dir.join("qmail"), Some(7790), Some(2107)).unwrap();
        let run = script(dir.path(), "run", "exec setuidgid :7790:2107 multilog t ./qmail");

        let mut logger = Command::new(run)
            .current_dir(dir.path())
            .env("PATH", path(&dir.join("bin")))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        logger.stdin.take().unwrap().write_all(b"new msg 257198\n").unwrap();

        assert_eq!(logger.wait().unwrap().code(), Some(0));
        let current = std::fs::read_to_string(dir.join("qmail/current")).unwrap();
        assert!(current.starts_with("@4") && current.ends_with(" new msg 257198\n"), "{current}");
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.join("qmail/current")).unwrap());
        assert_eq!(owner, 7790);
    }
}

#[test]
fn a_service_gets_its_environment_as_a_user_of_its_own() {
    let as_user = if is_root("start a service for another user") { "setuidgid nobody" } else { "pgrphack" };
    let dir = open_to_all(&["setuidgid", "pgrphack", "envdir", "softlimit", "setlock"]);
    std::fs::create_dir(dir.join("env")).unwrap();
    std::fs::set_permissions(dir.join("env"), PermissionsExt::from_mode(0o755)).unwrap();
    for (name, value) in [("ROOT", "/public/file  \n"), ("IP", "127.0.0.1\ncomment\n"), ("DEBUG", "")] {
        std::fs::write(dir.join("env").join(name), value).unwrap();
    }
    let text = format!(
        "exec 2>&1\nexec setlock -n lock {as_user} envdir ./env softlimit -d 250000000 -o 50 \\\n    \
         sh -c 'echo serving $ROOT on $IP; echo ${{DEBUG-no debugging}} >&2; ulimit -n'"
    );

    let output = Command::new(script(dir.path(), "run", &text))
        .current_dir(dir.path())
        .env("PATH", path(&dir.join("bin")))
        .env("DEBUG", "yes")
        .output()
        .unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), "serving /public/file on 127.0.0.1\nno debugging\n50\n");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
}
