//! Archives that `logpack` packed: read by frames, and in whole where the index is damaged or forged.

use std::fmt::Write as _;
use std::process::Command;

use logpack::index::FrameIndex;

use super::{label, log_directory, packed, printed, run, second};
use testkit::{Workdir, assert_same_in, strace};

/// Lines of a hundredth of a second each, some with a continuation.
fn log(lines: u64) -> String {
    let mut text = String::new();
    for i in 0..lines {
        let number = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(text, "{} msg {number}: delivery {} deferred", label(i * 10_000_000), number >> 50).unwrap();
        if i % 7 == 0 {
            writeln!(text, "  at frame {}", number >> 40).unwrap();
        }
    }
    text
}

/// Two directories with the same archive, `plain` as it is, and `packed`.
fn directories(text: &str, archive: &[u8]) -> Workdir {
    let dir = Workdir::in_memory();
    let name = format!("{}.s", second(900_000));
    log_directory(&dir, "plain", &[(&name, text.as_bytes()), ("current", b"")]);
    log_directory(&dir, "packed", &[(&name, archive), ("current", b"")]);
    dir
}

/// Both directories give the same output, whatever is asked for.
#[track_caller]
fn assert_alike(what: &str, dir: &Workdir, questions: &[&[&str]]) {
    for question in questions {
        let print = |directory: &str| {
            let output = run(dir.path(), &[&["-o", "tai64n"], *question, &[directory]].concat());
            assert_eq!(output.stderr, b"", "{what}: {question:?}");
            output.stdout
        };
        assert_same_in(&format!("{what}: {question:?}"), print("packed"), print("plain"));
    }
}

/// What is asked of each directory: everything, ends, windows at some places, a search.
fn questions(seconds: u64) -> Vec<Vec<String>> {
    let mut questions: Vec<Vec<String>> = [&["-n", "5000"][..], &["-r"], &[], &["-g", "delivery 7[0-9]* "]]
        .map(|words| words.iter().map(|word| (*word).into()).collect())
        .into();
    for (from, to) in
        [(0, 1), (seconds / 2, seconds / 2 + 1), (seconds - 2, seconds + 5), (seconds / 3, seconds / 2), (5, 5)]
    {
        let (since, until) = (second(from), label(to * 1_000_000_000 + 5));
        questions.push(["--since", &since, "--until", &until].map(str::to_owned).into());
        questions.push(["--since", &since, "--until", &until, "-r"].map(str::to_owned).into());
    }
    questions.push(["--since", &second(seconds / 2)].map(str::to_owned).into());
    questions.push(["--until", &second(seconds / 2), "-n", "10"].map(str::to_owned).into());
    questions
}

#[track_caller]
fn assert_all_alike(what: &str, dir: &Workdir, seconds: u64) {
    let expected = answers(dir, "plain", seconds);
    assert_answers(what, dir, seconds, &expected);
}

/// What is printed to each question.
fn answers(dir: &Workdir, directory: &str, seconds: u64) -> Vec<String> {
    let all = |question: &Vec<String>| -> Vec<String> {
        ["-o", "tai64n"]
            .iter()
            .map(|&word| word.to_owned())
            .chain(question.iter().cloned())
            .chain([directory.to_owned()])
            .collect()
    };
    questions(seconds).iter().map(|question| printed(dir, &all(question))).collect()
}

/// The packed archive gives these answers.
#[track_caller]
fn assert_answers(what: &str, dir: &Workdir, seconds: u64, expected: &[String]) {
    for ((question, found), expected) in questions(seconds).iter().zip(answers(dir, "packed", seconds)).zip(expected) {
        assert_same_in(&format!("{what}: {question:?}"), found, expected);
    }
}

#[test]
fn a_packed_archive_is_read_like_a_plain_one() {
    // 11 MB: several chunks, which other threads unpack.
    let text = log(140_000);
    assert_all_alike("frames of 64 KiB", &directories(&text, &packed(text.as_bytes(), 64 << 10)), 1400);
    let text = log(20_000);
    for frame_bytes in [1000, 100 << 20] {
        assert_all_alike("frames", &directories(&text, &packed(text.as_bytes(), frame_bytes)), 200);
    }
}

#[test]
fn a_line_that_is_longer_than_a_chunk_stays_whole() {
    let text = format!("{} {}\n{}", second(0), "x".repeat(40 << 20), log(1000));

    assert_alike("a long line", &directories(&text, &packed(text.as_bytes(), 4096)), &[&[], &["-n", "1001"]]);
}

#[test]
fn a_clock_that_was_set_back_loses_no_line() {
    let text = log(20_000) + &log(10_000) + &log(30_000);

    assert_all_alike("set back", &directories(&text, &packed(text.as_bytes(), 4096)), 200);
}

#[test]
fn times_of_another_form_are_found() {
    let date =
        |i: u64| format!("2026-09-21_14:{:02}:{:02}.00000 a line of svlogd's\n", 13 + (20 + i) / 60, (20 + i) % 60);
    let text = (0..100).fold(String::new(), |text, i| text + &date(i)) + &log(30_000);

    assert_all_alike("dates", &directories(&text, &packed(text.as_bytes(), 4096)), 100);
}

/// Where the parts of an index are in a packed file.
struct Places {
    labels: usize,
    checksum: usize,
    table: usize,
}

fn places(file: &[u8]) -> Places {
    let frames = FrameIndex::read(file.len() as u64, |at, room| {
        room.copy_from_slice(&file[at as usize..][..room.len()]);
        true
    })
    .unwrap()
    .frames()
    .len();
    let table = file.len() - 9 - (frames + 1) * 8;
    Places { labels: table - 8 - 4 - frames * 28, checksum: table - 8 - 4, table }
}

/// Makes the checksum right again.
fn sign(file: &mut [u8]) {
    let Places { labels, checksum, table } = places_by_size(file);
    let sum = crc32fast::hash(&[&file[labels - 8..checksum], &file[table - 8..]].concat());
    file[checksum..checksum + 4].copy_from_slice(&sum.to_le_bytes());
}

/// The same by the number of frames alone, which a forger leaves as it is.
fn places_by_size(file: &[u8]) -> Places {
    let count = u32::from_le_bytes(file[file.len() - 9..][..4].try_into().unwrap()) as usize;
    let table = file.len() - 9 - count * 8;
    Places { labels: table - 8 - 4 - (count - 1) * 28, checksum: table - 8 - 4, table }
}

#[test]
fn a_damaged_index_misleads_nobody() {
    let text = log(20_000);
    let file = packed(text.as_bytes(), 16 << 10);
    let Places { labels, .. } = places(&file);
    for i in 0..30 {
        let mut damaged = file.clone();
        let at = labels - 16 + (file.len() - labels + 16 - 1) * i / 29;
        damaged[at] ^= 1 << (i % 8);
        let dir = directories(&text, &damaged);
        let window = [second(70), second(71)];

        let output = run(dir.path(), &["-o", "tai64n", "--since", &window[0], "--until", &window[1], "packed"]);

        // Its header says how long a frame to be skipped is: without it, what comes behind it cannot be unpacked either.
        let is_header = !output.stderr.is_empty();
        assert!(!is_header || output.status.code() == Some(1), "byte {at}: {output:?}");
        let expected = printed(&dir, &["-o", "tai64n", "--since", &window[0], "--until", &window[1], "plain"]);
        assert_same_in(&format!("byte {at}"), output.stdout, expected);
        if !is_header {
            assert_alike(&format!("byte {at}"), &dir, &[&[], &["-n", "100"]]);
        }
    }
    for length in [file.len() - 1, file.len() - 9, places(&file).table] {
        let dir = directories(&text, &file[..length]);
        assert_same_in("cut short", run(dir.path(), &["-o", "tai64n", "packed"]).stdout, text.as_bytes());
    }
}

#[test]
fn a_forged_index_misleads_nobody() {
    let text = log(24_000);
    let file = packed(text.as_bytes(), 4 << 10);
    let Places { labels, table, .. } = places(&file);
    let entry = |i: usize| table + i * 8;
    let add = |file: &mut [u8], at: usize, by: i32| {
        let number = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()).wrapping_add_signed(by);
        file[at..at + 4].copy_from_slice(&number.to_le_bytes());
    };
    type Forgery<'f> = (&'static str, Box<dyn Fn(&mut [u8]) + 'f>);
    let forgeries: [Forgery<'_>; 7] = [
        (
            "a frame is longer, the next shorter",
            Box::new(|file| {
                add(file, entry(20) + 4, 100);
                add(file, entry(21) + 4, -100);
            }),
        ),
        (
            "a frame is longer where it is packed",
            Box::new(|file| {
                add(file, entry(20), 10);
                add(file, entry(21), -10);
            }),
        ),
        ("no frame holds anything", Box::new(|file| (0..300).for_each(|i| file[entry(i) + 4..entry(i) + 8].fill(0)))),
        ("frames hold very much", Box::new(|file| (0..300).for_each(|i| file[entry(i) + 4..entry(i) + 8].fill(0xff)))),
        (
            "all labels are 100 seconds later",
            Box::new(|file| {
                for i in 0..(file.len() - table - 9) / 8 - 1 {
                    for end in [0, 12] {
                        let at = labels + i * 28 + end;
                        let seconds = u64::from_be_bytes(file[at..at + 8].try_into().unwrap()) + 100;
                        file[at..at + 8].copy_from_slice(&seconds.to_be_bytes());
                    }
                }
            }),
        ),
        (
            "most frames have the first frame's labels",
            Box::new(|file| {
                let first = file[labels..labels + 24].to_vec();
                (0..250).for_each(|i| file[labels + i * 28..][..24].copy_from_slice(&first));
            }),
        ),
        ("no frame has labels", Box::new(|file| (0..300).for_each(|i| file[labels + i * 28..][..24].fill(0)))),
    ];
    let expected = answers(&directories(&text, &file), "plain", 240);
    for (what, forge) in forgeries {
        let mut forged = file.clone();
        forge(&mut forged);
        sign(&mut forged);

        assert_answers(what, &directories(&text, &forged), 240, &expected);
    }
}

#[test]
fn an_index_of_nonsense_does_no_harm() {
    let text = log(5000);
    let file = packed(text.as_bytes(), 16 << 10);
    let magic = &file[file.len() - 4..];
    for count in [0, 1, 1000, 1 << 20, u32::MAX] {
        let footer = [&count.to_le_bytes()[..], &[0], magic].concat();
        let dir = directories(&text, &[&file[..file.len() - 9], &footer].concat());

        let output = run(dir.path(), &["-o", "tai64n", "packed"]);

        assert_same_in(&format!("{count} frames"), output.stdout, &text);
    }
}

#[test]
fn a_damaged_frame_costs_only_what_is_near_it() {
    let text = log(400_000);
    let mut file = packed(text.as_bytes(), 64 << 10);
    let middle = file.len() / 2;
    file[middle] ^= 0xff;
    let dir = directories(&text, &file);

    for question in [&["-o", "tai64n"][..], &["-o", "tai64n", "-r"]] {
        let output = run(dir.path(), &[question, &["packed"]].concat());

        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("unable to read packed/@"), "{output:?}");
        assert!(output.stdout.len() > text.len() - (6 << 20), "{} of {}", output.stdout.len(), text.len());
    }
}

#[test]
fn a_minute_in_a_large_archive_costs_a_few_frames() {
    let Some(mut strace) = strace("it was not checked how much is read of a packed archive") else { return };
    let text = log(200_000);
    let file = packed(text.as_bytes(), 64 << 10);
    let dir = directories(&text, &file);
    let (since, until) = (second(1000), second(1010));
    strace.args(["-qq", "-f", "-e", "trace=pread64", "-o"]).arg(dir.join("calls")).arg(env!("CARGO_BIN_EXE_readlog"));
    strace.args(["-o", "tai64n", "--since", &since, "--until", &until, "packed"]).current_dir(dir.path());

    let output = strace.output().unwrap();

    assert_eq!(memchr::memchr_iter(b'\n', &output.stdout).count(), 1000 + 143);
    let calls = std::fs::read_to_string(dir.join("calls")).unwrap();
    let read: u64 = calls.lines().filter_map(|call| call.rsplit("= ").next()?.parse::<u64>().ok()).sum();
    assert!(read < file.len() as u64 / 4, "{read} of {} bytes were read", file.len());
}

#[test]
fn a_packed_archive_is_read_in_bounded_memory() {
    // 32 MB.
    let text = log(400_000);
    let dir = directories(&text, &packed(text.as_bytes(), 64 << 10));
    let run = |words: &str| {
        let script = format!("ulimit -v 100000; TMPDIR=/nowhere exec \"$0\" -o tai64n {words} packed");
        Command::new("/bin/sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_readlog")])
            .current_dir(dir.path())
            .output()
            .unwrap()
    };

    let last = run("-n 3");
    assert!(last.status.success(), "{last:?}");
    assert_same_in("the last lines", last.stdout, printed(&dir, &["-o", "tai64n", "-n", "3", "plain"]));
    for words in ["-r", "", "-g zero"] {
        let output = run(words);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
