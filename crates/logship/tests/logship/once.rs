//! `ship --once` to a directory, `verify`, `ls` and `get`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::{Fixture, assert_says, code, label, messages};

#[test]
fn each_archive_becomes_one_object() {
    let fixture = Fixture::new();
    fixture.archives("mail", 3, 100);
    fixture.archive("mail", "current", "not finished\n");
    fixture.archive("mail", "previous", "nor this\n");
    fixture.archive("mail", &format!("{}.t", label(5000)), "svlogd is at work\n");

    let output = fixture.ship(&["mail"]);

    assert_says(&output, 0, "3 archives shipped (300 lines");
    let keys: Vec<String> = fixture.objects().into_keys().collect();
    let key = |archive: u64| format!("date=2026-09-21/host=h1/service=mail/{}.s.parquet", label(archive * 1000 + 999));
    assert_eq!(keys, [key(0), key(1), key(2)]);
    testkit::assert_same(fixture.get("mail"), fixture.joined("mail"));
}

#[test]
fn a_second_run_ships_nothing() {
    let fixture = Fixture::new();
    fixture.archives("mail", 3, 100);
    fixture.ship(&["mail"]);
    let before = fixture.objects();

    let output = fixture.ship(&["mail"]);

    assert_says(&output, 0, "0 archives shipped (0 lines, 0 bytes, 0 in the store), 3 were there");
    assert!(fixture.objects() == before);
}

#[test]
fn another_archive_with_the_name_of_one_that_was_shipped_is_an_error_with_both_names() {
    let fixture = Fixture::new();
    let path = fixture.archive("mail", &format!("{}.s", label(0)), "one\n");
    fixture.ship(&["mail"]);
    let before = fixture.objects();
    fs::write(&path, "two\n").unwrap();

    let output = fixture.ship(&["mail"]);

    let key = format!("date=2026-09-21/host=h1/service=mail/{}.s.parquet", label(0));
    assert_says(&output, 1, &format!("mail/log/main/{}.s and {key} differ: 1 lines", label(0)));
    assert!(fixture.objects() == before, "the object is unchanged");
    let output = fixture.run(&["verify", "mail/log/main", &fixture.url()]);
    assert_says(&output, 1, "0 archives (0 lines) are in the store, 0 are missing, 1 differ");
}

#[test]
fn an_archive_that_is_compressed_later_is_the_same_archive() {
    let fixture = Fixture::new();
    let path = fixture.archive("mail", &format!("{}.s", label(0)), "one\ntwo\n");
    fixture.ship(&["mail"]);
    fs::remove_file(&path).unwrap();
    let mut packed = fs::File::create(path.with_extension("s.zst")).unwrap();
    zstd::stream::copy_encode(&b"one\ntwo\n"[..], &mut packed, 3).unwrap();

    assert_says(&fixture.ship(&["mail"]), 0, "0 archives shipped (0 lines, 0 bytes, 0 in the store), 1 were there");
    assert_eq!(fixture.objects().len(), 1);
}

#[test]
fn an_archive_in_two_files_is_shipped_once() {
    let fixture = Fixture::new();
    fixture.archive("mail", &format!("{}.s", label(0)), "one\n");
    fixture.archive("mail", &format!("{}.s.gz", label(0)), [0x1f, 0x8b, 8]);

    assert_says(&fixture.ship(&["mail"]), 0, "1 archives shipped (1 lines");
}

#[test]
fn verify_finds_what_is_missing_and_what_was_changed() {
    let fixture = Fixture::new();
    fixture.archives("mail", 3, 100);
    fixture.ship(&["mail"]);
    let url = fixture.url();
    let verify = |arguments: &[&str]| fixture.run(&[&["verify"], arguments, &["mail/log/main", &url]].concat());
    assert_says(&verify(&["--content"]), 0, "3 archives (300 lines) are in the store, 0 are missing, 0 differ");

    // The first column begins here.
    let keys: Vec<String> = fixture.objects().into_keys().collect();
    let damaged = fixture.store().join(&keys[1]);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[60..120].fill(0xff);
    fs::write(&damaged, bytes).unwrap();
    fs::remove_file(fixture.store().join(&keys[0])).unwrap();

    assert_says(&verify(&[]), 1, "2 archives (200 lines) are in the store, 1 are missing, 0 differ");
    let output = verify(&["--content"]);
    assert_says(&output, 1, &format!("{}.s is not in the store", label(999)));
    assert!(messages(&output).contains(&keys[1]), "{}", messages(&output));
}

#[test]
fn ls_shows_a_line_for_each_day_of_each_service() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);
    fixture.archives("web", 1, 5);
    // The next day.
    fixture.archive("web", &format!("{}.s", label(86_400_000)), "late\n");
    fixture.ship(&["mail", "web"]);

    let output = fixture.run(&["ls", &fixture.url()]);

    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().take(5).collect()).collect();
    let expected = [
        vec!["host", "service", "date", "objects", "lines"],
        vec!["h1", "mail", "2026-09-21", "2", "20"],
        vec!["h1", "web", "2026-09-21", "1", "5"],
        vec!["h1", "web", "2026-09-22", "1", "1"],
    ];
    assert_eq!(rows, expected);
}

#[test]
fn get_prints_the_lines_of_a_window() {
    let fixture = Fixture::new();
    fixture.archives("mail", 10, 1000);
    fixture.ship(&["mail"]);
    let (since, until) = (label(2500), label(4250));

    let output = fixture.run(&[
        "get",
        &fixture.url(),
        "--service",
        "mail",
        "--since",
        &since,
        "--until",
        &until,
        "--host",
        "h1",
    ]);

    let all = String::from_utf8(fixture.joined("mail")).unwrap();
    let window = &since[..]..&until[..];
    let expected: String = all.split_inclusive('\n').filter(|line| window.contains(&&line[..25])).collect();
    assert_eq!(expected.lines().count(), 1750);
    testkit::assert_same(output.stdout, expected);
}

#[test]
fn the_names_stay_those_of_the_first_run() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    fixture.ship(&["mail"]);
    let url = fixture.url();
    let ship = |options: &[&str]| fixture.run(&[&["ship", "--once"], options, &["mail/log/main", &url]].concat());

    // This host has another name.
    assert_says(&ship(&[]), 0, "1 were there");
    let words = "unable to ship mail/log/main under other names: it is shipped as host h1, service mail";
    assert_says(&ship(&["--host", "h2"]), 111, words);
    assert_says(&ship(&["--host", "h2", "--change-names"]), 0, "1 archives shipped");
    assert_eq!(fs::read_to_string(fixture.log("mail").join("shipped-as")).unwrap(), "host h2\nservice mail\n");
}

#[test]
fn a_name_that_an_engine_would_not_read_back_is_refused() {
    let fixture = Fixture::new();
    fixture.archives("a=b", 1, 1);

    assert_says(&fixture.ship(&["a=b"]), 111, "'a=b' cannot be the name of a service, use --service");
    assert!(fixture.objects().is_empty());
}

#[test]
fn two_directories_with_the_same_names_are_refused() {
    let fixture = Fixture::new();
    fixture.archives("x/mail", 1, 1);
    fixture.archives("y/mail", 1, 1);

    assert_says(&fixture.ship(&["x/mail", "y/mail"]), 111, "have the same names: host h1, service mail");
}

#[test]
fn an_archive_above_the_size_is_refused_by_name_and_the_others_are_shipped() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);
    fixture.archive("mail", &format!("{}.s", label(9000)), "x".repeat(5000));
    let bomb = zstd::encode_all(&vec![b'\n'; 1 << 20][..], 3).unwrap();
    fixture.archive("mail", &format!("{}.s.zst", label(9500)), bomb);

    let output = fixture.run(&["ship", "--once", "--archive-max", "4k", "mail/log/main", &fixture.url()]);

    for milliseconds in [9000, 9500] {
        assert_says(
            &output,
            1,
            &format!("unable to ship mail/log/main/{}.s: more than 4096 bytes", label(milliseconds)),
        );
    }
    assert_eq!(fixture.objects().len(), 2);
}

#[test]
fn a_damaged_archive_is_refused_by_name_and_the_others_are_shipped() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);
    fixture.archive("mail", &format!("{}.s.gz", label(9000)), [0x1f, 0x8b, 8, 0, 0, 0]);

    assert_says(&fixture.ship(&["mail"]), 1, &format!("{}.s: compressed and damaged", label(9000)));
    assert_eq!(fixture.objects().len(), 2);
}

#[test]
fn planted_names_are_not_followed() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    fs::write(fixture.workdir.join("secret"), "secret\n").unwrap();
    symlink(fixture.workdir.join("secret"), fixture.log("mail").join(format!("{}.s", label(9000)))).unwrap();
    fs::create_dir(fixture.log("mail").join(format!("{}.s", label(9001)))).unwrap();

    assert_says(&fixture.ship(&["mail"]), 0, "1 archives shipped");
}

#[test]
fn a_dry_run_changes_nothing() {
    let fixture = Fixture::new();
    fixture.archives("mail", 2, 10);

    let output = fixture.run(&["ship", "--once", "--dry-run", "--host", "h1", "mail/log/main", &fixture.url()]);

    let key = format!("date=2026-09-21/host=h1/service=mail/{}.s.parquet", label(999));
    assert_says(&output, 0, &format!("would ship mail/log/main/{}.s as {key}", label(999)));
    assert!(!fixture.store().exists());
    assert!(!fixture.log("mail").join("shipped-as").exists());
}

#[test]
fn an_empty_archive_is_shipped() {
    let fixture = Fixture::new();
    fixture.archive("mail", &format!("{}.s", label(0)), "");

    assert_says(&fixture.ship(&["mail"]), 0, "1 archives shipped (0 lines");
    let output = fixture.run(&["verify", "--content", "mail/log/main", &fixture.url()]);
    assert_says(&output, 0, "1 archives (0 lines) are in the store");
}

#[test]
fn objects_can_be_json() {
    let fixture = Fixture::new();
    let text = [format!("{} a \"quoted\" line\n", label(1)).as_bytes(), b"\xff\n"].concat();
    fixture.archive("mail", &format!("{}.u", label(2)), text);
    let url = fixture.url();
    let run = |command: &[&str]| {
        fixture.run(&[command, &["--format", "ndjson", "--host", "h1", "mail/log/main", &url]].concat())
    };

    assert_says(&run(&["ship", "--once"]), 0, "1 archives shipped (2 lines");
    assert_says(&run(&["ship", "--once"]), 0, "1 were there");
    assert_says(&run(&["verify"]), 0, "1 archives (2 lines) are in the store");
    let objects = fixture.objects();
    let (key, bytes) = objects.first_key_value().unwrap();
    assert!(key.ends_with(".u.ndjson.zst"), "{key}");
    let text = zstd::decode_all(&bytes[..]).unwrap();
    let rows: Vec<serde_json::Value> = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(rows[0]["message"], "a \"quoted\" line");
    assert_eq!(rows[0]["time"], "2026-09-21T14:13:20.001000Z");
    assert_eq!(rows[1]["raw"], "ff");
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_store_that_cannot_be_written_to_is_an_error() {
    let fixture = Fixture::new();
    fixture.archives("mail", 1, 1);
    fs::write(fixture.store(), "a file").unwrap();

    let output = fixture.ship(&["mail"]);

    assert_says(&output, 111, "not a directory");
    for url in ["file://relative", "ftp://x/y", "s3://", "nonsense"] {
        let output = fixture.run(&["ship", "--once", "mail/log/main", url]);
        assert_says(&output, 111, "unable to use store");
    }
    assert_eq!(code(&fixture.run(&["ship", "--once", "mail/log/main"])), 100);
}

#[test]
fn an_object_that_is_none_is_named_and_the_others_are_shipped_and_listed() {
    let fixture = Fixture::new();
    fixture.archives("mail", 3, 10);
    fixture.ship(&["mail"]);
    let keys: Vec<String> = fixture.objects().into_keys().collect();
    fs::write(fixture.store().join(&keys[0]), "half an obj").unwrap();
    fs::remove_file(fixture.store().join(&keys[1])).unwrap();
    let hostile = fixture.store().join("date=2026-09-21/host=\x1b[2J/service=mail");
    fs::create_dir_all(&hostile).unwrap();
    fs::copy(fixture.store().join(&keys[2]), hostile.join(keys[2].rsplit('/').next().unwrap())).unwrap();

    let output = fixture.ship(&["mail"]);
    assert_says(&output, 1, &format!("{} is no object of logship\n", keys[0]));
    assert_says(&output, 1, "1 archives shipped (10 lines");

    let output = fixture.run(&["ls", &fixture.url()]);
    assert_says(&output, 1, &format!("{} is no object of logship\n", keys[0]));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().take(5).collect()).collect();
    assert_eq!(rows, [["h1", "mail", "2026-09-21", "2", "20"]], "names that are none of logship are not printed");
}
