//! Regular expressions: multilog executes the program that can match them.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, assert_same, executable, program, report, until};

use super::kill_twenty_under_load;

// Both scripts name both directories, and ./main first: the journal is there.
const SCRIPT: [&str; 6] = ["s100000", "n10000", "-*", "r+^[0-9]*[02468]$", "./main", "./even"];
const PLAIN: [&str; 5] = ["s100000", "n10000", "./main", "-*", "./even"];

fn comm(logger: &Running) -> String {
    std::fs::read_to_string(format!("/proc/{}/comm", logger.pid())).unwrap_or_default()
}

#[test]
fn multilog_executes_the_program_beside_it() {
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start_command(Command::new(Multilog::Ours.path()).args(["-*", "r+(a|b)c", "./main"]));
    fixture.write("ac\nab\nxbcx\n");
    fixture.until_current(8);

    assert_eq!(comm(&logger), "multilog-regex\n");
    let workdir = fixture.end(logger);
    assert_eq!(std::fs::read_to_string(workdir.join("main/current")).unwrap(), "ac\nxbcx\n");
}

#[test]
fn an_expression_examines_as_much_of_a_line_as_the_script_asks_for() {
    let long = |byte: &str| format!("{}needle\n", byte.repeat(5000));
    for (examine, wanted) in [(None, String::new()), (Some("r8k"), long("b"))] {
        let mut fixture = LoggerFixture::new();
        let mut command = Command::new(Multilog::Ours.path());
        command.args(["t", "-*"]).args(examine).args(["r+^b+needle$", "./main"]);
        let logger = fixture.start_command(&mut command);
        fixture.write(long("a") + &long("b"));
        let workdir = fixture.end(logger);

        let current = std::fs::read_to_string(workdir.join("main/current")).unwrap();
        assert_same(current.split_once(' ').map_or("", |(_, line)| line), &wanted);
    }
}

#[test]
fn lines_are_selected_and_deselected_among_many() {
    let line = |number: u32| match number {
        // By itself, side by side, and with a literal that is no match.
        _ if number.is_multiple_of(977) || number % 5000 < 3 => format!("{number} error {number}\n"),
        _ if number.is_multiple_of(311) => format!("{number} error none\n"),
        _ => format!("{number} all is well{}\n", " here".repeat(number as usize % 40)),
    };
    let lines: Vec<String> = (0..60_000).map(line).collect();
    let is_error = |line: &&String| line.split_once("error ").is_some_and(|(_, rest)| !rest.starts_with("none"));
    let (errors, others): (Vec<_>, Vec<_>) = lines.iter().partition(is_error);

    for (actions, wanted) in [
        (&["-*", "r+error [0-9]"][..], &errors),
        (&["-*", "r+(error|trouble) [0-9]"], &errors),
        // There is no literal to look for.
        (&["-*", "r+[a-z] [0-9]+$"], &errors),
        (&["r-error [0-9]"], &others),
        (&["r-[a-z] [0-9]+$"], &others),
    ] {
        for head_bytes in [0, "@4000000000000000000000000 ".len() - 1] {
            let mut fixture = LoggerFixture::new();
            let mut command = Command::new(Multilog::Ours.path());
            command.args((head_bytes > 0).then_some("t")).args(["s50000", "n10000"]).args(actions).arg("./wanted");
            let logger = fixture.start_command(&mut command);
            fixture.write(lines.concat());
            let workdir = fixture.end(logger);

            let files = LogDirFiles::read(&workdir.join("wanted"));
            for (name, archive) in files.archives() {
                assert!((48_000..=50_000).contains(&archive.bytes.len()), "{actions:?} {name}");
            }
            let found: Vec<u8> = files
                .joined()
                .split_inclusive(|&byte| byte == b'\n')
                .flat_map(|line| line[head_bytes..].to_vec())
                .collect();
            assert_same(found, wanted.iter().flat_map(|line| line.bytes()).collect::<Vec<u8>>());
        }
    }
}

#[test]
fn without_the_program_nothing_is_touched() {
    let workdir = Workdir::new();
    executable::copy(&program("multilog"), &workdir.join("multilog"));

    for check in [&[][..], &["--check"]] {
        let mut command = Command::new(workdir.join("multilog"));
        command.args(check).args(["r+a", "./main"]).current_dir(workdir.path()).stdin(Stdio::null());
        let output = command.output().unwrap();

        let path = workdir.join("multilog-regex");
        let expected = format!("multilog: fatal: unable to run {}: file does not exist\n", path.display());
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(111));
        assert!(!workdir.join("main").exists());
    }
}

#[test]
fn a_script_with_regular_expressions_is_explained() {
    let output = Command::new(Multilog::Ours.path()).args(["--check", "r-a|b", "r-(", "./main"]).output().unwrap();

    assert_eq!(output.status.code(), Some(100));
    assert!(String::from_utf8_lossy(&output.stdout).contains("r-a|b"), "{output:?}");
    let expected = "multilog: warning: ignoring the action r-(: it is no regular expression: unclosed group\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
}

#[test]
fn twenty_kills_keep_every_line_once_though_every_other_script_has_regular_expressions() {
    let (workdir, written) = kill_twenty_under_load(|fixture, number| {
        let script = if number % 2 == 0 { &SCRIPT[..] } else { &PLAIN[..] };
        fixture.start_command(Command::new(Multilog::Ours.path()).args(script))
    });

    let read = |name| LogDirFiles::read(&workdir.join(name)).joined();
    let (even, main) = (read("even"), read("main"));
    let lines = |log: &[u8]| -> Vec<u64> {
        let text = String::from_utf8(log.to_vec()).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let (even, main) = (lines(&even), lines(&main));
    report(format_args!("{written} lines, {} of them while a script with regular expressions ran", even.len() * 2));
    let is_even = |number: &u64| number.is_multiple_of(2);
    // All even lines are in main, in order, and each odd line is there or was deselected.
    assert_same(
        main.iter().copied().filter(is_even).map(|number| format!("{number:09}\n")).collect::<String>(),
        (0..written).filter(is_even).map(|number| format!("{number:09}\n")).collect::<String>(),
    );
    assert!(main.is_sorted_by(|a, b| a < b) && even.is_sorted_by(|a, b| a < b));
    assert!(even.iter().all(is_even) && !even.is_empty());
}

#[test]
fn a_logger_without_regular_expressions_completes_the_batch_of_one_that_has_some() {
    // A limit on the size of files keeps most of the batch unwritten, until the logger is killed.
    let mut fixture = LoggerFixture::new();
    let lines: String = (0..3000).map(|number| format!("{number:09}\n")).collect();
    let mut limited = Command::new(program("softlimit"));
    limited.args(["-f", "14000"]).arg(Multilog::Ours.path()).args(["-*", "r+[02468]$", "./main"]);
    let logger = fixture.start_command(&mut limited);
    fixture.write(&lines);
    until("the file is full", || fixture.messages().contains("unable to write to ./main/current, pausing"));
    logger.kill();
    assert_eq!(std::fs::metadata(fixture.main().join("current")).unwrap().len(), 14_000);

    fixture.write("a line of the next logger\n");
    let mut next = fixture.start_command(Command::new(Multilog::Ours.path()).args(["./main"]));
    let current = fixture.main().join("current");
    until("the rest is logged", || std::fs::read_to_string(&current).is_ok_and(|log| log.ends_with("logger\n")));

    assert_eq!(comm(&next), "multilog-regex\n");
    assert!(next.is_alive());
    let workdir = fixture.end(next);
    let even: String = (0..3000).step_by(2).map(|number| format!("{number:09}\n")).collect();
    assert_same(LogDirFiles::read(&workdir.join("main")).joined(), even + "a line of the next logger\n");
}

#[test]
fn a_script_file_may_have_regular_expressions_at_the_start_but_not_as_news() {
    let mut fixture = LoggerFixture::new();
    let file = fixture.workdir.join("script");
    let start = |fixture: &LoggerFixture| {
        fixture
            .start_command(Command::new(Multilog::Ours.path()).args(["f=script"]).current_dir(fixture.workdir.path()))
    };
    std::fs::write(&file, "./main\n").unwrap();
    let logger = start(&fixture);
    fixture.write("a\n");
    fixture.until_current(2);

    std::fs::write(&file, "-*\nr+b\n./main\n").unwrap();
    logger.signal(Signal::SIGHUP);
    let words = "keeping the old script: regular expressions are new in it, restart multilog\n";
    until("it says so", || fixture.messages().ends_with(words));
    fixture.write("c\n");
    fixture.until_current(4);
    logger.kill();

    let logger = start(&fixture);
    fixture.write("d\nb\n");
    fixture.until_current(6);
    std::fs::write(&file, "-*\nr+d\n./main\n").unwrap();
    logger.signal(Signal::SIGHUP);
    until("it has read the script", || {
        fixture.write("d\n");
        std::fs::read_to_string(fixture.main().join("current")).is_ok_and(|log| log.ends_with("d\n"))
    });
    let workdir = fixture.end(logger);
    let log = std::fs::read_to_string(workdir.join("main/current")).unwrap();
    assert_eq!(log.trim_end_matches("d\n"), "a\nc\nb\n");
}

#[test]
fn its_processors_find_the_signals_as_multilog_found_them() {
    let ignored = |script: &str| {
        let mut fixture = LoggerFixture::new();
        std::fs::write(fixture.workdir.join("script"), script).unwrap();
        let logger = fixture.start_command(Command::new(Multilog::Ours.path()).arg("f=script"));
        fixture.write("a line that fills a file\n".repeat(200));
        let seen = fixture.workdir.join("main/seen");
        until("a processor has run", || std::fs::read_to_string(&seen).is_ok_and(|text| text.ends_with('\n')));
        let workdir = fixture.end(logger);
        std::fs::read_to_string(workdir.join("main/seen")).unwrap()
    };
    let processor = "s4096\n!cat; grep -E '^Sig(Blk|Ign):' /proc/self/status > seen\n./main\n";

    assert_same(ignored(&format!("r-nowhere\n{processor}")), ignored(processor));
}
