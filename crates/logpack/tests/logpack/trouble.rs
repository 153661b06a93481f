//! Wrong usage, damaged input, an output that cannot be written, little memory.

use std::fs::File;
use std::process::{Command, Stdio};

use super::{LOGPACK, labelled, logpack, packed};
use testkit::Workdir;

fn words(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_exits_100() {
    for arguments in [&["-z"][..], &["file"], &["-s", "1"], &["-c", "x"], &["-t", "0"], &["-c"], &["-d", "-l"]] {
        let output = logpack(arguments, b"");

        assert_eq!(output.status.code(), Some(100), "{arguments:?}");
        assert!(words(&output).contains("logpack: usage: logpack [-p]"), "{}", words(&output));
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn a_damaged_file_exits_111_with_what_could_be_unpacked() {
    let text = labelled(20_000);
    let mut file = packed(&["-s64k"], &text);
    let middle = file.len() / 2;
    file[middle] ^= 0xff;

    let output = logpack(&["-d"], &file);

    assert_eq!(output.status.code(), Some(111));
    assert!(words(&output).starts_with("logpack: fatal: unable to unpack: "), "{}", words(&output));
    assert!(!output.stdout.is_empty() && text.starts_with(&output.stdout));
    // Cut short.
    let output = logpack(&["-d"], &packed(&[], &text)[..1000]);
    assert_eq!(output.status.code(), Some(111));
}

#[test]
fn a_file_without_an_index_is_not_listed() {
    for bytes in [&b""[..], b"text\n", &packed(&[], b"a\n")[..20]] {
        let output = logpack(&["-l"], bytes);

        assert_eq!((output.status.code(), &output.stdout[..]), (Some(111), &b""[..]));
        assert!(words(&output).contains("unable to list frames: the file has no index, or a damaged one"));
    }
    let output = logpack(&["-l", "/nowhere"], b"");
    assert_eq!(words(&output), "logpack: fatal: unable to open /nowhere: file does not exist\n");
}

#[test]
fn an_output_that_cannot_be_written_exits_111() {
    let dir = Workdir::new();
    // Many frames, so that some are with the threads when a write fails.
    std::fs::write(dir.join("log"), labelled(20_000)).unwrap();
    for (output, cause) in [("/dev/full", "out of disk space"), ("&-", "file descriptor not open")] {
        for options in ["-s4k -t2", "-d"] {
            let script = format!("\"$0\" <log >packed; exec \"$0\" {options} <packed >{output}");
            let output =
                Command::new("/bin/sh").args(["-c", &script, LOGPACK]).current_dir(dir.path()).output().unwrap();

            assert_eq!(output.status.code(), Some(111), "{script}");
            assert_eq!(words(&output), format!("logpack: fatal: unable to write output: {cause}\n"));
        }
    }
}

#[test]
fn an_input_that_cannot_be_read_exits_111() {
    let dir = Workdir::new();
    let output = Command::new(LOGPACK).stdin(File::open(dir.path()).unwrap()).output().unwrap();

    assert_eq!(output.status.code(), Some(111));
    assert_eq!(words(&output), "logpack: fatal: unable to read input: is a directory\n");
}

#[test]
fn threads_that_cannot_be_had_are_done_without() {
    let dir = Workdir::new();
    std::fs::write(dir.join("log"), labelled(20_000)).unwrap();
    let run = |limit: &str| {
        let script = format!("{limit} exec \"$0\" -t64 <log");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, LOGPACK]).current_dir(dir.path()).stderr(Stdio::inherit()).output().unwrap()
    };
    let unlimited = run("");

    let limited = run("ulimit -v 60000;");

    assert!(unlimited.status.success() && limited.status.success(), "{limited:?}");
    assert!(unlimited.stdout == limited.stdout);
}

#[test]
fn a_very_long_line_needs_no_more_memory_than_others() {
    let dir = Workdir::new();
    let text = [&labelled(100)[..], &vec![b'x'; 24_000_000], b"\n", &labelled(100)].concat();
    std::fs::write(dir.join("log"), &text).unwrap();
    for threads in ["-t1", "-t2"] {
        let script = format!("ulimit -v 30000; exec \"$0\" {threads} <log");
        let output = Command::new("/bin/sh").args(["-c", &script, LOGPACK]).current_dir(dir.path()).output().unwrap();

        assert!(output.status.success(), "{threads}: {}", words(&output));
        assert!(logpack(&["-d"], &output.stdout).stdout == text, "{threads}");
    }
}
