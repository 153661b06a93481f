//! tai64n and tai64nlocal: alone, and beside 0.76's.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{Workdir, peer, until};

fn ours(program: &str) -> PathBuf {
    match program {
        "tai64n" => env!("CARGO_BIN_EXE_tai64n"),
        "tai64nlocal" => env!("CARGO_BIN_EXE_tai64nlocal"),
        "multilog" => env!("CARGO_BIN_EXE_multilog"),
        _ => unreachable!("no program of these tests"),
    }
    .into()
}

/// Runs a filter over `input` in a time zone (`None`: no TZ at all).
fn filter(program: &Path, zone: Option<&str>, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    match zone {
        Some(zone) => command.env("TZ", zone),
        None => command.env_remove("TZ"),
    };
    run(command, input)
}

fn run(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command:?} ended with {}", output.status);
    output.stdout
}

/// Numbers that look random and are the same in each run (the generator of Vigna's SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The seconds of 130 years.
const UNTIL_2100: u64 = 4_102_444_800;

#[test]
fn labels_of_130_years_convert_as_with_0_76_in_every_zone() {
    let Some(theirs) = peer("tai64nlocal") else { return };
    let mut numbers = Numbers(1);
    let mut input = String::new();
    for _ in 0..100_000 {
        let (second, nanosecond) = (numbers.next() % UNTIL_2100, numbers.next() % 1_000_000_000);
        writeln!(input, "@{:016x}{nanosecond:08x} some text", (1_u64 << 62) + 10 + second).unwrap();
    }

    let zones = [
        None,
        Some(""),
        Some("UTC"),
        Some("Asia/Tokyo"),
        Some(":Asia/Tokyo"),
        Some("America/New_York"),
        Some("Europe/London"),
        Some("Australia/Lord_Howe"),
        Some("JST-9"),
        Some("EST5EDT,M3.2.0,M11.1.0"),
        Some("<+0330>-3:30"),
        Some("No/Such_Zone"),
    ];
    for zone in zones {
        let expected = filter(&theirs, zone, input.as_bytes());
        let shown = filter(&ours("tai64nlocal"), zone, input.as_bytes());

        let difference = shown.split(|&b| b == b'\n').zip(expected.split(|&b| b == b'\n')).find(|(a, b)| a != b);
        let difference = difference.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)));
        assert_eq!(difference, None, "TZ {zone:?}: ours and theirs");
        assert_eq!(shown.len(), expected.len(), "TZ {zone:?}");
    }
}

#[test]
fn both_changes_of_daylight_saving_time_are_converted() {
    // 2024-03-10 01:59:59 -> 03:00:00 and 2024-11-03 01:59:59 -> 01:00:00 in New York.
    let mut input = String::new();
    for second in [1_710_053_999_u64, 1_710_054_000, 1_730_613_599, 1_730_613_600] {
        writeln!(input, "@{:016x}00000000", (1_u64 << 62) + 10 + second).unwrap();
    }

    let shown = filter(&ours("tai64nlocal"), Some("EST5EDT,M3.2.0,M11.1.0"), input.as_bytes());

    assert_eq!(
        String::from_utf8(shown).unwrap(),
        "2024-03-10 01:59:59.000000000\n2024-03-10 03:00:00.000000000\n\
         2024-11-03 01:59:59.000000000\n2024-11-03 01:00:00.000000000\n"
    );
}

#[test]
fn a_stamp_converts_to_the_time_that_date_prints() {
    // The article, page 1: date | ./tai64n | ./tai64nlocal, and date | sh -c './multilog t e 2>&1' | ./tai64nlocal
    for zone in ["", "UTC", "Asia/Tokyo", "America/New_York", "EST5EDT,M3.2.0,M11.1.0"] {
        for stamped_by in ["tai64n", "multilog t e"] {
            let script = format!("date '+%Y-%m-%d %H:%M:%S' | sh -c '{stamped_by} 2>&1' | tai64nlocal");
            until("the second does not change between the two", || {
                let mut command = Command::new("sh");
                command.args(["-c", &script]).env("PATH", path_with_ours());
                match zone {
                    "" => command.env_remove("TZ"),
                    zone => command.env("TZ", zone),
                };
                let line = String::from_utf8(command.output().unwrap().stdout).unwrap();
                let (stamp, date) = line.trim_end().split_at(29);
                assert_eq!(date.len(), 20, "{line:?}");
                stamp[..19] == date[1..]
            });
        }
    }
}

/// A PATH on which our programs come first.
fn path_with_ours() -> String {
    let directory = ours("tai64n").parent().unwrap().display().to_string();
    format!("{directory}:/bin:/usr/bin")
}

#[test]
fn tai64n_stamps_each_line_and_adds_no_newline() {
    let output = filter(&ours("tai64n"), None, b"one\n\ntwo\0\xff\nthree");

    let lines: Vec<&[u8]> = output.split_inclusive(|&byte| byte == b'\n').collect();
    let rests: Vec<&[u8]> = lines.iter().map(|line| &line[26..]).collect();
    assert_eq!(rests, [&b"one\n"[..], b"\n", b"two\0\xff\n", b"three"]);
    for line in lines {
        logyard::tai64n::Label::parse(&line[..25]).unwrap();
    }
}

#[test]
fn text_that_is_not_a_label_is_unchanged() {
    let input = b"@\n@foo\n@400000003ce2403d3677ea9\n@400000003ce2403d3677ea944\n@400000003CE2403D3677EA94\n\
                  \0@\0\n@40000000\x003ce2403d3677ea94 x\n x @400000003ce2403d3677ea94\n@400000003ce2403d";

    assert_eq!(filter(&ours("tai64nlocal"), Some("UTC0"), input), input);
}

#[test]
fn a_label_at_the_end_of_the_input_is_converted() {
    let shown = filter(&ours("tai64nlocal"), Some("UTC0"), b"@400000003ce2403d3677ea94");

    assert_eq!(shown, b"2002-05-15 11:02:11.913828500");
}

#[test]
fn a_filter_prints_everything_before_it_waits() {
    for (program, sent, shown_bytes) in
        [("tai64n", &b"prompt> "[..], 34), ("tai64nlocal", b"@400000003ce2403d3677ea94 pro", 33)]
    {
        let mut child =
            Command::new(ours(program)).env("TZ", "UTC0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();

        // A byte at a time, and the end stays open: what comes out has not waited for more.
        for byte in sent {
            stdin.write_all(&[*byte]).unwrap();
        }
        let mut shown = vec![0; shown_bytes];
        stdout.read_exact(&mut shown).unwrap();

        let text: Vec<u8> = sent[sent.iter().position(|&byte| byte == b'p').unwrap()..].into();
        assert!(shown.ends_with(&text), "{program}: {}", String::from_utf8_lossy(&shown));
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn tai64nlocal_converts_the_files_that_it_is_given() {
    let work = Workdir::new();
    std::fs::write(work.join("one"), "@400000003ce2403d3677ea94 1\n").unwrap();
    std::fs::write(work.join("two"), "@400000003ce24054307e7f54 2\n").unwrap();

    let run = |files: &[&str]| {
        Command::new(ours("tai64nlocal")).current_dir(work.path()).env("TZ", "JST-9").args(files).output().unwrap()
    };

    let output = run(&["one", "two"]);
    assert_eq!(output.stdout, b"2002-05-15 20:02:11.913828500 1\n2002-05-15 20:02:34.813596500 2\n");
    assert_eq!(output.status.code(), Some(0));
    let output = run(&["one", "three"]);
    assert_eq!(output.stderr, b"tai64nlocal: fatal: unable to open three: file does not exist\n");
    assert_eq!(output.status.code(), Some(111));
}

#[test]
fn a_zone_that_counts_leap_seconds_is_refused() {
    let work = Workdir::new();
    let mut file = b"TZif2".to_vec();
    file.resize(28, 0);
    file.extend([0, 0, 0, 27]);
    std::fs::write(work.join("right"), file).unwrap();

    let output = Command::new(ours("tai64nlocal")).env("TZ", work.join("right")).output().unwrap();

    assert_eq!(output.status.code(), Some(111));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.ends_with("/right: it counts leap seconds\n"), "{message}");
}

/// Names and rules, and whether the file `posixrules` has a say in what the C library makes of them.
const ZONES: [(&str, bool); 36] = [
    ("posix/Europe/Paris", false),
    (":posix/Europe/Paris", false),
    ("/usr/share/zoneinfo/Asia/Tokyo", false),
    (":/usr/share/zoneinfo/Asia/Tokyo", false),
    ("../zoneinfo/Asia/Tokyo", false),
    ("EST5EDT", false),
    ("ABC4XYZ", true),
    (":ABC4XYZ", true),
    ("ABC4XYZ,", true),
    ("ABC4XYZ5", true),
    ("<ABC>4<XYZ>", true),
    ("<+04>-4<+05>", true),
    ("ABC4:30:15XYZ3", true),
    ("ABC4", false),
    ("ABC+4", false),
    ("ABC-14:59:59", false),
    ("ABC25", false),
    ("ABC4XYZ,M3.2.0", false),
    ("ABC4XYZ,M3.2.0/2,M11.1.0/26", false),
    ("ABC4XYZ,M10.1.0,M3.3.0", false),
    ("ABC-4XYZ,J60,J300", false),
    ("ABC-4XYZ,59/-3,299/25", false),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", false),
    ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", false),
    ("IST-2IDT,M3.4.4/26,M10.5.0", false),
    ("EST5EDT,0/0,J365/25", false),
    ("XYZ", false),
    ("AB4", false),
    ("Europe", false),
    ("Europe/Paris/", false),
    ("/etc/passwd", false),
    ("/nonexist", false),
    (" UTC", false),
    ("::UTC", false),
    (":", false),
    ("right", false),
];

#[test]
fn every_form_of_time_zone_converts_as_with_0_76() {
    let Some(theirs) = peer("tai64nlocal") else { return };
    let work = Workdir::new();
    let mut input = String::new();
    for second in (0..UNTIL_2100).step_by(19 * 3600 + 1234) {
        writeln!(input, "@{:016x}00000000 x", (1_u64 << 62) + 10 + second).unwrap();
    }

    for (zone, asks_posixrules) in ZONES {
        let shown = |program: &Path| {
            let mut command = Command::new(program);
            command.env("TZ", zone);
            if asks_posixrules {
                command.env("TZDIR", work.path());
            }
            run(command, input.as_bytes())
        };
        let expected = shown(&theirs);
        let shown = shown(&ours("tai64nlocal"));

        let difference = shown.split(|&b| b == b'\n').zip(expected.split(|&b| b == b'\n')).find(|(a, b)| a != b);
        let difference = difference.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)));
        assert_eq!(difference, None, "TZ {zone:?}: ours and theirs");
        assert_eq!(shown.len(), expected.len(), "TZ {zone:?}");
    }
}

#[test]
fn a_malformed_time_zone_is_refused() {
    for zone in [
        "ABC4XYZ,foo",
        "ABC4XYZ,M13.1.0,M3.1.0",
        "ABC4XYZM3.2.0,M11.1.0",
        "ABC4XYZ,M3.2.0,M11.1.0 ",
        "ABC4 ",
        "ABC4<x>5",
    ] {
        let output = Command::new(ours("tai64nlocal")).env("TZ", zone).stdin(Stdio::null()).output().unwrap();

        assert_eq!(output.status.code(), Some(111), "{zone}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message, format!("tai64nlocal: fatal: unable to use time zone {zone}: bad format\n"));
    }
}
