//! Collects what is printed, and writes it in batches.

use std::rc::Rc;

use crate::cursor::{CursorFile, Record};
use crate::error::Error;
use crate::merge::Merge;
use crate::output::fast_printer::FastPrinter;
use crate::output::{Printer, Sink, View};
use crate::resume::Position;

/// How much output is collected before it is written.
const BATCH_BYTES: usize = 1 << 17;

/// Prints groups, to a sink or by way of a cursor file.
#[derive(Debug)]
pub(crate) struct Writer {
    printer: Printer,
    sink: Sink,
    cursor: Option<CursorFile>,
    batch: Vec<u8>,
    files_opened: u64,
}

impl Writer {
    /// Prints to a sink; or, with a cursor, to standard output.
    pub(crate) fn new(printer: Printer, sink: Sink, cursor: Option<CursorFile>) -> Writer {
        Writer { printer, sink, cursor, batch: Vec::with_capacity(2 * BATCH_BYTES), files_opened: 0 }
    }

    /// The place in a directory up to which it was printed.
    pub(crate) fn position(&self, path: &[u8]) -> Option<&Position> {
        self.cursor.as_ref()?.position(&absolute(path))
    }

    /// Prints a group, soon.
    pub(crate) fn print(&mut self, view: &View<'_>) -> Result<(), Error> {
        self.printer.print(&mut self.batch, view);
        if self.batch.len() < BATCH_BYTES || self.cursor.is_some() {
            return Ok(());
        }
        self.flush()
    }

    /// Prints all lines of a stream, if they are wanted as they are; `false` if this is no case for it.
    pub(crate) fn print_whole(&mut self, merge: &mut Merge) -> Result<bool, Error> {
        let Some(stream) = merge.only_stream() else { return Ok(false) };
        if !self.printer.is_plain() || self.cursor.is_some() {
            return Ok(false);
        }
        let mut printer = FastPrinter::new(Rc::clone(&self.printer.context));
        while let Some(lines) = stream.take_lines() {
            printer.print(&mut self.batch, lines);
            if self.batch.len() >= BATCH_BYTES {
                self.flush()?;
            }
        }
        Ok(true)
    }

    /// Prints all groups that streams have (now).
    pub(crate) fn print_merge(&mut self, merge: &mut Merge) -> Result<(), Error> {
        merge.look_again();
        while let Some(i) = merge.next() {
            let stream = &merge.streams[i];
            let Some(group) = stream.group() else { continue };
            self.print(&View {
                bytes: stream.bytes(group),
                stamp: group.stamp,
                label: group.label,
                source: i,
                directory: &stream.files.log_dir.path,
                file: stream.log_file().map_or(b"", |log_file| &log_file.name),
            })?;
            if self.cursor.is_some() && self.batch.len() >= BATCH_BYTES {
                merge.consume();
                self.send(merge)?;
            }
        }
        if self.cursor.is_some() { self.send(merge) } else { self.flush() }
    }

    /// Writes what has been printed so far.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let answer = self.sink.write(&self.batch);
        self.batch.clear();
        answer.map_err(Error::Output)
    }

    /// Writes everything, and waits for a pager to end.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.sink.finish().map_err(Error::Output)
    }

    /// Sends a batch and the positions behind it through the cursor file.
    fn send(&mut self, merge: &Merge) -> Result<(), Error> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        let files_opened = merge.streams.iter().map(|stream| stream.files.files_opened()).sum();
        if self.batch.is_empty() && self.files_opened == files_opened {
            return Ok(());
        }
        self.files_opened = files_opened;
        let positions = merge
            .streams
            .iter()
            .filter_map(|stream| {
                let path = absolute(&stream.files.log_dir.path);
                Some(Record { path, position: Position::of(stream)? })
            })
            .collect();
        let answer = cursor.send(&self.batch, positions);
        self.batch.clear();
        answer
    }
}

/// A directory's path as the cursor knows it: a later run may be started elsewhere.
fn absolute(path: &[u8]) -> Vec<u8> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let given = std::path::Path::new(std::ffi::OsStr::from_bytes(path));
    std::path::absolute(given).map_or_else(|_| path.to_vec(), |path| path.into_os_string().into_vec())
}
