//! tai64n: puts a stamp before each line: the time at which its first byte was read.

use crate::cli::Exit;
use crate::filters::filter::{self, Filter, begun_bytes};
use crate::lines::prefix::{Output, rewrite_lines};
use crate::lines::reader::Reader;
use crate::lines::window::Stamps;
use crate::sys::fd;
use crate::sys::program::Arguments;

/// The program. Arguments mean nothing to it.
pub fn run(_arguments: &Arguments) -> Exit {
    filter::run(fd::stdin(), &mut Stamping)
}

/// Stamps lines.
#[derive(Debug)]
struct Stamping;

impl Filter for Stamping {
    fn filter(&mut self, reader: &Reader, _is_end: bool, output: &mut Output) -> usize {
        let bytes = reader.pending();
        let stamps = reader.stamps();
        let stamps = Stamps { first: stamps.rest, ..stamps };
        let begun_bytes = begun_bytes(reader);
        output.push(&bytes[..begun_bytes]);
        let lines = &bytes[begun_bytes..];
        let open_line = &lines[rewrite_lines(lines, &mut &stamps, usize::MAX, output)..];
        if !open_line.is_empty() {
            output.push(stamps.rest.as_bytes());
            output.push(open_line);
        }
        bytes.len()
    }
}
