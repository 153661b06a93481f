//! Rows to a Parquet file.

use std::fs::File;

use bytes::Bytes;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::{Error, schema};
use crate::facts::Facts;
use crate::pieces::Row;
use crate::row_writer::RowWriter;

/// A Parquet file that is being written.
pub(crate) struct Writer(SerializedFileWriter<File>);

impl Writer {
    /// Begins an empty file.
    pub(crate) fn new(file: File, level: i32) -> Result<Writer, Error> {
        SerializedFileWriter::new(file, schema::schema()?, schema::properties(level)?).map(Writer)
    }

    /// Writes rows as a row group: runs of rows, each of one archive.
    pub(crate) fn write_runs(&mut self, runs: &[(String, Vec<Row>)]) -> Result<(), Error> {
        let runs: Vec<(&str, &[Row])> = runs.iter().map(|(archive, rows)| (archive.as_str(), &rows[..])).collect();
        self.write_group(&runs)
    }

    fn write_group(&mut self, runs: &[(&str, &[Row])]) -> Result<(), Error> {
        let runs: Vec<Run<'_>> = runs.iter().map(|(archive, rows)| (ByteArray::from(*archive), *rows)).collect();
        let mut group = self.0.next_row_group()?;
        column::<Int64Type>(&mut group, &runs, |_, row| row.time.map(|time| time.micros))?;
        column::<Int32Type>(&mut group, &runs, |_, row| row.time.map(|time| time.nanos))?;
        column::<ByteArrayType>(&mut group, &runs, |archive, _| Some(archive.clone()))?;
        column::<Int64Type>(&mut group, &runs, |_, row| Some(row.line.cast_signed()))?;
        let mut is_text = Vec::with_capacity(runs.iter().map(|(_, rows)| rows.len()).sum());
        column::<ByteArrayType>(&mut group, &runs, |_, row| {
            let is_valid = std::str::from_utf8(&row.message).is_ok();
            is_text.push(is_valid);
            Some(ByteArray::from(if is_valid { row.message.clone() } else { as_text(&row.message) }))
        })?;
        let mut is_text = is_text.into_iter();
        column::<ByteArrayType>(&mut group, &runs, |_, row| {
            (!is_text.next().unwrap_or(true)).then(|| ByteArray::from(row.message.clone()))
        })?;
        column::<BoolType>(&mut group, &runs, |_, row| Some(row.continues))?;
        column::<BoolType>(&mut group, &runs, |_, row| Some(row.continued))?;
        group.close().map(drop)
    }
}

impl RowWriter for Writer {
    type Error = Error;

    /// Writes rows of one archive as a row group.
    fn write(&mut self, archive: &str, rows: &[Row]) -> Result<(), Error> {
        self.write_group(&[(archive, rows)])
    }

    /// Writes the end of the file. The facts are in it too: a directory as a store keeps no other metadata.
    fn finish(mut self, facts: &Facts) -> Result<(), Error> {
        for (name, value) in facts.to_metadata() {
            self.0.append_key_value_metadata(KeyValue::new(name.to_owned(), value));
        }
        self.0.close().map(drop)
    }
}

/// A message as text: what is not UTF-8 appears as U+FFFD.
pub(crate) fn as_text(message: &Bytes) -> Bytes {
    match String::from_utf8_lossy(message) {
        std::borrow::Cow::Borrowed(_) => message.clone(),
        std::borrow::Cow::Owned(text) => Bytes::from(text),
    }
}

/// Rows of one archive, and its name.
type Run<'r> = (ByteArray, &'r [Row]);

/// So many values are handed over at once: they fit into the processor's cache.
const CHUNK_ROWS: usize = 4096;

/// Writes the next column: a value for each row. Only a column that is optional in the schema may have rows without one.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    runs: &[Run<'_>],
    mut value: impl FnMut(&ByteArray, &Row) -> Option<T::T>,
) -> Result<(), Error> {
    let Some(mut column) = group.next_column()? else {
        return Err(Error::General("the schema has fewer columns".to_owned()));
    };
    let (mut values, mut is_set) = (Vec::with_capacity(CHUNK_ROWS), Vec::with_capacity(CHUNK_ROWS));
    let writer = column.typed::<T>();
    let mut rows = runs.iter().flat_map(|(archive, rows)| rows.iter().map(move |row| (archive, row))).peekable();
    while rows.peek().is_some() {
        for (archive, row) in rows.by_ref().take(CHUNK_ROWS) {
            let value = value(archive, row);
            is_set.push(i16::from(value.is_some()));
            values.extend(value);
        }
        // Where every row must have a value, the levels are ignored.
        writer.write_batch(&values, Some(&is_set), None)?;
        values.clear();
        is_set.clear();
    }
    column.close()
}
