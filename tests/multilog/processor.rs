//! Processors: what they are given, what they remember, and what becomes of those that fail.

use std::process::Command;

use testkit::logdir::{Found, LogDirFiles, put};
use testkit::logger::{Multilog, Running};
use testkit::{Workdir, skipped, until};

/// Three files of 2500 bytes, a newline in the zone where each may end, and the beginning of a fourth.
fn three_files() -> Vec<u8> {
    let line = [&[b'x'; 2499][..], b"\n"].concat();
    [&line.repeat(3)[..], b"rest\n"].concat()
}

/// Logs three files through a processor, from a shell that prepares something, and returns what is left and what was said.
#[track_caller]
fn process(multilog: Multilog, processor: &str, prepare: &str) -> (LogDirFiles, String) {
    let workdir = Workdir::new();
    put(&workdir.join("input"), 0o600, &three_files());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{prepare} exec \"$0\" \"$@\" <input")]).arg(multilog.path());
    shell.args(["s4096", processor, "./main"]).current_dir(workdir.path());
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
fn a_processor_works_in_the_log_directory_and_its_words_go_to_standard_error() {
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
fn a_processor_finds_signals_as_the_logger_was_given_them() {
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
fn a_processor_is_run_once_where_sigchld_is_ignored() {
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
fn what_a_processor_made_is_kept_where_it_can_be_no_archive_before_the_logger_leaves() {
    let Some(strace) = testkit::tool("strace") else { return };
    let workdir = Workdir::in_memory();
    let (input, mut output) = std::io::pipe().unwrap();
    let words = workdir.join("words");
    let mut logger = Command::new(strace);
    logger.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:error=EIO"]);
    logger.arg(Multilog::Ours.path()).args(["s4096", "!cat; echo $$ >>../ran", "./main"]);
    logger.current_dir(workdir.path()).stdin(input.try_clone().unwrap());
    let mut logger = Running::start(logger.stderr(std::fs::File::create(&words).unwrap()));
    let said = || std::fs::read_to_string(&words).unwrap();
    std::io::Write::write_all(&mut output, &three_files()).unwrap();
    until("the archive cannot be made, or nothing can be traced", || {
        said().contains("unable to link to ./main/@") || !logger.is_alive()
    });
    if !logger.is_alive() && !said().contains("multilog") {
        skipped("strace may not trace or change answers here, so no archive was refused");
        return;
    }

    // strace passes no signal on to what it traces.
    let processes = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", logger.pid())).unwrap();
    let multilog: i32 = processes.split_whitespace().next().unwrap().parse().unwrap();
    logyard::sys::signal::send(multilog, logyard::sys::signal::Signal::SIGTERM).unwrap();
    let status = logger.end();

    assert_eq!(status.code(), Some(111), "{}", said());
    let files = LogDirFiles::read(&workdir.join("main"));
    assert_eq!((files.file("processed").mode, files.file("current").mode), (0o744, 0o644));
    drop(output);
    let script = ["s4096", "!cat; echo $$ >>../ran", "./main"];
    let mut next = Running::start(Multilog::Ours.command(workdir.path(), &script).stdin(input));
    assert!(next.end().success());
    let files = LogDirFiles::read(&workdir.join("main"));
    assert!(files.joined() == three_files(), "{:?}", files.fixed_names());
    let runs = std::fs::read_to_string(workdir.join("ran")).unwrap().lines().count();
    assert_eq!(runs, files.archives().filter(|(name, _)| name.ends_with(".s")).count());
}
