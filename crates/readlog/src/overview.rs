//! `--list` and `--disk-usage`: what there is to read, and how much room it takes.

use std::fmt::Write;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::backward::Backward;
use crate::context::Context;
use crate::files;
use crate::log_dir::LogDir;
use crate::output::width;
use crate::ranges::Probe;
use crate::stream::Span;
use logyard::cli::Shown;
use logyard::cli::size::human;
use logyard::tai64n::Label;

/// What is shown of each directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overview {
    /// The first and the last time, the files and their bytes.
    List,
    /// The room on the disk.
    DiskUsage,
}

/// A log directory in numbers.
struct Summary {
    service: Vec<u8>,
    directory: Vec<u8>,
    first: Option<Label>,
    last: Option<Label>,
    files: usize,
    bytes: u64,
    disk_bytes: u64,
}

/// Shows directories: as JSON objects, or as a table.
pub(super) fn draw(overview: Overview, log_dirs: &[Rc<LogDir>], is_json: bool, context: &Rc<Context>) -> String {
    let summaries: Vec<Summary> = log_dirs.iter().map(|log_dir| summary(log_dir, context)).collect();
    match (is_json, overview) {
        (true, _) => summaries.iter().map(|summary| format!("{}\n", object(summary, context))).collect(),
        (false, Overview::List) => list(&summaries, context),
        (false, Overview::DiskUsage) => disk_usage(&summaries),
    }
}

fn summary(log_dir: &Rc<LogDir>, context: &Rc<Context>) -> Summary {
    let files = files::list(log_dir, &context.warnings).unwrap_or_else(|errno| {
        context.warnings.unable_to_read(&log_dir.path, b".", errno);
        Vec::new()
    });
    let probe = Probe::new(log_dir, context);
    let first = files.iter().find_map(|log_file| probe.first_label(log_file, u64::MAX).ok().flatten());
    let size = |log_file: &files::LogFile| match log_file.open(&log_dir.dir).and_then(|file| file.stat()) {
        Ok(stat) => stat.size_bytes,
        Err(errno) => {
            context.warnings.unable_to_read(&log_dir.path, &log_file.name, errno);
            0
        }
    };
    let (count, bytes) = (files.len(), files.iter().map(size).sum());
    let spans = files.into_iter().map(|log_file| Span::whole(Rc::new(log_file))).collect();
    let mut backward = Backward::new(Rc::clone(log_dir), Rc::clone(context), spans);
    let last = std::iter::from_fn(|| backward.next()).find_map(|group| group.label);
    Summary {
        service: log_dir.service.clone(),
        directory: log_dir.path.clone(),
        first: first.map(|line| line.label),
        last,
        files: count,
        bytes,
        disk_bytes: disk_bytes(log_dir),
    }
}

/// The room that all files of a directory take on the disk, also what is no log file; or the files that are named.
fn disk_bytes(log_dir: &LogDir) -> u64 {
    let all = || log_dir.dir.names().unwrap_or_default().into_iter().map(|(name, _)| name).collect();
    let names: Vec<Vec<u8>> = log_dir.only.clone().unwrap_or_else(all);
    let stat = |name: &Vec<u8>| log_dir.dir.stat(name).ok().flatten();
    names.iter().filter_map(stat).filter(|stat| stat.is_plain).map(|stat| stat.allocated_bytes).sum()
}

fn time(label: Option<Label>, context: &Context) -> Option<String> {
    let text = context.clock.show(context.scale.unix_seconds(label?))?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn object(summary: &Summary, context: &Context) -> Value {
    json!({
        "service": String::from_utf8_lossy(&summary.service),
        "directory": String::from_utf8_lossy(&summary.directory),
        "first": time(summary.first, context),
        "last": time(summary.last, context),
        "files": summary.files,
        "bytes": summary.bytes,
        "disk_bytes": summary.disk_bytes,
    })
}

fn list(summaries: &[Summary], context: &Context) -> String {
    let time = |label| time(label, context).unwrap_or_else(|| "-".to_owned());
    let head = ["service", "first", "last", "files", "bytes"].map(str::to_owned);
    let row = |summary: &Summary| {
        let service = Shown(&summary.service).to_string();
        [service, time(summary.first), time(summary.last), summary.files.to_string(), human(summary.bytes)]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(summaries.iter().map(row)).collect();
    let widths: [usize; 5] =
        std::array::from_fn(|column| rows.iter().map(|row| width(row[column].as_bytes())).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column] - width(cell.as_bytes()));
            // Numbers stand at the right of their columns. Writing to memory does not fail.
            let _ = match column {
                0 => write!(text, "{cell}{padding}"),
                1 | 2 => write!(text, "  {cell}{padding}"),
                _ => write!(text, "  {padding}{cell}"),
            };
        }
        text.push('\n');
    }
    text
}

fn disk_usage(summaries: &[Summary]) -> String {
    let mut rows: Vec<(String, String)> =
        summaries.iter().map(|summary| (human(summary.disk_bytes), Shown(&summary.service).to_string())).collect();
    if rows.len() > 1 {
        rows.push((human(summaries.iter().map(|summary| summary.disk_bytes).sum()), "total".to_owned()));
    }
    let width = rows.iter().map(|(size, _)| size.len()).max().unwrap_or(0);
    rows.into_iter().map(|(size, service)| format!("{size:>width$}  {service}\n")).collect()
}
