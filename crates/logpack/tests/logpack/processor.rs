//! `logpack` as a processor of multilog, and of 0.76's.

use std::process::Command;

use super::{LOGPACK, labelled, logpack};
use testkit::logdir::{LogDirFiles, put};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, assert_same};

#[test]
fn archives_are_packed_and_nothing_else_changes() {
    for multilog in Multilog::installed() {
        for (processor, state) in [(format!("!{LOGPACK} -s 4096"), ""), (format!("!echo 1 >&5; {LOGPACK}"), "1\n")] {
            let workdir = Workdir::new();
            let text = labelled(5_000);
            put(&workdir.join("input"), 0o600, &text);
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "exec \"$0\" \"$@\" <input"]).arg(multilog.path()).current_dir(workdir.path());
            shell.args(["s50000", "n100", &processor, "./main"]).stderr(std::process::Stdio::piped());

            let (status, words) = Running::start(&mut shell).end_and_words();

            assert!(status.success() && words.is_empty(), "{multilog:?}: {status}, {words}");
            let files = LogDirFiles::read(&workdir.join("main"));
            let mut found = Vec::new();
            for (name, archive) in files.archives() {
                assert!(name.ends_with(".s") && archive.bytes.len() < 25_000, "{name}: {}", archive.bytes.len());
                found.extend(logpack(&["-d"], &archive.bytes).stdout);
            }
            found.extend(&files.file("current").bytes);
            assert_same(found, &text);
            assert_eq!(files.file("state").bytes, state.as_bytes(), "{multilog:?}");
        }
    }
}

#[test]
fn it_runs_at_a_low_priority_unless_it_is_told_not_to() {
    let nice = |options: &str| {
        let script = format!(
            "mkfifo fifo; \"$0\" {options} <fifo >out & exec 9>fifo; \
             while :; do set -- $(cat /proc/$!/stat); test \"$2\" = '(logpack)' && break; done; sleep 0.3; \
             set -- $(cat /proc/$!/stat); echo ${{19}}; exec 9>&-; wait"
        );
        let dir = Workdir::new();
        let output = Command::new("/bin/sh").args(["-c", &script, LOGPACK]).current_dir(dir.path()).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse::<i32>()
            .unwrap_or_else(|_| panic!("{:?}", output.stderr))
    };

    let kept = nice("-p");

    assert_eq!(nice(""), (kept + 10).min(19));
}
