//! What is packed comes back, and any zstd tool reads it.

use std::process::Command;

use logpack::index::{FRAME_MAGIC, FrameIndex};
use logyard_corpus::{Corpus, Shape};
use proptest::prelude::*;

use super::{filter, labelled, logpack, packed};
use testkit::{Workdir, assert_same, tool};

fn index(file: &[u8]) -> FrameIndex {
    let read = |at: u64, room: &mut [u8]| {
        room.copy_from_slice(&file[at as usize..][..room.len()]);
        true
    };
    FrameIndex::read(file.len() as u64, read).expect("an index")
}

#[test]
fn what_is_packed_comes_back() {
    let no_end = b"a line\nand one without an end";
    let long = [&vec![b'x'; 3_000_000][..], b"\n", &labelled(10)].concat();
    for text in [&b""[..], b"\n", no_end, &labelled(50_000), &long, &[0, 1, 2, 255, b'\n'].repeat(10_000)] {
        for arguments in [&["-t1"][..], &["-t2"], &["-t3", "-s4096"], &["-c19", "-s1M"], &["-c-5"], &["-p"]] {
            let packed = packed(arguments, text);

            assert_same(logpack(&["-d"], &packed).stdout, text);
        }
    }
}

#[test]
fn every_zstd_tool_reads_a_packed_file() {
    let dir = Workdir::new();
    for (name, text) in [("empty", Vec::new()), ("log", labelled(30_000))] {
        let file = dir.join(format!("{name}.zst"));
        std::fs::write(&file, packed(&[], &text)).unwrap();
        for (tool_name, arguments) in
            [("zstd", &["-dcq"][..]), ("zstdcat", &[]), ("zstd", &["-dcq", "--single-thread"])]
        {
            let Some(path) = tool(tool_name) else { return };
            let output = Command::new(path).args(arguments).arg(&file).output().unwrap();

            assert!(output.status.success(), "{tool_name} {arguments:?}: {output:?}");
            assert_same(output.stdout, &text);
        }
    }
    // And the other way round.
    let text = labelled(30_000);
    let theirs = filter(Command::new(tool("zstd").unwrap()).arg("-cq"), &text);
    assert_same(logpack(&["-d"], &theirs.stdout).stdout, text);
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let text = Corpus::new(Shape::Qmail, 1, 5_000_000).into_bytes();
    let one = packed(&["-t1"], &text);

    for threads in ["-t2", "-t7"] {
        assert!(packed(&[threads], &text) == one, "{threads}");
    }
}

#[test]
fn frames_are_whole_lines_and_independent() {
    let text = labelled(20_000);
    let file = packed(&["-s", "64k"], &text);
    let index = index(&file);

    assert!(index.frames().len() > 10 && index.has_labels() && index.is_ordered());
    for frame in index.frames() {
        let lines = &text[frame.at as usize..frame.end() as usize];
        assert!(lines.ends_with(b"\n") && lines.len() <= 64 << 10);
        let packed = &file[frame.packed_at as usize..frame.packed_end() as usize];
        assert!(packed.starts_with(&FRAME_MAGIC));
        assert_same(logpack(&["-d"], packed).stdout, lines);
        let (first, last) = frame.labels.ends.expect("labels");
        assert_eq!(first.to_text(), lines[..25]);
        let last_line = lines[..lines.len() - 1].rsplit(|&byte| byte == b'\n').next().unwrap();
        assert_eq!(last.to_text(), last_line[..25]);
    }
    assert_eq!(index.frames().iter().map(|frame| u64::from(frame.bytes)).sum::<u64>(), text.len() as u64);
}

#[test]
fn the_list_shows_frames_with_their_times() {
    let dir = Workdir::new();
    std::fs::write(dir.join("log"), packed(&["-s64k"], &labelled(2_000))).unwrap();

    for output in [
        Command::new(super::LOGPACK).arg("-l").arg(dir.join("log")).env("TZ", "UTC").output().unwrap(),
        Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" -l < log", super::LOGPACK])
            .current_dir(dir.path())
            .env("TZ", "UTC")
            .output()
            .unwrap(),
    ] {
        let list = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = list.lines().collect();
        assert!(lines[0].contains("frame") && lines[0].contains("first") && lines[0].contains("last"), "{list}");
        assert!(lines[1].contains("2026-09-21 14:13:20.000000000"), "{list}");
        assert!(lines[lines.len() - 2].ends_with("2026-09-21 14:16:39.900000000"), "{list}");
        assert!(lines[lines.len() - 1].contains(&format!(" {} ", labelled(2_000).len())), "{list}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_bytes_come_back(
        text in proptest::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..40_000),
        threads in 1_u8..4,
    ) {
        let packed = packed(&["-s4096", &format!("-t{threads}")], &text);

        prop_assert!(logpack(&["-d"], &packed).stdout == text);
    }
}
