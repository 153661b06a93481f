//! Processors: their descriptors, environment and state; failures and retries. Also `n`.

use std::process::Command;

use logyard::sys::signal::{self, Signal};

use testkit::logdir::{Found, LogDirFiles, put};
use testkit::logger::{LoggerFixture, Multilog, Running};
use testkit::{Workdir, strace, until};

/// Three files of 2500 bytes, a newline in the zone where each may end, and the beginning of a fourth.
fn three_files() -> Vec<u8> {
    let line = [&[b'x'; 2499][..], b"\n"].concat();
    [&line.repeat(3)[..], b"rest\n"].concat()
}

/// Logs three files through a processor, from a shell that prepares something, and returns what is left and what was said.
#[track_caller]
fn process(multilog: Multilog, processor: &str, prepare: &str) -> (LogDirFiles, String) {
    process_after(multilog, &[], processor, prepare)
}

/// The same with other actions before the processor.
#[track_caller]
fn process_after(multilog: Multilog, actions: &[&str], processor: &str, prepare: &str) -> (LogDirFiles, String) {
    let workdir = Workdir::new();
    put(&workdir.join("input"), 0o600, &three_files());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{prepare} exec \"$0\" \"$@\" <input")]).arg(multilog.path());
    shell.arg("s4096").args(actions).args([processor, "./main"]).current_dir(workdir.path());
    shell.stderr(std::process::Stdio::piped());
    let (status, words) = Running::start(&mut shell).end_and_words();
    assert!(status.success(), "{multilog:?}: {status}, {words}");
    (LogDirFiles::read(&workdir.join("main")), words)
}

fn texts(files: &LogDirFiles) -> Vec<String> {
    files.archives().map(|(_, Found { bytes, .. })| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn a_processor_remembers_what_it_wrote_to_descriptor_5() {
    for multilog in Multilog::installed() {
        let count = "!read n <&4; n=$((n+1)); echo $n >&5; echo file $n; cat >/dev/null";

        let (files, words) = process(multilog, count, "");

        assert_eq!(texts(&files), ["file 1\n", "file 2\n", "file 3\n"], "{multilog:?}");
        assert_eq!((&files.file("state").bytes[..], files.file("state").mode), (&b"3\n"[..], 0o644), "{multilog:?}");
        assert_eq!(files.fixed_names(), ["current", "lock", "state"]);
        assert_eq!(words, "");
    }
}

#[test]
fn a_processor_runs_in_the_log_directory_and_writes_messages_to_standard_error() {
    for multilog in Multilog::installed() {
        let (files, words) = process(multilog, "!cat >/dev/null; umask; ls; echo word >&2", "umask 077;");

        let listing = "0022\ncurrent\nlock\nnewstate\nprevious\nprocessed\nstate\n";
        // The archives of the first two files are there when the third is processed.
        assert_eq!(texts(&files)[0], listing, "{multilog:?}");
        assert!(texts(&files)[2].starts_with("0022\n@"), "{multilog:?}");
        assert_eq!(words, "word\n".repeat(3));
    }
}

#[test]
fn a_processor_that_writes_nothing_makes_an_empty_archive() {
    for multilog in Multilog::installed() {
        let (files, _) = process(multilog, "!", "");

        assert_eq!(texts(&files), ["", "", ""], "{multilog:?}");
    }
}

#[test]
fn a_processor_has_the_descriptors_0_1_2_4_5_and_no_other() {
    let (files, _) = process(Multilog::Ours, "!ls /proc/$$/fd; cat >/dev/null", "exec 3</dev/null 6>&1 9>&2;");

    assert_eq!(texts(&files), ["0\n1\n2\n4\n5\n"; 3]);
}

#[test]
fn a_processor_inherits_the_signal_dispositions_of_the_logger() {
    let show = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let inherited = Command::new("/bin/sh").args(["-c", show]).output().unwrap();

    let (files, _) = process(Multilog::Ours, &format!("!{show}; cat >/dev/null"), "");

    assert_eq!(plain_signals(&texts(&files)[0]), plain_signals(&String::from_utf8_lossy(&inherited.stdout)));
}

/// The masks without the signals from 32 on, some of which are the C library's own.
fn plain_signals(status: &str) -> Vec<u64> {
    let masks = status.lines().map(|line| u64::from_str_radix(&line[line.len() - 16..], 16));
    masks.map(|mask| mask.expect("a mask has 16 digits") & 0x7fff_ffff).collect()
}

#[test]
fn a_processor_that_fails_is_run_again_from_the_beginning() {
    let installed = Multilog::installed();
    std::thread::scope(|scope| {
        for multilog in installed {
            for (end, message) in [("exit 1", "processor failed"), ("kill -9 $$", "processor crashed")] {
                scope.spawn(move || {
                    let fail_once = format!(
                        "!test -e ../failed && {{ cat; cat <&4 >&5; exit; }}; echo >../failed; echo half; echo bad >&5; {end}"
                    );

                    let (files, words) = process(multilog, &fail_once, "");

                    let warning = format!("multilog: warning: {message} in ./main, pausing");
                    assert!(words.starts_with(&warning), "{multilog:?}: {words}");
                    assert!(words.lines().count() == 1 || multilog == Multilog::Theirs, "{words}");
                    assert!(files.joined() == three_files(), "{multilog:?}");
                    assert_eq!(files.file("state").bytes, b"", "{multilog:?}");
                });
            }
        }
    });
}

#[test]
fn the_file_of_a_processor_that_takes_long_is_on_the_disk_meanwhile() {
    let is_marked = "$(stat -c %a previous) = 744";
    let wait = format!("!until [ {is_marked} ]; do sleep 0.01; done; cat");
    // The second run can rely on it from the beginning.
    let run_again = format!("[ {is_marked} ] && {{ echo >../done; cat; exit; }}; exit 1");
    let fail_once =
        format!("![ -e ../done ] && {{ cat; exit; }}; [ -e ../failed ] && {{ {run_again}; }}; echo >../failed; exit 1");
    for multilog in Multilog::installed() {
        for processor in [&wait, &fail_once] {
            let (files, words) = process(multilog, processor, "");

            assert!(files.joined() == three_files(), "{multilog:?}: {processor}, {words}");
            assert!(words.lines().count() <= 1, "{multilog:?}: {processor}, {words}");
        }
    }
}

#[test]
fn what_the_disk_has_refused_is_processed_from_a_copy() {
    let Some(strace) = strace("the disk has refused nothing") else { return };
    let mut fixture = LoggerFixture::new();
    let logger =
        fixture.start_traced(strace, "sync_file_range:error=EIO:when=1", &["s4096", "n1000", "!cat", "./main"]);
    let mut sent = Vec::new();
    // The disk is asked after a quick processor; where the machine is busy, it may take a few.
    until("the disk has refused something", || {
        fixture.write(three_files());
        sent.extend(three_files());
        fixture.messages().contains("unable to write ./main/current to disk")
    });

    let workdir = fixture.end(logger);
    assert!(LogDirFiles::read(&workdir.join("main")).joined() == sent);
}

#[test]
fn with_an_interval_for_fsyncs_a_finished_file_is_fsynced_before_its_processor_runs() {
    let (files, _) = process_after(Multilog::Ours, &["y1"], "!stat -c %a previous", "");

    assert_eq!(texts(&files), ["744\n"; 3]);
}

#[test]
fn a_state_file_that_was_removed_starts_empty() {
    let (files, _) = process(Multilog::Ours, "!cat <&4 >&5; cat; rm -f state", "");

    assert!(files.joined() == three_files());
    assert_eq!(files.file("state").bytes, b"");
}

#[test]
fn archives_beyond_n_are_removed() {
    for multilog in Multilog::installed() {
        let workdir = Workdir::new();
        put(&workdir.join("input"), 0o600, &three_files());
        let input = std::fs::File::open(workdir.join("input")).unwrap();

        let mut logger = Running::start(multilog.command(workdir.path(), &["s4096", "n3", "./main"]).stdin(input));

        assert!(logger.end().success());
        let files = LogDirFiles::read(&workdir.join("main"));
        assert_eq!(files.archives().count(), 2, "{multilog:?}");
        assert!(three_files().ends_with(&files.joined()) && files.joined().len() == 5005, "{multilog:?}");
    }
}

#[test]
fn a_processor_is_run_once_if_sigchld_is_ignored() {
    let Some(env) = testkit::tool("env") else { return };
    let workdir = Workdir::new();
    put(&workdir.join("input"), 0o600, &three_files());
    let mut logger = Command::new(env);
    logger.arg("--ignore-signal=CHLD").arg(Multilog::Ours.path());
    logger.stdin(std::fs::File::open(workdir.join("input")).unwrap());
    logger.args(["s4096", "!echo $$ >>../ran; cat", "./main"]).current_dir(workdir.path());
    logger.stderr(std::process::Stdio::piped());

    let (status, words) = Running::start(&mut logger).end_and_words();

    assert!(status.success(), "{status}: {words}");
    assert_eq!(words, "");
    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(files.joined() == three_files());
    let runs = std::fs::read_to_string(workdir.join("ran")).unwrap();
    assert_eq!(runs.lines().count(), 3, "one run for each file");
}

#[test]
fn the_output_of_a_processor_survives_if_the_logger_exits_before_it_is_archived() {
    let Some(strace) = strace("no archive was refused") else { return };
    let script = ["s4096", "!cat; echo $$ >>../ran", "./main"];
    let mut fixture = LoggerFixture::new();
    let mut logger = fixture.start_traced(strace, "linkat:error=EIO", &script);
    fixture.write(three_files());
    until("the archive cannot be made", || fixture.messages().contains("unable to link to ./main/@"));

    signal::send(logger.traced_logger(), Signal::SIGTERM).unwrap();
    let status = logger.end();

    assert_eq!(status.code(), Some(111), "{}", fixture.messages());
    let files = fixture.files();
    assert_eq!((files.file("processed").mode, files.file("current").mode), (0o744, 0o644));
    let (workdir, _) = fixture.log_rest(&script);
    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(files.joined() == three_files(), "{:?}", files.fixed_names());
    let runs = std::fs::read_to_string(workdir.join("ran")).unwrap().lines().count();
    assert_eq!(runs, files.archives().filter(|(name, _)| name.ends_with(".s")).count());
}
