//! Counters in a file, in the text format of Prometheus: for the textfile collector of its node exporter.

use std::cell::{Cell, RefCell};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use logyard::cli::prometheus::Page;
use logyard::cli::{Shown, cause};
use logyard::sys::Errno;
use logyard::sys::dir::Dir;
use logyard::sys::replace::Replacement;
use logyard::tai64n::Label;

use crate::facts::Facts;
use crate::report;

const REPLACEMENT: Replacement =
    Replacement { suffix: b".new", mode: 0o644, overrides_umask: false, is_durable: false };

/// Counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    file: Option<PathBuf>,
    /// Whether the last attempt to write the file failed, so that one warning is enough.
    is_failing: Cell<bool>,
    counts: RefCell<Counts>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    shipped: u64,
    present: u64,
    lines: u64,
    archive_bytes: u64,
    object_bytes: u64,
    retries: u64,
    failed: u64,
    lost: u64,
    waiting: u64,
    last_seconds: i64,
}

impl Metrics {
    /// Counters that are written to a file, if one is named.
    pub(crate) fn new(file: Option<PathBuf>) -> Metrics {
        Metrics { file, ..Metrics::default() }
    }

    /// An archive was shipped.
    pub(crate) fn shipped(&self, facts: &Facts, object_bytes: u64) {
        self.change(|counts| {
            counts.shipped += 1;
            counts.lines += facts.lines;
            counts.archive_bytes += facts.bytes;
            counts.object_bytes += object_bytes;
            counts.last_seconds = Label::now().unix_seconds();
        });
    }

    /// An archive was found in the store.
    pub(crate) fn present(&self) {
        self.change(|counts| counts.present += 1);
    }

    /// The store did not do something, and it is tried again.
    pub(crate) fn retried(&self) {
        self.change(|counts| counts.retries += 1);
    }

    /// An archive could not be shipped, and is not tried again.
    pub(crate) fn failed(&self) {
        self.change(|counts| counts.failed += 1);
    }

    /// An archive was removed before it was shipped.
    pub(crate) fn lost(&self) {
        self.change(|counts| counts.lost += 1);
    }

    /// How many archives wait to be shipped.
    pub(crate) fn waiting(&self, archives: usize) {
        self.change(|counts| counts.waiting = archives as u64);
    }

    /// One archive fewer waits.
    pub(crate) fn one_less_waits(&self) {
        self.change(|counts| counts.waiting = counts.waiting.saturating_sub(1));
    }

    /// A sentence about the run.
    pub(crate) fn summary(&self) -> String {
        let Counts { shipped, present, lines, archive_bytes, object_bytes, failed, lost, .. } = *self.counts.borrow();
        format!(
            "{shipped} archives shipped ({lines} lines, {archive_bytes} bytes, {object_bytes} in the store), \
             {present} were there, {failed} failed, {lost} lost"
        )
    }

    /// How many archives are done with.
    pub(crate) fn done(&self) -> u64 {
        let counts = self.counts.borrow();
        counts.shipped + counts.present + counts.failed + counts.lost
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.borrow_mut());
        if let Some(file) = &self.file {
            self.write(file);
        }
    }

    fn write(&self, file: &Path) {
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let name = file.file_name().ok_or(Errno::EISDIR);
        let written = name.and_then(|name| {
            let dir = Dir::open(folder)?;
            REPLACEMENT.carry_out(&dir, name.as_bytes(), self.text().as_bytes()).map_err(|(_, errno)| errno)
        });
        if let Err(errno) = written
            && !self.is_failing.get()
        {
            let file = Shown(file.as_os_str().as_bytes());
            report::warn(format_args!("unable to write {file}: {}", cause(errno)));
        }
        self.is_failing.set(written.is_err());
    }

    fn text(&self) -> String {
        let counts = *self.counts.borrow();
        let mut page = Page::default();
        let mut metric = |name: &str, kind: &str, help: &str, value: i128| {
            page.metric(&format!("logship_{name}"), kind, help, [([("", ""); 0], value)]);
        };
        let mut counter = |name: &str, help: &str, value: u64| metric(name, "counter", help, value.into());
        counter("archives_shipped_total", "Archives that this run created in the store.", counts.shipped);
        counter("archives_present_total", "Archives that were in the store already.", counts.present);
        counter("archives_failed_total", "Archives that cannot be shipped.", counts.failed);
        counter("archives_lost_total", "Archives that were removed before they were shipped.", counts.lost);
        counter("lines_shipped_total", "Lines in the archives that were shipped.", counts.lines);
        counter("archive_bytes_total", "Bytes of the archives that were shipped, unpacked.", counts.archive_bytes);
        counter("object_bytes_total", "Bytes of the objects that were created.", counts.object_bytes);
        counter("retries_total", "Requests that failed and were tried again.", counts.retries);
        metric("archives_waiting", "gauge", "Archives that wait to be shipped.", counts.waiting.into());
        metric(
            "last_shipped_seconds",
            "gauge",
            "When an archive was shipped last, in Unix time.",
            counts.last_seconds.into(),
        );
        page.into_text()
    }
}
