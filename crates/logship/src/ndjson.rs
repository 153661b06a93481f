//! Lines as JSON, packed with zstd: for engines that read no Parquet.
//!
//! The fields have the names of the Parquet columns. `raw` has the bytes of a message that is not UTF-8 as hexadecimal digits.
//! The facts are in a skippable frame at the end, which every zstd decoder ignores.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use serde_json::{Value, json};

use crate::archive::hexadecimal;
use crate::facts::Facts;
use crate::pieces::{Row, Time};
use crate::row_writer::RowWriter;
use crate::table::writer::as_text;

/// How a skippable frame begins.
const SKIPPABLE: [u8; 4] = 0x184d_2a50_u32.to_le_bytes();
/// The length of the facts in that frame, filled with spaces.
const FACTS_BYTES: usize = 192;

/// A file that is being written.
pub(crate) struct Writer(zstd::stream::write::Encoder<'static, BufWriter<File>>);

impl Writer {
    /// Begins an empty file.
    pub(crate) fn new(file: File, level: i32) -> io::Result<Writer> {
        let mut encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), level)?;
        encoder.include_checksum(true)?;
        Ok(Writer(encoder))
    }
}

impl RowWriter for Writer {
    type Error = io::Error;

    fn write(&mut self, archive: &str, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            let text = as_text(&row.message);
            let mut fields = json!({
                "time": row.time.and_then(Time::to_rfc3339),
                "archive": archive,
                "line": row.line,
                "message": String::from_utf8_lossy(&text),
                "continues": row.continues,
                "continued": row.continued,
            });
            if let Some(time) = row.time {
                fields["nanos"] = Value::from(time.nanos);
            }
            if text != row.message {
                fields["raw"] = Value::from(hexadecimal(&row.message));
            }
            serde_json::to_writer(&mut self.0, &fields)?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(self, facts: &Facts) -> io::Result<()> {
        let mut file = self.0.finish()?;
        let facts: serde_json::Map<String, Value> =
            facts.to_metadata().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let mut text = Value::from(facts).to_string().into_bytes();
        text.resize(FACTS_BYTES, b' ');
        file.write_all(&SKIPPABLE)?;
        file.write_all(&(FACTS_BYTES as u32).to_le_bytes())?;
        file.write_all(&text)?;
        file.flush()
    }
}

/// The facts in a file; `None` if it has none.
pub(crate) fn facts(file: &mut File) -> io::Result<Option<Facts>> {
    let size = file.metadata()?.len();
    let mut frame = [0; 8 + FACTS_BYTES];
    if size < frame.len() as u64 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(size - frame.len() as u64))?;
    file.read_exact(&mut frame)?;
    if !frame.starts_with(&SKIPPABLE) {
        return Ok(None);
    }
    let Ok(value) = serde_json::from_slice::<Value>(&frame[8..]) else { return Ok(None) };
    Ok(Facts::from_metadata(|name| value.get(name)?.as_str()))
}
