//! `g=GROUP`: a group may read a log directory, and nobody else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, is_root, until};

/// A group that nobody is in, and a user who owns nothing.
const GROUP: u32 = 54_321;
const USER: u32 = 54_322;

/// The permission bits of a file and its group, as `0640 54321`.
fn seen(path: &Path) -> String {
    let about = fs::metadata(path).unwrap();
    format!("{:04o} {}", about.mode() & 0o7777, about.gid())
}

/// A directory that other users may enter.
fn open_fixture() -> LoggerFixture {
    let fixture = LoggerFixture::new();
    fs::set_permissions(fixture.workdir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fixture
}

/// Whether a user with a group can read all files of `main` that matter to a reader.
fn can_read(workdir: &Workdir, group: u32) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cat main/@* main/current main/journal"]).current_dir(workdir.path());
    command.uid(USER).gid(group).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// Tells whether `current` has these permission bits.
fn mode_is(fixture: &LoggerFixture, mode: u32) -> bool {
    fs::metadata(fixture.main().join("current")).is_ok_and(|about| about.mode() & 0o7777 == mode)
}

#[test]
fn the_group_may_read_and_nobody_else() {
    // multilog.8 > "0750"
    if !is_root("give files to a group") {
        return;
    }
    let mut fixture = open_fixture();
    let main = fixture.main();
    let mut logger = fixture.start(&["g=54321", "s4096", "!cat", "./main", "./other"]);
    fixture.write("x".repeat(99).repeat(50) + "\n");
    until("there is an archive", || main.exists() && fixture.files().archives().count() == 1);
    fixture.until_current(4951 - 4096);

    for (name, expected) in [
        ("", "0750 54321"),
        ("current", "0640 54321"),
        ("journal", "0640 54321"),
        ("state", "0640 54321"),
        ("lock", "0600 0"),
    ] {
        assert_eq!(seen(&main.join(name)), expected, "{name}");
    }
    let archive = fixture.files().archives().next().unwrap().0.to_owned();
    assert_eq!(seen(&main.join(archive)), "0740 54321");
    assert!(can_read(&fixture.workdir, GROUP) && !can_read(&fixture.workdir, USER));
    assert_eq!(seen(&fixture.workdir.join("other")), "0750 54321");

    logger.signal(Signal::SIGTERM);
    assert!(logger.end().success());
    assert_eq!(seen(&main.join("current")), "0740 54321");
    // 0.76 finds a clean end in the bit, and goes on.
    for multilog in Multilog::installed() {
        let before = fixture.files().archives().count();
        let mut next = fixture.start_one(multilog, &["s4096", "./main"]);
        fixture.write("next\n");
        until("the line is logged", || fixture.files().file("current").bytes.ends_with(b"next\n"));
        next.signal(Signal::SIGTERM);
        assert!(next.end().success());
        assert_eq!((fixture.files().archives().count(), seen(&main)), (before, "0750 54321".to_owned()));
        assert_eq!(seen(&main.join("current")), "0744 54321");
    }
}

#[test]
fn a_logger_that_may_not_give_the_directory_away_says_so_and_logs() {
    // multilog.8 > "the directory stays as it is"
    if !is_root("become another user") {
        return;
    }
    let mut fixture = open_fixture();
    fs::set_permissions(fixture.workdir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = fixture.workdir.join("multilog");
    fs::copy(Multilog::Ours.path(), &program).unwrap();
    until("the copy can be run", || Command::new(&program).arg("--check").output().is_ok());
    let mut command = Command::new(&program);
    let logger: Running = fixture.start_command(command.args(["g=54321", "./main"]).uid(USER).gid(USER));
    fixture.write("line\n");
    fixture.until_current(5);

    assert_eq!(fixture.messages(), "multilog: warning: unable to give ./main to group 54321: permission denied\n");
    assert_eq!(seen(&fixture.main()), format!("0700 {USER}"));
    assert_eq!(seen(&fixture.main().join("current")), format!("0644 {USER}"));
    fixture.end(logger);
}

#[test]
fn hup_shares_a_directory_and_ends_that() {
    if !is_root("give files to a group") {
        return;
    }
    let fixture = open_fixture();
    let script = |text: &str| fs::write(fixture.workdir.join("script"), text).unwrap();
    script("./main\n");
    let mut logger = fixture.start_with_messages(&["f=script"]);
    fixture.until_ready();
    let current = fixture.main().join("current");
    assert_eq!(seen(&current), "0644 0");

    script("g=54321\n./main\n");
    logger.deliver(Signal::SIGHUP);
    until("the group may read", || seen(&current) == "0640 54321");
    assert_eq!(seen(&fixture.main()), "0750 54321");
    assert_eq!(seen(&fixture.main().join("journal")), "0640 54321");
    script("./main\n");
    logger.deliver(Signal::SIGHUP);

    until("the file has its usual mode", || seen(&current) == "0644 54321");
    assert_eq!(seen(&fixture.main()), "0750 54321");
    assert_eq!(seen(&fixture.main().join("journal")).split(' ').next(), Some("0600"));
    fixture.end(logger);
}

#[test]
fn a_killed_logger_of_a_shared_directory_is_followed_by_one() {
    if !is_root("give files to a group") {
        return;
    }
    let mut fixture = open_fixture();
    let script = ["g=54321", "s4096", "./main"];
    for _ in 0..5 {
        let logger = fixture.start(&script);
        until("the logger is ready", || mode_is(&fixture, 0o640));
        for number in 0..40 {
            fixture.write(format!("{number:039}\n"));
        }
        logger.kill();
    }
    let (workdir, words) = fixture.log_rest(&script);
    assert!(words.is_empty(), "{words}");
    let files = LogDirFiles::read(&workdir.join("main"));
    assert_eq!(files.joined().len(), 5 * 40 * 40);
    assert!(files.archives().all(|(name, _)| name.ends_with(".s")));
}
