//! `logship ship`: ships all archives, and without `--once` also those that appear later.

use std::sync::Arc;

use futures_util::StreamExt;
use logyard::cli::{Exit, Shown, cause};

use crate::log_dir::{Archive, LogDir};
use crate::metrics::Metrics;
use crate::probe::probe;
use crate::report::{self, Report};
use crate::shipment::{Failure, Outcome, Shipping, path};

/// Ships the archives that are there, and returns the exit code.
pub(crate) async fn once(shipping: &Shipping<'_>, log_dirs: &[Arc<LogDir>], parallel: usize, is_quiet: bool) -> Exit {
    let report = Report::default();
    // A dry run creates nothing, not even that.
    if !shipping.is_dry
        && let Err(error) = probe(&shipping.store, &shipping.patience).await
    {
        return report::fatal(error);
    }
    let mut archives = Vec::new();
    for log_dir in log_dirs {
        let newest = shipping.marks.newest(log_dir);
        let all = list(log_dir, &report);
        shipping.marks.note_listing(log_dir, &all, &all, newest);
        archives.extend(all);
    }
    shipping.metrics.waiting(archives.len());
    ship_all(shipping, archives, parallel, &report).await;
    if !is_quiet {
        report::say(shipping.metrics.summary());
    }
    report.exit()
}

/// The archives of a directory, the oldest first.
pub(crate) fn list(log_dir: &Arc<LogDir>, report: &Report) -> Vec<Archive> {
    log_dir.archives().unwrap_or_else(|errno| {
        report.warn(format_args!("unable to read directory {}: {}", Shown(&log_dir.path), cause(errno)));
        Vec::new()
    })
}

/// Ships archives, several at a time, and reports what could not be shipped. Returns those that the store did not take in the
/// time that it had.
pub(crate) async fn ship_all(
    shipping: &Shipping<'_>,
    archives: Vec<Archive>,
    parallel: usize,
    report: &Report,
) -> Vec<Archive> {
    let mut not_taken = Vec::new();
    let progress = Progress::new(archives.len(), shipping.metrics);
    let ship = async |archive: Archive| {
        let outcome = shipping.ship(&archive).await;
        (archive, outcome)
    };
    let mut outcomes = futures_util::stream::iter(archives.into_iter().map(ship)).buffer_unordered(parallel);
    while let Some((archive, outcome)) = outcomes.next().await {
        shipping.metrics.one_less_waits();
        progress.clear();
        if !matches!(outcome, Err(Failure::Store(_))) {
            shipping.marks.note_done(&archive);
        }
        match outcome {
            Ok(Outcome::Shipped { facts, object_bytes }) => shipping.metrics.shipped(&facts, object_bytes),
            Ok(Outcome::Present) => shipping.metrics.present(),
            Ok(Outcome::WouldShip) => {
                let key = archive.key(shipping.format);
                report::say(format_args!("would ship {} as {key}", path(&archive)));
            }
            Err(Failure::Gone) => {
                shipping.metrics.lost();
                report.warn(format_args!("{} was removed before it was shipped", path(&archive)));
            }
            Err(Failure::Permanent(text)) => {
                shipping.metrics.failed();
                report.warn(text);
            }
            Err(Failure::Store(text)) => {
                shipping.metrics.failed();
                report.warn(text);
                not_taken.push(archive);
            }
        }
        progress.draw();
    }
    progress.clear();
    not_taken
}

/// How far a run has come, on a terminal.
struct Progress<'m> {
    total: usize,
    metrics: &'m Metrics,
    done_before: u64,
    is_shown: bool,
}

/// The width of the bar.
const BAR_COLUMNS: usize = 30;

impl Progress<'_> {
    fn new(total: usize, metrics: &Metrics) -> Progress<'_> {
        Progress { total, metrics, done_before: metrics.done(), is_shown: total > 1 && report::is_terminal() }
    }

    fn draw(&self) {
        if self.is_shown {
            let done = usize::try_from(self.metrics.done() - self.done_before).unwrap_or(self.total);
            let filled = BAR_COLUMNS * done.min(self.total) / self.total;
            let (bar, rest) = ("#".repeat(filled), ".".repeat(BAR_COLUMNS - filled));
            report::draw(format_args!("\r[{bar}{rest}] {done} of {} archives", self.total));
        }
    }

    /// Makes room for a message.
    fn clear(&self) {
        if self.is_shown {
            report::draw(format_args!("\r\x1b[K"));
        }
    }
}
