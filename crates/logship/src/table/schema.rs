//! The columns, and how each is encoded.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

use super::Error;

/// The columns, in the order of the file.
///
/// Spark reads no timestamps in nanoseconds, so those beyond the microsecond have their own column.
const SCHEMA: &str = "
    message logship {
        OPTIONAL INT64 time (TIMESTAMP(MICROS, true));
        OPTIONAL INT32 nanos;
        REQUIRED BYTE_ARRAY archive (UTF8);
        REQUIRED INT64 line;
        REQUIRED BYTE_ARRAY message (UTF8);
        OPTIONAL BYTE_ARRAY raw;
        REQUIRED BOOLEAN continues;
        REQUIRED BOOLEAN continued;
    }";

/// The number of each column.
pub(crate) const TIME: usize = 0;
pub(crate) const NANOS: usize = 1;
pub(crate) const LINE: usize = 3;
pub(crate) const MESSAGE: usize = 4;
pub(crate) const RAW: usize = 5;
pub(crate) const CONTINUES: usize = 6;
pub(crate) const CONTINUED: usize = 7;

/// The schema.
pub(crate) fn schema() -> Result<TypePtr, Error> {
    parse_message_type(SCHEMA).map(Arc::new)
}

/// How the columns are encoded.
pub(crate) fn properties(level: i32) -> Result<Arc<WriterProperties>, Error> {
    let path = ColumnPath::from;
    let properties = WriterProperties::builder()
        .set_created_by(format!("logship {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        // A dictionary needs a seed, for which the library looks for getrandom with dlsym. A static program finds nothing, and
        // would need /dev/urandom, which an empty root does not have. The name of the archive takes as little without one.
        .set_dictionary_enabled(false)
        .set_column_encoding(path("archive"), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding(path("time"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(path("line"), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_statistics_enabled(path("time"), EnabledStatistics::Page)
        .set_column_statistics_enabled(path("message"), EnabledStatistics::None)
        .set_column_statistics_enabled(path("raw"), EnabledStatistics::None);
    Ok(Arc::new(properties.build()))
}
