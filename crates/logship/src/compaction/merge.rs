//! The rows of several objects in one. Each archive is rebuilt on the way, and must have the hash that its object states.

use logyard::cli::{Shown, cause};
use logyard::sys::dir::Dir;
use ring::digest;

use super::Compaction;
use crate::archive::hexadecimal;
use crate::facts::Facts;
use crate::key::Key;
use crate::object::{Object, errno, handle};
use crate::pieces::{BATCH_BYTES, BATCH_LINES, Row, write_row};
use crate::row_writer::RowWriter;
use crate::store::StoreError;
use crate::table;
use crate::table::reader::Reader;
use crate::table::writer::Writer;

/// A merged object that waits to be created.
pub(super) struct Merged {
    pub(super) object: Object,
    /// What is known of the archive of each raw object.
    pub(super) parts: Vec<Facts>,
}

/// Rows that wait to be written as a row group: the rows of small archives are collected.
#[derive(Default)]
struct Batch {
    runs: Vec<(String, Vec<Row>)>,
    rows: usize,
    bytes: usize,
}

/// Merges objects.
pub(super) async fn merge(compaction: &Compaction<'_>, key: &str, raw: &[&str]) -> Result<Merged, StoreError> {
    let full = |errno| StoreError::Away(format!("unable to write a temporary file: {}", cause(errno)));
    let here = Dir::open(".").map_err(full)?;
    let file = compaction.compacted.spool(key, &here).map_err(full)?;
    let target = handle(&file).map_err(|error| full(errno(&error)))?;
    let writing = |error: table::Error| StoreError::Away(format!("unable to write a temporary file: {error}"));
    let mut writer = Writer::new(target, compaction.level).map_err(writing)?;
    let (mut whole, mut batch) = (digest::Context::new(&digest::SHA256), Batch::default());
    let mut parts = Vec::new();
    for raw_key in raw {
        let damaged = |cause: &dyn std::fmt::Display| {
            StoreError::Refused(format!("{raw_key} is damaged: {}", Shown(cause.to_string().as_bytes())))
        };
        let archive = Key::parse(raw_key).ok_or_else(|| damaged(&"no key"))?.archive();
        let reader = Reader::open(compaction.raw.fetch(raw_key).await?).map_err(|error| damaged(&error))?;
        let facts = reader.facts().ok_or_else(|| damaged(&"no facts in it"))?;
        let (mut part, mut text) = (digest::Context::new(&digest::SHA256), Vec::new());
        for group in 0..reader.groups() {
            let rows = reader.rows(group).map_err(|error| damaged(&error))?;
            for row in &rows {
                text.clear();
                write_row(row, &mut text);
                part.update(&text);
                whole.update(&text);
                batch.bytes += text.len();
            }
            batch.rows += rows.len();
            batch.runs.push((archive.clone(), rows));
            if batch.rows >= BATCH_LINES || batch.bytes >= BATCH_BYTES {
                writer.write_runs(&std::mem::take(&mut batch).runs).map_err(writing)?;
            }
        }
        let found = hexadecimal(part.finish().as_ref());
        if found != facts.sha256 {
            return Err(damaged(&format_args!("its lines have sha256 {found}, not {}", facts.sha256)));
        }
        parts.push(facts);
    }
    if batch.rows > 0 {
        writer.write_runs(&batch.runs).map_err(writing)?;
    }
    let facts = Facts {
        sha256: hexadecimal(whole.finish().as_ref()),
        lines: parts.iter().map(|part| part.lines).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
    };
    writer.finish(&facts).map_err(writing)?;
    let bytes = file.stat().map_err(full)?.size_bytes;
    Ok(Merged { object: Object { file, bytes, facts }, parts })
}
