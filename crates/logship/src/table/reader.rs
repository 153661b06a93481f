//! A Parquet file to rows.

use std::fs::File;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::statistics::Statistics;

use super::{Error, schema};
use crate::facts::Facts;
use crate::pieces::{BATCH_LINES, CHUNK_BYTES, Row, Time};

/// No row group has more rows: a batch may end with a chunk of empty lines, and a merged one with such a batch.
const ROWS_MAX: usize = 2 * BATCH_LINES + CHUNK_BYTES;

/// A Parquet file that is open.
pub(crate) struct Reader(SerializedFileReader<File>);

impl Reader {
    /// Opens a file of logship.
    pub(crate) fn open(file: File) -> Result<Reader, Error> {
        let reader = SerializedFileReader::new(file)?;
        if reader.metadata().file_metadata().schema() == &*schema::schema()? {
            Ok(Reader(reader))
        } else {
            Err(Error::General("other columns than those of logship".to_owned()))
        }
    }

    /// The facts in the file.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let pairs = self.0.metadata().file_metadata().key_value_metadata()?;
        Facts::from_metadata(|name| pairs.iter().find(|pair| pair.key == name)?.value.as_deref())
    }

    /// How many row groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.0.num_row_groups()
    }

    /// The earliest and the latest time in a row group, in microseconds; `None` if the file does not say.
    pub(crate) fn span(&self, group: usize) -> Option<(i64, i64)> {
        match self.0.metadata().row_group(group).column(schema::TIME).statistics()? {
            Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
            _ => None,
        }
    }

    /// The rows of a row group.
    pub(crate) fn rows(&self, group: usize) -> Result<Vec<Row>, Error> {
        let group = self.0.get_row_group(group)?;
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        if count > ROWS_MAX {
            return Err(Error::General("too many rows in a group".to_owned()));
        }
        let times = optional::<Int64Type>(&*group, schema::TIME, count)?;
        let nanos = optional::<Int32Type>(&*group, schema::NANOS, count)?;
        let lines = required::<Int64Type>(&*group, schema::LINE, count)?;
        let messages = required::<ByteArrayType>(&*group, schema::MESSAGE, count)?;
        let raw = optional::<ByteArrayType>(&*group, schema::RAW, count)?;
        let continues = required::<BoolType>(&*group, schema::CONTINUES, count)?;
        let continued = required::<BoolType>(&*group, schema::CONTINUED, count)?;
        let mut rows = Vec::with_capacity(count);
        let columns = times.into_iter().zip(nanos).zip(lines).zip(messages).zip(raw).zip(continues).zip(continued);
        for ((((((micros, nanos), line), message), raw), continues), continued) in columns {
            rows.push(Row {
                line: line.cast_unsigned(),
                time: micros.zip(nanos).map(|(micros, nanos)| Time { micros, nanos }),
                message: Bytes::copy_from_slice(raw.as_ref().unwrap_or(&message).data()),
                continues,
                continued,
            });
        }
        Ok(rows)
    }
}

fn reader(group: &dyn RowGroupReader, column: usize) -> Result<ColumnReader, Error> {
    group.get_column_reader(column)
}

fn required<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Vec<T::T>, Error> {
    let mut values = Vec::with_capacity(count);
    let mut reader = get_typed_column_reader::<T>(reader(group, column)?);
    while values.len() < count {
        let (records, _, _) = reader.read_records(count - values.len(), None, None, &mut values)?;
        if records == 0 {
            return Err(Error::EOF("a column is shorter than its row group".to_owned()));
        }
    }
    Ok(values)
}

fn optional<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Vec<Option<T::T>>, Error> {
    let (mut values, mut levels) = (Vec::new(), Vec::with_capacity(count));
    let mut reader = get_typed_column_reader::<T>(reader(group, column)?);
    while levels.len() < count {
        let (records, _, _) = reader.read_records(count - levels.len(), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(Error::EOF("a column is shorter than its row group".to_owned()));
        }
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}
