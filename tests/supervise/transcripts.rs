//! svc, svstat, svok and supervise print what those of 0.76 print.

use std::fs;

use testkit::service_fixture::{Maker, ServiceFixture, masked, transcript};
use testkit::until;

/// Runs the same command line with both makers' programs in the same fixture.
#[track_caller]
fn same(fixture: &ServiceFixture, program: &str, arguments: &[&str]) {
    let of = |maker| {
        let (code, out, error) = transcript(&fixture.run(maker, program, arguments));
        let out: Vec<String> = out.lines().map(masked).collect();
        (code, out, error)
    };

    assert_eq!(of(Maker::Ours), of(Maker::Theirs), "{program} {arguments:?}");
}

#[test]
fn usage_and_errors_are_those_of_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let fixture = ServiceFixture::new();
    fs::create_dir(fixture.path("empty")).unwrap();
    fixture.write("plain", "");
    fs::create_dir_all(fixture.path("short/supervise")).unwrap();
    fs::create_dir_all(fixture.path("norun")).unwrap();
    fs::create_dir_all(fixture.path("loop/supervise")).unwrap();
    std::os::unix::fs::symlink("ok", fixture.path("loop/supervise/ok")).unwrap();
    std::os::unix::fs::symlink("control", fixture.path("loop/supervise/control")).unwrap();
    std::os::unix::fs::symlink("down", fixture.path("loop/down")).unwrap();

    for program in ["svc", "svok", "svstat", "supervise"] {
        same(&fixture, program, &[]);
        same(&fixture, program, &["missing"]);
        same(&fixture, program, &["plain"]);
    }
    for program in ["svc", "svok", "svstat"] {
        for dir in ["empty", "short", "loop"] {
            same(&fixture, program, &[dir]);
        }
        same(&fixture, program, &["empty", "missing", "plain"]);
    }
    same(&fixture, "supervise", &["a", "b"]);
    same(&fixture, "supervise", &["loop"]);
    for options in [
        &["-Z"][..],
        &["-uZ", "empty"],
        &["-u"],
        &["-u", "empty"],
        &["-ud", "empty", "missing"],
        &["--", "empty"],
        &["-"],
        &["-u", "--", "-d"],
        &["-:"],
        &["-udopchaitk", "empty"],
    ] {
        same(&fixture, "svc", options);
    }
    same(&fixture, "svstat", &["-", "--", "-x"]);
    same(&fixture, "svok", &["-x"]);
}

#[test]
fn normal_runs_are_those_of_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    for steered in [Maker::Ours, Maker::Theirs] {
        let fixture = ServiceFixture::with_service("exec sleep 1000");
        fixture.script("sv/b/run", "exec sleep 1000");
        fixture.write("sv/b/down", "");
        fixture.start("out", steered, "supervise", &["sv/a"]);
        fixture.start("out", steered, "supervise", &["sv/b"]);
        fixture.until_stat("sv/a", "up");
        fixture.until_stat("sv/b", "down");

        for program in ["svstat", "svok", "svc"] {
            same(&fixture, program, &["sv/a"]);
            same(&fixture, program, &["sv/b"]);
            same(&fixture, program, &["sv/b", "sv/a", "missing"]);
        }
        same(&fixture, "svc", &["-p", "sv/a", "missing"]);
        fixture.until_stat("sv/a", "paused");
        same(&fixture, "svstat", &["sv/a", "sv/b"]);
        same(&fixture, "svc", &["-u", "sv/b"]);
        fixture.until_stat("sv/b", "normally down");
        same(&fixture, "svstat", &["sv/a", "sv/b"]);
        fixture.write("sv/a/down", "");
        same(&fixture, "svstat", &["sv/a", "sv/b"]);
        // A second supervisor, of either maker.
        same(&fixture, "supervise", &["sv/a"]);
        fixture.run(Maker::Theirs, "svc", &["-dx", "sv/a", "sv/b"]);
        until("both have left", || fixture.processes().is_empty());
        same(&fixture, "svstat", &["sv/a", "sv/b"]);
        same(&fixture, "svok", &["sv/a"]);
        same(&fixture, "svc", &["-u", "sv/a"]);
    }
}

#[test]
fn a_service_that_cannot_start_is_named_each_time_as_by_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let said = |maker| {
        let fixture = ServiceFixture::new();
        fs::create_dir_all(fixture.path("sv/norun")).unwrap();
        fs::create_dir_all(fixture.path("sv/notexec")).unwrap();
        fixture.write("sv/notexec/run", "#!/bin/sh\n");
        fs::create_dir_all(fixture.path("sv/dir/run")).unwrap();
        let mut said = Vec::new();
        for dir in ["sv/norun", "sv/notexec", "sv/dir"] {
            fixture.start(dir.rsplit('/').next().unwrap(), maker, "supervise", &[dir]);
        }
        for name in ["norun", "notexec", "dir"] {
            until("it has been said twice", || fixture.read(name).lines().count() >= 2);
            said.push(fixture.read(name).lines().take(2).map(str::to_owned).collect::<Vec<_>>());
        }
        said
    };

    assert_eq!(said(Maker::Ours), said(Maker::Theirs));
}

#[test]
fn a_malformed_status_is_reported_as_by_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    fixture.write("sv/a/supervise/status", "short");
    same(&fixture, "svstat", &["sv/a"]);
    fs::remove_file(fixture.path("sv/a/supervise/status")).unwrap();
    same(&fixture, "svstat", &["sv/a"]);
}
