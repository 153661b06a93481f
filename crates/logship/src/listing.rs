//! `logship ls`: what is in the store.

use std::collections::BTreeMap;
use std::fmt::Write;

use futures_util::{StreamExt, TryStreamExt};
use logyard::cli::Exit;
use logyard::sys::fd;

use crate::key::Key;
use crate::report::{self, Report};
use crate::store::{Store, StoreError};

/// So many objects are asked at once what they hold.
const PARALLEL: usize = 32;

/// What a service of a host shipped on a day.
#[derive(Debug, Default)]
struct Sum {
    objects: u64,
    lines: u64,
    /// In the archives, unpacked.
    archive_bytes: u64,
    /// In the store.
    object_bytes: u64,
}

/// Prints a line for each day of each service of each host, and the exit code.
pub(crate) async fn ls(store: &Store) -> Exit {
    let report = Report::default();
    let sums = match sums(store, &report).await {
        Ok(sums) => sums,
        Err(error) => return report::fatal(format_args!("unable to list the store: {error}")),
    };
    let mut rows = vec![["host", "service", "date", "objects", "lines", "bytes", "stored"].map(str::to_owned)];
    for ((host, service, date), sum) in sums {
        let [objects, lines, bytes, stored] =
            [sum.objects, sum.lines, sum.archive_bytes, sum.object_bytes].map(|number| number.to_string());
        rows.push([host, service, date, objects, lines, bytes, stored]);
    }
    match fd::write_all(fd::stdout(), table(&rows).as_bytes()) {
        Ok(()) | Err(logyard::sys::Errno::EPIPE) => report.exit(),
        Err(errno) => report::fatal(format_args!("unable to write output: {}", logyard::cli::cause(errno))),
    }
}

async fn sums(store: &Store, report: &Report) -> Result<BTreeMap<(String, String, String), Sum>, StoreError> {
    let objects = store.list("").await?;
    let objects = objects.into_iter().filter_map(|object| Some((Key::parse(&object.key)?, object)));
    let ask = async |(key, object): (Key, crate::store::Listed)| {
        let facts = match store.facts(&object.key).await {
            Err(StoreError::Damaged(problem)) => {
                report.warn(problem);
                None
            }
            answer => answer?,
        };
        Ok::<_, StoreError>((key, object.bytes, facts))
    };
    let mut answers = futures_util::stream::iter(objects.map(ask)).buffer_unordered(PARALLEL);
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    while let Some((key, bytes, facts)) = answers.try_next().await? {
        // An object that is gone by now, or that is none of logship, is in no sum.
        let Some(facts) = facts else { continue };
        let sum = sums.entry((key.host, key.service, key.date)).or_default();
        sum.objects += 1;
        sum.lines += facts.lines;
        sum.archive_bytes += facts.bytes;
        sum.object_bytes += bytes;
    }
    Ok(sums)
}

/// How many columns hold words; the others hold numbers.
const WORDS: usize = 3;

/// Rows as text, the columns aligned.
fn table(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // A String never refuses.
            let _ =
                if column < WORDS { write!(text, "{gap}{cell:width$}") } else { write!(text, "{gap}{cell:>width$}") };
        }
        text.push('\n');
    }
    text
}
