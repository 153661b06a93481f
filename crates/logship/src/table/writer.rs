//! Rows to a Parquet file.

use std::fs::File;

use bytes::Bytes;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::{Error, schema};
use crate::facts::Facts;
use crate::pieces::{Row, Time};
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
        let rows = || runs.iter().flat_map(|(_, rows)| rows.iter());
        let mut group = self.0.next_row_group()?;
        let is_timed: Vec<i16> = rows().map(|row| i16::from(row.time.is_some())).collect();
        let times: Vec<Time> = rows().filter_map(|row| row.time).collect();
        column::<Int64Type>(&mut group, &times.iter().map(|time| time.micros).collect::<Vec<_>>(), Some(&is_timed))?;
        column::<Int32Type>(&mut group, &times.iter().map(|time| time.nanos).collect::<Vec<_>>(), Some(&is_timed))?;
        let archives =
            runs.iter().flat_map(|(archive, rows)| std::iter::repeat_n(ByteArray::from(*archive), rows.len()));
        column::<ByteArrayType>(&mut group, &archives.collect::<Vec<_>>(), None)?;
        column::<Int64Type>(&mut group, &rows().map(|row| row.line.cast_signed()).collect::<Vec<_>>(), None)?;
        let messages: Vec<ByteArray> = rows().map(|row| ByteArray::from(as_text(&row.message))).collect();
        column::<ByteArrayType>(&mut group, &messages, None)?;
        let is_text = |row: &Row| std::str::from_utf8(&row.message).is_ok();
        let is_raw: Vec<i16> = rows().map(|row| i16::from(!is_text(row))).collect();
        let raw = rows().filter(|row| !is_text(row)).map(|row| ByteArray::from(row.message.clone()));
        column::<ByteArrayType>(&mut group, &raw.collect::<Vec<_>>(), Some(&is_raw))?;
        column::<BoolType>(&mut group, &rows().map(|row| row.continues).collect::<Vec<_>>(), None)?;
        column::<BoolType>(&mut group, &rows().map(|row| row.continued).collect::<Vec<_>>(), None)?;
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

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    is_set: Option<&[i16]>,
) -> Result<(), Error>
where
    for<'v> &'v [T::T]: Into<&'v [T::T]>,
{
    let Some(mut column) = group.next_column()? else {
        return Err(Error::General("the schema has fewer columns".to_owned()));
    };
    column.typed::<T>().write_batch(values, is_set, None)?;
    column.close()
}
