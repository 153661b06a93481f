//! logyard-setup on root directories made for it: what it makes, what it does not change, what it removes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::root::Root;
use testkit::{Workdir, until};

#[test]
fn setup_installs_into_a_bare_root_and_removes_everything() {
    let root = Root::new();

    let said = root.said(&[]);

    assert!(said.contains("make directory /service\n"), "{said}");
    assert!(
        said.ends_with("svscan starts at the next boot (rc.local); to start it now: pgrphack svscanboot &\n"),
        "{said}"
    );
    assert_eq!(fs::metadata(root.at("/service")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_link(root.at("/usr/local/bin/multilog")).unwrap(), Path::new("/command/multilog"));
    assert_eq!(fs::read_link(root.at("/command/multilog")).unwrap(), Path::new("/usr/local/lib/logyard/multilog"));
    assert_eq!(fs::read(root.at("/usr/local/lib/logyard/multilog")).unwrap(), b"the program multilog\n");
    assert_eq!(root.read("/etc/rc.local"), "#!/bin/sh\n/command/svscanboot &\n");
    assert!(root.read("/usr/local/share/man/man8/multilog.8").contains(".SH EXAMPLES"));

    root.said(&["--remove"]);

    assert_eq!(root.listing(), BTreeMap::new());
}

#[test]
fn a_second_run_has_nothing_to_do() {
    let root = Root::new().with("/etc/inittab", "id:3:initdefault:\n");
    root.said(&[]);
    let before = root.listing();

    assert_eq!(root.said(&[]), "nothing to do\n");

    assert_eq!(root.listing(), before);
}

#[test]
fn a_dry_run_prints_the_same_and_changes_nothing() {
    let root = Root::new();

    let would = root.said(&["--dry-run"]);
    assert_eq!(root.listing(), BTreeMap::new());
    let did = root.said(&[]);
    let before = root.listing();
    root.said(&["--remove", "--dry-run"]);

    let would: Vec<&str> = would.lines().filter_map(|line| line.strip_prefix("would ")).collect();
    assert_eq!(would, did.lines().take(would.len()).collect::<Vec<_>>());
    assert_eq!(root.listing(), before);
}

#[test]
fn the_line_in_inittab_is_that_of_0_76() {
    let table = "id:3:initdefault:\nsi::sysinit:/etc/init.d/rcS\n";
    let root = Root::new().with("/etc/inittab", table);
    fs::set_permissions(root.at("/etc/inittab"), fs::Permissions::from_mode(0o640)).unwrap();

    root.said(&[]);

    assert_eq!(root.read("/etc/inittab"), format!("{table}\nSV:123456:respawn:/command/svscanboot\n"));
    assert_eq!(fs::metadata(root.at("/etc/inittab")).unwrap().permissions().mode() & 0o7777, 0o640);
    root.said(&["--remove"]);
    assert_eq!(root.read("/etc/inittab"), table);
}

#[test]
fn an_inittab_that_starts_svscan_already_is_unchanged() {
    let table = "SV:123456:respawn:/command/svscanboot\n";
    let root = Root::new().with("/etc/inittab", table);

    root.said(&[]);
    assert_eq!(root.read("/etc/inittab"), table);
    root.said(&["--remove"]);

    assert_eq!(root.read("/etc/inittab"), table, "it was somebody else's");
}

#[test]
fn each_boot_method_is_recognised_and_removed() {
    for (mark, method, made) in [
        ("/usr/lib/systemd/systemd", "systemd", "/etc/systemd/system/multi-user.target.wants/svscan.service"),
        ("/sbin/openrc-run", "openrc", "/etc/runlevels/default/svscan"),
        ("/etc/inittab", "inittab", "/etc/inittab"),
        ("/etc/rc.local", "rc.local", "/etc/rc.local"),
    ] {
        let root = Root::new().with(mark, "#!/bin/sh\nexit 0\n");
        let before: Vec<String> = root.listing().into_keys().collect();

        let said = root.said(&[]);

        assert!(said.contains(&format!("next boot ({method})")), "{said}");
        assert!(fs::symlink_metadata(root.at(made)).is_ok(), "{made}");
        root.said(&["--remove"]);
        assert_eq!(root.listing().into_keys().collect::<Vec<_>>(), before, "{method}");
        assert_eq!(root.read(mark), "#!/bin/sh\nexit 0\n");
    }
}

#[test]
fn existing_files_are_refused_or_moved_aside() {
    let root = Root::new().with("/usr/local/bin/svc", "somebody's\n");
    symlink("/package/admin/daemontools/command/multilog", {
        fs::create_dir(root.at("/command")).unwrap();
        root.at("/command/multilog")
    })
    .unwrap();
    let before = root.listing();

    let refused = root.setup(&[]);
    assert_eq!(refused.status.code(), Some(111));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        words.starts_with("logyard-setup: fatal: unable to make /command/multilog: something else exists there"),
        "{words}"
    );
    assert_eq!(root.listing(), before);

    root.said(&["--replace"]);
    assert_eq!(fs::read_link(root.at("/usr/local/bin/svc")).unwrap(), Path::new("/command/svc"));
    root.said(&["--remove"]);
    assert_eq!(root.listing(), before, "what was in the way is back");
}

#[test]
fn removal_keeps_files_that_others_have_added() {
    let root = Root::new();
    root.said(&[]);
    fs::create_dir(root.at("/service/mine")).unwrap();
    fs::remove_file(root.at("/command/svc")).unwrap();
    symlink("/opt/svc", root.at("/command/svc")).unwrap();

    let said = root.said(&["--remove"]);

    assert!(said.contains("keeping /service: directory not empty\n"), "{said}");
    assert!(said.contains("keeping /command/svc: it was changed or replaced\n"), "{said}");
    let left: Vec<String> = root.listing().into_keys().collect();
    assert_eq!(left, ["command", "command/svc", "service", "service/mine"]);
}

#[test]
fn an_upgrade_replaces_our_files_and_keeps_running_programs() {
    let root = Root::new();
    root.said(&[]);
    let program = root.at("/usr/local/lib/logyard/svok");
    let old = fs::File::open(&program).unwrap();
    fs::write(root.at("/usr/local/lib/logyard/svok{other}"), "an older one").unwrap();
    fs::rename(root.at("/usr/local/lib/logyard/svok{other}"), &program).unwrap();

    assert_eq!(root.said(&[]).lines().next(), Some("copy svok to /usr/local/lib/logyard/svok"));

    assert_eq!(fs::read(&program).unwrap(), b"the program svok\n");
    assert_ne!(
        old.metadata().unwrap().ino(),
        fs::metadata(&program).unwrap().ino(),
        "a file of its own, not written over"
    );
    root.said(&["--remove"]);
    assert_eq!(root.listing(), BTreeMap::new());
}

#[test]
fn setup_prints_its_usage_for_wrong_arguments() {
    let root = Root::new();
    for arguments in [&["--frobnicate"][..], &["--boot", "upstart"], &["--now"], &["image"]] {
        let refused = root.setup(arguments);

        assert_eq!(refused.status.code(), Some(100), "{arguments:?}");
        assert!(refused.stderr.starts_with(b"logyard-setup: usage: logyard-setup [--root dir]"), "{arguments:?}");
        assert_eq!(root.listing(), BTreeMap::new());
    }
}

#[test]
fn a_root_directory_must_exist() {
    let root = Root::new();
    let dir = Workdir::new();
    std::fs::write(dir.join("file"), "").unwrap();
    for (name, problem) in [("image", "it does not exist, create it first"), ("file", "not a directory")] {
        for more in [&[][..], &["--dry-run"], &["--remove"]] {
            let path = dir.join(name);

            let refused = root.setup(&[&["--root", path.to_str().unwrap()], more].concat());

            assert_eq!(refused.status.code(), Some(111), "{more:?}");
            let complaint =
                format!("logyard-setup: fatal: unable to open root directory {}: {problem}\n", path.display());
            assert_eq!(String::from_utf8_lossy(&refused.stderr), complaint);
        }
    }
    assert!(!dir.join("image").exists());
}

#[test]
fn concurrent_runs_add_one_line() {
    let root = Root::new().with("/etc/inittab", "id:3:initdefault:\n");
    let runs: Vec<_> = (0..4).map(|_| root.command().stdout(std::process::Stdio::null()).spawn().unwrap()).collect();

    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }

    assert_eq!(root.read("/etc/inittab").matches("svscanboot").count(), 1);
    root.said(&["--remove"]);
    assert_eq!(root.read("/etc/inittab"), "id:3:initdefault:\n");
}

#[test]
fn a_comment_that_names_svscanboot_is_not_a_start_line() {
    for (path, text, line) in [
        ("/etc/rc.local", "#!/bin/sh\n# /command/svscanboot &\nexit 0\n", "\n/command/svscanboot &\nexit 0\n"),
        ("/etc/rc.local", "#!/bin/sh\n  #csh -cf '/command/svscanboot &'\n", "\n/command/svscanboot &\n"),
        ("/etc/rc.local", "true # no svscanboot: it's dead\n", "\n/command/svscanboot &\n"),
        ("/etc/rc.local", "echo svscanboot is gone\n", "\n/command/svscanboot &\n"),
        (
            "/etc/rc.local",
            "exit 0\n/command/svscanboot &\nexit 0\n",
            "/command/svscanboot &\nexit 0\n/command/svscanboot &\nexit 0\n",
        ),
        ("/etc/inittab", "#SV:123456:respawn:/command/svscanboot\n", "\n\nSV:123456:respawn:/command/svscanboot\n"),
        ("/etc/inittab", "  # svscanboot was here\n", "\n\nSV:123456:respawn:/command/svscanboot\n"),
        ("/etc/inittab", "x:3:off:/command/svscanboot\n", "\n\nSV:123456:respawn:/command/svscanboot\n"),
        ("/etc/inittab", "SV:123456:off:/command/svscanboot\n", "\n\nSV1:123456:respawn:/command/svscanboot\n"),
    ] {
        let root = Root::new().with(path, text);

        let said = root.said(&[]);

        assert!(root.read(path).ends_with(line), "{text:?} became {:?}", root.read(path));
        assert!(said.contains(&format!("add to {path}: ")), "{said}");
        assert!(said.contains("svscan starts at the next boot"), "{said}");
        assert_eq!(root.said(&[]), "nothing to do\n");
        root.said(&["--remove"]);
        assert_eq!(root.read(path), text);
    }
}

#[test]
fn a_line_that_an_administrator_disabled_is_not_reported_as_removed() {
    let root = Root::new().with("/etc/inittab", "id:3:initdefault:\n");
    root.said(&[]);
    let disabled = "id:3:initdefault:\n\n#SV:123456:respawn:/command/svscanboot\n";
    fs::write(root.at("/etc/inittab"), disabled).unwrap();

    let said = root.said(&["--remove"]);

    assert!(!said.contains("remove from /etc/inittab"), "{said}");
    assert!(said.contains("keeping /etc/inittab: it was changed or replaced\n"), "{said}");
    assert_eq!(root.read("/etc/inittab"), disabled);
}

#[test]
fn every_line_that_starts_svscanboot_is_recognised() {
    for (path, text) in [
        ("/etc/rc.local", "csh -cf '/command/svscanboot &'\n"),
        (
            "/etc/rc.local",
            "#!/bin/sh\nif [ -x /usr/bin/svscanboot ]; then\n  nohup svscanboot >/dev/null 2>&1 &\nfi\nexit 0\n",
        ),
        ("/etc/rc.local", "env - PATH=/bin:/command \\\n  /command/svscanboot &\n"),
        (
            "/etc/rc.local",
            "cat <<EOF\nit's a here-document\nEOF\ntest -x /command/svscanboot && /command/svscanboot &\n",
        ),
        ("/etc/inittab", "SV:123456:respawn:/usr/bin/svscanboot\n"),
        ("/etc/inittab", "id:3:initdefault:\n sv:2345:respawn:/bin/sh -c 'exec /command/svscanboot'\n"),
    ] {
        let root = Root::new().with(path, text);

        root.said(&[]);

        assert_eq!(root.read(path), text);
    }
}

const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/sh\nsyslog:x:104:104::/:/usr/sbin/nologin\n";

#[test]
fn the_syslog_service_is_installed_on_request_and_removed() {
    let root = Root::new().with_program("socklog").with("/etc/passwd", ACCOUNTS);
    let before: Vec<String> = root.listing().into_keys().collect();

    root.said(&["--syslog"]);

    assert_eq!(fs::read_link(root.at("/service/syslog")).unwrap(), Path::new("/etc/sv/syslog"));
    assert!(root.read("/etc/sv/syslog/run").ends_with("socklog unix /dev/log\n"));
    for script in ["/etc/sv/syslog/run", "/etc/sv/syslog/log/run"] {
        assert_eq!(fs::metadata(root.at(script)).unwrap().permissions().mode() & 0o7777, 0o755);
    }
    assert_eq!(root.said(&["--syslog"]), "nothing to do\n");
    root.said(&["--remove"]);
    assert_eq!(root.listing().into_keys().collect::<Vec<_>>(), before);
}

#[test]
fn without_the_option_there_is_no_syslog_service() {
    let root = Root::new().with_program("socklog").with("/etc/passwd", ACCOUNTS);

    root.said(&[]);

    assert!(!root.at("/service/syslog").exists() && !root.at("/etc/sv").exists());
}

#[test]
fn the_syslog_service_is_refused_while_another_program_reads_dev_log() {
    let root = Root::new().with_program("socklog").with("/etc/passwd", ACCOUNTS);
    fs::create_dir(root.at("/dev")).unwrap();
    let daemon = UnixDatagram::bind(root.at("/dev/log")).unwrap();
    let before = root.listing();

    let process = std::process::id();
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let expected = format!(
        "logyard-setup: fatal: unable to install the syslog service: {} (pid {process}) reads /dev/log, stop it first\n",
        name.trim_end()
    );
    // The children of other tests have the socket too, until they execute their programs.
    until("the reader is named", || {
        let refused = root.setup(&["--syslog"]);
        assert_eq!(refused.status.code(), Some(111));
        String::from_utf8(refused.stderr).unwrap() == expected
    });
    assert_eq!(root.listing(), before, "nothing has changed");

    // What it leaves behind is in nobody's way.
    drop(daemon);
    until("nobody reads the socket", || root.setup(&["--syslog"]).status.success());
    // By now it is our own that reads the socket.
    fs::remove_file(root.at("/dev/log")).unwrap();
    let _ours = UnixDatagram::bind(root.at("/dev/log")).unwrap();
    assert_eq!(root.said(&["--syslog"]), "nothing to do\n");
}

#[test]
fn the_syslog_service_needs_socklog_and_a_user() {
    let refused = |root: &Root| {
        let done = root.setup(&["--syslog"]);
        assert_eq!(done.status.code(), Some(111));
        assert!(!root.at("/service").exists(), "nothing has changed");
        String::from_utf8(done.stderr).unwrap()
    };

    let words = refused(&Root::new().with("/etc/passwd", ACCOUNTS));
    assert!(words.contains(": there is no socklog beside logyard-setup\n"), "{words}");
    let words = refused(&Root::new().with_program("socklog").with("/etc/passwd", "syslogger:x:1:1::/:/bin/sh\n"));
    assert!(words.contains(": there is no user syslog, make it first: useradd --system "), "{words}");
}

#[test]
fn a_package_that_runs_svscan_already_gets_no_second_one_beside_it() {
    let unit = "/lib/systemd/system/daemontools-run.service";
    let markers = "id:2:initdefault:\n#-- daemontools-run begin\nSV:123456:respawn:/usr/bin/svscanboot\n#-- daemontools-run end\n";
    for (path, text) in [(unit, "[Service]\n"), ("/etc/inittab", markers)] {
        let root = Root::new().with(path, text).with("/etc/service/smtpd/run", "#!/bin/sh\n");
        let before = root.listing();

        let said = root.said(&[]);

        assert!(
            said.contains("found daemontools-run, which runs the services in /etc/service: no second svscan"),
            "{said}"
        );
        assert!(said.contains("from its next start on, daemontools-run uses the programs in /command"), "{said}");
        assert!(!said.contains("starts at the next boot"), "{said}");
        assert!(!root.at("/service").exists() && !root.at("/etc/rc.local").exists(), "{said}");
        assert!(root.at("/command/svscan").is_symlink());
        assert_eq!(root.read(path), text);
        let again = root.said(&[]);
        assert!(again.ends_with("/command\nnothing to do\n"), "{again}");
        root.said(&["--remove"]);
        assert_eq!(root.listing(), before);
    }
}

#[test]
fn an_administrator_can_have_a_second_svscan_beside_such_a_package() {
    let root = Root::new().with("/usr/share/doc/daemontools-run/copyright", "");
    let before = root.listing();
    let refused = root.setup(&["--syslog"]);
    assert_eq!(refused.status.code(), Some(111));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no svscan runs the services in /service"));
    assert_eq!(root.listing(), before);

    let said = root.said(&["--boot", "rc.local"]);

    assert!(said.contains("a second svscan runs those in /service"), "{said}");
    assert!(root.at("/service").is_dir());
    assert_eq!(root.read("/etc/rc.local"), "#!/bin/sh\n/command/svscanboot &\n");
    // A later run finds what the first one has made.
    let again = root.said(&[]);
    assert!(again.contains("a second svscan runs those in /service") && again.ends_with("nothing to do\n"), "{again}");
    root.said(&["--remove"]);
    assert_eq!(root.listing(), before);
}

#[test]
fn runit_and_a_directory_of_services_are_named_and_left_alone() {
    for (path, words) in [
        ("/lib/systemd/system/runit.service", "found runit-run, which runs the services in /etc/service"),
        ("/etc/service/smtpd/run", "found /etc/service: svscan runs only the services in /service"),
    ] {
        let root = Root::new().with(path, "text\n").with("/etc/inittab", "id:3:initdefault:\n");
        let before = root.listing();

        let said = root.said(&["--boot", "inittab"]);

        assert!(said.contains(words), "{said}");
        assert!(root.at("/service").is_dir() && root.read(path) == "text\n");
        root.said(&["--remove"]);
        assert_eq!(root.read(path), "text\n");
        assert_eq!(root.listing().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    }
    assert!(!Root::new().said(&["--dry-run"]).contains("found"));
}
