//! The parts of a file that logpack packed: frames, each of which can be unpacked by itself.
//!
//! The index at the end of the file may be damaged or forged. It is used only if every frame that it names begins as a zstd frame
//! with the same number of bytes: the decompressor insists on that number, so what the index says of sizes is what will be
//! unpacked. Otherwise the file is read from its beginning, as one that another tool packed.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use logpack::index::{FRAME_MAGIC, Flags, Frame, FrameIndex};
use zstd::zstd_safe::get_frame_content_size;

use logyard::sys::file::File;
use logyard::sys::stat::{FileId, Stat};

/// A large file is read in chunks of about so many bytes, unpacked.
const CHUNK_BYTES: u64 = 1 << 20;

/// A smaller file is read in one piece.
const DIVIDED_BYTES_MIN: u64 = 1 << 18;

/// The longest header of a frame.
const FRAME_HEADER_BYTES: usize = 18;

/// Some frames that are read one after the other, and which bytes of what they unpack to are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where the frames are in the file.
    pub(super) packed: Range<u64>,
    /// Where the wanted bytes begin in the unpacked file.
    pub(super) at: u64,
    /// How many bytes come before them in the first frame.
    pub(super) skipped: u64,
    /// How many there are.
    pub(super) bytes: u64,
}

/// The index of a file, once it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownIndex(OnceCell<Known>);

#[derive(Clone, Debug)]
struct Known {
    /// The file: its name may stand for another by now.
    identity: FileId,
    size_bytes: u64,
    index: Option<Rc<FrameIndex>>,
}

impl KnownIndex {
    /// The frames of a file; `None` if it must be read from its beginning.
    pub(super) fn of(&self, file: &File) -> Option<Rc<FrameIndex>> {
        let Stat { identity, size_bytes, .. } = file.stat().ok()?;
        let read = || index(file).map(Rc::new);
        let known = self.0.get_or_init(|| Known { identity, size_bytes, index: read() });
        if (known.identity, known.size_bytes) == (identity, size_bytes) { known.index.clone() } else { read() }
    }
}

fn index(file: &File) -> Option<FrameIndex> {
    let is_there = |at, expected: &[u8; 4]| {
        let mut head = [0; 4];
        read_at(file, at, &mut head) && head == *expected
    };
    if !is_there(0, &FRAME_MAGIC) {
        return None;
    }
    let index = FrameIndex::read(file.stat().ok()?.size_bytes, |at, room| read_at(file, at, room))?;
    // Another tool may have cut frames within lines.
    (index.has_labels() && index.frames().iter().all(|frame| is_as_stated(file, frame))).then_some(index)
}

/// Tells whether a frame begins where the index says, and unpacks to as much.
fn is_as_stated(file: &File, frame: &Frame) -> bool {
    let mut header = [0; FRAME_HEADER_BYTES];
    let length = FRAME_HEADER_BYTES.min(frame.packed_bytes as usize);
    let header = &mut header[..length];
    read_at(file, frame.packed_at, header)
        && header.starts_with(&FRAME_MAGIC)
        && get_frame_content_size(header).is_ok_and(|bytes| bytes == Some(u64::from(frame.bytes)))
}

/// The bytes from `from` to `to` of a packed file, in chunks. `None` if the file is read in one piece.
pub(super) fn divide(file: &File, known: &KnownIndex, from: u64, to: Option<u64>) -> Option<Vec<Chunk>> {
    let is_whole = from == 0 && to.is_none();
    if is_whole && file.stat().ok()?.size_bytes < DIVIDED_BYTES_MIN {
        return None;
    }
    Some(chunks(known.of(file)?.frames(), from, to)).filter(|chunks| !chunks.is_empty())
}

fn chunks(frames: &[Frame], from: u64, to: Option<u64>) -> Vec<Chunk> {
    // In each, the first frame and the last.
    let mut groups: Vec<(&Frame, &Frame)> = Vec::new();
    let is_wanted = |frame: &&Frame| frame.end() > from && to.is_none_or(|to| frame.at < to);
    for frame in frames.iter().filter(is_wanted) {
        match groups.last_mut() {
            // Where a line continues, so does the chunk.
            Some((first, last))
                if last.end() - first.at < CHUNK_BYTES || frame.labels.flags.has(Flags::BEGINS_IN_LINE) =>
            {
                *last = frame;
            }
            _ => groups.push((frame, frame)),
        }
    }
    let chunk = |(first, last): (&Frame, &Frame)| {
        let at = first.at.max(from);
        let packed = first.packed_at..last.packed_end();
        Chunk { packed, at, skipped: at - first.at, bytes: to.map_or(last.end(), |to| to.min(last.end())) - at }
    };
    groups.into_iter().map(chunk).collect()
}

fn read_at(file: &File, at: u64, room: &mut [u8]) -> bool {
    let mut filled = 0;
    while filled < room.len() {
        match file.read_at(at.saturating_add(filled as u64), &mut room[filled..]) {
            Ok(bytes) if bytes > 0 => filled += bytes,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use logpack::index::Labels;
    use proptest::prelude::*;

    use super::*;

    /// Frames of these sizes, a tenth as long where they are packed.
    fn frames(sizes: &[u32]) -> Vec<Frame> {
        let (mut packed_at, mut at) = (0, 0);
        let frame = |&bytes: &u32| {
            let frame = Frame { packed_at, packed_bytes: 10 + bytes / 10, at, bytes, labels: Labels::default() };
            (packed_at, at) = (frame.packed_end(), frame.end());
            frame
        };
        sizes.iter().map(frame).collect()
    }

    proptest! {
        #[test]
        fn chunks_hold_what_is_wanted_and_no_frame_more(
            sizes in proptest::collection::vec(prop_oneof![1..500_000_u32, Just(3 << 20)], 1..40),
            ends in (0..8_000_000_u64, proptest::option::of(0..8_000_000_u64)),
        ) {
            let frames = frames(&sizes);
            let total = frames.last().map_or(0, Frame::end);
            let (from, to) = (ends.0.min(total), ends.1.map(|to| to.max(ends.0)));

            let chunks = chunks(&frames, from, to);

            let mut at = from;
            let mut packed_end = None;
            for chunk in &chunks {
                prop_assert_eq!(chunk.at, at, "chunks follow each other");
                prop_assert!(packed_end.is_none_or(|end| end == chunk.packed.start));
                let first = frames.iter().find(|frame| frame.packed_at == chunk.packed.start).expect("a frame");
                prop_assert_eq!(first.at + chunk.skipped, at);
                prop_assert!(chunk.skipped < u64::from(first.bytes), "no frame is unpacked for nothing");
                at += chunk.bytes;
                packed_end = Some(chunk.packed.end);
            }
            prop_assert_eq!(at, to.map_or(total, |to| to.min(total)));
        }
    }

    #[test]
    fn a_chunk_is_about_a_megabyte() {
        let sizes: Vec<u64> =
            chunks(&frames(&[300 << 10; 20]), 0, None).iter().map(|chunk| chunk.bytes >> 10).collect();

        assert_eq!(sizes, [1200; 5]);
    }
}
