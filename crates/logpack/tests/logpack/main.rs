//! Tests of `logpack`, run as a program.
//!
//! | behaviour | file |
//! |---|---|
//! | what is packed comes back, by every zstd tool; `-d`, `-l`; options | `packing` |
//! | wrong usage, damaged input, a full disk, little memory | `trouble` |
//! | a processor of multilog, and of 0.76's | `processor` |
//! | loggers and filters that are killed | `kills` |

#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod kills;
mod packing;
mod processor;
mod trouble;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The program.
pub const LOGPACK: &str = env!("CARGO_BIN_EXE_logpack");

/// A second in 2026, on which the hand-made logs begin.
pub const START: u64 = 1_790_000_000;

/// Lines with labels, a tenth of a second from one to the next.
pub fn labelled(lines: u64) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..lines {
        let (second, rest) = ((1_u64 << 62) + 10 + START + i / 10, i % 10 * 100_000_000);
        let message = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        writeln!(text, "@{second:016x}{rest:08x} info msg {i}: bytes {message} from <user@host>").unwrap();
    }
    text
}

/// Runs `logpack` with an input.
pub fn logpack(arguments: &[&str], input: &[u8]) -> Output {
    filter(Command::new(LOGPACK).args(arguments).env("TZ", "UTC"), input)
}

/// What `logpack` makes of an input.
#[track_caller]
pub fn packed(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let Output { status, stdout, stderr } = logpack(arguments, input);
    assert!(status.success() && stderr.is_empty(), "{arguments:?}: {status}, {}", String::from_utf8_lossy(&stderr));
    stdout
}

/// Runs a command with an input.
pub fn filter(command: &mut Command, input: &[u8]) -> Output {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    command.stdin(file).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}
