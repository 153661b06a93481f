//! Service directories that are broken, or that somebody has prepared: a clear message, nothing outside touched.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

use super::den::{Den, Maker, transcript};
use crate::util::until;

/// A service with a supervise directory, and what `prepare` puts into it.
fn prepared(prepare: impl Fn(&Den, &std::path::Path)) -> Den {
    let den = Den::new();
    den.script("sv/a/run", "exec sleep 1000");
    fs::create_dir(den.path("sv/a/supervise")).unwrap();
    den.write("outside", "precious");
    prepare(&den, &den.path("sv/a/supervise"));
    den
}

#[track_caller]
fn refused(den: &Den, message: &str) {
    let (code, _, error) = transcript(&den.run(Maker::Ours, "supervise", &["sv/a"]));

    assert_eq!((code, error.as_str()), (Some(111), format!("supervise: fatal: unable to {message}\n").as_str()));
    assert_eq!(den.read("outside"), "precious");
}

#[test]
fn something_else_where_a_fifo_should_be_is_refused() {
    let den = prepared(|_, dir| fs::write(dir.join("control"), "d").unwrap());
    refused(&den, "read sv/a/supervise/control: not a FIFO");
    let (_, _, error) = transcript(&den.run(Maker::Ours, "svc", &["-u", "sv/a"]));
    assert_eq!(error, "svc: warning: unable to control sv/a: not a FIFO\n");
    assert_eq!(den.read("sv/a/supervise/control"), "d");

    let den = prepared(|_, dir| fs::create_dir(dir.join("control")).unwrap());
    refused(&den, "read sv/a/supervise/control: is a directory");

    let den = prepared(|_, dir| fs::write(dir.join("ok"), "").unwrap());
    refused(&den, "read sv/a/supervise/ok: not a FIFO");
}

#[test]
fn links_where_files_of_ours_should_be_are_refused() {
    for (name, verb) in [("control", "read"), ("ok", "read"), ("lock", "acquire")] {
        let den = prepared(|_, dir| symlink("../../../outside", dir.join(name)).unwrap());

        refused(&den, &format!("{verb} sv/a/supervise/{name}: symbolic link loop"));
    }
}

#[test]
fn links_where_files_are_written_are_replaced_and_not_followed() {
    let names = ["status", "status.new", "process.new", "starts.new", "last-exit", "starts"];
    let den = prepared(|den, dir| {
        for name in names {
            symlink("../../../outside", dir.join(name)).unwrap();
        }
        fs::hard_link(den.path("outside"), dir.join("last-exit.new")).unwrap();
    });

    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");
    den.run(Maker::Ours, "svc", &["-d", "sv/a"]);
    den.until_stat("sv/a", "down");

    assert_eq!(den.read("outside"), "precious");
    assert!(den.path("sv/a/supervise/status").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_fifo_that_others_could_write_to_is_put_right() {
    let den = prepared(|_, dir| {
        nix::unistd::mkfifo(&dir.join("control"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::set_permissions(dir.join("control"), fs::Permissions::from_mode(0o666)).unwrap();
    });

    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");

    let mode = den.path("sv/a/supervise/control").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(
        den.read("out"),
        "supervise: warning: sv/a/supervise/control could be written by others, which is put right\n"
    );
}

#[test]
fn files_of_another_user_are_refused() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give files away");
        return;
    }
    for name in ["control", "ok", "lock"] {
        let den = prepared(|_, dir| {
            let path = dir.join(name);
            if name == "lock" {
                fs::write(&path, "").unwrap();
            } else {
                nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
            }
            std::os::unix::fs::chown(path, Some(65534), None).unwrap();
        });

        let verb = if name == "lock" { "acquire" } else { "read" };
        refused(&den, &format!("{verb} sv/a/supervise/{name}: owned by another user"));
    }
}

#[test]
fn a_log_pipe_that_is_none_is_left_alone_and_another_pipe_used() {
    let den = prepared(|_, dir| symlink("../../../outside", dir.join("logpipe")).unwrap());
    fs::create_dir_all(den.path("sv/a/log/main")).unwrap();
    den.script("sv/a/run", "echo line; exec sleep 1000");
    den.script("sv/a/log/run", "exec cat >>main/current");
    den.script("sv/b/run", "exec sleep 1000");

    den.start("out", Maker::Ours, "svscan", &["sv"]);

    until("the line is logged", || den.read("sv/a/log/main/current") == "line\n");
    den.until_stat("sv/b", "up");
    assert_eq!(den.read("outside"), "precious");
    assert!(!den.path("outside").metadata().unwrap().file_type().is_fifo());
    assert_eq!(
        den.read("out"),
        "svscan: warning: unable to make a/supervise/logpipe, so a pipe of svscan's must do: symbolic link loop\n"
    );
}

#[test]
fn names_cannot_reach_a_terminal_unescaped() {
    let den = Den::new();
    let name = std::ffi::OsStr::from_bytes(b"a\n\x1b[31m\xff");
    fs::create_dir(den.path("sv").join(name)).unwrap();

    den.start("out", Maker::Ours, "svscan", &["sv"]);
    until("it is said", || den.read("out").lines().count() > 0);
    let dir = den.path("sv").join(name);
    let output = den.command(Maker::Ours.program("svstat"), &[]).arg("--json").arg(&dir).output().unwrap();

    let shown = r"a\x0a\x1b[31m\xff";
    let said = den.read("out");
    assert!(
        said.starts_with(&format!("supervise: fatal: unable to start {shown}/run: file does not exist\n")),
        "{said}"
    );
    assert!(String::from_utf8(output.stdout).unwrap().contains(r"a\\x0a\\x1b[31m\\xff"));
}

#[test]
fn bytes_that_ask_for_nothing_are_ignored() {
    let den = Den::new();
    den.script("sv/a/run", "exec sleep 1000");
    den.start("out", Maker::Ours, "supervise", &["sv/a"]);
    den.until_stat("sv/a", "up");
    let pid = den.pid("sv/a");

    fs::write(den.path("sv/a/supervise/control"), [b'z'; 3000]).unwrap();
    fs::write(den.path("sv/a/supervise/control"), b"\0\xff\nUp").unwrap();

    den.until_stat("sv/a", "paused");
    assert_eq!((den.pid("sv/a"), den.read("sv/a/supervise/starts").as_str()), (pid, "1\n"));
}
