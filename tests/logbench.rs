//! `logbench`, as its users meet it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::util::Workdir;

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
    format!("{} {script}", env!("CARGO_BIN_EXE_multilog"))
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
fn what_makes_no_sense_is_told_and_exits_100() {
    let dir = Workdir::new();
    for arguments in [
        &["--what"][..],
        &["corpus", "qmail"],
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
