//! `logship verify`: compares log directories with what is in the store.

use std::sync::Arc;

use logyard::cli::{Exit, Shown, cause};
use logyard::sys::Errno;
use ring::digest;

use crate::archive::{self, hexadecimal};
use crate::compaction::marker;
use crate::key::{Format, Key};
use crate::log_dir::{Archive, LogDir};
use crate::pieces::write_row;
use crate::report::{self, Report};
use crate::shipment::path;
use crate::store::{Store, StoreError};
use crate::table::reader::Reader;

/// What has been compared.
#[derive(Debug, Default)]
struct Totals {
    equal: u64,
    lines: u64,
    missing: u64,
    different: u64,
}

/// Compares the archives of directories with their objects. With `reads_content`, also the lines in the objects.
///
/// An object that is missing was merged if a marker in `compacted` names it.
pub(crate) async fn verify(
    store: &Store,
    compacted: Option<&Store>,
    log_dirs: &[Arc<LogDir>],
    format: Format,
    reads_content: bool,
) -> Exit {
    let (report, mut totals) = (Report::default(), Totals::default());
    for log_dir in log_dirs {
        for archive in crate::ship::list(log_dir, &report) {
            if let Err(problem) = compare(store, compacted, &archive, format, reads_content, &mut totals).await {
                report.warn(problem);
            }
        }
    }
    let Totals { equal, lines, missing, different } = totals;
    report::say(format_args!(
        "{equal} archives ({lines} lines) are in the store, {missing} are missing, {different} differ"
    ));
    report.exit()
}

async fn compare(
    store: &Store,
    compacted: Option<&Store>,
    archive: &Archive,
    format: Format,
    reads_content: bool,
    totals: &mut Totals,
) -> Result<(), String> {
    let (path, key) = (path(archive), archive.key(format));
    let here = match archive.open().and_then(|file| archive::facts(file, u64::MAX)) {
        Ok(facts) => facts,
        // It was trimmed since the directory was read.
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EPROTO) => return Err(format!("unable to read {path}: compressed and damaged")),
        Err(errno) => return Err(format!("unable to read {path}: {}", cause(errno))),
    };
    let mut is_merged = false;
    let mut there = store.facts(&key.to_string()).await;
    if let (Ok(None), Some(compacted)) = (&there, compacted) {
        there = marker::facts(compacted, &key).await;
        is_merged = true;
    }
    let there = match there {
        Ok(Some(there)) => there,
        Ok(None) => {
            totals.missing += 1;
            return Err(format!("{path} is not in the store: {key}"));
        }
        Err(error) => return Err(format!("unable to read {key}: {error}")),
    };
    if here != there {
        totals.different += 1;
        let (here, there) =
            (format!("{} lines, {}", here.lines, here.sha256), format!("{} lines, {}", there.lines, there.sha256));
        return Err(format!("{path} ({here}) differs from {key} ({there})"));
    }
    if reads_content && format == Format::Parquet && !is_merged {
        let found = content(store, &key).await.map_err(|error| format!("unable to read {key}: {error}"))?;
        if found != here.sha256 {
            totals.different += 1;
            return Err(format!("the lines in {key} have sha256 {found}, those of {path} {}", here.sha256));
        }
    }
    totals.equal += 1;
    totals.lines += here.lines;
    Ok(())
}

/// The hash of the archive as it can be rebuilt from its object.
async fn content(store: &Store, key: &Key) -> Result<String, StoreError> {
    let damaged = |error: crate::table::Error| StoreError::Refused(Shown(error.to_string().as_bytes()).to_string());
    let reader = Reader::open(store.fetch(&key.to_string()).await?).map_err(damaged)?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut text = Vec::new();
    for group in 0..reader.groups() {
        for row in reader.rows(group).map_err(damaged)? {
            text.clear();
            write_row(&row, &mut text);
            digest.update(&text);
        }
    }
    Ok(hexadecimal(digest.finish().as_ref()))
}
