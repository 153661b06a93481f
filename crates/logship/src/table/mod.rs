//! Lines as a Parquet file.
//!
//! - [`schema`]: the columns, and how each is encoded.
//! - [`writer`]: rows to a file. [`reader`]: a file to rows.

pub(crate) mod reader;
pub(crate) mod schema;
pub(crate) mod writer;

/// Why a Parquet file could not be written or read. The messages of the crate are its own.
pub(crate) type Error = parquet::errors::ParquetError;
