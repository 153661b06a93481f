//! Transcripts: commands after `$ `, and what they answer: standard output as it is, standard error after `! `, and an
//! exit code other than 0 in brackets. Both families have to answer exactly that, except where `differs` says how not.

use std::fmt::Write;
use std::path::Path;

use super::{ours, shell, theirs};
use testkit::Workdir;

/// Carries out a transcript's commands, one shell each, in one directory, and notes the answers.
fn play(programs: &Path, transcript: &str) -> String {
    let dir = Workdir::new();
    let mut played = String::new();
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = shell(programs, dir.path(), command).output().expect("there is a shell");
        writeln!(played, "$ {command}").unwrap();
        for (mark, text) in [("", output.stdout), ("! ", output.stderr)] {
            for line in String::from_utf8_lossy(&text).lines() {
                writeln!(played, "{mark}{line}").unwrap();
            }
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => writeln!(played, "[{code}]").unwrap(),
            None => writeln!(played, "[{}]", output.status).unwrap(),
        }
    }
    played
}

#[track_caller]
fn compare(family: &str, programs: &Path, transcript: &str) {
    let expected = transcript.trim_start();
    let played = play(programs, expected);
    assert!(played == expected, "expected:\n{expected}\n{family} answers:\n{played}");
}

/// Both families answer so.
#[track_caller]
pub(super) fn same(transcript: &str) {
    compare("logyard", &ours(), transcript);
    if let Some(theirs) = theirs() {
        compare("0.76", &theirs, transcript);
    }
}

/// Ours answer in one way and 0.76's in another; `doc/compatibility.md` gives the reason.
#[track_caller]
pub(super) fn differs(our_transcript: &str, their_transcript: &str) {
    compare("logyard", &ours(), our_transcript);
    if let Some(theirs) = theirs() {
        compare("0.76", &theirs, their_transcript);
    }
}
