//! The examples are what they say: scripts that can be run, a unit that systemd accepts.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{Workdir, executable, program_directory, skipped};

use super::root::Root;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn scripts(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.file_name().is_some_and(|name| name == "run") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_service_has_executable_scripts_and_a_logger() {
    let mut found = Vec::new();
    scripts(&examples(), &mut found);
    assert!(found.len() >= 6, "{found:?}");

    for script in found {
        let name = script.display();
        assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0o111, "{name} is executable");
        assert!(Command::new("sh").arg("-n").arg(&script).status().unwrap().success(), "{name} is a script");
        let directory = script.parent().unwrap();
        assert!(directory.ends_with("log") || directory.join("log/run").exists(), "{name} has a logger");
    }
    assert!(Command::new("sh").arg("-n").arg(examples().join("svscan.openrc")).status().unwrap().success());
}

#[test]
fn the_syslog_example_sorts_like_a_classic_syslog_conf() {
    let dir = Workdir::new();
    // It runs here as one user.
    executable::script(&dir.join("bin/setuidgid"), "shift; exec \"$@\"");
    executable::script(&dir.join("bin/chown"), "exit 0");
    let path = format!("{}:{}:/usr/bin:/bin", dir.join("bin").display(), program_directory().display());
    let mut logger = Command::new(examples().join("syslog/log/run"));
    let mut logger = logger.current_dir(dir.path()).env("PATH", path).stdin(Stdio::piped()).spawn().unwrap();
    let lines = [
        "mail.info: a\n",
        "mail.emerg: b\n",
        "authpriv.notice: c\n",
        "cron.debug: d\n",
        "user.debug: e\n",
        "daemon.err: f mail.info: g\n",
        "local7.info: h\n",
        "kern.emerg: i\n",
    ];
    logger.stdin.take().unwrap().write_all(lines.concat().as_bytes()).unwrap();
    assert!(logger.wait().unwrap().success());

    for (directory, expected) in [
        ("messages", &lines[5..8]),
        ("secure", &lines[2..3]),
        ("maillog", &lines[0..2]),
        ("cron", &lines[3..4]),
        ("emergencies", &[lines[1], lines[7]]),
        ("boot", &lines[6..7]),
    ] {
        let current = std::fs::read_to_string(dir.join(directory).join("current")).unwrap();
        let logged: String = current.lines().map(|line| format!("{}\n", line.split_once(' ').unwrap().1)).collect();
        assert_eq!(logged, expected.concat(), "{directory}");
    }
}

#[test]
fn systemd_accepts_the_unit() {
    let analyze = Path::new("/usr/bin/systemd-analyze");
    if !analyze.exists() {
        skipped("systemd is not installed, so the unit was not verified");
        return;
    }
    // The unit as it is, but for the path of the program, which is not installed here.
    let root = Root::new();
    let unit = std::fs::read_to_string(examples().join("svscan.service")).unwrap();
    assert!(unit.contains("ExecStart=/command/svscanboot\n"));
    root.write("/svscan.service", &unit.replace("/command/svscanboot", env!("CARGO_BIN_EXE_svscanboot")));

    // Its manual pages are not installed here either.
    let verified = Command::new(analyze).args(["verify", "--man=no"]).arg(root.at("/svscan.service")).output().unwrap();

    let words = String::from_utf8_lossy(&verified.stderr);
    let about_ours: Vec<&str> = words.lines().filter(|line| line.contains("svscan")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{words}");
}
