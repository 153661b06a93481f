//! What is not as it should be: a message, the rest goes on, and the exit code is 1.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::{lines, log_directory, run, second, ten_seconds_each};
use testkit::{Workdir, skipped};

#[track_caller]
fn complains(dir: &Workdir, directories: &[&str], complaints: &[&str], expected: &str) {
    let mut arguments = vec!["-o", "tai64n"];
    arguments.extend(directories);
    let output = run(dir.path(), &arguments);
    let messages = String::from_utf8_lossy(&output.stderr);
    let complaints: String = complaints.iter().map(|text| format!("readlog: warning: {text}\n")).collect();
    assert_eq!((output.status.code(), &messages[..]), (Some(1), &complaints[..]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn what_is_no_directory_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    std::fs::write(dir.join("file"), "x").unwrap();

    complains(
        &dir,
        &["nothing", "main", "file"],
        &[
            "unable to open directory file: not a directory, nor a plain file of one (current, previous, processed or @label.s)",
            "unable to open directory nothing: file does not exist",
        ],
        &lines(0, 20),
    );
}

#[test]
fn what_is_no_plain_file_or_has_no_label_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let odd = format!("{}.s", second(5));
    std::fs::create_dir(dir.join("main").join(&odd)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.join("main").join(format!("{}.s", second(6)))).unwrap();
    std::fs::write(dir.join("main/@not-a-label-at-all-but-long"), "x").unwrap();
    std::fs::write(dir.join("main/@short"), "no archive").unwrap();

    complains(
        &dir,
        &["main"],
        &[
            &format!("unable to read main/{odd}: not a plain file"),
            &format!("unable to read main/{}.s: not a plain file", second(6)),
            "unable to read main/@not-a-label-at-all-but-long: its name is no label",
        ],
        &lines(0, 20),
    );
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);
    let name = format!("main/{}.s", second(20));
    std::fs::set_permissions(dir.join(&name), PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read(dir.join(&name)).is_ok() {
        skipped("root may read every file");
        return;
    }

    let expected = lines(0, 10) + &lines(20, 40);
    complains(&dir, &["main"], &[&format!("unable to read {name}: access denied")], &expected);
}

#[test]
fn a_compressed_file_that_is_cut_short_is_shown_as_far_as_it_goes() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);
    let name = format!("main/{}.s", second(20));
    std::fs::write(dir.join(&name), b"\x1f\x8b\x08\x00garbage that no gzip ever wrote").unwrap();

    let output = run(dir.path(), &["-o", "tai64n", "main"]);

    assert_eq!(output.status.code(), Some(1));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(messages, format!("readlog: warning: unable to read {name}: compressed and damaged\n"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&lines(0, 10)) && text.ends_with(&lines(20, 40)), "{text}");
}

#[test]
fn half_a_label_is_text() {
    let dir = Workdir::new();
    let text = format!("{} a\n@4000\n{} b\n{}", second(0), second(1), &second(2)[..20]);
    log_directory(&dir, "main", &[("current", text.as_bytes())]);

    let output = run(dir.path(), &["-o", "tai64n", "main"]);

    assert_eq!(String::from_utf8_lossy(&output.stdout), text + "\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn wrong_usage_has_its_exit_code() {
    let dir = Workdir::new();
    for arguments in [&[][..], &["--no-such-option", "x"], &["--since", "whenever", "x"], &["-g", "(", "x"]] {
        let output = run(dir.path(), arguments);

        assert_eq!(output.status.code(), Some(100), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("readlog: usage: readlog [options] dir ..."));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_in_names_and_files_make_it_panic(
        files in proptest::collection::vec((
            prop_oneof![
                "@[0-9a-f]{24}(\\.[stu](\\.gz)?)?".prop_map(String::into_bytes),
                "@4000000[0-9a-f]{17}\\.[su]".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 1..40),
                Just(b"current".to_vec()),
                Just(b"previous".to_vec()),
            ],
            proptest::collection::vec(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "@4000000[0-9a-f]{17} [a-z\n@]{0,20}\n?".prop_map(String::into_bytes),
                "@[0-9a-fA-F]{0,30}\n?".prop_map(String::into_bytes),
                "[0-9]{4}-[0-9]{2}-[0-9]{2}[_T ][0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{5}( [a-z]{3}\n)?".prop_map(String::into_bytes),
                Just(b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
                Just(b"\x28\xb5\x2f\xfd".to_vec()),
                Just(b"\xfd7zXZ\0".to_vec()),
            ], 0..12),
        ), 0..8),
        arguments in prop_oneof![
            Just(vec![]),
            Just(vec!["-r"]),
            Just(vec!["-n", "7"]),
            Just(vec!["-g", "a"]),
            Just(vec!["-o", "json"]),
            Just(vec!["-o", "iso", "--tai", "real"]),
            Just(vec!["--histogram"]),
            Just(vec!["--since", "@400000006b02cca2200ccfa4", "--until", "now"]),
            Just(vec!["-r", "--since", "@4000000000000000"]),
        ],
    ) {
        let dir = Workdir::new();
        std::fs::create_dir(dir.join("main")).unwrap();
        for (name, parts) in files {
            // A slash or a NUL is no part of a name, and neither `.` nor `..` is a file.
            let _ = std::fs::write(dir.join("main").join(std::ffi::OsStr::from_bytes(&name)), parts.concat());
        }
        let mut arguments = arguments;
        arguments.extend(["main", "main"]);

        let output = run(dir.path(), &arguments);

        let code = output.status.code();
        prop_assert!(matches!(code, Some(0 | 1)), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}
