//! tai64n: puts a stamp before each line, of the moment at which its first byte was read.

use memchr::memchr_iter;

use crate::cli::Exit;
use crate::multilog::reader::Reader;
use crate::sys::fd;
use crate::sys::program::Arguments;
use crate::tai64n::filter::{self, Filter};

/// The program. Arguments mean nothing to it.
pub fn run(_arguments: &Arguments) -> Exit {
    filter::run(fd::stdin(), &mut Stamping)
}

/// Stamps lines.
#[derive(Debug)]
struct Stamping;

impl Filter for Stamping {
    fn filter(&mut self, reader: &Reader, _is_end: bool, output: &mut Vec<u8>) -> usize {
        let bytes = reader.pending();
        let stamps = reader.stamps();
        let mut start = 0;
        let mut is_in_line = reader.is_in_line();
        // One more turn for what stands behind the last newline.
        for end in memchr_iter(b'\n', bytes).map(|newline| newline + 1).chain([bytes.len()]) {
            if start == end {
                continue;
            }
            if !is_in_line {
                output.extend_from_slice(stamps.rest.as_bytes());
            }
            output.extend_from_slice(&bytes[start..end]);
            is_in_line = false;
            start = end;
        }
        bytes.len()
    }
}
