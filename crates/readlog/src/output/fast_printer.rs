//! Prints whole blocks of lines at once, in the most common cases: one directory, and no colours, names of services or JSON.
//!
//! It reads only the stamp of a line. If the second is that of the stamp before, printing it is a comparison, a copy and the
//! nanoseconds. The plain twin is [`Printer`](crate::output::Printer); a property compares the two.

use std::rc::Rc;

use memchr::memchr;

use crate::clock::SECOND_BYTES;
use crate::context::Context;
use crate::output::Style;
use crate::stamp::recognise;
use logyard::tai64n::{Label, put_nanoseconds};

/// Shows blocks of lines.
#[derive(Debug)]
pub(crate) struct FastPrinter {
    context: Rc<Context>,
    style: Style,
    /// The second shown last, as labels have it; no label begins with a NUL.
    second: [u8; Label::SECOND_BYTES],
    /// How it is shown, with room for the nanoseconds.
    time: [u8; SECOND_BYTES + 10],
}

impl FastPrinter {
    /// Shows nothing yet.
    pub(crate) fn new(style: Style, context: Rc<Context>) -> FastPrinter {
        FastPrinter { context, style, second: [0; Label::SECOND_BYTES], time: [b'.'; SECOND_BYTES + 10] }
    }

    /// Appends a block of whole lines to `out`.
    pub(crate) fn print(&mut self, out: &mut Vec<u8>, block: &[u8]) {
        let mut rest = block;
        while !rest.is_empty() {
            let stamp = self.print_stamp(out, rest);
            let line = memchr(b'\n', &rest[stamp..]).map_or(rest.len(), |newline| stamp + newline + 1);
            out.extend_from_slice(&rest[stamp..line]);
            rest = &rest[line..];
        }
    }

    /// Appends a block of whole lines whose only stamps are labels.
    pub(crate) fn print_labelled(&mut self, out: &mut Vec<u8>, block: &[u8]) {
        match self.style {
            Style::Tai64n => out.extend_from_slice(block),
            _ => self.print(out, block),
        }
    }

    /// Shows the stamp of a line, if it has one, and says how many bytes of the line that was.
    #[inline]
    fn print_stamp(&mut self, out: &mut Vec<u8>, line: &[u8]) -> usize {
        if let Some(label) = line.first_chunk::<{ Label::TEXT_BYTES }>()
            && label[..Label::SECOND_BYTES] == self.second
            && line.get(Label::TEXT_BYTES) == Some(&b' ')
            && let Some(nanoseconds) = Label::parse_nanoseconds(label)
        {
            return match self.style {
                Style::Tai64n => 0,
                Style::Cat => Label::TEXT_BYTES + 1,
                _ => {
                    self.print_nanoseconds(out, nanoseconds);
                    Label::TEXT_BYTES
                }
            };
        }
        match line.first() {
            Some(b'@' | b'0'..=b'9') => self.print_other(out, line),
            _ => 0,
        }
    }

    fn print_other(&mut self, out: &mut Vec<u8>, line: &[u8]) -> usize {
        let Context { scale, clock, .. } = &*self.context;
        let Some(stamp) = recognise(line, *scale, clock) else { return 0 };
        let second = if self.style == Style::Short { clock.show(scale.unix_seconds(stamp.label)) } else { None };
        self.second = [0; Label::SECOND_BYTES];
        // A time that cannot be shown is shown as a label.
        if stamp.is_label && (second.is_some() || self.style != Style::Short) {
            self.second.copy_from_slice(&line[..Label::SECOND_BYTES]);
        }
        match (self.style, second) {
            (Style::Cat, _) => return stamp.bytes,
            (Style::Tai64n, _) if stamp.is_label => return 0,
            (_, Some(second)) => {
                self.time[..SECOND_BYTES].copy_from_slice(&second);
                self.print_nanoseconds(out, stamp.label.nanoseconds());
            }
            (_, None) => out.extend_from_slice(&stamp.label.to_text()),
        }
        if stamp.is_label {
            return stamp.text_bytes;
        }
        out.push(b' ');
        stamp.bytes
    }

    fn print_nanoseconds(&mut self, out: &mut Vec<u8>, nanoseconds: u32) {
        let fraction = self.time.last_chunk_mut().expect("ten bytes are kept for them");
        put_nanoseconds(fraction, nanoseconds);
        out.extend_from_slice(&self.time);
    }
}
