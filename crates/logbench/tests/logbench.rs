//! Tests of `logbench`, run as a program.
//!
//! | behaviour | test |
//! |---|---|
//! | the corpus | `a_corpus_is_*` |
//! | figures and reports; where reports are written | `a_right_log_*`, `a_report_*`, and `report_file.rs` |
//! | what is wrong with a log: lost lines, wrong stamps, failures | `a_logger_*`, `labels_of_the_input_*`, and `check.rs`, `stamps.rs` |
//! | scripts that select lines | `selected_lines_*`, and `task.rs` |
//! | hangs, full disks, kills | `a_logger_that_hangs_*`, `a_full_disk_*`, `a_killed_logbench_*` |
//! | `--rate` and latencies | `with_a_rate_*`, and `follow.rs` |
//! | `--filter` | `filters_*` |
//! | the limits with one thread and with two | `the_limits_*`, and `limit.rs` |
//! | `logbench history` | `earlier_reports_*`, and `history.rs` |
//! | `logbench syslog` | `a_syslog_daemon_*`, and `written.rs` |
//! | wrong usage | `what_makes_no_sense_*` |

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use testkit::mounted::Mounted;
use testkit::{Workdir, skipped, until};

/// `logbench` with these arguments, in a directory.
fn logbench(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logbench"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

/// A comparison that leaves its directories here and takes no longer than it must.
fn compared(directory: &Path, more: &[&str]) -> Output {
    let here = directory.to_str().unwrap();
    let few = ["run", "--bytes", "300k", "--runs", "1", "--dir", here, "--no-calls", "--json", "report.json"];
    logbench(directory, &[&few, more].concat())
}

fn report(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("report.json")).unwrap()).unwrap()
}

/// A subject of the report, by its name.
fn subject<'r>(report: &'r Value, name: &str) -> &'r Value {
    let subjects = report["subjects"].as_array().unwrap();
    subjects.iter().find(|subject| subject["name"] == name).unwrap_or_else(|| panic!("{name} takes part: {report:#}"))
}

/// A command line that starts our multilog.
fn multilog(script: &str) -> String {
    format!("{} {script}", testkit::program("multilog").display())
}

#[test]
fn a_corpus_is_the_same_for_the_same_words() {
    let dir = Workdir::new();
    let corpus = |seed| logbench(dir.path(), &["corpus", "mixed", "100k", "--seed", seed]).stdout;

    assert_eq!(corpus("1").len(), 100_000);
    assert_eq!(corpus("1"), corpus("1"));
    assert_ne!(corpus("1"), corpus("2"));

    let labelled = logbench(dir.path(), &["corpus", "short", "130", "--labelled"]).stdout;

    assert_eq!(labelled.len(), 130 + 10 * 26);
    assert!(labelled.starts_with(b"@400000006"), "{}", String::from_utf8_lossy(&labelled));
}

#[test]
fn a_right_log_has_figures_in_every_report() {
    let dir = Workdir::new();

    let output = compared(dir.path(), &["--svg", "report.svg", "--html", "report.html"]);

    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.lines().any(|line| line.starts_with("logyard") && line.ends_with("complete")), "{table}");
    let report = report(dir.path());
    let ours = subject(&report, "logyard");
    assert_eq!(ours["runs"][0]["lines_lost"], 0);
    assert_eq!(ours["ratio"], 1.0);
    assert!(ours["megabytes_per_second"]["median"].as_f64().unwrap() > 0.0);
    assert_eq!(subject(&report, "the limit")["fault"], Value::Null);
    assert_eq!(subject(&report, "limit, 2 threads")["fault"], Value::Null);
    let svg = std::fs::read_to_string(dir.join("report.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("the limit"), "{svg}");
    let html = std::fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"), "{html}");
    assert_eq!(html.matches("<svg ").count(), 3);
    assert!(!html.contains("http://") || html.matches("http://").count() == 3, "only names of namespaces");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "the runs' directories are gone: {left:?}");
}

#[test]
fn the_limits_sync_each_full_file() {
    for threads in ["0", "1"] {
        let dir = Workdir::new();
        let Some(strace) = testkit::peer("strace") else { return };
        let mut command = Command::new(strace);
        command.args(["-f", "-o", "calls", "-e", "trace=fsync", env!("CARGO_BIN_EXE_logbench"), "limit"]);
        command.args(["1000", "4", "10000", "20000", threads]).current_dir(dir.path());
        let mut limit = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut limit.stdin.take().unwrap(), &[b'x'; 10_000]).unwrap();

        assert!(limit.wait().unwrap().success());

        let calls = std::fs::read_to_string(dir.join("calls")).unwrap();
        assert_eq!(calls.matches("fsync(").count(), 20, "{calls}");
        let callers: std::collections::BTreeSet<_> =
            calls.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(callers.len(), if threads == "0" { 1 } else { 2 }, "{calls}");
        let names: Vec<_> = std::fs::read_dir(dir.join("main")).unwrap().collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

#[test]
fn earlier_reports_are_shown_oldest_first() {
    let dir = Workdir::new();
    let few = ["--bytes", "30k", "--runs", "1", "--dir", ".", "--no-calls", "--only-given"];
    for name in ["one.json", "two.json"] {
        let ours = format!("ours={}", multilog("t s1000000 n10 ./main"));
        let output = logbench(dir.path(), &[&few[..], &["--logger", &ours, "--json", name]].concat());
        assert!(output.status.success(), "{output:?}");
    }

    let output = logbench(dir.path(), &["history", ".", "--svg", "history.svg"]);

    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "qmail lines, t s1000000 n10 ./main, on a disk; MB/s");
    let titles: Vec<&str> = lines[2].split("  ").map(str::trim).filter(|title| !title.is_empty()).collect();
    assert_eq!(titles, ["ours", "the limit", "limit, 2 threads", "processor"]);
    assert_eq!(lines.len(), 5, "{table}");
    let svg = std::fs::read_to_string(dir.join("history.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("limit, 2 threads"), "{svg}");

    let output = logbench(dir.path(), &["history", "missing"]);
    assert_eq!(output.status.code(), Some(111));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unable to read missing"), "{output:?}");
}

#[test]
fn a_logger_that_loses_lines_is_reported_without_figures() {
    let dir = Workdir::new();
    let bad = "bad=mkdir main; head -c 1000 > main/current; cat > /dev/null";

    let output = compared(dir.path(), &["--only-given", "--no-limit", "--logger", bad]);

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    let bad = subject(&report, "bad");
    assert!(bad["runs"][0]["lines_lost"].as_u64().unwrap() > 1000, "{bad}");
    assert!(bad["fault"].as_str().unwrap().starts_with("lost "), "{bad}");
    assert_eq!(bad["megabytes_per_second"], Value::Null);
}

#[test]
fn a_logger_that_fails_leaves_nothing_or_stops_reading_is_reported_too() {
    let dir = Workdir::new();
    let given =
        ["--logger", "fails=cat > /dev/null; exit 3", "--logger", "idle=cat > /dev/null", "--logger", "gone=true"];

    let output = compared(dir.path(), &[&["--only-given", "--no-limit"][..], &given].concat());

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    assert_eq!(subject(&report, "fails")["fault"], "exit code 3");
    assert_eq!(subject(&report, "idle")["fault"], "no log directory was left");
    assert_eq!(subject(&report, "gone")["fault"], "no log directory was left");
}

#[test]
fn selected_lines_and_long_ones_are_expected_as_the_script_has_them() {
    let dir = Workdir::new();
    let script = "s4096 n3 '-*' '+*status*' ./main";
    let logger = format!("ours={}", multilog(script));

    for shape in ["qmail", "huge"] {
        let given = ["--only-given", "--script", script, "--logger", &logger, "--shape", shape];
        let output = compared(dir.path(), &given);

        assert!(output.status.success(), "{shape}: {output:?}");
    }

    let logger = format!("ours={}", multilog("t s100000 n3 ./main"));
    let given = ["--only-given", "--script", "t s100000 n3 ./main", "--logger", &logger, "--shape", "huge"];
    let output = compared(dir.path(), &given);

    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_logger_whose_stamps_cannot_be_true_is_reported() {
    let dir = Workdir::new();
    let bare = format!("bare={}", multilog("./main"));
    let constant = "constant=mkdir main; sed 's/^/@400000006b027f5801020304 /' > main/current";
    let given = ["--only-given", "--no-limit", "--script", "t ./main", "--logger", &bare, "--logger", constant];

    let output = compared(dir.path(), &given);

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    for name in ["bare", "constant"] {
        let fault = subject(&report, name)["fault"].as_str().unwrap_or("none").to_owned();
        assert!(fault.ends_with(" lines without a true stamp"), "{name}: {fault}");
        assert_eq!(subject(&report, name)["runs"][0]["lines_lost"], 0);
    }
}

#[test]
fn labels_of_the_input_are_no_stamps_of_the_logger() {
    let dir = Workdir::new();
    let ours = format!("ours={}", multilog("t s1000000 n10 ./main"));
    let bare = format!("bare={}", multilog("s1000000 n10 ./main"));
    let given = ["--only-given", "--no-limit", "--labelled", "--logger", &ours, "--logger", &bare];

    let output = compared(dir.path(), &given);

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    assert_eq!(subject(&report, "ours")["fault"], Value::Null);
    assert_ne!(subject(&report, "bare")["fault"], Value::Null);
}

#[test]
fn a_logger_that_hangs_is_killed() {
    let dir = Workdir::new();
    let given = ["--logger", "deaf=sleep 1000", "--logger", "stays=cat > /dev/null; sleep 1000", "--timeout", "1"];

    let output = compared(dir.path(), &[&["--only-given", "--no-limit"][..], &given].concat());

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    assert_eq!(subject(&report, "deaf")["fault"], "did not read for 1 s");
    assert_eq!(subject(&report, "stays")["fault"], "did not end for 1 s");
}

#[test]
fn a_full_disk_ends_the_comparison() {
    let dir = Workdir::new();
    let Some(disk) = Mounted::memory(dir.join("disk"), "size=1m") else {
        return skipped("logbench on a full disk: only root can mount a file system");
    };
    let on_disk = |more: &[&str]| {
        let few = ["run", "--runs", "1", "--no-calls", "--only-given", "--no-limit", "--dir", "disk", "--timeout", "1"];
        logbench(dir.path(), &[&few, more].concat())
    };
    let ours = multilog("t s1000000 n10 ./main");

    let output = on_disk(&["--bytes", "2M", "--logger", &format!("ours={ours}")]);
    assert_eq!(output.status.code(), Some(111), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "logbench: fatal: unable to log to disk: out of disk space\n");

    let output = on_disk(&["--bytes", "300k", "--logger", &format!("ours=cat /dev/zero > ballast; exec {ours}")]);
    assert_eq!(output.status.code(), Some(111), "{output:?}");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.lines().any(|line| line == "logbench: fatal: unable to log to disk: out of disk space"), "{words}");
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "the runs' directories are gone");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_first_run() {
    let dir = Workdir::new();
    for option in ["--json", "--svg", "--html"] {
        let given = ["--only-given", "--no-limit", "--no-calls", "--runs", "1", "--bytes", "100k"];
        let logger = format!("ours=touch {}/started; cat > /dev/null", dir.path().display());
        let refused = ["--logger", &logger, option, "missing/report"];

        let output = logbench(dir.path(), &[&given[..], &refused].concat());

        assert_eq!(output.status.code(), Some(111), "{output:?}");
        assert_eq!(output.stderr, b"logbench: fatal: unable to write missing/report: file does not exist\n");
        assert!(!dir.join("started").exists(), "{option}");
    }
}

#[test]
fn a_report_goes_where_a_link_leads_although_nothing_is_there_yet() {
    let dir = Workdir::new();
    std::os::unix::fs::symlink("new.json", dir.join("report.json")).unwrap();
    let logger = format!("ours={}", multilog("./main"));

    let output = compared(dir.path(), &["--only-given", "--no-limit", "--script", "./main", "--logger", &logger]);

    assert!(output.status.success(), "{output:?}");
    assert!(dir.join("report.json").symlink_metadata().unwrap().is_symlink());
    assert!(dir.join("new.json").symlink_metadata().unwrap().is_file());
    assert_eq!(subject(&report(dir.path()), "ours")["runs"][0]["lines_lost"], 0);
}

#[test]
fn a_killed_logbench_leaves_no_directory() {
    let dir = Workdir::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logbench"));
    command.args(["run", "--bytes", "300k", "--only-given", "--no-limit", "--no-calls", "--dir", "."]);
    command.args(["--rate", "10", "--logger", "ours=cat > /dev/null"]);
    let mut logbench = command.current_dir(dir.path()).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let count = || std::fs::read_dir(dir.path()).unwrap().count();
    until("it runs", || count() == 1);

    logbench.kill().unwrap();
    logbench.wait().unwrap();

    until("its directory is gone", || count() == 0);
}

#[test]
fn with_a_rate_there_are_latencies() {
    let dir = Workdir::new();
    let logger = format!("ours={}", multilog("t s4096 n100 ./main"));
    let given = ["--only-given", "--script", "t s4096 n100 ./main", "--rate", "50000", "--logger", &logger];

    let output = compared(dir.path(), &given);

    assert!(output.status.success(), "{output:?}");
    let report = report(dir.path());
    assert_eq!(report["lines_per_second"], 50_000.0);
    assert_eq!(subject(&report, "ours")["runs"][0]["lines_lost"], 0);
    // How long it took is the machine's affair. Files that come and go faster than they can be read leave none.
    let latency = &subject(&report, "ours")["latency_seconds"];
    assert!(latency.is_null() || latency["p50"].as_f64() <= latency["max"].as_f64(), "{latency}");
}

#[test]
fn filters_are_compared_by_what_they_write() {
    let dir = Workdir::new();
    for filter in ["tai64n", "tai64nlocal"] {
        let output = compared(dir.path(), &["--filter", filter, "--labelled"]);

        assert!(output.status.success(), "{filter}: {output:?}");
        assert_eq!(subject(&report(dir.path()), "logyard")["runs"][0]["lines_surplus"], 0);
    }

    let output = compared(dir.path(), &["--filter", "mine=cat", "--filter", "short=head -n 10; cat > /dev/null"]);

    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(dir.path());
    assert_eq!(subject(&report, "mine")["fault"], Value::Null);
    assert_ne!(subject(&report, "short")["fault"], Value::Null);
}

#[test]
fn a_syslog_daemon_is_measured_and_killed() {
    let beside = Path::new(env!("CARGO_BIN_EXE_logbench")).parent().unwrap();
    if let Some(missing) =
        ["socklog", "multilog", "svscan", "supervise", "svc"].iter().find(|name| !beside.join(name).exists())
    {
        return skipped(format_args!("{missing} is not built"));
    }
    let dir = Workdir::new();
    let words = ["syslog", "--transport", "unix", "--daemon", "logyard", "--dir", dir.path().to_str().unwrap()];

    let output = logbench(dir.path(), &[&words[..], &["--messages", "8000", "--runs", "1", "--kills", "1"]].concat());

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().last().unwrap();
    assert!(row.starts_with("| unix | logyard | ") && row.contains(" | 100.0 % | 1 times: 0 of "), "{text}");
    assert!(row.ends_with(" lost, 0 doubled |"), "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the directories of the runs are removed");
}

/// Standard error is no terminal, so nothing else shows that it works.
#[test]
fn the_runs_are_announced() {
    let dir = Workdir::new();
    let (ours, cat) = (format!("ours={}", multilog("t ./main")), "none=cat >/dev/null");
    let few = ["run", "--bytes", "300k", "--runs", "2", "--dir", ".", "--no-calls", "--only-given", "--no-limit"];

    let output = logbench(dir.path(), &[&few[..], &["--logger", &ours, "--logger", cat]].concat());

    let words = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = words.lines().collect();
    let [first, second] = lines[..] else { panic!("{words}") };
    assert_eq!(first, "logbench: 2 runs of each of 2 subjects, 0.3 MB of input each: ours, none");
    assert!(second.starts_with("logbench: the first run of each is done, about "), "{words}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("logbench: "), "the report alone: {output:?}");
}

#[test]
fn what_makes_no_sense_is_told_and_exits_100() {
    let dir = Workdir::new();
    for arguments in [
        &["--what"][..],
        &["corpus", "qmail"],
        &["syslog", "--transport", "pigeon"],
        &["drain", "socket"],
        &["--logger", "nameless"],
        &["--script", "t"],
        &["--filter", "sed"],
        &["--baseline", "nobody"],
    ] {
        let output = logbench(dir.path(), arguments);

        assert_eq!(output.status.code(), Some(100), "{arguments:?}: {output:?}");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.starts_with("logbench: ") && words.contains("\nlogbench: usage: "), "{words}");
    }

    let output = logbench(dir.path(), &["--input", "missing"]);

    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"logbench: fatal: unable to read missing: file does not exist\n");
}
