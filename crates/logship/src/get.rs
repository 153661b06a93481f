//! `logship get`: the lines of a service from the store, as labelled text.

use std::collections::BTreeMap;

use logyard::cli::{Exit, Shown, cause};
use logyard::sys::{Errno, fd};
use logyard::tai64n::Label;
use readlog::time_scale::Window;

use crate::key::{Format, Key};
use crate::pieces::{Row, Time, write_row};
use crate::report::{self, Report};
use crate::store::{Store, StoreError};
use crate::table::reader::Reader;

/// Which lines are asked for.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) service: String,
    /// None means all hosts, one after the other.
    pub(crate) host: Option<String>,
    pub(crate) window: Window,
}

/// An archive holds lines from before its label. The first one behind the window is read, and all that follow within this time:
/// where the clock was set back, they hold earlier lines too.
const MARGIN_SECONDS: i64 = 86_400;

/// How much text is collected before it is written.
const OUTPUT_BYTES: usize = 1 << 16;

/// Prints the lines, and returns the exit code.
pub(crate) async fn get(store: &Store, query: &Query) -> Exit {
    let objects = match objects(store, query).await {
        Ok(objects) => objects,
        Err(error) => return report::fatal(format_args!("unable to list the store: {error}")),
    };
    let report = Report::default();
    for keys in objects.values() {
        let mut lines = Lines::new(&query.window);
        for key in keys {
            match print(store, key, &mut lines).await {
                Ok(()) => {}
                Err(Failure::Object(error)) => report.warn(format_args!("unable to read {key}: {error}")),
                Err(Failure::Output(Errno::EPIPE)) => return report.exit(),
                Err(Failure::Output(errno)) => {
                    return report::fatal(format_args!("unable to write output: {}", cause(errno)));
                }
            }
        }
        match lines.finish() {
            Ok(()) => {}
            Err(Errno::EPIPE) => return report.exit(),
            Err(errno) => return report::fatal(format_args!("unable to write output: {}", cause(errno))),
        }
    }
    report.exit()
}

/// The objects of each host that can hold lines of the window, in order.
async fn objects(store: &Store, query: &Query) -> Result<BTreeMap<String, Vec<Key>>, StoreError> {
    let mut hosts: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for object in store.list("").await? {
        let Some(key) = Key::parse(&object.key) else { continue };
        let is_asked_for = key.service == query.service && query.host.as_ref().is_none_or(|host| *host == key.host);
        if is_asked_for && key.format == Format::Parquet {
            hosts.entry(key.host.clone()).or_default().push(key);
        }
    }
    for keys in hosts.values_mut() {
        keys.sort_unstable_by_key(Key::archive);
        if let Some(since) = query.window.since {
            keys.retain(|key| key.label >= since);
        }
        if let Some(until) = query.window.until {
            let last = until.unix_seconds().saturating_add(MARGIN_SECONDS);
            let within = keys.iter().take_while(|key| key.label < until || key.label.unix_seconds() <= last).count();
            keys.truncate(within + 1);
        }
    }
    Ok(hosts)
}

/// Why the lines of an object were not printed.
enum Failure {
    Object(StoreError),
    Output(Errno),
}

async fn print(store: &Store, key: &Key, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let damaged = |error: crate::table::Error| {
        Failure::Object(StoreError::Refused(Shown(error.to_string().as_bytes()).to_string()))
    };
    let file = store.fetch(&key.to_string()).await.map_err(Failure::Object)?;
    let reader = Reader::open(file).map_err(damaged)?;
    for group in 0..reader.groups() {
        // Within a file, the lines without a stamp belong to the stamped line before them, so a group is left out only at
        // its ends.
        if group > 0 && lines.is_outside(reader.span(group)) && lines.is_outside(reader.span(group - 1)) {
            continue;
        }
        for row in reader.rows(group).map_err(damaged)? {
            lines.print(&row).map_err(Failure::Output)?;
        }
    }
    Ok(())
}

/// The lines of a host on their way to the output.
struct Lines<'q> {
    window: &'q Window,
    text: Vec<u8>,
    /// Whether the last stamped line was in the window: lines without a stamp go with it.
    is_within: bool,
    /// Whether the last line is printed and has no end yet, and whether it has a stamp.
    open: Option<bool>,
}

impl Lines<'_> {
    fn new(window: &Window) -> Lines<'_> {
        Lines { window, text: Vec::new(), is_within: window.since.is_none(), open: None }
    }

    /// Tells whether all times of a row group are outside the window.
    fn is_outside(&self, span: Option<(i64, i64)>) -> bool {
        let label = |micros| Time { micros, nanos: 0 }.label();
        let Some((first, last)) = span.and_then(|(first, last)| Some((label(first)?, label(last.checked_add(1)?)?)))
        else {
            return false;
        };
        self.window.since.is_some_and(|since| last <= since) || self.window.until.is_some_and(|until| first >= until)
    }

    fn print(&mut self, row: &Row) -> Result<(), Errno> {
        let label: Option<Label> = row.time.and_then(Time::label);
        if let Some(has_stamp) = self.open.take() {
            // What follows a line that was cut is its rest, if the archive says so or if it lacks the stamp that others have.
            let is_rest = row.continues || (has_stamp && label.is_none());
            if !is_rest && self.is_within {
                self.text.push(b'\n');
            }
        }
        if let Some(label) = label {
            self.is_within = self.window.contains(label);
        }
        if self.is_within {
            write_row(row, &mut self.text);
        }
        if row.continued {
            self.open = Some(label.is_some());
        }
        if self.text.len() >= OUTPUT_BYTES { self.flush() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Errno> {
        if self.open.is_some() && self.is_within {
            self.text.push(b'\n');
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Errno> {
        fd::write_all(fd::stdout(), &self.text)?;
        self.text.clear();
        Ok(())
    }
}
