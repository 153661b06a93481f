//! Broken and hostile service directories: supervise and svscan print a clear message, and change nothing outside.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

use testkit::service_fixture::{Maker, ServiceFixture, kill_by_id, send, transcript};
use testkit::{is_root, until};

/// A service with a supervise directory, and what `prepare` puts into it.
fn prepared(prepare: impl Fn(&ServiceFixture, &std::path::Path)) -> ServiceFixture {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fs::create_dir(fixture.path("sv/a/supervise")).unwrap();
    fixture.write("outside", "precious");
    prepare(&fixture, &fixture.path("sv/a/supervise"));
    fixture
}

#[track_caller]
fn refused(fixture: &ServiceFixture, message: &str) {
    let (code, _, error) = transcript(&fixture.run(Maker::Ours, "supervise", &["sv/a"]));

    assert_eq!((code, error.as_str()), (Some(111), format!("supervise: fatal: unable to {message}\n").as_str()));
    assert_eq!(fixture.read("outside"), "precious");
}

#[test]
fn a_file_in_the_place_of_a_fifo_is_refused() {
    let fixture = prepared(|_, dir| fs::write(dir.join("control"), "d").unwrap());
    refused(&fixture, "read sv/a/supervise/control: not a FIFO");
    let (_, _, error) = transcript(&fixture.svc(&["-u", "sv/a"]));
    assert_eq!(error, "svc: warning: unable to control sv/a: not a FIFO\n");
    assert_eq!(fixture.read("sv/a/supervise/control"), "d");

    let fixture = prepared(|_, dir| fs::create_dir(dir.join("control")).unwrap());
    refused(&fixture, "read sv/a/supervise/control: is a directory");

    let fixture = prepared(|_, dir| fs::write(dir.join("ok"), "").unwrap());
    refused(&fixture, "read sv/a/supervise/ok: not a FIFO");
}

#[test]
fn links_in_the_place_of_fifos_and_lock_are_refused() {
    for (name, verb) in [("control", "read"), ("ok", "read"), ("lock", "acquire")] {
        let fixture = prepared(|_, dir| symlink("../../../outside", dir.join(name)).unwrap());

        refused(&fixture, &format!("{verb} sv/a/supervise/{name}: symbolic link loop"));
    }
}

#[test]
fn links_in_the_place_of_status_files_are_replaced_not_followed() {
    let names = ["status", "status.new", "process.new", "starts.new", "last-exit", "starts"];
    let fixture = prepared(|fixture, dir| {
        for name in names {
            symlink("../../../outside", dir.join(name)).unwrap();
        }
        fs::hard_link(fixture.path("outside"), dir.join("last-exit.new")).unwrap();
    });

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    fixture.svc(&["-d", "sv/a"]);
    fixture.until_stat("sv/a", "down");

    assert_eq!(fixture.read("outside"), "precious");
    assert!(fixture.path("sv/a/supervise/status").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_fifo_that_others_could_write_to_is_repaired() {
    let fixture = prepared(|_, dir| {
        nix::unistd::mkfifo(&dir.join("control"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::set_permissions(dir.join("control"), fs::Permissions::from_mode(0o666)).unwrap();
    });

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    let mode = fixture.path("sv/a/supervise/control").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(
        fixture.read("out"),
        "supervise: warning: sv/a/supervise/control was writable by others: permissions corrected\n"
    );
}

#[test]
fn a_lock_of_another_user_is_refused() {
    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, dir| {
        fs::write(dir.join("lock"), "").unwrap();
        give(dir.join("lock"), OPERATOR);
    });

    refused(&fixture, "acquire sv/a/supervise/lock: owned by another user");
}

#[test]
fn a_log_pipe_that_is_not_a_fifo_is_replaced_by_a_pipe() {
    let fixture = prepared(|_, dir| symlink("../../../outside", dir.join("logpipe")).unwrap());
    fs::create_dir_all(fixture.path("sv/a/log/main")).unwrap();
    fixture.script("sv/a/run", "echo line; exec sleep 1000");
    fixture.script("sv/a/log/run", "exec cat >>main/current");
    fixture.script("sv/b/run", "exec sleep 1000");

    fixture.svscan("sv");

    until("the line is logged", || fixture.read("sv/a/log/main/current") == "line\n");
    fixture.until_stat("sv/b", "up");
    assert_eq!(fixture.read("outside"), "precious");
    assert!(!fixture.path("outside").metadata().unwrap().file_type().is_fifo());
    assert_eq!(
        fixture.read("out"),
        "svscan: warning: unable to make a/supervise/logpipe, using an unnamed pipe: symbolic link loop\n"
    );
}

#[test]
fn control_characters_in_service_names_are_escaped() {
    let fixture = ServiceFixture::new();
    let name = std::ffi::OsStr::from_bytes(b"a\n\x1b[31m\xff");
    fs::create_dir(fixture.path("sv").join(name)).unwrap();

    fixture.svscan("sv");
    until("it is said", || fixture.read("out").lines().count() > 0);
    let dir = fixture.path("sv").join(name);
    let output = fixture.command(Maker::Ours.program("svstat"), &[]).arg("--json").arg(&dir).output().unwrap();

    let shown = r"a\x0a\x1b[31m\xff";
    let said = fixture.read("out");
    assert!(
        said.starts_with(&format!("supervise: fatal: unable to start {shown}/run: file does not exist\n")),
        "{said}"
    );
    // Not UTF-8: JSON has the bytes as numbers.
    let json = String::from_utf8(output.stdout).unwrap();
    let bytes: Vec<String> = dir.as_os_str().as_bytes().iter().map(u8::to_string).collect();
    assert!(json.starts_with(&format!("{{\"service\":[{}],", bytes.join(","))), "{json}");

    fs::create_dir(fixture.path("\"\n\x1b\u{202e}ü")).unwrap();
    let output = fixture.run(Maker::Ours, "svstat", &["--json", "\"\n\x1b\u{202e}ü"]);
    let json = String::from_utf8(output.stdout).unwrap();
    assert!(json.starts_with("{\"service\":\"\\\"\\n\\u001b\\u202eü\","), "{json}");
}

#[test]
fn unknown_control_bytes_are_ignored() {
    let fixture = ServiceFixture::with_service("exec sleep 1000");
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    let pid = fixture.pid("sv/a");

    fs::write(fixture.path("sv/a/supervise/control"), [b'z'; 3000]).unwrap();
    fs::write(fixture.path("sv/a/supervise/control"), b"\0\xff\nUp").unwrap();

    fixture.until_stat("sv/a", "paused");
    assert_eq!((fixture.pid("sv/a"), fixture.read("sv/a/supervise/starts").as_str()), (pid, "1\n"));
}

/// A user that the tests do not run as.
const OPERATOR: u32 = 65534;

/// Tells whether files can be given to another user; if not, says so.
fn can_give_away() -> bool {
    is_root("give files to another user")
}

fn give(path: impl AsRef<std::path::Path>, user: u32) {
    std::os::unix::fs::chown(path, Some(user), None).unwrap();
}

fn fifo(path: impl AsRef<std::path::Path>) {
    nix::unistd::mkfifo(path.as_ref(), nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
}

/// Starts a process that has nothing to do with the service, and names it as the service's where supervise looks.
fn plant_bystander(fixture: &ServiceFixture, dir: &std::path::Path) -> i32 {
    let bystander = fixture.start_command("bystander", fixture.command("/bin/sleep", &["1000"]));
    let stat = fs::read_to_string(format!("/proc/{bystander}/stat")).unwrap();
    let start_time = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().replace('-', "");
    fs::write(dir.join("process"), format!("run {bystander} {start_time} {boot}\n")).unwrap();
    let mut status = logyard::tai64n::Label::now().to_bytes().to_vec();
    status.extend(bystander.to_le_bytes());
    status.extend([0, b'u']);
    fs::write(dir.join("status"), status).unwrap();
    fs::write(dir.join("starts"), "41\n").unwrap();
    fs::write(dir.join("last-exit"), "exit 7\n").unwrap();
    bystander
}

/// Runs the service through start and end, and makes sure that nothing was done to the bystander.
#[track_caller]
fn ends_without(fixture: &ServiceFixture, bystander: i32, warnings: &str) {
    let supervise = fixture.supervise("sv/a");
    until("the service is started", || !fixture.processes_of("sleep 4711").is_empty());
    fixture.until_stat("sv/a", "up");
    assert_ne!(fixture.pid("sv/a"), bystander);
    assert_eq!(fixture.read("out"), warnings);
    fixture.svc(&["-dxk", "sv/a"]);
    assert_eq!(fixture.wait(supervise), Some(0));

    assert!(fixture.processes_of("sleep 4711").is_empty());
    assert_eq!(fixture.processes_of("sleep 1000"), [bystander], "nobody has touched it");
}

#[test]
fn a_process_recorded_in_a_directory_of_another_user_is_neither_adopted_nor_killed() {
    if !can_give_away() {
        return;
    }
    for gives_files in [false, true] {
        let fixture = prepared(|_, _| {});
        fixture.script("sv/a/run", "exec sleep 4711");
        let dir = fixture.path("sv/a/supervise");
        let bystander = plant_bystander(&fixture, &dir);
        for name in ["control", "ok"] {
            fifo(dir.join(name));
        }
        fs::write(dir.join("lock"), "").unwrap();
        if gives_files {
            fs::read_dir(&dir).unwrap().for_each(|entry| give(entry.unwrap().path(), OPERATOR));
        }
        give(&dir, OPERATOR);

        ends_without(
            &fixture,
            bystander,
            "supervise: warning: ignoring process, status and starts in sv/a/supervise: owned by another user\n",
        );
    }
}

#[test]
fn a_process_recorded_where_others_can_write_is_neither_adopted_nor_killed() {
    for mode in [0o770, 0o757, 0o1777] {
        let fixture = prepared(|_, _| {});
        fixture.script("sv/a/run", "exec sleep 4711");
        let dir = fixture.path("sv/a/supervise");
        let bystander = plant_bystander(&fixture, &dir);
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();

        ends_without(
            &fixture,
            bystander,
            "supervise: warning: ignoring process, status and starts in sv/a/supervise: writable by others\n",
        );
    }
}

#[test]
fn a_record_that_another_user_could_write_is_not_trusted() {
    let fixture = prepared(|_, _| {});
    fixture.script("sv/a/run", "exec sleep 4711");
    let dir = fixture.path("sv/a/supervise");
    let bystander = plant_bystander(&fixture, &dir);
    fs::set_permissions(dir.join("process"), fs::Permissions::from_mode(0o664)).unwrap();
    ends_without(&fixture, bystander, "supervise: warning: ignoring sv/a/supervise/process: writable by others\n");

    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, _| {});
    fixture.script("sv/a/run", "exec sleep 4711");
    let dir = fixture.path("sv/a/supervise");
    let bystander = plant_bystander(&fixture, &dir);
    for name in ["process", "status", "starts"] {
        give(dir.join(name), OPERATOR);
    }
    let ignored = |name| format!("supervise: warning: ignoring sv/a/supervise/{name}: owned by another user\n");
    ends_without(&fixture, bystander, &["starts", "process"].map(ignored).concat());
    assert_eq!(fixture.read("sv/a/supervise/starts"), "1\n", "counted anew");
}

#[test]
fn an_operator_who_owns_the_fifos_controls_the_service() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;

    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, dir| {
        for name in ["control", "ok"] {
            fifo(dir.join(name));
            give(dir.join(name), OPERATOR);
        }
    });
    fs::set_permissions(fixture.path("."), fs::Permissions::from_mode(0o755)).unwrap();

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    assert_eq!(fixture.path("sv/a/supervise/control").metadata().unwrap().uid(), OPERATOR);
    let printf =
        fixture.command("/bin/sh", &["-c", "printf d >sv/a/supervise/control"]).uid(OPERATOR).status().unwrap();
    assert!(printf.success());

    fixture.until_stat("sv/a", "down");
    assert_eq!(fixture.read("out"), "");
}

#[test]
fn the_group_of_the_fifos_keeps_access_and_others_lose_it() {
    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, dir| {
        for (name, mode) in [("control", 0o660), ("ok", 0o666)] {
            fifo(dir.join(name));
            std::os::unix::fs::chown(dir.join(name), None, Some(OPERATOR)).unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    });

    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    let mode = |name| fixture.path(format!("sv/a/supervise/{name}")).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("control"), mode("ok")), (0o660, 0o660));
    assert_eq!(
        fixture.read("out"),
        "supervise: warning: sv/a/supervise/ok was writable by others: permissions corrected\n"
    );
}

#[test]
fn a_supervise_directory_may_be_elsewhere() {
    let fixture = ServiceFixture::with_service("echo x >>started; exec sleep 1000");
    fs::create_dir(fixture.path("elsewhere")).unwrap();
    symlink(fixture.path("elsewhere/a"), fixture.path("sv/a/supervise")).unwrap();
    let first = fixture.supervise("sv/a");
    let process = fixture.until_runs("sv/a");

    kill_by_id(first);
    fixture.wait(first);
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");

    assert_eq!(
        (fixture.pid("sv/a"), fixture.read("sv/a/started").as_str(), fixture.read("out").as_str()),
        (process, "x\n", "")
    );
}

#[test]
fn svscan_starts_a_service_whose_ok_another_process_reads() {
    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, dir| {
        fifo(dir.join("ok"));
        give(dir.join("ok"), OPERATOR);
    });
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), nix::libc::O_NONBLOCK);
    let _reader = options.open(fixture.path("sv/a/supervise/ok")).unwrap();

    fixture.svscan("sv");

    fixture.until_stat("sv/a", "up");
}

#[test]
fn svscan_does_not_write_to_a_control_fifo_of_another_user() {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    if !can_give_away() {
        return;
    }
    let fixture = ServiceFixture::with_service("echo begin; exec sleep 1000");
    fixture.script("sv/a/log/run", "exec multilog ./main");
    let svscan = fixture.svscan("sv");
    until("it is logged", || fixture.read("sv/a/log/main/current") == "begin\n");
    fixture.until_stat("sv/a", "up");
    fixture.until_stat("sv/a/log", "up");
    let dir = fixture.path("sv/a/log/supervise");
    fs::remove_file(dir.join("control")).unwrap();
    fifo(dir.join("control"));
    give(dir.join("control"), OPERATOR);
    give(&dir, OPERATOR);
    let mut options = fs::OpenOptions::new();
    let mut reader = options.read(true).custom_flags(nix::libc::O_NONBLOCK).open(dir.join("control")).unwrap();

    send(svscan, nix::sys::signal::Signal::SIGTERM);

    assert_eq!(fixture.wait(svscan), Some(0));
    let mut written = Vec::new();
    reader.read_to_end(&mut written).unwrap();
    assert_eq!(written, b"");
    assert!(fixture.processes().iter().all(|seen| seen.state == 'Z'), "{:#?}", fixture.processes());
}

#[test]
fn a_log_pipe_of_another_user_is_not_used() {
    if !can_give_away() {
        return;
    }
    let fixture = prepared(|_, dir| {
        fifo(dir.join("logpipe"));
        give(dir.join("logpipe"), OPERATOR);
        give(dir, OPERATOR);
    });
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), nix::libc::O_NONBLOCK);
    let _reader = options.open(fixture.path("sv/a/supervise/logpipe")).unwrap();
    fixture.supervise("sv/a");
    fixture.until_stat("sv/a", "up");
    let process = fixture.pid("sv/a");

    fs::write(fixture.path("sv/a/supervise/control"), "lp").unwrap();

    fixture.until_stat("sv/a", "paused");
    assert_eq!(fixture.pid("sv/a"), process);
    assert!(fixture.read("out").contains("unable to open sv/a/supervise/logpipe: owned by another user\n"));
}
