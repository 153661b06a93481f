//! The report as JSON: every run, and the figures of the table.

use serde_json::{Value, json};

use crate::check::Difference;
use crate::measure::{Run, Verdict};
use crate::results::{Report, SubjectResults};
use crate::statistics::Spread;

/// The report as one object.
pub(crate) fn write(report: &Report) -> String {
    let machine = &report.machine;
    let results: Vec<Value> = report.results.iter().map(|results| subject_value(report, results)).collect();
    let value = json!({
        "logbench": env!("CARGO_PKG_VERSION"),
        "moment": report.moment,
        "command_line": report.command_line,
        "machine": {
            "processor": machine.processor,
            "processors": machine.processors,
            "memory_bytes": machine.memory_bytes,
            "kernel": machine.kernel,
        },
        "input": {
            "source": report.source,
            "bytes": report.counts.bytes,
            "lines": report.counts.lines,
            "longest_line_bytes": report.counts.longest_bytes,
        },
        "script": report.script,
        "lines_per_second": report.pace.rate,
        "write_bytes": report.pace.piece_bytes(),
        "directory": report.directory,
        "baseline": report.results[report.baseline].subject.name,
        "subjects": results,
    });
    format!("{value:#}\n")
}

fn subject_value(report: &Report, results: &SubjectResults) -> Value {
    let latencies = results.latencies().map(|[p50, p99, max]| json!({ "p50": p50, "p99": p99, "max": max }));
    json!({
        "name": results.subject.name,
        "command": results.subject.command,
        "version": results.subject.version,
        "is_limit": results.subject.limit.is_some(),
        "fault": results.fault(),
        "megabytes_per_second": spread(results.rates(&report.counts)),
        "processor_seconds": spread(results.processor_seconds()),
        "processor_seconds_per_million_lines": spread(results.seconds_per_million_lines(&report.counts)),
        "peak_megabytes": spread(results.peak_megabytes()),
        "calls_per_megabyte": results.calls_per_megabyte,
        "latency_seconds": latencies,
        "ratio": report.ratio(results),
        "runs": results.runs.iter().map(run_value).collect::<Vec<Value>>(),
    })
}

fn spread(figures: Vec<f64>) -> Option<Value> {
    let spread = Spread::of(figures)?;
    Some(json!({ "median": spread.median, "least": spread.least, "greatest": spread.greatest }))
}

fn run_value(run: &Run) -> Value {
    let (difference, failure) = match &run.verdict {
        Verdict::Right => (Some(Difference::default()), None),
        Verdict::Wrong(difference) => (Some(*difference), None),
        Verdict::Failed(what) => (None, Some(what)),
    };
    let latency = run.latency.map(|latency| {
        json!({
            "p50": latency.p50.as_secs_f64(),
            "p99": latency.p99.as_secs_f64(),
            "max": latency.max.as_secs_f64(),
        })
    });
    json!({
        "wall_seconds": run.wall.as_secs_f64(),
        "user_seconds": run.usage.user.as_secs_f64(),
        "system_seconds": run.usage.system.as_secs_f64(),
        "peak_bytes": run.peak_bytes,
        "latency_seconds": latency,
        "lines_lost": difference.map(|difference| difference.lost),
        "lines_surplus": difference.map(|difference| difference.surplus),
        "lines_badly_stamped": difference.map(|difference| difference.badly_stamped),
        "failure": failure,
    })
}
