//! HUP: a logger whose script is in a file reads it again, and goes on by it between two lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use testkit::logdir::{LogDirFiles, current_bytes, is_in_use};
use testkit::logger::{LoggerFixture, Running};
use testkit::{Workdir, until};

/// Puts a script in the place of another, at once.
fn set_script(workdir: &Workdir, actions: &[&str]) {
    let text: String = actions.iter().map(|action| format!("{action}\n")).collect();
    fs::write(workdir.join("script.new"), text).unwrap();
    fs::rename(workdir.join("script.new"), workdir.join("script")).unwrap();
}

/// A logger with a script in a file, and what it logs to.
fn start(actions: &[&str]) -> (LoggerFixture, Running) {
    let fixture = LoggerFixture::new();
    set_script(&fixture.workdir, actions);
    let logger = fixture.start_with_messages(&["f=script"]);
    (fixture, logger)
}

/// Tells whether nobody has locked a log directory.
fn is_unlocked(directory: &Path) -> bool {
    let lock = fs::OpenOptions::new().append(true).open(directory.join("lock"));
    lock.is_ok_and(|lock| Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok())
}

fn mode(directory: &Path) -> u32 {
    LogDirFiles::read(directory).file("current").mode
}

fn joined(workdir: &Workdir, name: &str) -> String {
    String::from_utf8(LogDirFiles::read(&workdir.join(name)).joined()).unwrap()
}

#[test]
fn directories_and_selectors_change_between_two_lines() {
    // multilog.8 > "reads the script file again"
    let (mut fixture, mut logger) = start(&["# both", "", "./main", "  -*", "+b*", "./b"]);
    let [b, c] = ["b", "c"].map(|name| fixture.workdir.join(name));
    fixture.write("a1\nb1\n");
    until("the lines are logged", || current_bytes(&b) == Some(3));

    set_script(&fixture.workdir, &["./main", "-*", "+c*", "./c"]);
    logger.deliver(Signal::SIGHUP);
    until("the new directory is in use", || is_in_use(&c));
    until("the old directory is sealed and unlocked", || is_unlocked(&b) && mode(&b) == 0o744);
    fixture.write("b2\nc2\n");
    until("the lines are logged", || current_bytes(&c) == Some(3));
    set_script(&fixture.workdir, &["./b", "./main"]);
    logger.deliver(Signal::SIGHUP);
    until("the third script holds", || is_in_use(&b) && is_unlocked(&c));
    fixture.write("d3\n");

    until("the line is logged", || current_bytes(&b) == Some(6));
    assert!(fixture.messages().is_empty(), "{}", fixture.messages());
    assert!(fixture.workdir.join("b/journal").exists() && !fixture.workdir.join("main/journal").exists());
    let workdir = fixture.end(logger);
    assert_eq!(["main", "b", "c"].map(|name| joined(&workdir, name)), ["a1\nb1\nb2\nc2\nd3\n", "b1\nd3\n", "c2\n"]);
    for name in ["main", "b", "c"] {
        assert_eq!(LogDirFiles::read(&workdir.join(name)).archives().count(), 0, "{name} was rotated");
        assert_eq!(mode(&workdir.join(name)), 0o744);
    }
}

#[test]
fn size_number_processor_and_stamp_take_effect() {
    let (mut fixture, mut logger) = start(&["s1000000", "n1000", "./main"]);
    fixture.write("x".repeat(99).repeat(100) + "\n");
    fixture.until_current(9901);

    set_script(&fixture.workdir, &["t", "s4096", "n4", "!tr x y", "./main"]);
    logger.deliver(Signal::SIGHUP);
    for _ in 0..1000 {
        fixture.write(format!("{}\n", "x".repeat(40)));
    }

    until("old files are gone", || {
        let files = fixture.files();
        files.archives().count() == 3 && files.archives().all(|(_, file)| file.bytes.len() < 4100)
    });
    let workdir = fixture.end(logger);
    let files = LogDirFiles::read(&workdir.join("main"));
    for (name, archive) in files.archives() {
        assert!(archive.bytes.starts_with(b"@4") && !archive.bytes.contains(&b'x'), "{name}");
    }
}

#[test]
fn a_script_that_cannot_be_carried_out_leaves_the_old_one() {
    // multilog.8 > "keeping the old script"
    let (mut fixture, mut logger) = start(&["./main", "=status"]);
    let script = fixture.workdir.join("script");
    fixture.until_ready();
    fs::create_dir(fixture.workdir.join("locked")).unwrap();
    let lock = fs::File::create(fixture.workdir.join("locked/lock")).unwrap();
    let _lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    fs::create_dir(fixture.workdir.join("status.d")).unwrap();
    fs::create_dir_all(fixture.workdir.join("taken/current")).unwrap();
    let text = |text: &str| fs::write(&script, text).unwrap();
    let cases: [(&str, &dyn Fn()); 11] = [
        ("unable to read script script: file does not exist", &|| fs::remove_file(&script).unwrap()),
        ("unable to read script script: not a plain file", &|| {
            mkfifo(&script, Mode::S_IRWXU).unwrap();
        }),
        ("unable to read script script: more than 262144 bytes", &|| {
            fs::remove_file(&script).unwrap();
            text(&"# a comment\n".repeat(30_000));
        }),
        ("unable to read script script: NUL or carriage return in line 2", &|| text("./main\n./other\r\n")),
        ("unable to read script script: NUL or carriage return in line 1", &|| text("./ma\0in\n")),
        ("ignoring the action prod: no such action; a log directory begins with . or /", &|| text("./main\nprod\n")),
        ("ignoring the action s5000q: what follows the size is no k, M or G", &|| text("s5000q\n./main\n")),
        ("ignoring the action f=other: a script has one script file, which names no other", &|| {
            text("./main\nf=other\n");
        }),
        ("the new script names no log directory", &|| text("# nothing\ne\n")),
        ("unable to lock directory ./locked: temporary failure", &|| text("./new\n./main\n./locked\n")),
        ("unable to create status.d: is a directory", &|| text("./main\n=status.d\n./new\n")),
    ];
    for (number, (message, change)) in cases.into_iter().enumerate() {
        change();
        logger.deliver(Signal::SIGHUP);
        until(message, || {
            fixture.messages().contains(&format!("multilog: warning: keeping the old script: {message}"))
        });
        fixture.write(format!("{number:02}\n"));
        fixture.until_current(3 * number + 3);
    }
    assert_eq!(fixture.messages().lines().count(), 11, "{}", fixture.messages());
    until("what was locked for nothing is unlocked", || is_unlocked(&fixture.workdir.join("new")));
    assert_eq!(mode(&fixture.workdir.join("main")), 0o644);
    assert!(fs::read(fixture.workdir.join("status")).unwrap().starts_with(b"10\n"));
    fs::write(&script, "./main\n").unwrap();
    fixture.end(logger);
}

#[test]
fn a_logger_without_a_script_file_is_ended_by_hup() {
    let fixture = LoggerFixture::new();
    let mut logger = fixture.start(&["./main"]);
    fixture.until_ready();

    logger.signal(Signal::SIGHUP);

    assert_eq!(logger.end().signal(), Some(Signal::SIGHUP as i32));
}

#[test]
fn a_script_file_that_cannot_be_read_at_the_start_is_fatal() {
    let fixture = LoggerFixture::new();
    let (status, words) = fixture.start(&["f=script"]).end_and_words();

    assert_eq!(status.code(), Some(111));
    assert_eq!(words, "multilog: fatal: unable to read script script: file does not exist\n");
}

#[test]
fn check_explains_the_actions_of_the_file() {
    let workdir = Workdir::new();
    set_script(&workdir, &["# stamps", "t", "  s4096", "-*debug*", "./main", "prod"]);
    let check = |arguments: &[&str]| {
        let mut command = Command::new(testkit::program("multilog"));
        let output = command.arg("--check").args(arguments).current_dir(workdir.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };

    let (code, explained, warnings) = check(&["f=script", "./two"]);

    assert_eq!(code, Some(100));
    assert_eq!(
        explained,
        "t: puts a timestamp before each line\n\
         s4096: holds for the directories that follow\n\
         -*debug*: deselects the lines that match\n\
         ./main: logs selected lines: at most 10 files of at most 4096 bytes\n\
         prod: ignored\n\
         ./two: logs selected lines: at most 10 files of at most 4096 bytes\n"
    );
    assert_eq!(
        warnings,
        "multilog: warning: ignoring the action prod: no such action; a log directory begins with . or /\n"
    );
    assert!(!workdir.join("main").exists());
    let (code, _, warnings) = check(&["f=none"]);
    assert_eq!(code, Some(100));
    assert_eq!(warnings, "multilog: warning: unable to read script none: file does not exist\n");
    assert_eq!(check(&["f=", "./main"]).0, Some(100));
}

#[test]
fn a_line_that_has_begun_stays_whole_where_it_is() {
    // multilog.8 > "A line that has been begun"
    let (mut fixture, mut logger) = start(&["s1000000", "./main"]);
    // Longer than a pipe can hold: its beginning is written before its end comes.
    let beginning = "x".repeat(300_000);
    fixture.write(&beginning);
    until("the beginning is written", || current_bytes(&fixture.main()).is_some_and(|bytes| bytes > 100_000));

    set_script(&fixture.workdir, &["./other"]);
    logger.deliver(Signal::SIGHUP);
    fixture.write("y".repeat(300_000) + "\nnext\n");

    until("the next line is logged", || current_bytes(&fixture.workdir.join("other")) == Some(5));
    let workdir = fixture.end(logger);
    let line = joined(&workdir, "main");
    assert_eq!((line.len(), line.find('y'), line.find('\n')), (600_001, Some(300_000), Some(600_000)));
    assert_eq!(joined(&workdir, "other"), "next\n");
}

#[test]
fn the_beginning_of_a_line_in_the_pipe_follows_the_new_script() {
    let (mut fixture, mut logger) = start(&["./main"]);
    fixture.write("one\ntw");
    fixture.until_current(4);

    set_script(&fixture.workdir, &["./other"]);
    logger.deliver(Signal::SIGHUP);
    until("the new script holds", || is_unlocked(&fixture.main()));
    fixture.write("o\n");

    until("the line is logged", || current_bytes(&fixture.workdir.join("other")) == Some(4));
    let workdir = fixture.end(logger);
    assert_eq!([joined(&workdir, "main"), joined(&workdir, "other")], ["one\n", "two\n"]);
}

#[test]
fn a_processor_of_a_directory_that_leaves_ends_beside_the_input() {
    let (mut fixture, mut logger) = start(&["!cat; cat gate", "./main"]);
    mkfifo(&fixture.workdir.join("main-gate"), Mode::S_IRWXU).unwrap();
    fixture.until_ready();
    std::os::unix::fs::symlink("../main-gate", fixture.main().join("gate")).unwrap();
    fixture.write("one\n");
    fixture.until_current(4);
    logger.deliver(Signal::SIGALRM);
    until("the processor runs", || fixture.main().join("processed").exists());

    set_script(&fixture.workdir, &["./other"]);
    logger.deliver(Signal::SIGHUP);
    fixture.write("two\n");
    until("the next line is logged", || current_bytes(&fixture.workdir.join("other")) == Some(4));
    assert!(!is_unlocked(&fixture.main()));
    fs::write(fixture.workdir.join("main-gate"), "end\n").unwrap();

    until("the directory is unlocked", || is_unlocked(&fixture.main()));
    let files = fixture.files();
    let archives: Vec<_> = files.archives().map(|(name, file)| (name.ends_with(".s"), &file.bytes[..])).collect();
    assert_eq!(archives, [(true, &b"one\nend\n"[..])]);
    assert_eq!(files.file("current").mode, 0o744);
    fixture.end(logger);
}

#[test]
fn a_directory_that_comes_back_before_it_has_left_goes_on() {
    let (mut fixture, mut logger) = start(&["!cat >/dev/null; exit 1", "./main"]);
    fixture.until_ready();
    fixture.write("one\n");
    fixture.until_current(4);
    logger.deliver(Signal::SIGALRM);
    until("the processor fails", || fixture.messages().contains("processor failed in ./main"));
    set_script(&fixture.workdir, &["./other"]);
    logger.deliver(Signal::SIGHUP);
    until("the new script holds", || is_in_use(&fixture.workdir.join("other")));

    set_script(&fixture.workdir, &["!cat", "./main"]);
    logger.deliver(Signal::SIGHUP);
    fixture.write("two\n");

    fixture.until_current(4);
    until("the new processor has run", || fixture.files().archives().count() == 1);
    let workdir = fixture.end(logger);
    assert_eq!(joined(&workdir, "main"), "one\ntwo\n");
}

#[test]
fn term_right_behind_hup_ends_the_logger() {
    let (mut fixture, mut logger) = start(&["./main"]);
    fixture.write("one\n");
    fixture.until_current(4);
    set_script(&fixture.workdir, &["./other"]);

    logger.while_stopped(|| ());
    logger.signal(Signal::SIGHUP);
    logger.signal(Signal::SIGTERM);

    assert!(logger.end().success());
    assert_eq!(mode(&fixture.main()), 0o744);
}

/// How often each line stands in some directories.
fn counts(workdir: &Workdir, names: &[&str]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names.iter().filter(|name| workdir.join(name).exists()) {
        for line in joined(workdir, name).lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Checks that each of so many lines is there once, and nothing else.
#[track_caller]
fn check_once(workdir: &Workdir, names: &[&str], lines: usize) {
    let counts = counts(workdir, names);
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).take(5).collect();
    assert_eq!((counts.len(), wrong.len()), (lines, 0), "{wrong:?}");
    assert!(counts.keys().all(|line| line.starts_with("line ") && line.ends_with(" end")), "a line is torn");
}

/// Writes numbered lines as fast as they are taken, while `act` runs; tells how many.
fn feed_while(fixture: &LoggerFixture, act: impl FnOnce()) -> usize {
    let is_over = AtomicBool::new(false);
    let mut output = fixture.output.try_clone().unwrap();
    thread::scope(|scope| {
        let feed = scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                let lines: String = (number..number + 100)
                    .map(|number| format!("line {number:08} {} end\n", "x".repeat(number % 120)))
                    .collect();
                output.write_all(lines.as_bytes()).unwrap();
                number += 100;
            }
            number
        });
        act();
        is_over.store(true, Ordering::Relaxed);
        feed.join().unwrap()
    })
}

/// Scripts that each send every line to one directory, which is not always the first.
const SCRIPTS: [&[&str]; 5] = [
    &["s100000", "n100000", "./a"],
    &["s4096", "n100000", "./b"],
    &["n100000", "-*", "./c", "+*", "s20000", "./a"],
    &["n100000", "s1000000", "./b", "-*", "./a"],
    &["n100000", "-*", "./a", "./b", "+*", "!cat", "./c"],
];

#[test]
fn a_storm_of_hups_loses_and_doubles_nothing() {
    let (fixture, logger) = start(SCRIPTS[0]);
    until("the logger answers to signals", || is_in_use(&fixture.workdir.join("a")));

    let lines = feed_while(&fixture, || {
        for number in 0..1000 {
            if number % 3 == 0 {
                set_script(&fixture.workdir, SCRIPTS[number % SCRIPTS.len()]);
            }
            logger.signal(Signal::SIGHUP);
            thread::sleep(Duration::from_millis(1));
        }
    });

    assert!(fixture.messages().is_empty(), "{}", fixture.messages());
    let workdir = fixture.end(logger);
    check_once(&workdir, &["a", "b", "c"], lines);
}

#[test]
fn kills_in_the_middle_of_reloads_lose_and_double_nothing() {
    let (fixture, first) = start(SCRIPTS[0]);
    first.kill();
    let mut logger = None;

    let lines = feed_while(&fixture, || {
        for kill in 0..20 {
            let running = fixture.start_with_messages(&["f=script"]);
            until("the logger logs", || fixture.messages().is_empty() && running.collects(Signal::SIGHUP));
            for change in 0..3 {
                set_script(&fixture.workdir, SCRIPTS[(kill * 7 + change * 3) % SCRIPTS.len()]);
                running.signal(Signal::SIGHUP);
                thread::sleep(Duration::from_micros(kill as u64 * 311));
            }
            running.kill();
        }
        logger = Some(fixture.start_with_messages(&["f=script"]));
    });

    assert!(fixture.messages().is_empty(), "{}", fixture.messages());
    let workdir = fixture.end(logger.unwrap());
    check_once(&workdir, &["a", "b", "c"], lines);
}
