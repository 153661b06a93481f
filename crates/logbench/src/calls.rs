//! System calls, counted by strace in a separate run, because strace slows the logger down.

use std::ffi::CString;
use std::process::{Command, Stdio};

use memchr::memrchr;

use crate::error::Error;
use crate::measure::Runner;
use crate::subject::Subject;

/// How much of the input the counted run gets at most.
const BYTES_MAX: usize = 16_000_000;
/// Where strace leaves its table.
const TABLE: &str = "calls";

/// Whether there is a strace that works here.
pub(crate) fn can_be_counted() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o", "/dev/null", "true"]).stdin(Stdio::null()).stdout(Stdio::null());
    strace.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// System calls per megabyte of input, those of the start included.
pub(crate) fn count(subject: &Subject, runner: &mut Runner<'_>) -> Result<Option<f64>, Error> {
    let run_dir = runner.run_dir_for(subject)?;
    let quoted = subject.command.replace('\'', "'\\''");
    let command = format!("exec strace -f -qq -c -o {TABLE} /bin/sh -c '{quoted}'");
    let Ok(command) = CString::new(command) else { return Ok(None) };
    let most = runner.input.len().min(BYTES_MAX);
    let end = memrchr(b'\n', &runner.input[..most]).map_or(most, |newline| newline + 1);
    let input = &runner.input[..end];
    runner.run(&command, &run_dir.0, input)?;
    let table = std::fs::read_to_string(run_dir.0.join(TABLE)).unwrap_or_default();
    Ok(total(&table).map(|calls| calls as f64 / (input.len() as f64 / 1e6)))
}

/// The calls in the last line of strace's table: share, seconds, microseconds a call, calls, errors if any, `total`.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().rfind(|line| line.ends_with(" total"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_the_table() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     100.00    0.000321           3       100         1 read\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.000321           3       104         1 total\n";

        assert_eq!(total(table), Some(104));
        assert_eq!(total(""), None);
    }
}
