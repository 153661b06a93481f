//! `-A`, `-B`, `-C`: the lines around matches.

use std::fs::File;
use std::io::Write;

use logyard::sys::signal::Signal;

use super::follow::{follower, text};
use super::{lines, log_directory, printed, second, ten_seconds_each};
use testkit::{Workdir, until};

/// What is printed of lines that are only a number, on one line.
fn numbers(dir: &Workdir, arguments: &[&str]) -> String {
    printed(dir, &[&["-o", "cat"], arguments].concat()).replace("line ", "").replace('\n', " ").trim_end().to_owned()
}

#[test]
fn lines_before_and_after_a_match_are_printed() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);

    for (options, expected) in [
        (&["-g", "line (5|20)$", "-C", "1"][..], "4 5 6 -- 19 20 21"),
        (&["-g", "line (5|20)$", "-A", "1"], "5 6 -- 20 21"),
        (&["-g", "line (5|20)$", "-B", "2"], "3 4 5 -- 18 19 20"),
        (&["-g", "line (5|20)$", "-C", "1", "-A", "0"], "4 5 -- 19 20"),
        (&["-g", "line (5|20)$", "-C", "0"], "5 20"),
        (&["-g", "line (5|8)$", "-C", "1"], "4 5 6 7 8 9"),
        (&["-g", "line (5|8)$", "-C", "1", "-r"], "9 8 7 6 5 4"),
        (&["-g", "line (5|20)$", "-C", "1", "-r"], "21 20 19 -- 6 5 4"),
        (&["-g", "line (5|20)$", "-C", "1", "-n", "1"], "19 20 21"),
        (&["-g", "line (5|8)$", "-C", "1", "-n", "1"], "7 8 9"),
        (&["-g", "line (0|39)$", "-C", "2"], "0 1 2 -- 37 38 39"),
        (
            &["-v", "-g", "line [0-9]$", "-B", "1", "-n", "100"],
            &(9..40).map(|i| i.to_string()).collect::<Vec<_>>().join(" "),
        ),
        (&["-g", "line 12$", "-C", "5", "-S", "2026-09-21 14:13:30", "-U", "2026-09-21 14:13:34"], "10 11 12 13"),
        (&["-g", "nothing", "-C", "5"], ""),
    ] {
        assert_eq!(numbers(&dir, &[options, &["main"]].concat()), expected, "{options:?}");
    }
    let json = printed(&dir, &["-o", "json", "--output-fields=message", "-g", "line (5|20)$", "-A1", "main"]);
    assert_eq!(json.lines().count(), 4, "every line is an object: {json}");
}

#[test]
fn a_line_around_a_match_has_its_continuation_lines() {
    let dir = Workdir::new();
    let text = format!("{} a\n trace\n{} b\n{} c\n", second(0), second(1), second(2));
    log_directory(&dir, "main", &[("current", text.as_bytes())]);

    assert_eq!(printed(&dir, &["-o", "cat", "-g", "b", "-B", "1", "main"]), "a\n trace\nb\n");
}

#[test]
fn the_lines_around_a_match_may_be_those_of_another_directory() {
    let dir = Workdir::new();
    for (name, at) in [("one", 0), ("two", 1), ("three", 2)] {
        log_directory(&dir, name, &[("current", format!("{} {name}\n", second(at)).as_bytes())]);
    }

    assert_eq!(numbers(&dir, &["-g", "two", "-C1", "one", "two", "three"]), "one two three");
    assert_eq!(numbers(&dir, &["-g", "two", "-C1", "-n", "one", "two", "three"]), "one two three");
}

#[test]
fn lines_that_come_later_are_around_matches_that_were_there() {
    for (options, first, then) in [
        (&["-A", "2", "-n", "1"][..], "x\n1\n", "x\n1\n2\nx\n4\n5\n"),
        (&["-B", "1", "-n", "0"], "", "2\nx\n"),
        (&["-B", "2", "-n", "0"], "", "1\n2\nx\n"),
        (&["-C", "1", "-n", "9"], "x\n1\n", "x\n1\n2\nx\n4\n"),
        (&["-C", "1"], "x\n1\n", "x\n1\n2\nx\n4\n"),
    ] {
        let dir = Workdir::new();
        let written = |words: &[&str], from: u64| -> String {
            words.iter().zip(from..).map(|(word, at)| format!("{} {word}\n", second(at))).collect()
        };
        log_directory(&dir, "main", &[("current", written(&["x", "1"], 0).as_bytes())]);
        let reader = [&["-f", "-o", "cat", "-g", "x"], options, &["main"]].concat();
        let mut reader = follower(&dir, &reader);
        until("what is there was printed", || text(&dir, "out") == first);
        // With -n 0 nothing is printed: it has begun if it waits with current open.
        until("it waits for lines", || waits(reader.pid(), "main/current"));

        let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
        current.write_all(written(&["2", "x", "4", "5", "6"], 2).as_bytes()).unwrap();

        until(&format!("{options:?}: the new match was printed"), || text(&dir, "out") == then);
        reader.signal(Signal::SIGINT);
        assert_eq!(reader.end().code(), Some(130));
    }
}

#[test]
fn lines_around_matches_are_found_in_packed_archives() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);
    let name = dir.join(format!("main/{}.s", second(20)));
    let packed = gzip(lines(10, 20).as_bytes());
    std::fs::write(name, packed).unwrap();

    assert_eq!(numbers(&dir, &["-g", "line 15$", "-C", "1", "main"]), "14 15 16");
    assert_eq!(numbers(&dir, &["-g", "line 20$", "-C", "1", "-r", "main"]), "21 20 19");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// Tells whether a process sleeps and has a file open.
fn waits(process: i32, file: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let is_asleep = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let mut targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    is_asleep && targets.any(|target| target.ends_with(file))
}
