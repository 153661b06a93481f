//! Cursors: every line once, however often the reader is killed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use logyard::sys::signal::Signal;

use super::follow::{follower, logger, numbered, text};
use super::{lines, log_directory, printed, readlog, run, second, ten_seconds_each};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, assert_same, until};

#[test]
fn a_run_goes_on_where_the_last_one_stopped() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);
    let go_on = ["--cursor", "seen", "-o", "tai64n", "main"];
    assert_eq!(printed(&dir, &go_on), lines(0, 40));
    assert_eq!(printed(&dir, &go_on), "");

    // Rotated: current is an archive, and there is a new one.
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    current.write_all(lines(40, 45).as_bytes()).unwrap();
    std::fs::rename(dir.join("main/current"), dir.join(format!("main/{}.s", second(45)))).unwrap();
    log_directory(&dir, "main", &[("current", lines(45, 50).as_bytes())]);
    assert_eq!(printed(&dir, &go_on), lines(40, 50));

    // Processed: another file with other bytes, but the same labels.
    let processed = lines(45, 55).replace("line", "a line");
    std::fs::remove_file(dir.join("main/current")).unwrap();
    log_directory(&dir, "main", &[(&format!("{}.s", second(55)), processed.as_bytes()), ("current", b"")]);
    assert_eq!(printed(&dir, &go_on), lines(50, 55).replace("line", "a line"));
}

#[test]
fn the_first_run_may_begin_with_the_last_lines() {
    for name in ["current", "archive", "packed", "empty"] {
        let dir = Workdir::new();
        ten_seconds_each(&dir, "main", 3);
        let archive = dir.join(format!("main/{}.s", second(40)));
        match name {
            "current" => {}
            "empty" => {
                std::fs::rename(dir.join("main/current"), archive).unwrap();
                log_directory(&dir, "main", &[("current", b"")]);
            }
            _ => std::fs::rename(dir.join("main/current"), &archive).unwrap(),
        }
        if name == "packed" {
            assert!(Command::new("gzip").arg(dir.join(format!("main/{}.s", second(40)))).status().unwrap().success());
        }
        let go_on = ["--cursor", "seen", "-n", "3", "-o", "tai64n", "main"];

        assert_eq!(printed(&dir, &go_on), lines(37, 40), "{name}");
        assert_eq!(printed(&dir, &go_on), "", "{name}: once");

        // Rotated twice, and rewritten by a processor: the label tells the place.
        let _ = std::fs::remove_file(dir.join("main/current"));
        let later = format!("{}.s", second(50));
        log_directory(&dir, "main", &[(&later, lines(40, 50).as_bytes()), ("current", lines(50, 60).as_bytes())]);
        assert_eq!(printed(&dir, &go_on), lines(40, 60), "{name}: what is new");
    }
}

#[test]
fn an_empty_current_is_not_known_by_its_number_alone() {
    for (is_labelled, is_packed) in [(true, false), (true, true), (false, false)] {
        let dir = Workdir::new();
        let numbered = |from: u64, to: u64| match is_labelled {
            true => lines(from, to),
            false => (from..to).map(|number| format!("line {number}\n")).collect(),
        };
        let oldest = format!("{}.s", second(40));
        log_directory(&dir, "main", &[(&oldest, numbered(0, 40).as_bytes()), ("current", b"")]);
        if is_packed {
            assert!(Command::new("gzip").arg(dir.join("main").join(&oldest)).status().unwrap().success());
        }
        let go_on = ["--cursor", "seen", "-n", "3", "-o", "tai64n", "main"];
        assert_eq!(printed(&dir, &go_on), numbered(37, 40));

        // The empty `current` was removed, and the system gave its number to the one after the next: this file.
        log_directory(&dir, "main", &[(&format!("{}.s", second(50)), numbered(40, 50).as_bytes())]);
        let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
        current.write_all(numbered(50, 60).as_bytes()).unwrap();
        assert_eq!(printed(&dir, &go_on), numbered(40, 60), "labels {is_labelled}, packed {is_packed}");
    }
}

#[test]
fn a_first_run_with_the_last_lines_may_follow() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    for (from, to, shown) in [(20, 22, lines(18, 20) + &lines(20, 22)), (22, 24, lines(18, 24))] {
        let mut reader = follower(&dir, &["-f", "--cursor", "seen", "-n", "2", "-o", "tai64n", "main"]);
        until("it has begun", || text(&dir, "out").len() == lines(18, from).len());
        File::options()
            .append(true)
            .open(dir.join("main/current"))
            .unwrap()
            .write_all(lines(from, to).as_bytes())
            .unwrap();
        until("what is new was printed", || text(&dir, "out") == shown);
        reader.signal(Signal::SIGKILL);
        reader.end();
    }
}

#[test]
fn a_line_that_is_half_written_is_left_to_the_next_run() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    let go_on = ["--cursor", "seen", "-o", "tai64n", "main"];
    let mut current = File::options().append(true).open(dir.join("main/current")).unwrap();
    let line = format!("{} line 20 is written in three parts\n", second(20));
    current.write_all(&line.as_bytes()[..12]).unwrap();
    assert_eq!(printed(&dir, &go_on), lines(0, 20), "half a label");
    current.write_all(&line.as_bytes()[12..40]).unwrap();
    assert_eq!(printed(&dir, &go_on), "", "half a message");

    // The rest of it is in the next file.
    std::fs::rename(dir.join("main/current"), dir.join(format!("main/{}.s", second(21)))).unwrap();
    log_directory(&dir, "main", &[("current", b"")]);
    assert_eq!(printed(&dir, &go_on), "", "an empty file");
    log_directory(&dir, "main", &[("current", &[&line.as_bytes()[40..], lines(21, 23).as_bytes()].concat())]);
    assert_eq!(printed(&dir, &go_on), line + &lines(21, 23));

    // A logger that was killed: what it began is not gone on with.
    std::fs::rename(dir.join("main/current"), dir.join(format!("main/{}.u", second(24)))).unwrap();
    let mut killed = File::options().append(true).open(dir.join(format!("main/{}.u", second(24)))).unwrap();
    killed.write_all(second(23).as_bytes()).unwrap();
    killed.write_all(b" begun").unwrap();
    log_directory(&dir, "main", &[("current", lines(24, 25).as_bytes())]);
    assert_eq!(printed(&dir, &go_on), format!("{} begun\n{}", second(23), lines(24, 25)));
}

#[test]
fn what_was_removed_between_two_runs_is_told() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 3);
    let go_on = ["--cursor", "seen", "-o", "tai64n", "main"];
    assert_eq!(printed(&dir, &go_on), lines(0, 40));
    std::fs::remove_dir_all(dir.join("main")).unwrap();
    log_directory(&dir, "main", &[(&format!("{}.s", second(70)), lines(60, 70).as_bytes()), ("current", b"")]);

    let output = run(dir.path(), &go_on);

    assert_eq!(String::from_utf8_lossy(&output.stdout), lines(60, 70));
    let expected = format!(
        "readlog: warning: files were removed from main before they could be read: last label printed {}, first found {}\n",
        second(39),
        second(60)
    );
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()), (Some(1), expected));
}

#[test]
fn a_file_that_is_no_cursor_is_left_alone() {
    let dir = Workdir::new();
    ten_seconds_each(&dir, "main", 1);
    std::fs::write(dir.join("precious"), "x".repeat(10_000)).unwrap();

    let output = run(dir.path(), &["--cursor", "precious", "main"]);

    assert_eq!(output.status.code(), Some(111), "{output:?}");
    assert_eq!(std::fs::read(dir.join("precious")).unwrap(), "x".repeat(10_000).as_bytes());
}

#[test]
fn what_a_killed_reader_has_appended_is_not_printed_to_another_output_again() {
    for goes_on_in_file in [false, true] {
        let dir = Workdir::new();
        log_directory(&dir, "main", &[("current", lines(0, 600).as_bytes())]);
        let before = "\n".repeat(60 << 10);
        std::fs::write(dir.join("out"), &before).unwrap();
        let go_on = ["--cursor", "seen", "-o", "tai64n", "main"];
        // A file that grows beyond 64 KiB kills the reader in the middle of a batch, where half a line has arrived.
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -c 0; ulimit -f 128; exec \"$@\" >>out", "sh", env!("CARGO_BIN_EXE_readlog")]);
        let killed = limited.args(go_on).current_dir(dir.path()).env("TZ", "UTC").output().unwrap();
        assert!(killed.status.signal().is_some() || killed.status.code() == Some(111), "{killed:?}");
        let arrived = text(&dir, "out").split_off(before.len());
        assert!(arrived.len() > 1000 && arrived.len() < lines(0, 600).len(), "{}", arrived.len());

        let rest = if goes_on_in_file {
            let other = File::options().create(true).append(true).open(dir.join("other")).unwrap();
            let status = readlog(dir.path(), &go_on).stdout(other).status().unwrap();
            assert!(status.success());
            text(&dir, "other")
        } else {
            printed(&dir, &go_on)
        };

        assert_same(arrived + &rest, lines(0, 600));
        assert_eq!(printed(&dir, &go_on), "");
    }
}

/// Kills the reader again and again while lines are written, and returns what came out of all runs together.
pub fn kill_again_and_again(
    dir: &Workdir,
    kills: u32,
    lines_written: u64,
    processor: Option<&str>,
    through_pipe: bool,
) {
    let mut script = vec!["t", "s4096", "n100000"];
    script.extend(processor);
    script.push("./main");
    let (mut logger, mut input) = logger(dir, Multilog::Ours, &script);
    let per_kill = lines_written / u64::from(kills);
    let mut received = Vec::new();
    for kill in 0..kills {
        let from = u64::from(kill) * per_kill;
        let arguments = ["-f", "--cursor", "seen", "-o", "cat", "main"];
        if through_pipe {
            let mut command = readlog(dir.path(), &arguments);
            let mut reader = Running::start(command.stdout(Stdio::piped()));
            let mut pipe = reader.take_stdout();
            input.write_all(numbered(from, from + per_kill).as_bytes()).unwrap();
            let mut some = vec![0; 1 + kill as usize * 997 % 20_000];
            let _ = pipe.read_exact(&mut some[..1]);
            received.push(some[0]);
            reader.signal(Signal::SIGKILL);
            reader.end();
            pipe.read_to_end(&mut received).unwrap();
        } else {
            let length = text(dir, "out").len();
            let mut reader = follower(dir, &arguments);
            input.write_all(numbered(from, from + per_kill).as_bytes()).unwrap();
            until("something was printed", || text(dir, "out").len() > length);
            reader.signal(Signal::SIGKILL);
            reader.end();
        }
    }
    drop(input);
    logger.end();
    let last = run(dir.path(), &["--cursor", "seen", "-o", "cat", "main"]);
    assert!(last.status.success() && last.stderr.is_empty(), "{last:?}");
    let all = if through_pipe { received } else { std::fs::read(dir.join("out")).unwrap() };
    let all = String::from_utf8([all, last.stdout].concat()).unwrap();
    assert_same(all, numbered(0, u64::from(kills) * per_kill));
}

#[test]
fn a_reader_that_is_killed_prints_every_line_once() {
    kill_again_and_again(&Workdir::new(), 20, 8000, None, false);
    kill_again_and_again(&Workdir::new(), 20, 8000, None, true);
    kill_again_and_again(&Workdir::new(), 10, 1000, Some("!cat"), true);
}
