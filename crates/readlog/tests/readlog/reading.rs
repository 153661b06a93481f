//! Everything that is there, in order, in each of the styles.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::{label, lines, log_directory, printed, readlog, second, ten_seconds_each};
use testkit::{Workdir, peer};

#[test]
fn a_directory_is_read_as_cat_and_tai64nlocal_read_it() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 20);
    let Some(tai64nlocal) = peer("tai64nlocal") else { return };
    let pipeline = format!("cat main/@* main/current | {}", tai64nlocal.display());
    for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu"] {
        let theirs =
            Command::new("/bin/sh").args(["-c", &pipeline]).env("TZ", zone).current_dir(dir.path()).output().unwrap();

        let ours = readlog(dir.path(), &["main"]).env("TZ", zone).output().unwrap();

        assert_eq!(String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&theirs.stdout), "{zone}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lines_in_bulk_are_shown_as_one_by_one(
        files in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            (0_u64..5, 0_u64..1_000_000_000).prop_map(|(s, n)| format!("{} text\n", label(s * 1_000_000_000 + n))),
            (0_u64..5).prop_map(|s| format!("{}\n", second(s))),
            (0_u64..5).prop_map(|s| format!("{}f too long\n", second(s))),
            (0_u64..5).prop_map(|s| format!("{} torn", second(s))),
            "@[0-9a-f@ ]{0,30}\n?",
            "2026-09-2[0-9][_T]1[0-9]:00:00\\.[0-9]{5} x\n",
            "[ a-z\n]{0,20}",
        ], 0..20), 1..4),
    ) {
        let dir = Workdir::new();
        for (i, lines) in files.iter().enumerate() {
            log_directory(&dir, "main", &[(&format!("{}.s", second(i as u64)), lines.concat().as_bytes())]);
        }

        // A pattern that every line has leads past the bulk.
        prop_assert_eq!(printed(&dir, &["main"]), printed(&dir, &["-g", "", "main"]));
    }
}

#[test]
fn raw_output_is_what_the_files_hold() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 20);

    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(0, 210));
    assert_eq!(printed(&dir, &["-o", "cat", "main"]).lines().nth(17), Some("line 17"));
}

#[test]
fn previous_and_processed_come_between_archives_and_current() {
    let dir = Workdir::new();
    let archive = format!("{}.s", second(10));
    let files = |names: &[(&str, u64)]| {
        let _ = std::fs::remove_dir_all(dir.join("main"));
        for (name, from) in names {
            log_directory(&dir, "main", &[(name, lines(*from, from + 1).as_bytes())]);
        }
    };

    files(&[(&archive, 0), ("previous", 1), ("current", 2), ("state", 9), ("lock", 9), ("newstate", 9)]);
    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(0, 3));

    files(&[(&archive, 0), ("previous", 1), ("processed", 9), ("current", 2)]);
    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(0, 3), "processed is only begun");

    files(&[(&archive, 0), ("processed", 1), ("current", 2)]);
    std::fs::set_permissions(dir.join("main/processed"), std::os::unix::fs::PermissionsExt::from_mode(0o744)).unwrap();
    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(0, 3), "processed is all there is");

    files(&[("previous", 1), ("current", 2)]);
    std::fs::hard_link(dir.join("main/previous"), dir.join("main").join(&archive)).unwrap();
    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), lines(1, 3), "linked, and not yet unlinked");
}

#[test]
fn a_line_that_was_cut_at_the_end_of_a_file_is_one_line() {
    let dir = Workdir::new();
    let (first, second_archive) = (format!("{}.s", second(1)), format!("{}.s", second(2)));
    let long = "x".repeat(5000);
    let begin = format!("{} begin {long}", second(0));
    let end = format!("{long} end\n{} torn", second(1));
    let current = lines(2, 3);
    let files = [(&first[..], begin), (&second_archive, end), ("current", current)];
    log_directory(&dir, "main", &files.each_ref().map(|(name, text)| (*name, text.as_bytes())));

    let expected = format!("begin {long}{long} end\ntorn\nline 2\n");
    assert_eq!(printed(&dir, &["-o", "cat", "main"]), expected);
    assert_eq!(printed(&dir, &["-o", "cat", "-n", "100", "main"]), expected);
}

#[test]
fn lines_without_labels_stay_with_the_line_before() {
    let dir = Workdir::new();
    let trace = format!("{} oops\n\tat a\n\tat b\n{} fine\n", second(1), second(2));
    log_directory(&dir, "one", &[("current", trace.as_bytes())]);
    log_directory(&dir, "two", &[("current", format!("{} between\n", label(1_500_000_000)).as_bytes())]);

    assert_eq!(printed(&dir, &["-o", "cat", "one", "two"]), "oops\n\tat a\n\tat b\nbetween\nfine\n");
    assert_eq!(printed(&dir, &["-o", "cat", "-g", "at b", "one"]), "oops\n\tat a\n\tat b\n");
    assert_eq!(printed(&dir, &["-o", "cat", "-g", "at b", "-v", "one"]), "fine\n");
    assert_eq!(printed(&dir, &["-o", "cat", "-r", "one"]), "fine\noops\n\tat a\n\tat b\n");
    assert_eq!(printed(&dir, &["-o", "cat", "-n", "2", "one"]), "\tat b\nfine\n");
    assert_eq!(printed(&dir, &["-o", "cat", "--until", &second(2), "one"]), "oops\n\tat a\n\tat b\n");
}

#[test]
fn a_directory_without_any_label_is_read_line_by_line() {
    let dir = Workdir::new();
    let archive = format!("{}.s", second(10));
    log_directory(&dir, "main", &[(&archive, b"a\nb\n"), ("current", b"c\n  d\n")]);

    assert_eq!(printed(&dir, &["main"]), "a\nb\nc\n  d\n");
    assert_eq!(printed(&dir, &["-g", "d", "main"]), "  d\n");
    assert_eq!(printed(&dir, &["-r", "main"]), "  d\nc\nb\na\n");
    assert_eq!(printed(&dir, &["-n", "3", "main"]), "b\nc\n  d\n");
    assert_eq!(printed(&dir, &["--since", &second(20), "main"]), "c\n  d\n", "known by the name of the archive");
}

#[test]
fn the_last_lines_are_those_of_tail() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 20);
    let all = lines(0, 210);
    for count in [0, 1, 9, 10, 11, 25, 210, 300] {
        let tail: String = all.split_inclusive('\n').skip(210_usize.saturating_sub(count)).collect();

        assert_eq!(printed(&dir, &["-o", "tai64n", "-n", &count.to_string(), "main"]), tail, "{count}");
    }
    let reversed: String = all.split_inclusive('\n').rev().collect();
    assert_eq!(printed(&dir, &["-o", "tai64n", "-r", "main"]), reversed);
}

#[test]
fn fifty_directories_are_merged_as_sort_merges_them() {
    let dir = Workdir::new();
    let mut names = Vec::new();
    for i in 0..50_u64 {
        let name = format!("s{i:02}");
        // Every label is shared by several directories, and by neighbours in one.
        let line = |k: u64| format!("{} {name} {k}\n", second((k / 2) * (1 + i % 3)));
        let archive: String = (0..40).map(line).collect();
        let current: String = (40..80).map(line).collect();
        let label = format!("{}.s", second(20 * (1 + i % 3)));
        log_directory(&dir, &name, &[(&label, archive.as_bytes()), ("current", current.as_bytes())]);
        names.push(name);
    }
    let script = "for d; do cat $d/@* $d/current > all.$d; done; LC_ALL=C exec sort -s -m -k1,1 all.*";
    let sorted =
        Command::new("/bin/sh").args(["-c", script, "sh"]).args(&names).current_dir(dir.path()).output().unwrap();

    let mut arguments = vec!["-o".to_owned(), "tai64n".to_owned()];
    arguments.extend(names);
    let merged = printed(&dir, &arguments);

    assert_eq!(merged, String::from_utf8(sorted.stdout).unwrap());
    arguments.insert(0, "-r".to_owned());
    let reversed: String = merged.split_inclusive('\n').rev().collect();
    assert_eq!(printed(&dir, &arguments), reversed);
}

#[test]
fn services_are_named_in_a_column() {
    let dir = Workdir::new();
    log_directory(&dir, "service/mail/log/main", &[("current", lines(0, 1).as_bytes())]);
    log_directory(&dir, "service/dns/log/main", &[("current", format!("{} two\n more\n", second(1)).as_bytes())]);

    let both = printed(&dir, &["service/mail/log/main", "service/dns/log/main"]);
    let expected = "2026-09-21 14:13:20.000000000 mail line 0\n\
                    2026-09-21 14:13:21.000000000 dns  two\n\
                    \x20                             dns   more\n";
    assert_eq!(both, expected);
    assert_eq!(printed(&dir, &["--service=never", "service/mail/log/main"]), "2026-09-21 14:13:20.000000000 line 0\n");
}

#[test]
fn each_style_shows_the_moment_in_its_way() {
    let dir = Workdir::new();
    let line = format!("{} a \"b\" \u{1b}[1m\n", label(123_456_789));
    log_directory(&dir, "main", &[("current", &[line.as_bytes(), b"\xff\n"].concat())]);
    let shown = |style, zone: &str| {
        let output = readlog(dir.path(), &["-o", style, "main"]).env("TZ", zone).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    let short = shown("short", "Europe/Berlin");
    assert!(short.starts_with("2026-09-21 16:13:20.123456789 a \"b\" \x1b[1m\n"), "{short}");
    let iso = shown("iso", "America/St_Johns");
    assert!(iso.starts_with("2026-09-21T11:43:20.123456789-02:30 a "), "{iso}");
    let json = shown("json", "UTC");
    let label = label(123_456_789);
    let head = format!("{{\"time\":\"2026-09-21T14:13:20.123456789+00:00\",\"label\":\"{label}\",");
    let expected: String = [("\"a \\\"b\\\" \\u001b[1m\"", '\n'), ("[255]", '\n')]
        .map(|(message, end)| {
            format!("{head}\"service\":\"SERVICE\",\"message\":{message},\"file\":\"main/current\"}}{end}")
        })
        .concat();
    let service = dir.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(json, expected.replace("SERVICE", service));
}

#[test]
fn archives_may_be_compressed() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 30);
    let all = printed(&dir, &["-o", "tai64n", "main"]);
    for (i, tool) in ["gzip", "xz", "zstd", "bzip2"].into_iter().enumerate() {
        let Some(tool) = peer(tool).filter(|tool| !tool.ends_with("bzip2")) else { continue };
        for k in 0..7 {
            let archive = dir.join("main").join(format!("{}.s", second((i as u64 * 7 + k) * 10 + 10)));
            // By content and not by name: the name stays what it was.
            let packed = Command::new(&tool).arg("-c").arg(&archive).stderr(Stdio::null()).output().unwrap().stdout;
            std::fs::write(&archive, packed).unwrap();
        }
    }

    assert_eq!(printed(&dir, &["-o", "tai64n", "main"]), all);
    let window = ["-o", "tai64n", "--since", &second(55), "--until", &second(185), "main"];
    assert_eq!(printed(&dir, &window), lines(55, 185));
    assert_eq!(printed(&dir, &["-o", "tai64n", "-n", "250", "main"]), lines(60, 310));
    assert_eq!(printed(&dir, &["-o", "cat", "-g", "line 1.3$", "main"]).lines().count(), 10);
}

#[test]
fn the_histogram_counts_every_line() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 11);

    let drawing = printed(&dir, &["--histogram=1m", "main"]);
    let counts: Vec<u64> =
        drawing.lines().map(|line| line.split_whitespace().nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(counts, [40, 60, 20]);
    printed(&dir, &["--svg", "picture.svg", "main"]);
    assert!(std::fs::read_to_string(dir.join("picture.svg")).unwrap().contains("<rect"));
}
