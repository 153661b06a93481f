//! Executable files that a test makes and then runs.
//!
//! Linux does not execute a file that some process has open for writing ("Text file busy"). A test program has many threads,
//! and a child that one of them forks holds the descriptors of all of them until it executes its own program. So a test
//! program never opens such a file for writing: a child process writes the file, and has ended before anybody executes it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Copies a program.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    put(from, to, b"");
}

/// Writes a shell script with this text after its first line. The script gets its name when it is complete.
#[track_caller]
pub fn script(path: &Path, text: &str) {
    put(Path::new("/dev/stdin"), path, format!("#!/bin/sh\n{text}\n").as_bytes());
}

/// Makes a file of mode 0755 with the bytes of another, which may be the standard input of the process that writes it.
///
/// The directories of the file are made when the file is complete: a program that watches them never sees them without it.
#[track_caller]
fn put(from: &Path, to: &Path, stdin: &[u8]) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let existing = to.ancestors().skip(1).find(|ancestor| ancestor.is_dir()).expect("the root directory exists");
    let new = existing.join(format!(".new-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    let mut install = Command::new("install");
    install.args(["-m", "755", "--"]).arg(from).arg(&new).stdin(Stdio::piped());
    let mut child = install.spawn().expect("install can be started");
    child.stdin.take().expect("a pipe was asked for").write_all(stdin).expect("install reads its standard input");
    let status = child.wait().expect("a child can be waited for");
    assert!(status.success(), "{install:?}: {status}");
    std::fs::create_dir_all(to.parent().expect("a file is in a directory")).expect("a directory can be made");
    std::fs::rename(&new, to).expect("a file can be given its name");
}
