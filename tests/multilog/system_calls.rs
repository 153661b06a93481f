//! The number of system calls for a line, counted by strace.

use logyard_corpus::{Corpus, Shape};

use testkit::logdir::{LogDirFiles, without_stamps};
use testkit::logger::{LoggerFixture, Multilog};
use testkit::{report, strace};

/// What one line that comes alone may cost: a look into the pipe that waits for it and two calls that let signals in
/// meanwhile, a read of what was seen, a write, and the read that takes it off the pipe.
const CALLS_PER_LINE_MAX: usize = 6;

/// Logs under `strace -c` what `write` writes to the pipe, and returns how many calls were made; `None`, with a notice, if strace
/// cannot count them.
fn count_calls(write: impl FnOnce(&mut LoggerFixture)) -> Option<(usize, LogDirFiles)> {
    let mut strace = strace("no system calls were counted")?;
    strace.args(["-f", "-c", "-o", "calls"]).arg(Multilog::Ours.path()).args(["t", "s1000000", "n10", "./main"]);
    let mut fixture = LoggerFixture::new();
    let logger = fixture.start_command(&mut strace);
    write(&mut fixture);
    let workdir = fixture.end(logger);

    let counts = std::fs::read_to_string(workdir.join("calls")).unwrap();
    // % time, seconds, usecs/call, calls, errors: the last line is for all.
    let total = counts.lines().rfind(|line| line.ends_with(" total")).unwrap_or_else(|| panic!("no total: {counts}"));
    let calls = total.split_ascii_whitespace().nth(3).and_then(|calls| calls.parse().ok());
    Some((calls.unwrap_or_else(|| panic!("no calls: {counts}")), LogDirFiles::read(&workdir.join("main"))))
}

#[test]
fn twenty_thousand_piped_lines_cost_less_than_a_thousand_system_calls() {
    let mut corpus = Corpus::new(Shape::Qmail, 1, u64::MAX);
    let input: Vec<u8> = (0..20_000).flat_map(|_| corpus.next_line().expect("there is no end").to_vec()).collect();

    let Some((calls, files)) = count_calls(|fixture| fixture.write(&input)) else { return };

    assert!(without_stamps(&files.joined()) == input);
    assert!(calls < 20_000 / 20, "{calls} calls");
    report(format_args!("20000 piped lines: {calls} system calls"));
}

#[test]
fn single_lines_cost_at_most_six_system_calls_each() {
    let counted = [2, 202].map(|lines| {
        count_calls(|fixture| {
            for number in 1..=lines {
                fixture.write("a line\n");
                fixture.until_current(number * (26 + 7));
            }
        })
    });
    let [Some((few_calls, few)), Some((calls, files))] = counted else { return };

    assert_eq!((few.joined().len(), files.joined().len()), (2 * 33, 202 * 33));
    // What the first wait prepares is done once.
    let per_line = (calls - few_calls) as f64 / 200.0;
    assert!(per_line <= CALLS_PER_LINE_MAX as f64, "{per_line} calls a line");
    report(format_args!("a trickle of single lines: {per_line} system calls a line"));
}
