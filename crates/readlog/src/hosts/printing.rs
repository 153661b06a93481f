//! Prints the lines of several hosts, or the last of them.

use std::collections::VecDeque;

use memchr::memchr_iter;

use crate::arguments::Request;
use crate::error::Error;
use crate::hosts::incoming::Head;
use crate::hosts::reader::{Found, Next, Reader};
use crate::output::{View, Writer};

/// A group, or the last lines of one.
struct Lines {
    source: usize,
    head: Head,
    bytes: Vec<u8>,
    count: usize,
}

impl Lines {
    fn new(source: usize, head: Head, bytes: &[u8]) -> Lines {
        Lines { source, head, bytes: bytes.to_vec(), count: memchr_iter(b'\n', bytes).count().max(1) }
    }

    /// Leaves out the first lines if there are more than `lines_max`.
    fn cut(&mut self, lines_max: usize) {
        let Some(surplus) = self.count.checked_sub(lines_max).filter(|surplus| *surplus > 0) else { return };
        let cut = memchr_iter(b'\n', &self.bytes).nth(surplus - 1).map_or(0, |newline| newline + 1);
        self.bytes.drain(..cut);
        self.head.stamp = None;
        self.count = lines_max;
    }

    fn print(&self, writer: &mut Writer, names: &[Vec<u8>]) -> Result<(), Error> {
        let Head { stamp, label, .. } = self.head;
        let (bytes, source) = (&self.bytes[..], self.source);
        writer.print(&View { bytes, stamp, label, source, directory: &names[source], file: b"" })
    }
}

/// Prints the lines that a reader finds.
pub(crate) fn print(request: &Request, reader: &mut Reader<'_>, writer: &mut Writer) -> Result<(), Error> {
    let names = reader.names();
    // The last lines, as long as more of them may come; with -r, the last come first.
    let mut last: VecDeque<Lines> = VecDeque::new();
    let mut left = request.lines_max;
    reader.read(&mut |found| {
        match found {
            Found::Group(source, head, bytes) => {
                let mut lines = Lines::new(source, head, bytes);
                match &mut left {
                    Some(left) if request.is_reversed => {
                        lines.cut(*left);
                        *left -= lines.count;
                        lines.print(writer, &names)?;
                        if *left == 0 {
                            return Ok(Next::Stop);
                        }
                    }
                    Some(lines_max) => keep_last(&mut last, lines, *lines_max),
                    None => lines.print(writer, &names)?,
                }
            }
            Found::Pause { has_caught_up } => {
                if has_caught_up && left.take().is_some() {
                    last.drain(..).try_for_each(|lines| lines.print(writer, &names))?;
                }
                writer.flush()?;
            }
        }
        Ok(Next::Continue)
    })?;
    last.drain(..).try_for_each(|lines| lines.print(writer, &names))
}

/// Adds lines to the last ones, and drops those that are too many.
fn keep_last(last: &mut VecDeque<Lines>, lines: Lines, lines_max: usize) {
    last.push_back(lines);
    let mut surplus = last.iter().map(|lines| lines.count).sum::<usize>().saturating_sub(lines_max);
    while let Some(first) = last.front_mut().filter(|_| surplus > 0) {
        if first.count > surplus {
            return first.cut(first.count - surplus);
        }
        surplus -= first.count;
        last.pop_front();
    }
}
