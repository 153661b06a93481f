//! The thread that finishes files: a logger has it only while there is something to do.

use std::fs;
use std::time::Duration;

use logyard::sys::signal::{Signal, send};

use testkit::logdir::LogDirFiles;
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{strace, until};

fn threads(logger: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/task", logger.pid())).unwrap().count()
}

/// Logs `lines`, rotates, and waits for the archive.
fn log_and_rotate(fixture: &mut LoggerFixture, logger: &mut Running, lines: &[u8]) {
    let archives_before = fixture.archive_count();
    let logged_before = fixture.files().joined().len();
    fixture.write(lines);
    until("the lines are logged", || fixture.files().joined().len() == logged_before + lines.len());
    logger.deliver(Signal::SIGALRM);
    until("they are an archive", || fixture.archive_count() == archives_before + 1);
}

#[test]
fn an_idle_logger_has_one_thread_and_starts_another_when_it_rotates() {
    let mut fixture = LoggerFixture::new();
    let mut logger = fixture.start(&["n100", "./main"]);
    fixture.until_ready();
    assert_eq!(threads(&logger), 1, "before the first rotation");

    for lines in [&b"one\ntwo\n"[..], b"three\n"] {
        log_and_rotate(&mut fixture, &mut logger, lines);
        // Nothing is written any more.
        until("the thread has ended", || threads(&logger) == 1);
    }

    let workdir = fixture.end(logger);
    let log = LogDirFiles::read(&workdir.join("main")).joined();
    assert_eq!(String::from_utf8_lossy(&log), "one\ntwo\nthree\n");
}

#[test]
fn a_thread_that_waits_for_a_processor_stays_until_it_has_ended() {
    let mut fixture = LoggerFixture::new();
    let processor = "!until test -e ../go; do sleep 0.1; done; cat";
    let mut logger = fixture.start(&["n100", processor, "./main"]);
    fixture.write(b"one\n");
    fixture.until_current(4);
    logger.deliver(Signal::SIGALRM);
    let processed = fixture.main().join("processed");
    until("the processor runs", || processed.exists());
    // The logger looks after itself now and then: a `current` that was removed is there again.
    let current = fixture.main().join("current");
    for time in ["first", "second"] {
        fs::remove_file(&current).unwrap();
        until(&format!("the logger has looked for the {time} time"), || current.exists());
    }
    assert_eq!(threads(&logger), 2, "the file is not finished");

    fs::write(fixture.workdir.join("go"), "").unwrap();

    until("the file is an archive", || fixture.archive_count() == 1);
    until("the thread has ended", || threads(&logger) == 1);
    fixture.end(logger);
}

#[test]
fn the_thread_that_removes_surplus_archives_ends_too() {
    let fixture = LoggerFixture::new();
    let main = fixture.main();
    fs::create_dir(&main).unwrap();
    for number in 0..2000 {
        fs::write(main.join(format!("@4000000060000000{number:08x}.s")), "line\n").unwrap();
    }
    // A killed logger's, which becomes an archive at once.
    fs::write(main.join("current"), "line\n").unwrap();

    let logger = fixture.start(&["n3", "./main"]);

    until("the surplus archives are gone", || fixture.archive_count() == 2);
    until("the thread has ended", || threads(&logger) == 1);
    fixture.end(logger);
}

#[test]
fn a_processor_that_begins_after_term_does_not_keep_the_logger() {
    let mut fixture = LoggerFixture::new();
    let processor = "!test -e ../slow && sleep 60; cat";
    let mut logger = fixture.start(&["s4096", processor, "./main"]);
    fixture.until_ready();
    log_and_rotate(&mut fixture, &mut logger, b"one\n");
    until("the thread has ended", || threads(&logger) == 1);
    fs::write(fixture.workdir.join("slow"), "").unwrap();
    // TERM lets a line end that has begun, and with this one the file is full.
    let mut lines = b"0123456789abcde\n".repeat(125);
    let whole_bytes = lines.len();
    lines.extend(b"beginning");
    fixture.write(&lines);
    fixture.until_current(whole_bytes);
    logger.deliver(Signal::SIGTERM);
    // On a busy machine this may come too late, and then stays in the pipe.
    fixture.write([&[b'x'; 200][..], b"\n"].concat());

    let status = logger.end_within(Duration::from_secs(30));

    assert!(status.success(), "{status}");
    assert!(fixture.files().joined().starts_with(&[&b"one\n"[..], &lines[..whole_bytes]].concat()));
}

#[test]
fn where_freeing_an_archive_takes_long_another_thread_does_it_and_ends() {
    let Some(mut strace) = strace("not looked who closes a removed archive") else { return };
    let mut fixture = LoggerFixture::new();
    // Five times as long as it may take without a thread.
    let slow = "inject=unlinkat,close:delay_exit=1000";
    strace.args(["-f", "-e", "trace=openat,unlinkat,close", "-e", slow, "-o", "calls"]).arg(Multilog::Ours.path());
    let tracer = fixture.start_command(strace.args(["n3", "./main"]));
    let logger = tracer.traced_logger();
    for number in 0..5 {
        fixture.write(format!("line {number}\n"));
        fixture.until_current(7);
        send(logger, Signal::SIGALRM).unwrap();
        // Two archives and `current`.
        until("the file is an archive", || {
            let files = fixture.files();
            let newest = files.archives().last().map(|(_, found)| found.bytes.clone());
            newest == Some(format!("line {number}\n").into_bytes()) && files.archives().count() == 2.min(number + 1)
        });
    }
    until("no thread is left", || fs::read_dir(format!("/proc/{logger}/task")).unwrap().count() == 1);

    let workdir = fixture.end(tracer);

    let calls = fs::read_to_string(workdir.join("calls")).unwrap();
    let thread_of = |call: &str| call.split_whitespace().next().unwrap().to_owned();
    let removals: Vec<&str> =
        calls.lines().filter(|call| call.contains("unlinkat(") && call.contains(".s\"")).collect();
    assert_eq!(removals.len(), 3, "{calls}");
    for (number, removal) in removals.into_iter().enumerate() {
        let name = &removal[removal.find('@').unwrap()..][..27];
        let mut after = calls.lines().skip_while(|call| !(call.contains("openat(") && call.contains(name)));
        let Some(opened) = after.next() else {
            assert_eq!(number, 0, "only of the first nothing is known: {calls}");
            continue;
        };
        assert!(number > 0, "{calls}");
        let descriptor = opened.rsplit(' ').next().unwrap();
        let closed =
            after.find(|call| call.contains(&format!("close({descriptor}"))).unwrap_or_else(|| panic!("{calls}"));
        assert_ne!(thread_of(closed), thread_of(removal), "{calls}");
    }
}
