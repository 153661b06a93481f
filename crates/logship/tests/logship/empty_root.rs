//! The program alone in a root: no library, no /dev, no /proc, no /tmp, no certificates of the system.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use testkit::skipped;

use crate::{Fixture, assert_says, label, python};

/// A root directory with the program, `resolv.conf` and a log directory. Nothing else.
fn root_with_a_log(fixture: &Fixture) -> String {
    let root = fixture.workdir.join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir(root.join("mail")).unwrap();
    // By another process: a child that another test forks meanwhile would hold the copy open, and it could not be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_logship")).arg(root.join("logship")).status();
    assert!(copied.unwrap().success());
    fs::write(root.join("etc/resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    for archive in 0..3 {
        let text = format!("{} archive {archive}\n", label(archive * 1000));
        fs::write(root.join("mail").join(format!("{}.s", label(archive * 1000 + 1))), text).unwrap();
    }
    root.to_str().unwrap().to_owned()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn in_an_empty_root_a_store_is_found_by_its_name_and_trusted_by_its_certificate() {
    if !is_root() {
        return skipped(format_args!("not root, so logship was not run in an empty root"));
    }
    if !python::has("moto.server") {
        return;
    }
    let fixture = Fixture::new();
    let root = root_with_a_log(&fixture);
    let keys = fixture.workdir.join("keys");
    fs::create_dir(&keys).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "python3", "-c", include_str!("empty_root.py"), &root]).arg(&keys).stdin(Stdio::null());

    let Ok(output) = command.output() else {
        return skipped(format_args!("no unshare, so logship was not run in an empty root"));
    };

    let complaints = String::from_utf8_lossy(&output.stderr);
    if complaints.contains("unshare failed") {
        return skipped(format_args!("no network namespaces, so logship was not run in an empty root"));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{complaints}");
    let shipped = "ship exits 0: logship: 3 archives shipped (3 lines";
    let equal = "verify exits 0: logship: 3 archives (3 lines) are in the store, 0 are missing, 0 differ";
    let lines = format!("get exits 0: {} archive 0\n", label(0));
    for words in [shipped, equal, &lines] {
        assert_eq!(said.matches(words).count(), 2, "{words}: over HTTP and HTTPS: {said}");
    }
    assert!(said.contains("ship exits 111: ") && said.contains("certificate"), "{said}");
}

#[test]
fn in_an_empty_root_a_directory_is_a_store() {
    if !is_root() {
        return skipped(format_args!("not root, so logship was not run in an empty root"));
    }
    let fixture = Fixture::new();
    let root = root_with_a_log(&fixture);
    let run = |arguments: &[&str]| {
        let mut command = Command::new("chroot");
        command.args([&root, "/logship"]).args(arguments).stdin(Stdio::null());
        command.output().unwrap()
    };

    assert_says(&run(&["ship", "--once", "--host", "h1", "/mail", "file:///store"]), 0, "3 archives shipped");

    assert_says(&run(&["verify", "--content", "/mail", "file:///store"]), 0, "3 archives (3 lines) are in the store");
    let names: Vec<String> = crate::files_below(&fixture.workdir.join("root/store")).into_keys().collect();
    assert_eq!(names.len(), 3, "an object for each archive and no other name: {names:#?}");
}
