//! What svc, svstat, svok and supervise say, word for word as 0.76.

use std::fs;

use crate::supervise::service_fixture::{Maker, ServiceFixture, masked, transcript};
use testkit::until;

/// Runs the same command line with both makers' programs in the same den.
#[track_caller]
fn same(den: &ServiceFixture, program: &str, arguments: &[&str]) {
    let of = |maker| {
        let (code, out, error) = transcript(&den.run(maker, program, arguments));
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
    let den = ServiceFixture::new();
    fs::create_dir(den.path("empty")).unwrap();
    den.write("plain", "");
    fs::create_dir_all(den.path("short/supervise")).unwrap();
    fs::create_dir_all(den.path("norun")).unwrap();
    fs::create_dir_all(den.path("loop/supervise")).unwrap();
    std::os::unix::fs::symlink("ok", den.path("loop/supervise/ok")).unwrap();
    std::os::unix::fs::symlink("control", den.path("loop/supervise/control")).unwrap();
    std::os::unix::fs::symlink("down", den.path("loop/down")).unwrap();

    for program in ["svc", "svok", "svstat", "supervise"] {
        same(&den, program, &[]);
        same(&den, program, &["missing"]);
        same(&den, program, &["plain"]);
    }
    for program in ["svc", "svok", "svstat"] {
        for dir in ["empty", "short", "loop"] {
            same(&den, program, &[dir]);
        }
        same(&den, program, &["empty", "missing", "plain"]);
    }
    same(&den, "supervise", &["a", "b"]);
    same(&den, "supervise", &["loop"]);
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
        same(&den, "svc", options);
    }
    same(&den, "svstat", &["-", "--", "-x"]);
    same(&den, "svok", &["-x"]);
}

#[test]
fn normal_runs_are_those_of_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    for steered in [Maker::Ours, Maker::Theirs] {
        let den = ServiceFixture::new();
        den.script("sv/a/run", "exec sleep 1000");
        den.script("sv/b/run", "exec sleep 1000");
        den.write("sv/b/down", "");
        den.start("out", steered, "supervise", &["sv/a"]);
        den.start("out", steered, "supervise", &["sv/b"]);
        den.until_stat("sv/a", "up");
        den.until_stat("sv/b", "down");

        for program in ["svstat", "svok", "svc"] {
            same(&den, program, &["sv/a"]);
            same(&den, program, &["sv/b"]);
            same(&den, program, &["sv/b", "sv/a", "missing"]);
        }
        same(&den, "svc", &["-p", "sv/a", "missing"]);
        den.until_stat("sv/a", "paused");
        same(&den, "svstat", &["sv/a", "sv/b"]);
        same(&den, "svc", &["-u", "sv/b"]);
        den.until_stat("sv/b", "normally down");
        same(&den, "svstat", &["sv/a", "sv/b"]);
        den.write("sv/a/down", "");
        same(&den, "svstat", &["sv/a", "sv/b"]);
        // A second supervisor, of either maker.
        same(&den, "supervise", &["sv/a"]);
        den.run(Maker::Theirs, "svc", &["-dx", "sv/a", "sv/b"]);
        until("both have left", || den.processes().is_empty());
        same(&den, "svstat", &["sv/a", "sv/b"]);
        same(&den, "svok", &["sv/a"]);
        same(&den, "svc", &["-u", "sv/a"]);
    }
}

#[test]
fn a_service_that_cannot_be_started_is_named_each_time_as_by_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let said = |maker| {
        let den = ServiceFixture::new();
        fs::create_dir_all(den.path("sv/norun")).unwrap();
        fs::create_dir_all(den.path("sv/notexec")).unwrap();
        den.write("sv/notexec/run", "#!/bin/sh\n");
        fs::create_dir_all(den.path("sv/dir/run")).unwrap();
        let mut said = Vec::new();
        for dir in ["sv/norun", "sv/notexec", "sv/dir"] {
            den.start(dir.rsplit('/').next().unwrap(), maker, "supervise", &[dir]);
        }
        for name in ["norun", "notexec", "dir"] {
            until("it has been said twice", || den.read(name).lines().count() >= 2);
            said.push(den.read(name).lines().take(2).map(str::to_owned).collect::<Vec<_>>());
        }
        said
    };

    assert_eq!(said(Maker::Ours), said(Maker::Theirs));
}

#[test]
fn a_status_that_makes_no_sense_is_reported_as_by_0_76() {
    if !Maker::Theirs.is_here() {
        return;
    }
    let den = ServiceFixture::new();
    den.script("sv/a/run", "exec sleep 1000");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");

    den.write("sv/a/supervise/status", "short");
    same(&den, "svstat", &["sv/a"]);
    fs::remove_file(den.path("sv/a/supervise/status")).unwrap();
    same(&den, "svstat", &["sv/a"]);
}
