//! Stamping: whole lines, each behind its stamp, in one pass over the bytes.
//!
//! The bytes are copied 64 at a time, and in the same pass a mask says where among them newlines are; behind each newline
//! the stamp is put and the rest of the block copied once more behind it. So a line costs two stores of fixed length
//! instead of a search and two copies of any length: what is copied too much is overwritten by what follows.
//!
//! [`stamp_lines_plainly`] says the same in few words. It does the last lines, which a block would reach beyond, and is
//! what the other is tested against.

use memchr::memchr_iter;
use wide::u8x64;

use crate::multilog::batch::Stamps;
use crate::tai64n::Stamp;

/// How many bytes are looked at together.
const BLOCK_BYTES: usize = 64;
/// A stamp, padded to what is stored in few instructions.
const PADDED_STAMP_BYTES: usize = 32;
/// What one block becomes at most, and what is stored behind it.
const SLACK_BYTES: usize = BLOCK_BYTES * (Stamp::BYTES + 1) + BLOCK_BYTES;

/// A place for lines that are put together. Its memory is kept, and grows with the largest batch.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// The bytes in use; the others hold anything.
    filled_bytes: usize,
}

impl Output {
    /// What has been put there.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled_bytes]
    }

    /// Forgets everything.
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

/// Puts lines into an empty output, the first behind one stamp and the others behind another, as many as make no more
/// than `room_bytes`. Says how many bytes of `lines` that took; what stands behind the last newline is none.
pub fn stamp_lines(lines: &[u8], stamps: &Stamps, room_bytes: usize, output: &mut Output) -> usize {
    debug_assert_eq!(output.filled_bytes, 0, "an empty output");
    if lines.len() < 2 * BLOCK_BYTES {
        return stamp_lines_plainly(lines, stamps, room_bytes, output);
    }
    // Enough for all but the shortest lines; those let it grow for the next time.
    output.reserve(room_bytes.min(3 * lines.len()) + SLACK_BYTES);
    let mut padded = [0; PADDED_STAMP_BYTES];
    padded[..Stamp::BYTES].copy_from_slice(stamps.rest.as_bytes());
    output.bytes[..Stamp::BYTES].copy_from_slice(stamps.first.as_bytes());

    let place = &mut output.bytes[..];
    // Behind the last line that is done, in the lines and in the output.
    let (mut done_bytes, mut filled_bytes) = (0, 0);
    let mut to = Stamp::BYTES;
    let mut from = 0;
    'blocks: while from + 2 * BLOCK_BYTES <= lines.len() && to + SLACK_BYTES <= place.len() {
        let block = block_at(lines, from);
        put(place, to, block);
        let mut newlines = newlines_in(block);
        let mut begin = 0;
        while newlines != 0 {
            let end = newlines.trailing_zeros() as usize + 1;
            to += end - begin;
            if to > room_bytes {
                break 'blocks;
            }
            (done_bytes, filled_bytes) = (from + end, to);
            put(place, to, &padded);
            to += Stamp::BYTES;
            put(place, to, block_at(lines, from + end));
            begin = end;
            newlines &= newlines - 1;
        }
        to += BLOCK_BYTES - begin;
        from += BLOCK_BYTES;
    }

    output.filled_bytes = filled_bytes;
    let stamps = Stamps { first: if done_bytes == 0 { stamps.first } else { stamps.rest }, ..*stamps };
    done_bytes + stamp_lines_plainly(&lines[done_bytes..], &stamps, room_bytes, output)
}

/// The same, one line after the other, behind what is in the output.
pub fn stamp_lines_plainly(lines: &[u8], stamps: &Stamps, room_bytes: usize, output: &mut Output) -> usize {
    let mut stamp = stamps.first.as_bytes();
    let mut done_bytes = 0;
    for newline in memchr_iter(b'\n', lines) {
        let line = &lines[done_bytes..=newline];
        if output.filled_bytes + stamp.len() + line.len() > room_bytes {
            break;
        }
        output.push(stamp);
        output.push(line);
        stamp = stamps.rest.as_bytes();
        done_bytes = newline + 1;
    }
    done_bytes
}

/// The block that begins at a place.
fn block_at(bytes: &[u8], at: usize) -> &[u8; BLOCK_BYTES] {
    bytes[at..].first_chunk().expect("a block stands before the last")
}

/// Stores bytes of a fixed number, which the compiler turns into a few moves.
fn put<const BYTES: usize>(place: &mut [u8], at: usize, bytes: &[u8; BYTES]) {
    *place[at..].first_chunk_mut().expect("there is slack behind the last block") = *bytes;
}

/// Where in a block newlines are: a bit for each byte, the lowest for the first.
fn newlines_in(block: &[u8; BLOCK_BYTES]) -> u64 {
    u8x64::new(*block).simd_eq(u8x64::splat(b'\n')).to_bitmask()
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

    #[test]
    fn newlines_are_found_in_every_place_and_nowhere_else() {
        for place in 0..BLOCK_BYTES {
            for around in 0..=u8::MAX {
                let mut block = [around; BLOCK_BYTES];
                block[place] = b'\n';
                let expected = if around == b'\n' { u64::MAX } else { 1 << place };
                assert_eq!(newlines_in(&block), expected, "{around} around {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_make_what_lines_one_by_one_make(
            lines in proptest::collection::vec((any::<u8>(), prop_oneof![0..4_usize, 0..80_usize, 0..600_usize]), 0..60),
            room_bytes in prop_oneof![0..5000_usize, Just(usize::MAX / 2)],
            has_open_end in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for (byte, length) in lines {
                bytes.extend(std::iter::repeat_n(if byte == b'\n' { b'x' } else { byte }, length));
                bytes.push(b'\n');
            }
            if has_open_end {
                bytes.extend_from_slice(b"open");
            }
            let [mut fast, mut plain] = [Output::default(), Output::default()];
            // What an earlier batch left behind must not show.
            fast.push(&[b'\n'; 3000]);
            fast.clear();
            let fast_bytes = stamp_lines(&bytes, &stamps(), room_bytes, &mut fast);
            let plain_bytes = stamp_lines_plainly(&bytes, &stamps(), room_bytes, &mut plain);
            prop_assert_eq!(fast_bytes, plain_bytes);
            prop_assert_eq!(fast.filled(), plain.filled());
        }
    }
}
