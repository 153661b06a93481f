//! Following: every line once and in order, whatever the writer does with its files.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use logyard::sys::signal::Signal;

use super::{lines, log_directory, readlog, second};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, until};

/// A reader that follows, with its output in `out` and its messages in `err`.
pub fn follower(dir: &Workdir, arguments: &[&str]) -> Running {
    let mut command = readlog(dir.path(), arguments);
    let append = |name| File::options().create(true).append(true).open(dir.join(name)).unwrap();
    Running::start(command.stdout(append("out")).stderr(append("err")))
}

/// A logger, and its input.
pub fn logger(dir: &Workdir, multilog: Multilog, script: &[&str]) -> (Running, ChildStdin) {
    let mut command = Command::new(multilog.path());
    command.args(script).current_dir(dir.path()).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut logger = Running::start(&mut command);
    let input = logger.take_stdin();
    (logger, input)
}

pub fn text(dir: &Workdir, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_default()
}

/// Numbered lines of some length.
pub fn numbered(from: u64, to: u64) -> String {
    (from..to).map(|i| format!("{i} {}\n", "some text ".repeat(4))).collect()
}

#[test]
fn lines_are_printed_as_they_are_written_across_rotations() {
    for multilog in Multilog::installed() {
        for processor in [None, Some("!cat"), Some("!sed s/text/TEXT/")] {
            let dir = Workdir::new();
            let mut script = vec!["t", "s4096", "n1000"];
            script.extend(processor);
            script.push("./main");
            let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
            let (_logger, mut input) = logger(&dir, multilog, &script);
            let count = if processor.is_some() { 1000 } else { 10_000 };
            for i in 0..count / 100 {
                input.write_all(numbered(i * 100, i * 100 + 100).as_bytes()).unwrap();
            }
            drop(input);

            let end = format!("{} ", count - 1);
            until("the last line was printed", || {
                text(&dir, "out").lines().last().is_some_and(|line| line.starts_with(&end))
            });
            reader.signal(Signal::SIGINT);
            assert_eq!(reader.end().code(), Some(130));
            // What was read after it had been processed says so.
            assert_eq!(text(&dir, "out").replace("TEXT", "text"), numbered(0, count), "{multilog:?} {processor:?}");
            let messages = text(&dir, "err");
            assert!(messages.lines().all(|line| line.ends_with("waiting for it")), "{messages}");
        }
    }
}

#[test]
fn a_write_that_ends_within_a_label_is_waited_for() {
    let dir = Workdir::new();
    log_directory(&dir, "main", &[("current", lines(0, 2).as_bytes())]);
    let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
    let (mut expected, mut writes) = ("line 0\nline 1\n".to_owned(), 0);
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    until("the first lines were printed", || text(&dir, "out") == expected);
    for cut in [1, 9, 24, 25, 26] {
        let line = format!("{} line {cut}\n{}", second(cut), second(cut));
        current.write_all(&line.as_bytes()[..line.len() - 25 + cut as usize % 25]).unwrap();
        expected.push_str(&format!("line {cut}\n"));
        until("the whole line was printed", || text(&dir, "out").len() >= expected.len());
        assert_eq!(text(&dir, "out"), expected);
        current.write_all(&line.as_bytes()[line.len() - 25 + cut as usize % 25..]).unwrap();
        writes += 1;
        current.write_all(format!(" write {writes}\n").as_bytes()).unwrap();
        expected.push_str(&format!("write {writes}\n"));
        until("the next line was printed", || text(&dir, "out").len() >= expected.len());
        assert_eq!(text(&dir, "out"), expected);
    }
    reader.signal(Signal::SIGINT);
    reader.end();
}

#[test]
fn a_file_that_begins_with_half_a_label_is_waited_for() {
    let dir = Workdir::new();
    let cut_short = format!("{}{} begun", lines(0, 2), second(2));
    let archive = format!("{}.u", second(3));
    let next = format!("{} line 3\n", second(3));
    log_directory(&dir, "main", &[(&archive, cut_short.as_bytes()), ("current", &next.as_bytes()[..10])]);
    let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
    until("the first lines were printed", || text(&dir, "out") == "line 0\nline 1\n");
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    current.write_all(&next.as_bytes()[10..]).unwrap();

    let expected = "line 0\nline 1\nbegun\nline 3\n";
    until("the rest was printed", || text(&dir, "out").len() >= expected.len());
    assert_eq!(text(&dir, "out"), expected);
    reader.signal(Signal::SIGINT);
    reader.end();
}

#[test]
fn the_last_lines_end_before_a_line_that_is_still_being_written() {
    let dir = Workdir::new();
    let line = format!("{} {}\n", second(2), "long ".repeat(1000));
    let archive = format!("{}.s", second(3));
    let begun = lines(0, 2) + &line[..2500];
    log_directory(&dir, "main", &[(&archive, begun.as_bytes()), ("current", &line.as_bytes()[2500..4000])]);
    let mut reader = follower(&dir, &["-f", "-n", "10", "-o", "tai64n", "main"]);
    until("the last lines were printed", || text(&dir, "out") == lines(0, 2));
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    current.write_all(&line.as_bytes()[4000..]).unwrap();

    until("the line was printed", || text(&dir, "out").len() >= lines(0, 2).len() + line.len());
    assert_eq!(text(&dir, "out"), lines(0, 2) + &line);
    reader.signal(Signal::SIGINT);
    reader.end();
}

#[test]
fn what_was_removed_while_the_reader_was_stopped_is_told() {
    for script in [&["t", "s4096", "n3", "./main"][..], &["t", "s4096", "n3", "!cat", "./main"]] {
        let dir = Workdir::new();
        log_directory(&dir, "main", &[]);
        let mut reader = follower(&dir, &["-f", "-o", "tai64n", "main"]);
        let (mut logger, mut input) = logger(&dir, Multilog::Ours, script);
        input.write_all(numbered(0, 10).as_bytes()).unwrap();
        until("the first lines were printed", || text(&dir, "out").lines().count() == 10);
        reader.signal(Signal::SIGSTOP);
        input.write_all(numbered(10, 2000).as_bytes()).unwrap();
        drop(input);
        logger.end();
        reader.signal(Signal::SIGCONT);
        until("the last line was printed", || text(&dir, "out").contains(" 1999 "));
        reader.signal(Signal::SIGINT);
        reader.end();

        let out = text(&dir, "out");
        let numbers: Vec<u64> = out.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        let gaps: Vec<usize> = (1..numbers.len()).filter(|&i| numbers[i] != numbers[i - 1] + 1).collect();
        assert!(numbers.is_sorted() && gaps.len() == 1, "{numbers:?}");
        let label = |i: usize| out.lines().nth(i).unwrap()[..25].to_owned();
        let (last, first) = (label(gaps[0] - 1), label(gaps[0]));
        let expected = format!(
            "readlog: warning: files were removed from main before they could be read: last label printed {last}, first found {first}\n"
        );
        assert_eq!(text(&dir, "err"), expected);
    }
}

#[test]
fn a_logger_that_is_killed_and_started_again_is_followed() {
    let dir = Workdir::new();
    let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
    for round in 0..5 {
        let (mut logger, mut input) = logger(&dir, Multilog::Ours, &["t", "s4096", "n1000", "./main"]);
        input.write_all(numbered(round * 200, round * 200 + 200).as_bytes()).unwrap();
        let end = format!("{} ", round * 200 + 199);
        until("the lines were printed", || text(&dir, "out").lines().last().is_some_and(|line| line.starts_with(&end)));
        if round % 2 == 0 {
            logger.signal(Signal::SIGKILL);
        }
        drop(input);
        logger.end();
    }

    assert_eq!(text(&dir, "out"), numbered(0, 1000));
    reader.signal(Signal::SIGINT);
    reader.end();
}

#[test]
fn directories_that_come_later_and_come_back_are_followed() {
    let dir = Workdir::new();
    let mut reader = follower(&dir, &["-f", "-o", "cat", "service/one/log/main", "service/two/log/main"]);
    for (round, name) in
        ["service/two/log/main", "service/one/log/main", "service/two/log/main"].into_iter().enumerate()
    {
        let from = round as u64 * 10;
        log_directory(&dir, name, &[("current", lines(from, from + 10).as_bytes())]);
        until("its lines were printed", || text(&dir, "out").lines().count() == (round + 1) * 10);
        if round == 0 {
            std::fs::remove_dir_all(dir.join(name)).unwrap();
        }
    }

    let expected: String = (0..30).map(|i| format!("line {i}\n")).collect();
    assert_eq!(text(&dir, "out"), expected);
    reader.signal(Signal::SIGINT);
    assert_eq!(reader.end().code(), Some(130));
}

#[test]
fn following_may_begin_with_the_last_lines() {
    let dir = Workdir::new();
    super::ten_seconds_each(&dir, "main", 3);
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    write!(current, "{} half", second(50)).unwrap();
    let mut reader = follower(&dir, &["-f", "-n", "15", "-o", "cat", "main"]);
    until("the last lines were printed", || text(&dir, "out").ends_with("line 39\n"));
    writeln!(current, " a line").unwrap();
    until("the new line was printed", || text(&dir, "out").ends_with("half a line\n"));

    assert!(text(&dir, "out").starts_with("line 25\n"), "{}", text(&dir, "out"));
    reader.signal(Signal::SIGINT);
    reader.end();
}

#[test]
fn a_reader_that_waits_uses_no_processor_time() {
    let dir = Workdir::new();
    super::ten_seconds_each(&dir, "main", 1);
    let mut reader = follower(&dir, &["-f", "-o", "cat", "main"]);
    until("everything was printed", || text(&dir, "out").ends_with("line 19\n"));
    let switches = |pid: i32| {
        let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
        status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned()
    };
    until("it sleeps", || {
        let before = switches(reader.pid());
        std::thread::sleep(std::time::Duration::from_millis(300));
        switches(reader.pid()) == before
    });
    reader.signal(Signal::SIGINT);
    reader.end();
}
