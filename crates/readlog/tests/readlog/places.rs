//! Which directory is meant: a log directory, or the one of a service.

use super::follow::{follower, text};
use super::{lines, log_directory, printed, run, ten_seconds_each};
use logyard::sys::signal::Signal;
use testkit::{Workdir, until};

/// A service directory with a log service, and no log directory.
fn service(dir: &Workdir, name: &str) {
    for part in [name.to_owned(), format!("{name}/log")] {
        log_directory(dir, &part, &[("run", b"#!/bin/sh\n")]);
        log_directory(dir, &format!("{part}/supervise"), &[("lock", b""), ("status", b"")]);
    }
}

#[test]
fn a_service_directory_stands_for_its_log() {
    for log in ["main", "other"] {
        let dir = Workdir::new();
        service(&dir, "service/one");
        ten_seconds_each(&dir, &format!("service/one/log/{log}"), 1);

        for path in ["service/one", "service/one/", "service/one/log", &format!("service/one/log/{log}")] {
            assert_eq!(printed(&dir, &["-o", "tai64n", path]), lines(0, 20), "{path}");
            assert_eq!(printed(&dir, &["-o", "tai64n", "-n", "2", path]), lines(18, 20), "{path}");
        }
        assert!(printed(&dir, &["-o", "cat", "--service", "always", "-n", "1", "service/one"]).ends_with("line 19\n"));
    }
}

#[test]
fn a_service_is_named_as_its_log_directory_would_be() {
    let dir = Workdir::new();
    for (i, name) in [(0, "one"), (1, "two")] {
        service(&dir, &format!("service/{name}"));
        log_directory(&dir, &format!("service/{name}/log/main"), &[("current", lines(i, i + 1).as_bytes())]);
    }

    assert_eq!(
        printed(&dir, &["-o", "cat", "--service", "always", "service/one", "service/two"]),
        "one line 0\ntwo line 1\n"
    );
    let json = printed(&dir, &["-o", "json", "service/one"]);
    assert!(json.contains("\"service\":\"one\"") && json.contains("service/one/log/main/current"), "{json}");
}

#[test]
fn what_holds_no_log_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    log_directory(&dir, "empty", &[]);
    log_directory(&dir, "other", &[("file", b"text\n"), ("@short", b"text\n")]);
    service(&dir, "service/one");
    service(&dir, "service/two");
    for name in ["a", "b"] {
        ten_seconds_each(&dir, &format!("service/two/log/{name}"), 1);
    }

    for (path, complaint) in [
        ("empty", "no log in empty: it has neither current nor archives"),
        ("other", "no log in other: it has neither current nor archives"),
        ("service/one", "no log in service/one/log: it has neither current nor archives"),
        ("service/two", "several logs in service/two/log, name one of them: a, b"),
        ("service/two/log", "several logs in service/two/log, name one of them: a, b"),
    ] {
        for option in ["--utc", "-r", "-n1", "--histogram", "-gline"] {
            let output = run(dir.path(), &[option, path]);

            let messages = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), messages), (Some(1), format!("readlog: warning: {complaint}\n")));
        }
        // The others are read.
        let output = run(dir.path(), &["-o", "tai64n", path, "main"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stdout), lines(0, 20));
    }
}

/// `/service/*` names services with a log and services without.
#[test]
fn among_several_a_service_without_a_log_service_is_left_out() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "service/one/log/main", 1);
    for name in ["cron", "getty"] {
        log_directory(&dir, &format!("service/{name}"), &[("run", b"#!/bin/sh\n")]);
    }
    let answer = |arguments: &[&str]| {
        let output = run(dir.path(), arguments);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let all = ["service/cron", "service/getty", "service/one"];
    let complaint = |name| format!("readlog: warning: no log in service/{name}: it has neither current nor archives\n");

    let expected = (Some(0), lines(0, 20), String::new());
    assert_eq!(answer(&[&["-o", "tai64n"], &all[..]].concat()), expected);
    let (code, list, messages) = answer(&[&["--list"], &all[..]].concat());
    assert_eq!((code, list.lines().count(), &messages[..]), (Some(0), 2, ""), "{list}");
    // If no other log is read, there is a message for each service.
    assert_eq!(answer(&all[..1]), (Some(1), String::new(), complaint("cron")));
    assert_eq!(answer(&all[..2]), (Some(1), String::new(), complaint("cron") + &complaint("getty")));
    // There is always a message for a log service that has not written anything.
    service(&dir, "service/two");
    let (code, _, messages) = answer(&[&all[..], &["service/two"]].concat());
    assert_eq!((code, messages), (Some(1), complaint("two/log")));
    let (code, _, messages) = answer(&["service/one", "service/two/log"]);
    assert_eq!((code, messages), (Some(1), complaint("two/log")));
}

#[test]
fn a_service_without_a_log_service_is_waited_for_without_a_message() {
    let dir = Workdir::new();
    log_directory(&dir, "service/cron", &[("run", b"#!/bin/sh\n")]);
    log_directory(&dir, "service/one/log/main", &[("current", lines(0, 1).as_bytes())]);
    let mut reader = follower(&dir, &["-f", "-o", "cat", "service/cron", "service/one"]);
    until("the log is printed", || text(&dir, "out") == "line 0\n");

    log_directory(&dir, "service/cron/log/main", &[("current", lines(3, 4).as_bytes())]);

    until("its line was printed", || text(&dir, "out") == "line 0\nline 3\n");
    reader.signal(Signal::SIGINT);
    assert_eq!((reader.end().code(), text(&dir, "err")), (Some(130), String::new()));
}

#[test]
fn a_log_directory_without_lines_is_no_complaint() {
    let dir = Workdir::new();
    log_directory(&dir, "fresh", &[("lock", b"")]);
    log_directory(&dir, "main", &[("current", b""), ("lock", b"")]);

    assert_eq!(printed(&dir, &["fresh", "main"]), "");
}

#[test]
fn a_file_of_a_service_is_no_log() {
    let dir = Workdir::new();
    service(&dir, "service/one");
    std::fs::write(dir.join("service/one/lock"), "").unwrap();
    ten_seconds_each(&dir, "service/one/log/main", 1);

    assert_eq!(printed(&dir, &["service/one"]).lines().count(), 20);
}

#[test]
fn several_logs_are_an_error_also_where_they_would_be_followed() {
    let dir = Workdir::new();
    for name in ["a", "b"] {
        ten_seconds_each(&dir, &format!("app/{name}"), 1);
    }

    let output = run(dir.path(), &["-f", "app"]);

    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(messages, "readlog: warning: several logs in app, name one of them: a, b\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_service_whose_log_comes_later_is_followed() {
    let dir = Workdir::new();
    service(&dir, "service/one");
    let mut reader = follower(&dir, &["-f", "-o", "cat", "service/one"]);
    until("it waits", || text(&dir, "err").ends_with("waiting for it\n"));

    log_directory(&dir, "service/one/log/main", &[("current", lines(0, 3).as_bytes())]);

    until("its lines were printed", || text(&dir, "out") == "line 0\nline 1\nline 2\n");
    reader.signal(Signal::SIGINT);
    assert_eq!(reader.end().code(), Some(130));
}
