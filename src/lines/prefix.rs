//! Copies whole lines and prefixes each of them, in one pass over the bytes.
//!
//! The bytes are copied 64 at a time, and in the same pass a mask says where among them newlines are. Behind each newline
//! the next line's beginning is put (a stamp, or local time instead of a label) and the rest of the block copied once more
//! behind it. So a line costs two stores of fixed length instead of a search and two copies of variable length. Surplus
//! bytes are overwritten by what follows.
//!
//! [`rewrite_lines_plainly`] does the same in a simple way. It handles the last lines, beyond which a block would
//! reach, and the tests compare the two.

use memchr::memchr;

use crate::lines::window::Stamps;
use crate::sys::newlines::{BLOCK_BYTES, newlines_in};
use crate::tai64n::Stamp;

/// The room there is for the beginning of a line.
pub const HEAD_BYTES_MAX: usize = 96;
/// The largest output of one block, and the bytes stored behind it.
const SLACK_BYTES: usize = BLOCK_BYTES * (HEAD_BYTES_MAX + 1) + BLOCK_BYTES;

/// What lines begin with.
pub trait Head {
    /// Puts the beginning of a line to the front of `place`, where [`HEAD_BYTES_MAX`] bytes have room, and says of how many
    /// bytes of the line it stands in the place, and how many were put. `line` is the line, or more. What is behind the
    /// beginning in `place` does not matter.
    fn put(&mut self, is_first: bool, line: &[u8], place: &mut [u8]) -> (usize, usize);
}

impl Head for &Stamps {
    fn put(&mut self, is_first: bool, _line: &[u8], place: &mut [u8]) -> (usize, usize) {
        let stamp = if is_first { &self.first } else { &self.rest };
        put(place, 0, stamp.as_bytes());
        (0, Stamp::BYTES)
    }
}

/// A reusable output buffer. It grows to the size of the largest batch.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// The number of bytes in use; the others are undefined.
    filled_bytes: usize,
}

impl Output {
    /// What has been put there.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled_bytes]
    }

    /// Clears the buffer.
    pub fn clear(&mut self) {
        self.filled_bytes = 0;
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.filled_bytes + bytes.len();
        self.reserve(end);
        self.bytes[self.filled_bytes..end].copy_from_slice(bytes);
        self.filled_bytes = end;
    }

    /// Makes sure that so many bytes have a place.
    fn reserve(&mut self, bytes: usize) {
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes.max(2 * self.bytes.len()), 0);
        }
    }
}

/// Appends lines with other beginnings, for as long as there are no more than `room_bytes` in the output. Says how many
/// bytes of `lines` that took; what stands behind the last newline is no line.
pub fn rewrite_lines(lines: &[u8], head: &mut impl Head, room_bytes: usize, output: &mut Output) -> usize {
    if lines.len() < 2 * BLOCK_BYTES {
        return rewrite_lines_plainly(lines, head, room_bytes, output);
    }
    // Enough for all but the shortest lines; those let it grow for the next time.
    output.reserve(room_bytes.min(output.filled_bytes + 3 * lines.len()) + SLACK_BYTES);
    let place = &mut output.bytes[..];
    // Behind the last line that is done, in the lines and in the output.
    let (mut done_bytes, mut filled_bytes) = (0, output.filled_bytes);
    let (mut from, made_bytes) = head.put(true, lines, &mut place[filled_bytes..]);
    let mut to = filled_bytes + made_bytes;
    'blocks: while from + 2 * BLOCK_BYTES <= lines.len() && to + SLACK_BYTES <= place.len() {
        let block = block_at(lines, from);
        put(place, to, block);
        let mut newlines = newlines_in(block);
        let mut begin = 0;
        while newlines != 0 {
            let end = newlines.trailing_zeros() as usize + 1;
            to += end - begin;
            if to > room_bytes {
                output.filled_bytes = filled_bytes;
                return done_bytes;
            }
            (done_bytes, filled_bytes) = (from + end, to);
            let (skipped_bytes, made_bytes) = head.put(false, &lines[from + end..], &mut place[to..]);
            to += made_bytes;
            begin = end + skipped_bytes;
            if begin >= BLOCK_BYTES {
                from += begin;
                continue 'blocks;
            }
            put(place, to, block_at(lines, from + begin));
            newlines &= u64::MAX << begin;
        }
        to += BLOCK_BYTES - begin;
        from += BLOCK_BYTES;
    }
    output.filled_bytes = to;
    let done = Done { lines_bytes: done_bytes, output_bytes: filled_bytes };
    rewrite_rest(Rest { lines, done, from }, head, room_bytes, output)
}

/// The same, one line after the other.
pub fn rewrite_lines_plainly(lines: &[u8], head: &mut impl Head, room_bytes: usize, output: &mut Output) -> usize {
    if lines.is_empty() {
        return 0;
    }
    let done = Done { lines_bytes: 0, output_bytes: output.filled_bytes };
    let mut beginning = [0; HEAD_BYTES_MAX];
    let (skipped_bytes, made_bytes) = head.put(true, lines, &mut beginning);
    output.push(&beginning[..made_bytes]);
    rewrite_rest(Rest { lines, done, from: skipped_bytes }, head, room_bytes, output)
}

/// Behind the last line that is done.
#[derive(Clone, Copy)]
struct Done {
    lines_bytes: usize,
    output_bytes: usize,
}

/// What is still to be rewritten.
#[derive(Clone, Copy)]
struct Rest<'l> {
    /// All lines, the done ones too.
    lines: &'l [u8],
    done: Done,
    /// Where to go on: of the line after the done ones, all before this is in the output.
    from: usize,
}

/// Rewrites the rest within a line. What is not done in the end is taken out of the output again.
fn rewrite_rest(rest: Rest<'_>, head: &mut impl Head, room_bytes: usize, output: &mut Output) -> usize {
    let Rest { lines, mut done, mut from } = rest;
    let mut beginning = [0; HEAD_BYTES_MAX];
    while let Some(newline) = memchr(b'\n', &lines[from..]) {
        let end = from + newline + 1;
        if output.filled_bytes + end - from > room_bytes {
            break;
        }
        output.push(&lines[from..end]);
        done = Done { lines_bytes: end, output_bytes: output.filled_bytes };
        if end == lines.len() {
            break;
        }
        let (skipped_bytes, made_bytes) = head.put(false, &lines[end..], &mut beginning);
        output.push(&beginning[..made_bytes]);
        from = end + skipped_bytes;
    }
    output.filled_bytes = done.output_bytes;
    done.lines_bytes
}

/// The block that begins at a place.
fn block_at(bytes: &[u8], at: usize) -> &[u8; BLOCK_BYTES] {
    bytes[at..].first_chunk().expect("a block stands before the last")
}

/// Stores bytes of a fixed number, which the compiler turns into a few moves.
fn put<const BYTES: usize>(place: &mut [u8], at: usize, bytes: &[u8; BYTES]) {
    *place[at..].first_chunk_mut().expect("there is slack behind the last block") = *bytes;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sys::clock::UnixTime;
    use crate::tai64n::Label;

    fn stamps() -> Stamps {
        let [first, rest] = [1, 2].map(|seconds| Stamp::from(Label::from(UnixTime { seconds, nanoseconds: 7 })));
        Stamps { first, rest }
    }

    /// Takes away what is no newline, by as many bytes as the first says, and puts the number instead.
    struct Shortening;

    impl Head for Shortening {
        fn put(&mut self, _is_first: bool, line: &[u8], place: &mut [u8]) -> (usize, usize) {
            let most = usize::from(line[0]) % BLOCK_BYTES;
            let skipped_bytes = line.iter().take(most).take_while(|&&byte| byte != b'\n').count();
            let number = skipped_bytes.to_string();
            place[..number.len()].copy_from_slice(number.as_bytes());
            (skipped_bytes, number.len())
        }
    }

    fn compare(lines: &[u8], head: &mut impl Head, room_bytes: usize, before: &str) -> Result<(), TestCaseError> {
        let [mut fast, mut plain] = [Output::default(), Output::default()];
        // What an earlier batch left behind must not show.
        fast.push(&[b'\n'; 3000]);
        fast.clear();
        fast.push(before.as_bytes());
        plain.push(before.as_bytes());
        let fast_bytes = rewrite_lines(lines, head, room_bytes, &mut fast);
        let plain_bytes = rewrite_lines_plainly(lines, head, room_bytes, &mut plain);
        prop_assert_eq!(fast_bytes, plain_bytes);
        prop_assert_eq!(fast.filled(), plain.filled());
        Ok(())
    }

    proptest! {
        #[test]
        fn blocks_make_what_lines_one_by_one_make(
            lines in proptest::collection::vec((any::<u8>(), prop_oneof![0..4_usize, 0..80_usize, 0..600_usize]), 0..60),
            room_bytes in prop_oneof![0..5000_usize, Just(usize::MAX / 2)],
            has_open_end in any::<bool>(),
            before in "a{0,100}",
        ) {
            let mut bytes = Vec::new();
            for (byte, length) in lines {
                bytes.extend(std::iter::repeat_n(if byte == b'\n' { b'x' } else { byte }, length));
                bytes.push(b'\n');
            }
            if has_open_end {
                bytes.extend_from_slice(b"open");
            }
            compare(&bytes, &mut &stamps(), room_bytes, &before)?;
            compare(&bytes, &mut Shortening, room_bytes, &before)?;
        }
    }
}
