//! The tools that change one thing about a process and run another program in it, beside those of 0.76.
//!
//! | behaviour | file |
//! |---|---|
//! | wrong arguments, options, the search for the next program in `PATH`; pgrphack | [`usage`] |
//! | descriptors, signals and arguments that the next program inherits | [`inherited`] |
//! | setuidgid, envuidgid: accounts, numeric ids, groups, name services | [`identity`] |
//! | envdir | [`envdir`] |
//! | setlock | [`setlock`] |
//! | softlimit | [`softlimit`] |
//! | fghack, readproctitle | [`fghack_readproctitle`] |
//! | run scripts of the qmail guides, with several tools in turn | [`run_scripts`] |
//!
//! [`transcript`] runs commands with both families and compares what they print.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{Workdir, executable, peer, skipped};

mod envdir;
mod fghack_readproctitle;
mod identity;
mod inherited;
mod run_scripts;
mod setlock;
mod softlimit;
mod transcript;
mod usage;

/// Where the programs under test are.
fn ours() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_setlock")).parent().expect("a program is in a directory").to_owned()
}

/// Where 0.76's programs are.
fn theirs() -> Option<PathBuf> {
    peer("setlock").map(|program| program.parent().expect("a program is in a directory").to_owned())
}

/// The search path that finds a family's programs, and the system's.
fn path(programs: &Path) -> OsString {
    std::env::join_paths([programs, Path::new("/usr/bin"), Path::new("/bin")]).expect("no colons")
}

/// A shell that finds the programs in `programs`, with nothing else in its environment.
fn shell(programs: &Path, dir: &Path, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).current_dir(dir).env_clear().env("PATH", path(programs)).stdin(Stdio::null());
    shell
}

/// What a script says when it finds our programs.
#[track_caller]
fn said(dir: &Path, script: &str) -> String {
    said_by(&ours(), dir, script)
}

#[track_caller]
fn said_by(programs: &Path, dir: &Path, script: &str) -> String {
    let output = shell(programs, dir, script).output().expect("there is a shell");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Tells whether a tool of the system does what a test needs of it; if not, says so.
fn can(helper: &str) -> bool {
    let can = Command::new("/bin/sh").args(["-c", helper]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = can.is_ok_and(|status| status.success());
    if !can {
        skipped(format_args!("this system cannot `{helper}`"));
    }
    can
}

/// A directory that every user may enter, with copies of our programs in `bin`: the ones that were built may be where
/// only their owner can go.
fn open_to_all(programs: &[&str]) -> Workdir {
    let dir = Workdir::new();
    std::fs::create_dir(dir.join("bin")).unwrap();
    for program in programs {
        executable::copy(&ours().join(program), &dir.join("bin").join(program));
    }
    for path in [dir.path().to_owned(), dir.join("bin")] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    dir
}
