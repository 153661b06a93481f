//! The results of all runs: medians, spreads and ratios, and the cells of the table.

use std::time::Duration;

use crate::check::Difference;
use crate::feed::Pace;
use crate::follow::Latency;
use crate::machine::Machine;
use crate::measure::{Run, Verdict};
use crate::statistics::Spread;
use crate::subject::Subject;
use logyard_corpus::Counts;

/// The contents of a report.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The command line that reproduces it.
    pub(crate) command_line: String,
    /// When it was begun, in UTC.
    pub(crate) moment: String,
    /// What the lines look like, or the file that they are from.
    pub(crate) source: String,
    pub(crate) counts: Counts,
    /// The script, if loggers were compared.
    pub(crate) script: Option<String>,
    pub(crate) pace: Pace,
    /// Where the runs' directories were.
    pub(crate) directory: String,
    pub(crate) results: Vec<SubjectResults>,
    /// The results that the others are compared with.
    pub(crate) baseline: usize,
}

/// A subject and its runs, of which there is at least one.
#[derive(Debug)]
pub(crate) struct SubjectResults {
    pub(crate) subject: Subject,
    pub(crate) runs: Vec<Run>,
    pub(crate) calls_per_megabyte: Option<f64>,
}

impl SubjectResults {
    /// What is wrong, if the figures do not count: the first of its runs that was not right.
    pub(crate) fn fault(&self) -> Option<String> {
        self.runs.iter().find_map(|run| match &run.verdict {
            Verdict::Right => None,
            Verdict::Failed(what) => Some(what.clone()),
            Verdict::Wrong(difference) => Some(fault(difference)),
        })
    }

    /// A figure of each run, if they count.
    pub(crate) fn figures(&self, figure: impl Fn(&Run) -> Option<f64>) -> Vec<f64> {
        if self.fault().is_some() { vec![] } else { self.runs.iter().filter_map(figure).collect() }
    }

    /// Megabytes of input a second, and processor seconds, of each run.
    pub(crate) fn rates(&self, counts: &Counts) -> Vec<f64> {
        self.figures(|run| Some(counts.bytes as f64 / 1e6 / run.wall.as_secs_f64()))
    }

    pub(crate) fn processor_seconds(&self) -> Vec<f64> {
        self.figures(|run| Some((run.usage.user + run.usage.system).as_secs_f64()))
    }

    /// The processor seconds of each run for a million lines.
    pub(crate) fn seconds_per_million_lines(&self, counts: &Counts) -> Vec<f64> {
        let millions = counts.lines as f64 / 1e6;
        self.processor_seconds().into_iter().map(|seconds| seconds / millions).collect()
    }

    pub(crate) fn peak_megabytes(&self) -> Vec<f64> {
        self.figures(|run| Some(run.peak_bytes? as f64 / 1e6))
    }

    /// The medians of p50, p99 and max over the runs, in seconds.
    pub(crate) fn latencies(&self) -> Option<[f64; 3]> {
        let median = |pick: fn(&Latency) -> Duration| {
            Spread::of(self.figures(|run| Some(pick(run.latency.as_ref()?).as_secs_f64()))).map(|spread| spread.median)
        };
        Some([median(|latency| latency.p50)?, median(|latency| latency.p99)?, median(|latency| latency.max)?])
    }
}

impl Report {
    /// What was compared, in one line.
    pub(crate) fn subject_line(&self) -> String {
        let Counts { lines, bytes, .. } = self.counts;
        let pieces = self.pace.piece_bytes();
        let pace = match self.pace.rate {
            None => format!("in pieces of {pieces} bytes"),
            Some(rate) if pieces == 1 => format!("at {rate} lines a second"),
            Some(rate) => format!("at {rate} lines a second, at least {pieces} bytes at once"),
        };
        let script = self.script.as_ref().map_or_else(String::new, |script| format!("; {script}"));
        let runs = self.results.iter().map(|results| results.runs.len()).max().unwrap_or(0);
        let turns = if runs == 1 { "turn" } else { "turns" };
        format!(
            "{lines} {} lines, {bytes} bytes, through a pipe {pace}, to {}{script}; {runs} {turns}",
            self.source, self.directory
        )
    }

    /// The ratio to the baseline's rate; if all were fed at one rate, the ratio of processor times.
    pub(crate) fn ratio(&self, results: &SubjectResults) -> Option<f64> {
        let figure = |results: &SubjectResults| {
            let figures =
                if self.pace.rate.is_none() { results.rates(&self.counts) } else { results.processor_seconds() };
            Spread::of(figures).map(|spread| spread.median)
        };
        let (own, baseline) = (figure(results)?, figure(&self.results[self.baseline])?);
        Some(own / baseline).filter(|ratio| ratio.is_finite())
    }

    /// The titles of the columns.
    pub(crate) fn titles(&self) -> Vec<String> {
        let baseline = &self.results[self.baseline].subject.name;
        let mut titles = vec![String::new()];
        let mut add = |names: &[&str]| titles.extend(names.iter().map(|&name| name.to_owned()));
        if self.pace.rate.is_none() {
            add(&["MB/s", "slowest..fastest", "lines/s"]);
        }
        add(&["CPU s"]);
        if self.pace.rate.is_some() {
            add(&["CPU s/M lines"]);
        }
        add(&["peak MB", "calls/MB"]);
        if self.has_latencies() {
            add(&["p50", "p99", "max"]);
        }
        titles.push(if self.pace.rate.is_none() { format!("x {baseline}") } else { format!("CPU x {baseline}") });
        titles.push("log".to_owned());
        titles
    }

    /// The cells of a row, one for each title.
    pub(crate) fn cells(&self, results: &SubjectResults) -> Vec<String> {
        let median = |figures: Vec<f64>, decimals: usize| {
            Spread::of(figures).map_or_else(absent, |spread| format!("{:.decimals$}", spread.median))
        };
        let mut cells = vec![results.subject.name.clone()];
        if self.pace.rate.is_none() {
            let rates = Spread::of(results.rates(&self.counts));
            let lines_per_byte = self.counts.lines as f64 / self.counts.bytes.max(1) as f64;
            cells.push(rates.map_or_else(absent, |rate| format!("{:.0}", rate.median)));
            cells.push(rates.map_or_else(absent, |rate| format!("{:.0}..{:.0}", rate.least, rate.greatest)));
            cells.push(rates.map_or_else(absent, |rate| format!("{:.0}", rate.median * 1e6 * lines_per_byte)));
        }
        cells.push(median(results.processor_seconds(), 3));
        if self.pace.rate.is_some() {
            cells.push(median(results.seconds_per_million_lines(&self.counts), 2));
        }
        cells.push(median(results.peak_megabytes(), 1));
        let calls = results.calls_per_megabyte.filter(|_| results.fault().is_none());
        cells.push(calls.map_or_else(absent, |calls| format!("{calls:.1}")));
        if self.has_latencies() {
            let latencies = results.latencies();
            cells.extend((0..3).map(|which| latencies.map_or_else(absent, |all| duration(all[which]))));
        }
        cells.push(self.ratio(results).map_or_else(absent, |ratio| format!("{ratio:.2}")));
        let right = if results.subject.limit.is_some() { "not looked at" } else { "complete" };
        cells.push(results.fault().unwrap_or_else(|| right.to_owned()));
        cells
    }

    pub(crate) fn has_latencies(&self) -> bool {
        self.results.iter().any(|results| results.latencies().is_some())
    }
}

fn absent() -> String {
    "-".to_owned()
}

/// What is wrong with a log, in words.
fn fault(difference: &Difference) -> String {
    let &Difference { lost, surplus, badly_stamped } = difference;
    let lost = Some(lost).filter(|&lost| lost > 0).map(|lost| format!("lost {}", lines(lost)));
    let surplus = Some(surplus).filter(|&surplus| surplus > 0).map(|surplus| format!("{} too many", lines(surplus)));
    let badly_stamped =
        Some(badly_stamped).filter(|&bad| bad > 0).map(|bad| format!("{} without a true stamp", lines(bad)));
    lost.into_iter().chain(surplus).chain(badly_stamped).collect::<Vec<_>>().join(", ")
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// Seconds, in a unit that fits.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        _ if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}
