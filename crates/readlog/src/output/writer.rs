//! Collects what is printed, and writes it in batches.

use std::rc::Rc;

use crate::cursor::{CursorFile, Record};
use crate::error::Error;
use crate::filter::Pattern;
use crate::merge::Merge;
use crate::output::fast_printer::FastPrinter;
use crate::output::{Printer, Sink, View};
use crate::resume::Position;
use crate::surroundings::{Selection, Surroundings, Verdict};

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
    written_bytes: u64,
    around: Option<Around>,
}

/// What is printed if the lines around matches are wanted too.
#[derive(Debug)]
struct Around {
    pattern: Pattern,
    selection: Selection<Vec<u8>>,
}

impl Writer {
    /// Prints to a sink; or, with a cursor, to standard output.
    pub(crate) fn new(printer: Printer, sink: Sink, cursor: Option<CursorFile>) -> Writer {
        Writer {
            printer,
            sink,
            cursor,
            batch: Vec::with_capacity(2 * BATCH_BYTES),
            files_opened: 0,
            written_bytes: 0,
            around: None,
        }
    }

    /// From now on, prints only matches and the lines around them.
    pub(crate) fn select_around(&mut self, pattern: Pattern, surroundings: Surroundings) {
        self.around = Some(Around { pattern, selection: Selection::new(surroundings) });
    }

    /// The place in a directory up to which it was printed.
    pub(crate) fn position(&self, path: &[u8]) -> Option<&Position> {
        self.cursor.as_ref()?.position(&absolute(path))
    }

    /// Tells whether no earlier run says where to begin.
    pub(crate) fn is_first_run(&self) -> bool {
        self.cursor.as_ref().is_none_or(CursorFile::is_new)
    }

    /// Tells whether the batch must be sent together with the positions behind it.
    pub(crate) fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// Prints a group, soon.
    pub(crate) fn print(&mut self, view: &View<'_>) -> Result<(), Error> {
        self.printer.print(&mut self.batch, view);
        if self.batch.len() < BATCH_BYTES || self.cursor.is_some() {
            return Ok(());
        }
        self.flush()
    }

    /// Continues behind lines that were printed: `kept` are the last that were not, and `distance` says how many lines are
    /// behind the last match.
    pub(crate) fn continue_around(&mut self, kept: impl Iterator<Item = Vec<u8>>, distance: Option<usize>) {
        let Some(around) = &mut self.around else { return };
        around.selection.continue_behind(distance);
        kept.for_each(|printed| around.selection.keep(printed));
    }

    /// How a group is printed.
    pub(crate) fn printed(&self, view: &View<'_>) -> Vec<u8> {
        let mut printed = Vec::new();
        self.printer.print(&mut printed, view);
        printed
    }

    /// Prints where lines are missing.
    pub(crate) fn print_gap(&mut self) {
        self.printer.print_gap(&mut self.batch);
    }

    /// Prints a group if it is wanted, and what is wanted with it.
    fn print_if_wanted(&mut self, view: &View<'_>) -> Result<(), Error> {
        let Some(around) = &mut self.around else { return self.print(view) };
        let message = &view.bytes[view.stamp.map_or(0, |stamp| stamp.bytes)..];
        match around.selection.judge(around.pattern.selects(message)) {
            Verdict::Drop => Ok(()),
            Verdict::Keep => {
                let mut printed = Vec::new();
                self.printer.print(&mut printed, view);
                around.selection.keep(printed);
                Ok(())
            }
            Verdict::Print { earlier, is_apart } => {
                if is_apart {
                    self.printer.print_gap(&mut self.batch);
                }
                self.batch.extend(earlier.concat());
                self.print(view)
            }
        }
    }

    /// Prints all lines of a stream, if they are wanted as they are; `false` if this is no case for it.
    pub(crate) fn print_whole(&mut self, merge: &mut Merge) -> Result<bool, Error> {
        let Some(stream) = merge.only_stream() else { return Ok(false) };
        if !self.printer.is_plain() || self.cursor.is_some() || self.around.is_some() {
            return Ok(false);
        }
        let mut printer = FastPrinter::new(self.printer.style, Rc::clone(&self.printer.context));
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
        let is_plain = self.printer.is_plain() && self.cursor.is_none() && self.around.is_none();
        let mut fast = (is_plain && merge.is_one_at_any_time())
            .then(|| FastPrinter::new(self.printer.style, Rc::clone(&self.printer.context)));
        merge.look_again();
        while let Some(i) = merge.next() {
            let stream = &merge.streams[i];
            let Some(group) = stream.group() else { continue };
            self.print_if_wanted(&View {
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
            // What follows a match, up to what must still be searched.
            if let Some(printer) = &mut fast {
                merge.consume();
                while let Some(lines) = merge.streams[i].take_wanted() {
                    printer.print_labelled(&mut self.batch, lines);
                    if self.batch.len() >= BATCH_BYTES {
                        self.flush()?;
                    }
                }
            }
        }
        if self.cursor.is_some() { self.send(merge) } else { self.flush() }
    }

    /// Writes what has been printed so far.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let answer = self.sink.write(&self.batch);
        self.written_bytes += self.batch.len() as u64;
        self.batch.clear();
        answer.map_err(Error::Output)
    }

    /// How much has been written.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
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
