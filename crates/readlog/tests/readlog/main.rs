//! Tests of `readlog`, run as a program. Most directories are written by hand, where every byte matters; the others by the
//! loggers themselves.
//!
//! | behaviour | file |
//! |---|---|
//! | reading a directory: order, styles, previous and processed, lines without a label, compression, `-n`, histogram | `reading` |
//! | directories that multilog, svlogd and s6-log wrote | `writers` |
//! | `--since` and `--until`; a clock that was set back | `window`, and beside a slow reader `oracle` |
//! | the same in compressed archives | `oracle` |
//! | archives of logpack, with an index that is right, damaged or forged | `packed` |
//! | `-g`, `-v`, `-i`, `-s`, smart case; `-A`, `-B`, `-C` | `searching`, `around` |
//! | `-u`, one file, `-n` without a number, `-e`, `-q`, `--output-fields`, `--list`, `--disk-usage`, the width of columns | `everyday` |
//! | the completions of bash | `terminal` |
//! | other hosts, by ssh | `hosts` |
//! | which log directory a path means; a service whose log comes later | `places` |
//! | `-f`: rotations, half-written lines, directories that come and go, gaps | `follow`, and bit by bit `oracle` |
//! | `--cursor`; readers that are killed | `cursor`, `oracle`; for minutes `torture` |
//! | colours, pagers, control characters, Ctrl-C | `terminal` |
//! | damaged, unreadable or foreign files; wrong usage; exit codes | `bad_input` |
//! | little memory, few descriptors, no inotify watches | `limits` |
//! | system calls that are refused | `kernels` |
//!
//! What a single module promises is tested in that module: stamps in `stamp.rs`, times in `time_arg.rs`, JSON in
//! `output/json.rs`, the picture in `svg.rs`, rotations by events in `follow/tracker.rs`. A test that cannot run here prints
//! `SKIPPED:` and the reason.

#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod around;
mod bad_input;
mod cursor;
mod everyday;
mod follow;
mod hosts;
mod kernels;
mod limits;
mod oracle;
mod packed;
mod places;
mod reading;
mod searching;
mod terminal;
mod torture;
mod window;
mod writers;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use logpack::pack::{Settings, pack};

use testkit::Workdir;

/// A second in 2026, on which the hand-made directories begin.
pub const START: u64 = 1_790_000_000;

/// A label, so many nanoseconds after [`START`].
pub fn label(nanoseconds: u64) -> String {
    let (seconds, rest) = (START + nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    format!("@{:016x}{rest:08x}", (1_u64 << 62) + 10 + seconds)
}

/// A label on a whole second after [`START`].
pub fn second(seconds: u64) -> String {
    label(seconds * 1_000_000_000)
}

/// Lines of one a second, `from` to `to` (not included), as multilog writes them.
pub fn lines(from: u64, to: u64) -> String {
    (from..to).fold(String::new(), |mut text, i| {
        writeln!(text, "{} line {i}", second(i)).unwrap();
        text
    })
}

/// A log directory with these files.
pub fn log_directory(dir: &Workdir, name: &str, files: &[(&str, &[u8])]) {
    let path = dir.join(name);
    std::fs::create_dir_all(&path).unwrap();
    for (file, bytes) in files {
        std::fs::write(path.join(file), bytes).unwrap();
    }
}

/// A directory with an archive for each ten seconds, `count` of them, and ten more lines in `current`.
pub fn ten_seconds_each(dir: &Workdir, name: &str, count: u64) {
    for i in 0..count {
        let archive = format!("{}.s", second(i * 10 + 10));
        log_directory(dir, name, &[(&archive, lines(i * 10, i * 10 + 10).as_bytes())]);
    }
    log_directory(dir, name, &[("current", lines(count * 10, count * 10 + 10).as_bytes())]);
}

/// What `logpack` makes of a log, with frames of this size.
pub fn packed(text: &[u8], frame_bytes: usize) -> Vec<u8> {
    let (mut input, mut output) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    input.write_all(text).unwrap();
    input.rewind().unwrap();
    pack(input.as_fd(), output.as_fd(), Settings { level: 1, frame_bytes, threads: 1 }).unwrap();
    let mut packed = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut packed).unwrap();
    packed
}

/// `readlog`, to be started in a directory, with its clock in UTC.
pub fn readlog(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_readlog"));
    command.args(arguments).current_dir(directory).env("TZ", "UTC").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What `readlog` prints, and its exit code.
pub fn run(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Output {
    readlog(directory, arguments).output().unwrap()
}

/// What `readlog` prints when all goes well.
#[track_caller]
pub fn printed(dir: &Workdir, arguments: &[impl AsRef<OsStr>]) -> String {
    let output = run(dir.path(), arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
