//! Metrics: what the logger has done, in a file for the textfile collector of Prometheus's node_exporter.
//!
//! The file is replaced as a whole, at the interval that the script states and when the logger exits. Counters begin at 0 with
//! the logger. A file that cannot be written does not stop the logging.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use memchr::memchr_iter;

use crate::cli::Shown;
use crate::cli::prometheus::Page;
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::script::MetricsFile;
use crate::multilog::withheld::tally::Tally;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::log_dir::LogDir;
use crate::multilog::writer::place::Place;
use crate::sys::clock;
use crate::sys::dir::Dir;
use crate::sys::replace::Replacement;
use crate::tai64n::Label;

/// The collector of another user reads the file. It ignores the new one, whose name does not end in `.prom`.
const FILE: Replacement = Replacement { suffix: b".new", mode: 0o644, overrides_umask: true, is_durable: false };

/// Lines and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Volume {
    lines: u64,
    bytes: u64,
}

impl Volume {
    fn add(&mut self, text: &[u8]) {
        self.lines += memchr_iter(b'\n', text).count() as u64;
        self.bytes += text.len() as u64;
    }
}

/// What a log directory got.
#[derive(Debug, Default)]
struct Share {
    /// Its path, from the root if that is known, as a label's value.
    path: String,
    written: Volume,
    rotations: u64,
    /// Lines that are the same as the one before them.
    repeated: Volume,
    /// Lines beyond the rate.
    suppressed: Volume,
}

/// The names, kinds and helps of `Unshipped::totals`. Given only if a directory holds archives that are not shipped.
const UNSHIPPED: [(&str, &str, &str); 4] = [
    ("unshipped_bytes", "gauge", "Bytes of the archives that are not shipped."),
    ("lost_archives_total", "counter", "Archives removed before they were shipped."),
    ("lost_lines_total", "counter", "Lines of these archives, as far as they are known."),
    ("lost_bytes_total", "counter", "Bytes of these archives on the disk."),
];

/// What the logger has done.
#[derive(Debug)]
pub struct Metrics {
    file: MetricsFile,
    next: Instant,
    start: Label,
    input: Volume,
    /// Lines that were dropped because the disk did not take them.
    dropped: Volume,
    newest: Option<Label>,
    shares: Vec<Share>,
    /// The last write of the file failed, and this has been reported.
    is_failing: bool,
}

impl Metrics {
    /// Metrics of a logger that begins now, with these directories. The file is made at once.
    #[must_use]
    pub fn new(file: MetricsFile, directories: &[&str]) -> Metrics {
        let share = |name: &&str| Share { path: absolute(name), ..Share::default() };
        let shares = directories.iter().map(share).collect();
        let next = Instant::now();
        Metrics {
            file,
            next,
            start: Label::from(clock::now()),
            input: Volume::default(),
            dropped: Volume::default(),
            newest: None,
            shares,
            is_failing: false,
        }
    }

    /// The same logger goes on with another file, interval or directories; what was counted stays.
    #[must_use]
    pub fn carried_over(self, before: &Metrics) -> Metrics {
        let shares = self.shares.into_iter().map(|share| {
            let known = before.shares.iter().find(|known| known.path == share.path);
            known.map_or(share, |known| Share { path: known.path.clone(), ..*known })
        });
        let shares = shares.collect();
        Metrics { start: before.start, input: before.input, newest: before.newest, shares, ..self }
    }

    /// When the file is to be replaced.
    #[must_use]
    pub fn due_at(&self) -> Instant {
        self.next
    }

    /// Lines of the input are written; the last of them came at a moment.
    pub fn note_input(&mut self, text: &[u8], came: Label) {
        self.input.add(text);
        self.newest = Some(came);
    }

    /// Lines were dropped before they were looked at.
    pub fn note_dropped(&mut self, tally: &Tally) {
        self.dropped.lines += tally.lines;
        self.dropped.bytes += tally.bytes;
    }

    /// A directory got some text.
    pub fn note_output(&mut self, directory: usize, text: &[u8]) {
        self.shares[directory].written.add(text);
    }

    /// A directory did not get some lines: repeated ones, and suppressed ones.
    pub fn note_withheld(&mut self, directory: usize, added: &[Tally; 2]) {
        let share = &mut self.shares[directory];
        for (volume, tally) in [&mut share.repeated, &mut share.suppressed].into_iter().zip(added) {
            volume.lines += tally.lines;
            volume.bytes += tally.bytes;
        }
    }

    /// A directory was rotated.
    pub fn note_rotation(&mut self, directory: usize) {
        self.shares[directory].rotations += 1;
    }

    /// Replaces the file. Returns only the first of several errors in a row.
    pub fn replace<D: Directory>(&mut self, directories: &[LogDir<D>], input: &impl Input) -> Result<(), Error> {
        self.next = Instant::now() + self.file.interval;
        let text = self.text(directories, input);
        let path = self.file.path.to_bytes();
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&path[..=slash], &path[slash + 1..]),
            None => (&b"."[..], path),
        };
        let answer = Dir::open(parent)
            .and_then(|dir| FILE.carry_out(&dir, name, text.as_bytes()).map_err(|(_, errno)| errno))
            .map_err(|errno| Error::unable(format_args!("write {}", Shown(path)), errno));
        match std::mem::replace(&mut self.is_failing, answer.is_err()) {
            true => Ok(()),
            false => answer,
        }
    }

    fn text<D: Directory>(&self, directories: &[LogDir<D>], input: &impl Input) -> String {
        // A directory belongs to one logger at a time, so its path tells loggers apart.
        let logger = match self.shares.first() {
            Some(share) => share.path.clone(),
            None => absolute("."),
        };
        let mut page = LoggerPage { page: Page::default(), logger };
        page.one(
            "input_lines_total",
            "counter",
            "Lines of the input that are written or not selected.",
            self.input.lines,
        );
        page.one("input_bytes_total", "counter", "Bytes of these lines.", self.input.bytes);
        page.one(
            "dropped_lines_total",
            "counter",
            "Lines that B dropped, as the disk did not take them.",
            self.dropped.lines,
        );
        page.one("dropped_bytes_total", "counter", "Bytes of these lines.", self.dropped.bytes);
        let by_path = |value: fn(&Share) -> u64| -> Vec<(&str, u64)> {
            self.shares.iter().map(|share| (share.path.as_str(), value(share))).collect()
        };
        page.each("written_lines_total", "Lines written to the directory.", &by_path(|share| share.written.lines));
        page.each("written_bytes_total", "Bytes written to the directory.", &by_path(|share| share.written.bytes));
        page.each("repeated_lines_total", "Repeated lines that D left out.", &by_path(|share| share.repeated.lines));
        page.each("repeated_bytes_total", "Bytes of these lines.", &by_path(|share| share.repeated.bytes));
        page.each("suppressed_lines_total", "Lines beyond the rate of L.", &by_path(|share| share.suppressed.lines));
        page.each("suppressed_bytes_total", "Bytes of these lines.", &by_path(|share| share.suppressed.bytes));
        page.each("rotations_total", "Files that were finished.", &by_path(|share| share.rotations));
        let of_place = |value: fn(&Place<D>) -> &AtomicU64| -> Vec<(&str, u64)> {
            let counts = directories.iter().map(|directory| value(directory.place()).load(Ordering::Relaxed));
            self.shares.iter().map(|share| share.path.as_str()).zip(counts).collect()
        };
        let runs = of_place(|place| &place.processor_runs);
        page.each("processor_runs_total", "Runs of the processor, failed ones too.", &runs);
        let failures = of_place(|place| &place.processor_failures);
        page.each("processor_failures_total", "Runs of the processor that failed.", &failures);
        if directories.iter().any(|directory| directory.place().rules().limits.held_bytes_max.is_some()) {
            let totals: Vec<[u64; 4]> =
                directories.iter().map(|directory| directory.place().unshipped.totals()).collect();
            page.unshipped(&self.shares, &totals);
        }
        let blocked = input.blocked();
        let blocked = format!("{}.{:09}", blocked.as_secs(), blocked.subsec_nanos());
        page.one(
            "blocked_seconds_total",
            "counter",
            "Time in which the input waited for a disk or a processor.",
            blocked,
        );
        if let Some(bytes) = input.waiting_bytes() {
            page.one("waiting_bytes", "gauge", "Bytes that wait in the pipe.", bytes);
        }
        if let Some(newest) = self.newest {
            page.one(
                "newest_line_timestamp_seconds",
                "gauge",
                "Time at which the newest line was read.",
                seconds(newest),
            );
        }
        page.one("start_timestamp_seconds", "gauge", "Time at which the logger started.", seconds(self.start));
        page.page.into_text()
    }
}

/// The metrics of a logger, which a label names.
struct LoggerPage {
    page: Page,
    logger: String,
}

impl LoggerPage {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.page.metric(&format!("multilog_{name}"), kind, help, [([("logger", &self.logger[..])], value)]);
    }

    fn unshipped(&mut self, shares: &[Share], totals: &[[u64; 4]]) {
        for (number, (name, kind, help)) in UNSHIPPED.into_iter().enumerate() {
            let paths = shares.iter().map(|share| share.path.as_str());
            let values: Vec<(&str, u64)> = paths.zip(totals.iter().map(|total| total[number])).collect();
            self.each_of_kind(kind, name, help, &values);
        }
    }

    fn each(&mut self, name: &str, help: &str, values: &[(&str, u64)]) {
        self.each_of_kind("counter", name, help, values);
    }

    fn each_of_kind(&mut self, kind: &str, name: &str, help: &str, values: &[(&str, u64)]) {
        let labels = |path| [("logger", &self.logger[..]), ("directory", path)];
        let samples = values.iter().map(|&(path, value)| (labels(path), value));
        self.page.metric(&format!("multilog_{name}"), kind, help, samples);
    }
}

/// A path, from the root if it can be found out. `name` can be shown.
fn absolute(name: &str) -> String {
    match std::env::current_dir() {
        Ok(here) if !name.starts_with('/') => {
            let here = Shown(here.as_os_str().as_encoded_bytes()).to_string();
            match name.strip_prefix("./").unwrap_or(name) {
                "." | "" => here,
                below => format!("{}/{below}", here.trim_end_matches('/')),
            }
        }
        _ => name.to_owned(),
    }
}

fn seconds(label: Label) -> impl Display {
    format!("{}.{:09}", label.unix_seconds(), label.nanoseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute() {
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();

        assert_eq!(absolute("./main"), format!("{here}/main"));
        assert_eq!(absolute("."), here);
        assert_eq!(absolute("/var/log/a\"b\\c"), "/var/log/a\"b\\c");
    }
}
