//! The action `=file`: the file holds the last line that was selected, with ours and with 0.76.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use testkit::logdir::put;
use testkit::logger::{LoggerFixture, Multilog};
use testkit::{Workdir, assert_same_in};

/// A line and the newlines up to 1001 bytes.
fn padded(line: &[u8]) -> Vec<u8> {
    let mut text = line.to_vec();
    text.resize(1001, b'\n');
    text
}

/// Logs an input with a status file; returns the directory. `before` is in the file at the start.
#[track_caller]
fn log(multilog: Multilog, script: &[&str], input: &[u8], before: Option<&[u8]>) -> Workdir {
    let fixture = LoggerFixture::with_input(input);
    if let Some(before) = before {
        put(&fixture.workdir.join("status"), 0o644, before);
    }
    let logger = fixture.start_one(multilog, script);
    fixture.end(logger)
}

// multilog.8 > "Replaces the contents of file with the line: its first 1000 bytes, padded with newlines to 1001."
#[test]
fn a_status_file_holds_the_last_selected_line() {
    for multilog in Multilog::installed() {
        let workdir = log(multilog, &["-*bad*", "=status"], b"one\ntwo bad\nthree\nfour bad\n", None);

        let status = fs::read(workdir.join("status")).unwrap();
        assert_same_in(&format!("the status file of {multilog:?}"), status, padded(b"three"));
        let mode = fs::metadata(workdir.join("status")).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{multilog:?}");
    }
}

#[test]
fn a_status_file_holds_the_first_1000_bytes_of_a_long_line() {
    for multilog in Multilog::installed() {
        for length in [999, 1000, 1001, 5000] {
            let line: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).collect();
            let workdir = log(multilog, &["=status"], &[&b"before\n"[..], &line, b"\n"].concat(), None);

            let status = fs::read(workdir.join("status")).unwrap();
            let shown = format!("the status file of {multilog:?} for a line of {length} bytes");
            assert_same_in(&shown, status, padded(&line[..length.min(1000)]));
        }
    }
}

#[test]
fn a_status_file_is_empty_until_a_line_is_selected() {
    for multilog in Multilog::installed() {
        let workdir = log(multilog, &["-*", "=status"], b"one\n", None);

        assert_eq!(fs::read(workdir.join("status")).unwrap(), b"", "{multilog:?}");
    }
}

#[test]
fn a_longer_status_file_keeps_its_end() {
    for multilog in Multilog::installed() {
        let before = [b'#'; 1500];
        let workdir = log(multilog, &["=status"], b"one\n", Some(&before));

        let status = fs::read(workdir.join("status")).unwrap();
        assert_same_in(&format!("{multilog:?}"), status, [&padded(b"one")[..], &before[1001..]].concat());
    }
}

#[test]
fn a_status_file_holds_the_line_with_its_timestamp() {
    for multilog in Multilog::installed() {
        let workdir = log(multilog, &["t", "=status"], b"one\n", None);

        let status = fs::read(workdir.join("status")).unwrap();
        let (stamp, line) = status.split_at(26);
        assert!(stamp.starts_with(b"@4") && stamp.ends_with(b" "), "{multilog:?}: {}", stamp.escape_ascii());
        assert_same_in(&format!("{multilog:?}"), line, &padded(b"one")[..1001 - 26]);
    }
}
