//! What is typed every day: services by their names, one file, the last few lines, the members of objects.

use std::process::Output;

use super::{lines, log_directory, printed, readlog, run, second, ten_seconds_each};
use testkit::Workdir;

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_service_is_found_by_its_name() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "services/one/log/main", 1);
    log_directory(&dir, "services/two", &[("current", lines(30, 31).as_bytes())]);
    let run = |arguments: &[&str]| readlog(dir.path(), arguments).env("SVDIR", dir.join("services")).output().unwrap();
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();

    assert_eq!(text(&run(&["-o", "tai64n", "-u", "one"])), lines(0, 20));
    assert_eq!(text(&run(&["-o", "cat", "--service=always", "-n1", "-u", "one", "--unit", "two"])), "two line 30\n");
    assert_eq!(text(&run(&["-o", "tai64n", "-u", "services/one"])), lines(0, 20), "a path");
    let output = run(&["-u", "three"]);
    assert_eq!(output.status.code(), Some(1));
    let services = dir.join("services");
    let complaint = format!("readlog: warning: unable to find the service three: not in {}\n", services.display());
    assert_eq!(messages(&output), complaint);
    let output = readlog(dir.path(), &["-u", "no\x1bservice"]).env_remove("SVDIR").output().unwrap();
    let places = "/service, /etc/service, /var/service, /var/log";
    let complaint = format!("readlog: warning: unable to find the service no\\x1bservice: not in {places}\n");
    assert_eq!((output.status.code(), messages(&output)), (Some(1), complaint));
    assert_eq!(run(&["-u", ""]).status.code(), Some(100));
}

#[test]
fn one_file_stands_for_itself() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "one/log/main", 3);
    let archive = |seconds| format!("one/log/main/{}.s", second(seconds));

    assert_eq!(printed(&dir, &["-o", "tai64n", &archive(20)]), lines(10, 20));
    assert_eq!(printed(&dir, &["-o", "tai64n", "one/log/main/current"]), lines(30, 40));
    assert_eq!(printed(&dir, &["-o", "tai64n", "-n", "3", &archive(20)]), lines(17, 20));
    let window = ["-o", "tai64n", "-S", "2026-09-21 14:13:35", "-U", "2026-09-21 14:13:37"];
    assert_eq!(printed(&dir, &[&window[..], &[&archive(20)]].concat()), lines(15, 17));
    // Several files of a directory are read in their order, and each once.
    let several = ["-o", "tai64n", "one/log/main/current", &archive(30), &archive(10), &archive(30)];
    assert_eq!(printed(&dir, &several), lines(0, 10) + &lines(20, 40));
    assert_eq!(printed(&dir, &["-o", "tai64n", &archive(20), "one/log/main"]), lines(0, 40));
    assert_eq!(printed(&dir, &["-o", "tai64n", &archive(20), "one/./log/main"]), lines(0, 40), "another path");
    assert!(printed(&dir, &["--service=always", "-n1", &archive(20)]).contains(" one line 19"));
    assert!(printed(&dir, &["-o", "json", "-n1", &archive(20)]).contains(&format!("\"file\":\"{}\"", archive(20))));
    // From within the directory.
    let output = run(&dir.join("one/log/main"), &["-o", "tai64n", &archive(10)[13..]]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), lines(0, 10));
}

#[test]
fn one_file_cannot_be_followed() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);

    for (options, option) in [(&["-f"][..], "-f"), (&["--cursor", "seen"], "--cursor")] {
        let output = run(dir.path(), &[options, &["main/current"]].concat());

        let complaint = format!("readlog: warning: unable to read main/current with {option}: name its directory\n");
        assert_eq!((output.status.code(), messages(&output)), (Some(1), complaint));
    }
}

#[test]
fn a_file_that_is_no_plain_file_or_no_log_file_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    std::fs::write(dir.join("notes"), "x").unwrap();
    std::fs::write(dir.join("main/lock"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.join(format!("main/{}.s", second(5)))).unwrap();

    let no_log = "not a directory, nor a plain file of one (current, previous, processed or @label.s)";
    for (path, problem) in [
        ("notes".to_owned(), no_log),
        ("/dev/null".to_owned(), no_log),
        ("main/lock".to_owned(), no_log),
        (format!("main/{}.s", second(5)), no_log),
        (format!("main/{}.s", second(6)), "file does not exist"),
        ("notes/current".to_owned(), "not a directory"),
    ] {
        let output = run(dir.path(), &[&path]);

        let complaint = format!("readlog: warning: unable to open directory {path}: {problem}\n");
        assert_eq!((output.status.code(), messages(&output)), (Some(1), complaint));
        assert_eq!(output.stdout, b"", "{path}");
    }
    // A file is not waited for as a directory is.
    assert_eq!(run(dir.path(), &["-f", "notes"]).status.code(), Some(1));
}

#[test]
fn without_a_number_ten_lines_are_printed() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);

    for arguments in [&["-n", "main"][..], &["main", "-n"], &["--lines", "main"], &["-n", "--", "main"]] {
        assert_eq!(printed(&dir, &[&["-o", "tai64n"], arguments].concat()), lines(30, 40), "{arguments:?}");
    }
    assert_eq!(printed(&dir, &["-o", "tai64n", "-en", "3", "main"]), lines(37, 40));
    log_directory(&dir, "long", &[("current", lines(0, 1500).as_bytes())]);
    assert_eq!(printed(&dir, &["-o", "tai64n", "-e", "long"]), lines(500, 1500));
}

#[test]
fn letters_are_what_they_are_only_if_the_pattern_has_a_capital_one() {
    let dir = Workdir::new();
    let text = format!("{} error\n{} Error\n{} ERROR\n", second(0), second(1), second(2));
    log_directory(&dir, "main", &[("current", text.as_bytes())]);

    for (options, expected) in [
        (&["-g", "error"][..], "error\nError\nERROR\n"),
        (&["-g", "Error"], "Error\n"),
        (&["-g", r"^\S+$"], "error\nError\nERROR\n"),
        (&["-s", "-g", "error"], "error\n"),
        (&["-i", "-g", "Error"], "error\nError\nERROR\n"),
        (&["-v", "-g", "error"], ""),
        (&["-sv", "-g", "error"], "Error\nERROR\n"),
    ] {
        assert_eq!(printed(&dir, &[&["-o", "cat"], options, &["main"]].concat()), expected, "{options:?}");
        let reversed: String = expected.lines().rev().map(|line| format!("{line}\n")).collect();
        assert_eq!(printed(&dir, &[&["-r", "-o", "cat"], options, &["main"]].concat()), reversed, "{options:?}");
    }
}

#[test]
fn quiet_is_without_warnings_and_hints() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);

    let output = run(dir.path(), &["-q", "-o", "tai64n", "nothing", "main"]);
    assert_eq!((output.status.code(), messages(&output)), (Some(1), String::new()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), lines(0, 20));

    let output = run(dir.path(), &["-q", "--histogram", "-g", "nothing", "main"]);
    assert_eq!((output.status.code(), messages(&output), output.stdout.len()), (Some(0), String::new(), 0));
    let output = run(dir.path(), &["-q", "-g", "(", "main"]);
    assert!(messages(&output).contains("usage"), "a wrong command line is told: {output:?}");
}

#[test]
fn a_histogram_without_lines_says_so() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);

    for options in [&["--histogram"][..], &["--svg", "picture"]] {
        let output = run(dir.path(), &[options, &["-g", "nothing", "main"]].concat());

        let hint = "readlog: no lines to draw: check the times, the pattern and the directories\n";
        assert_eq!((output.status.code(), messages(&output), output.stdout.len()), (Some(0), hint.to_owned(), 0));
    }
    assert!(dir.join("picture").exists());
}

#[test]
fn utc_is_for_what_is_printed_and_for_what_is_asked() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let run = |arguments: &[&str]| {
        let output = readlog(dir.path(), arguments).env("TZ", "Asia/Tokyo").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    assert_eq!(run(&["--utc", "-n1", "main"]), "2026-09-21 14:13:39.000000000 line 19\n");
    assert_eq!(run(&["-n1", "main"]), "2026-09-21 23:13:39.000000000 line 19\n");
    for since in [
        &["--utc", "-S", "2026-09-21 14:13:38"][..],
        &["-S", "2026-09-21 23:13:38"],
        &["-S", "2026-09-21 14:13:38 UTC"],
        &["-S", "@1790000018"],
    ] {
        assert_eq!(run(&[since, &["-o", "cat", "main"]].concat()), "line 18\nline 19\n", "{since:?}");
    }
}

#[test]
fn objects_have_the_members_that_are_asked_for() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let json = |fields: &str| printed(&dir, &["-o", "json", "-n1", "--output-fields", fields, "main"]);

    assert_eq!(json("message"), "{\"message\":\"line 19\"}\n");
    assert_eq!(json("message,time"), "{\"message\":\"line 19\",\"time\":\"2026-09-21T14:13:39.000000000+00:00\"}\n");
    assert_eq!(json("label,label"), format!("{{\"label\":\"{}\"}}\n", second(19)));
    for arguments in [&["--output-fields=message", "main"][..], &["-o", "json", "--output-fields=priority", "main"]] {
        assert_eq!(run(dir.path(), arguments).status.code(), Some(100), "{arguments:?}");
    }
}

#[test]
fn services_are_listed_with_their_times_files_and_bytes() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "services/one/log/main", 2);
    log_directory(&dir, "services/für/log/main", &[("current", lines(50, 60).as_bytes()), ("state", &[b'x'; 5000])]);
    log_directory(&dir, "services/fresh/log/main", &[("current", b""), ("lock", b"")]);
    log_directory(&dir, "services/none", &[("run", b"#!/bin/sh\n")]);
    log_directory(&dir, "services/.svscan", &[("current", b"x\n")]);
    let run = |arguments: &[&str]| {
        let output = readlog(dir.path(), arguments).env("SVDIR", dir.join("services")).output().unwrap();
        assert_eq!((output.status.code(), messages(&output)), (Some(0), String::new()));
        String::from_utf8(output.stdout).unwrap()
    };

    let expected = format!(
        "service  first                last                 files  bytes\n\
         fresh    -                    -                        1     0B\n\
         für      2026-09-21 14:14:10  2026-09-21 14:14:19      1   {}B\n\
         one      2026-09-21 14:13:20  2026-09-21 14:13:49      3  {}B\n",
        lines(50, 60).len(),
        lines(0, 30).len()
    );
    assert_eq!(run(&["--list"]), expected);
    assert_eq!(run(&["--list", "-u", "one"]).lines().count(), 2);
    let json = run(&["--list", "-o", "json", "services/one"]);
    assert!(json.starts_with('{') && json.contains("\"files\":3") && json.contains("\"service\":\"one\""), "{json}");

    let usage = run(&["--disk-usage"]);
    let services: Vec<&str> = usage.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(services, ["fresh", "für", "one", "total"], "{usage}");
    let allocated = |name: &str| -> u64 {
        let files = std::fs::read_dir(dir.join(name)).unwrap();
        files.map(|file| std::os::unix::fs::MetadataExt::blocks(&file.unwrap().metadata().unwrap()) * 512).sum()
    };
    let json = run(&["--disk-usage", "-o", "json", "services/für"]);
    assert!(json.contains(&format!("\"disk_bytes\":{}", allocated("services/für/log/main"))), "{json}");
    for options in [&["--list", "-f"][..], &["--list", "--disk-usage"], &["--list", "-g", "x"], &["--list", "h1:/x"]] {
        assert_eq!(
            super::run(dir.path(), &[options, &["services/one"]].concat()).status.code(),
            Some(100),
            "{options:?}"
        );
    }
}

#[test]
fn columns_are_as_wide_as_they_look() {
    let dir = Workdir::new();
    for (name, at) in [("日本", 0), ("für", 1), ("plain", 2)] {
        log_directory(&dir, name, &[("current", format!("{} x\n", second(at)).as_bytes())]);
    }

    let text = printed(&dir, &["-o", "cat", "--service=always", "日本", "für", "plain"]);

    assert_eq!(text, "日本  x\nfür   x\nplain x\n");
}
