//! Messages and exit codes of multilog when something is wrong; a script that cannot run changes no file.

use std::collections::BTreeMap;
use std::io::{Write, pipe};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use, put};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, skipped, until};

/// Runs a multilog on a short input, and returns its exit code and words.
#[track_caller]
fn log(multilog: Multilog, directory: &Path, script: &[&str]) -> (Option<i32>, String) {
    let (input, mut output) = pipe().unwrap();
    output.write_all(b"one\ntwo\n").unwrap();
    drop(output);
    let (status, words) = Running::start(multilog.command(directory, script).stdin(input)).end_and_words();
    (status.code(), words)
}

/// Runs a shell command with the path of our multilog as `$0`.
#[track_caller]
fn shell(directory: &Path, command: &str) -> (Option<i32>, String) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).arg(Multilog::Ours.path()).current_dir(directory);
    shell.stderr(std::process::Stdio::piped());
    let (status, words) = Running::start(&mut shell).end_and_words();
    (status.code(), words)
}

#[test]
fn what_cannot_be_opened_is_named_and_multilog_exits_111() {
    for multilog in Multilog::installed() {
        for (action, message) in [
            ("./file", "unable to open directory ./file: not a directory"),
            ("./no/such", "unable to open directory ./no/such: file does not exist"),
            ("/dev/null", "unable to open directory /dev/null: not a directory"),
            ("=no/such", "unable to create no/such: file does not exist"),
            ("=.", "unable to create .: is a directory"),
            ("=", "unable to create : file does not exist"),
        ] {
            let workdir = Workdir::new();
            put(&workdir.join("file"), 0o644, b"");

            let said = log(multilog, workdir.path(), &["t", action]);

            assert_eq!(said, (Some(111), format!("multilog: fatal: {message}\n")), "{multilog:?}");
        }
    }
}

/// Runs our multilog with `--check`, and returns its exit code, standard output and standard error.
fn check(directory: &Path, script: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(Multilog::Ours.path());
    let output = command.arg("--check").args(script).current_dir(directory).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_script_that_is_checked_is_explained_and_touches_nothing() {
    // multilog.8 > "It opens no file and reads no input"
    let workdir = Workdir::new();

    let (code, explanation, said) = check(workdir.path(), &["t", "S2G", "A30d", "F10%", "R@hour", "./main"]);

    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(explanation.lines().count(), 6, "{explanation}");
    assert!(explanation.ends_with("rotates at each local hour\n"), "{explanation}");
    assert_eq!(std::fs::read_dir(workdir.path()).unwrap().count(), 0);
}

#[test]
fn a_check_exits_100_for_each_bad_argument_and_a_logger_ignores_it_with_one_warning() {
    for (argument, reason) in [
        ("main", "no such action; a log directory begins with . or /"),
        ("prod", "no such action; a log directory begins with . or /"),
        ("Spool", "no such action; a log directory begins with . or /"),
        ("t", "only the first action can ask for timestamps"),
        ("n3x", "something follows the number"),
        ("s10q", "what follows the size is no k, M or G"),
        ("T", "only the first action can ask for timestamps"),
        ("T@utc", "only the first action can ask for timestamps"),
        ("T@", "it is no form of timestamp such as T@local, T@utc or T@epoch"),
        ("T@mars", "it is no form of timestamp such as T@local, T@utc or T@epoch"),
        ("Tfoo", "no such action; a log directory begins with . or /"),
        ("p", "its text is missing, as in p=web:"),
        ("S", "its size is missing, as in S2G"),
        ("H", "its size is missing, as in H10G"),
        ("f=", "its file is missing, as in f=script"),
        ("p=", "a prefix is 1 to 60 bytes without a newline"),
        ("p=two\nlines", "a prefix is 1 to 60 bytes without a newline"),
        (
            "p=0123456789012345678901234567890123456789012345678901234567890",
            "a prefix is 1 to 60 bytes without a newline",
        ),
        ("r", "its expression is missing, as in r+fail(ed|ure)"),
        ("r8kB", "it is no number of bytes such as r8k"),
        ("rfoo", "no such action; a log directory begins with . or /"),
        ("r+(a", "it is no regular expression: unclosed group"),
        ("r-(a{1000}){1000}", "it is no regular expression: it takes more than a megabyte"),
        ("S10q", "it is no total size such as S2G"),
        ("A30x", "it is no age such as A30d"),
        ("F10%:", "it is no free space such as F10% or F2G:5"),
        ("R1y", "it is no time such as R12h, R@hour or R@midnight"),
        ("R@week", "it is no time such as R12h, R@hour or R@midnight"),
    ] {
        let workdir = Workdir::new();
        let shown = argument.replace('\n', "\\x0a");
        let warning = format!("multilog: warning: ignoring the action {shown}: {reason}\n");

        let (code, explanation, said) = check(workdir.path(), &["t", argument, "./main"]);

        assert_eq!((code, said), (Some(100), warning.clone()), "{explanation}");
        assert_eq!(log(Multilog::Ours, workdir.path(), &["t", argument, "./main"]), (Some(0), warning), "{argument}");
    }
}

#[test]
fn an_unreadable_directory_is_named() {
    for multilog in Multilog::installed() {
        let workdir = Workdir::new();
        let main = workdir.join("main");
        std::fs::create_dir(&main).unwrap();
        set_mode(&main, 0o000);
        if std::fs::read_dir(&main).is_ok() {
            skipped("this user may read everything, so no directory was unreadable");
            return;
        }

        let said = log(multilog, workdir.path(), &["./main"]);

        set_mode(&main, 0o700);
        assert_eq!(said, (Some(111), "multilog: fatal: unable to open directory ./main: access denied\n".into()));
        assert!(LogDirFiles::read(&main).0.is_empty());
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_message_about_a_held_lock_names_the_holder() {
    for holder in Multilog::installed() {
        let workdir = Workdir::in_memory();
        let (input, mut output) = pipe().unwrap();
        let mut first = Running::start(holder.command(workdir.path(), &["./main"]).stdin(input));
        until("the first logger works", || is_in_use(&workdir.join("main")));
        output.write_all(b"first\n").unwrap();
        until("the first logger has logged", || current_bytes(&workdir.join("main")) == Some(6));
        let before = identities(&workdir.join("main"));

        let said = log(Multilog::Ours, workdir.path(), &["./main"]);

        let message = "multilog: fatal: unable to lock directory ./main: temporary failure";
        assert_eq!(said, (Some(111), format!("{message} (held by pid {})\n", first.pid())));
        assert_eq!(identities(&workdir.join("main")), before);
        drop(output);
        assert!(first.end().success());
    }
}

#[test]
fn a_lock_whose_holder_was_killed_is_waited_for() {
    let workdir = Workdir::in_memory();
    std::fs::create_dir(workdir.join("main")).unwrap();
    // The lock is that of flock, which has ended, and stays as long as sleep has the file open.
    let script = "exec 9>main/lock; flock -n 9 || exit 1; sleep 0.05 >/dev/null 2>&1 & exit 0";
    let status = Command::new("sh").args(["-c", script]).current_dir(workdir.path()).status().unwrap();
    assert!(status.success());

    assert_eq!(log(Multilog::Ours, workdir.path(), &["./main"]), (Some(0), String::new()));
}

/// The inode number, mode, length and time of change of each file.
fn identities(directory: &Path) -> BTreeMap<String, (u64, u32, u64, i64, i64)> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let identity =
        |about: std::fs::Metadata| (about.ino(), about.mode(), about.len(), about.ctime(), about.ctime_nsec());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), identity(entry.metadata().unwrap()))).collect()
}

#[test]
fn a_script_that_cannot_run_changes_no_file() {
    for action in ["./file", "=no/such", "./held", "./main"] {
        let workdir = Workdir::in_memory();
        put(&workdir.join("file"), 0o644, b"");
        put(&workdir.join("status"), 0o600, b"status\n");
        for directory in ["main", "unclean", "held"] {
            std::fs::create_dir(workdir.join(directory)).unwrap();
            put(&workdir.join(directory).join("lock"), 0o600, b"");
        }
        put(&workdir.join("main/current"), 0o744, b"clean\n");
        put(&workdir.join("unclean/current"), 0o644, b"unclean\n");
        put(&workdir.join("unclean/processed"), 0o644, b"half\n");
        let (input, output) = pipe().unwrap();
        let mut holder = Running::start(Multilog::Ours.command(workdir.path(), &["./held"]).stdin(input));
        // The journal is the last file that it makes.
        until("the holder works", || workdir.join("held/journal").exists());
        let all = || [".", "main", "unclean", "held"].map(|directory| identities(&workdir.join(directory)));
        let before = all();

        let (code, words) = log(Multilog::Ours, workdir.path(), &["t", "=status", "./main", "./unclean", action]);

        assert_eq!(code, Some(111), "{action}: {words}");
        assert_eq!(words.lines().count(), 1, "{action}: {words}");
        assert_eq!(all(), before, "{action}: {words}");
        drop(output);
        assert!(holder.end().success());
    }
}

#[test]
fn unknown_actions_are_named_once_and_ignored() {
    let workdir = Workdir::new();

    let said = log(Multilog::Ours, workdir.path(), &["s5000", "t", "main", "./main", "main", "\u{1b}[31m"]);

    let expected = "multilog: warning: ignoring the action t: only the first action can ask for timestamps\n\
                    multilog: warning: ignoring the action main: no such action; a log directory begins with . or /\n\
                    multilog: warning: ignoring the action \\x1b[31m: no such action; a log directory begins with . or /\n";
    assert_eq!(said, (Some(0), expected.into()));
    assert_eq!(LogDirFiles::read(&workdir.join("main")).joined(), b"one\ntwo\n");
}

#[test]
fn without_actions_multilog_reads_to_the_end() {
    for multilog in Multilog::installed() {
        let workdir = Workdir::new();

        assert_eq!(log(multilog, workdir.path(), &[]), (Some(0), String::new()));
        assert_eq!(log(multilog, workdir.path(), &["t", "-*"]), (Some(0), String::new()));
    }
}

#[test]
fn unreadable_input_is_reported_and_current_is_clean() {
    for (redirection, cause) in [("<&-", "file descriptor not open"), ("<.", "is a directory")] {
        let workdir = Workdir::new();

        let said = shell(workdir.path(), &format!("exec \"$0\" ./main {redirection}"));

        let message = format!("multilog: fatal: unable to read standard input: {cause}\n");
        assert_eq!(said, (Some(111), message));
        assert_eq!(LogDirFiles::read(&workdir.join("main")).file("current").mode, 0o744);
    }
}

#[test]
fn logging_goes_on_if_alerts_cannot_be_written() {
    for redirection in ["2>&-", "2>/dev/full", "3>&1 2>&1 | :"] {
        let workdir = Workdir::new();
        let lines = "alert\n".repeat(20_000);
        put(&workdir.join("input"), 0o600, lines.as_bytes());

        shell(workdir.path(), &format!("\"$0\" e =status ./main <input {redirection}"));

        until("the logger has left", || {
            let about = std::fs::metadata(workdir.join("main/current"));
            about.is_ok_and(|about| about.mode() & 0o7777 == 0o744)
        });
        let files = LogDirFiles::read(&workdir.join("main"));
        assert!(files.joined() == lines.as_bytes(), "{redirection}");
        // No file may have become standard error.
        assert_eq!(files.file("lock").bytes, b"", "{redirection}");
    }
}
