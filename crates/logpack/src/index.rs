//! The index at the end of a packed file: where each frame is, and the first and the last label in it.
//!
//! ```text
//! zstd frames            the log
//! skippable frame        0x184D2A5D, size; "logpack1"; for each zstd frame: first label, last label (12 bytes each), flags;
//!                        CRC-32 of all this from "logpack1" on, and of the next frame
//! skippable frame        0x184D2A5E, size; for each frame before: packed bytes, unpacked bytes; number of frames before,
//!                        0, 0x8F92EAB1
//! ```
//!
//! Numbers have 4 bytes, the lowest first. The last frame is the table of zstd's seekable format, which other tools use too. A
//! frame without labels has 24 zero bytes in their place.
//!
//! A reader must not trust an index: it may be damaged or forged. [`FrameIndex::read`] checks that sizes add up and that the
//! checksum is right; whether a frame begins where the index says, and with the label that it says, is for the reader to
//! check before it leaves anything out.

use logyard::tai64n::Label;

/// How zstd frames begin.
pub const FRAME_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How the frame with the labels begins.
const LABELS_MAGIC: u32 = 0x184D_2A5D;
/// How the frame with the table of sizes begins.
const TABLE_MAGIC: u32 = 0x184D_2A5E;
/// How the table of sizes ends.
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
/// The name and the version of the labels' format.
const LABELS_NAME: &[u8; 8] = b"logpack1";

/// A magic number and a size.
const HEADER_BYTES: usize = 8;
/// The number of frames, a descriptor, a magic number.
const FOOTER_BYTES: usize = 9;
/// Two labels and the flags.
const LABELS_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 4;
/// In the descriptor: each entry has a checksum of its frame; and the bits that must be 0.
const HAS_CHECKSUMS: u8 = 0x80;
const RESERVED: u8 = 0x7f;

/// A file with more frames is read without an index, so that a forged one cannot fill the memory.
const FRAMES_MAX: usize = 1 << 20;

/// What the labels of a frame do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// A label is earlier than the one before it.
    pub const OUT_OF_ORDER: Flags = Flags(1);
    /// A line may begin with a time in another form.
    pub const OTHER_STAMPS: Flags = Flags(2);
    /// The frame begins within a line, which is very long.
    pub const BEGINS_IN_LINE: Flags = Flags(4);

    /// Adds flags.
    pub(crate) fn add(&mut self, other: Flags) {
        self.0 |= other.0;
    }

    /// Tells whether all of some flags are set.
    #[must_use]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The labels of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The first and the last; `None` if no line has one.
    pub ends: Option<(Label, Label)>,
    /// What they do not tell.
    pub flags: Flags,
}

/// A frame of a packed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins in the file.
    pub packed_at: u64,
    /// How long it is there.
    pub packed_bytes: u32,
    /// Where it begins in the unpacked file.
    pub at: u64,
    /// How long it is unpacked.
    pub bytes: u32,
    /// Its labels.
    pub labels: Labels,
}

/// The frames of a packed file, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameIndex {
    frames: Vec<Frame>,
    has_labels: bool,
}

impl FrameIndex {
    /// Adds the next frame.
    pub(crate) fn push(&mut self, packed_bytes: u32, bytes: u32, labels: Labels) {
        let (packed_at, at) = self.frames.last().map_or((0, 0), |last| (last.packed_end(), last.end()));
        self.frames.push(Frame { packed_at, packed_bytes, at, bytes, labels });
        self.has_labels = true;
    }

    /// The frames that hold the log.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Tells whether the file says what labels its frames have. Another tool's file does not.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        self.has_labels
    }

    /// Tells whether every frame has labels, they never decrease in the whole file, and no line has a time of another form: only
    /// then the labels tell which times a frame can hold.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        let mut before = None;
        self.has_labels
            && self.frames.iter().all(|frame| {
                let Labels { ends: Some((first, last)), flags } = frame.labels else { return false };
                let is_ordered = before.is_none_or(|before| before <= first) && first <= last;
                before = Some(last);
                is_ordered && !flags.has(Flags::OUT_OF_ORDER) && !flags.has(Flags::OTHER_STAMPS)
            })
    }

    /// The frames with labels and the table of sizes, as they stand behind the last frame.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut labels = LABELS_NAME.to_vec();
        for Frame { labels: Labels { ends, flags }, .. } in &self.frames {
            let (first, last) = ends.map_or(([0; 12], [0; 12]), |(first, last)| (first.to_bytes(), last.to_bytes()));
            labels.extend_from_slice(&first);
            labels.extend_from_slice(&last);
            labels.extend_from_slice(&flags.0.to_le_bytes());
        }
        let labels_bytes = labels.len() + CHECKSUM_BYTES;
        let labels_frame_bytes = HEADER_BYTES + labels_bytes;
        let mut entries = Vec::new();
        let sizes = self.frames.iter().map(|frame| (frame.packed_bytes, frame.bytes));
        for (packed_bytes, bytes) in sizes.chain([(number(labels_frame_bytes), 0)]) {
            entries.extend_from_slice(&packed_bytes.to_le_bytes());
            entries.extend_from_slice(&bytes.to_le_bytes());
        }
        let mut table = header(TABLE_MAGIC, entries.len() + FOOTER_BYTES);
        table.extend_from_slice(&entries);
        table.extend_from_slice(&number(self.frames.len() + 1).to_le_bytes());
        table.push(0);
        table.extend_from_slice(&FOOTER_MAGIC.to_le_bytes());

        let mut encoded = header(LABELS_MAGIC, labels_bytes);
        encoded.extend_from_slice(&labels);
        encoded.extend_from_slice(&checksum(&labels, &table).to_le_bytes());
        encoded.extend_from_slice(&table);
        encoded
    }

    /// Reads the index of a file of `size_bytes` bytes; `None` if it has none, or one that cannot be right. `read_at` reads
    /// bytes at a place, and tells whether it filled the room.
    pub fn read(size_bytes: u64, mut read_at: impl FnMut(u64, &mut [u8]) -> bool) -> Option<FrameIndex> {
        let mut tail = |bytes_before_end: usize, length: usize| {
            let at = size_bytes.checked_sub(bytes_before_end as u64)?;
            let mut bytes = vec![0; length];
            read_at(at, &mut bytes).then_some(bytes)
        };
        let footer = tail(FOOTER_BYTES, FOOTER_BYTES)?;
        let count = usize::try_from(u32_at(&footer, 0)?).ok()?;
        let descriptor = footer[4];
        if u32_at(&footer, 5)? != FOOTER_MAGIC || descriptor & RESERVED != 0 || count > FRAMES_MAX {
            return None;
        }
        let entry_bytes = if descriptor & HAS_CHECKSUMS == 0 { 8 } else { 12 };
        let table_bytes = HEADER_BYTES + count * entry_bytes + FOOTER_BYTES;
        let table = tail(table_bytes, table_bytes)?;
        if table[..HEADER_BYTES] != header(TABLE_MAGIC, table_bytes - HEADER_BYTES) {
            return None;
        }
        let mut frames = Vec::with_capacity(count);
        let (mut packed_at, mut at) = (0_u64, 0_u64);
        for entry in table[HEADER_BYTES..table_bytes - FOOTER_BYTES].chunks_exact(entry_bytes) {
            let (packed_bytes, bytes) = (u32_at(entry, 0)?, u32_at(entry, 4)?);
            frames.push(Frame { packed_at, packed_bytes, at, bytes, labels: Labels::default() });
            // At most 2^20 numbers of 32 bits.
            packed_at += u64::from(packed_bytes);
            at += u64::from(bytes);
        }
        if packed_at + table_bytes as u64 != size_bytes {
            return None;
        }
        let mut index = FrameIndex { frames, has_labels: false };
        if let Some(labels_frame) = index.frames.last().filter(|last| last.bytes == 0) {
            let length = usize::try_from(labels_frame.packed_bytes).ok()?;
            let most = HEADER_BYTES + LABELS_NAME.len() + (count - 1) * LABELS_BYTES + CHECKSUM_BYTES;
            let labels = tail(table_bytes + length, length.min(most))?;
            if is_ours(&labels) {
                index.frames.pop();
                index.read_labels(&labels, length, &table)?;
            }
        }
        Some(index)
    }

    /// Reads the labels from their frame, which must be exactly as long as they are.
    fn read_labels(&mut self, frame: &[u8], frame_bytes: usize, table: &[u8]) -> Option<()> {
        let labels_bytes = LABELS_NAME.len() + self.frames.len() * LABELS_BYTES;
        if frame_bytes != HEADER_BYTES + labels_bytes + CHECKSUM_BYTES
            || frame[..HEADER_BYTES] != header(LABELS_MAGIC, labels_bytes + CHECKSUM_BYTES)
        {
            return None;
        }
        let labels = &frame[HEADER_BYTES..HEADER_BYTES + labels_bytes];
        if u32_at(frame, HEADER_BYTES + labels_bytes)? != checksum(labels, table) {
            return None;
        }
        for (frame, bytes) in self.frames.iter_mut().zip(labels[LABELS_NAME.len()..].chunks_exact(LABELS_BYTES)) {
            let label = |bytes: &[u8]| Label::from_bytes(bytes.try_into().ok()?).ok();
            let ends = match bytes[..24] == [0; 24] {
                true => None,
                false => Some((label(&bytes[..12])?, label(&bytes[12..24])?)),
            };
            frame.labels = Labels { ends, flags: Flags(u32_at(bytes, 24)?) };
        }
        self.has_labels = true;
        Some(())
    }
}

impl Frame {
    /// Where the next frame begins in the file.
    #[must_use]
    pub fn packed_end(&self) -> u64 {
        self.packed_at + u64::from(self.packed_bytes)
    }

    /// Where the next frame begins in the unpacked file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + u64::from(self.bytes)
    }
}

/// Tells whether a frame claims to hold labels.
fn is_ours(frame: &[u8]) -> bool {
    frame.starts_with(&LABELS_MAGIC.to_le_bytes())
        && frame.get(HEADER_BYTES..).is_some_and(|labels| labels.starts_with(LABELS_NAME))
}

fn header(magic: u32, bytes: usize) -> Vec<u8> {
    [magic.to_le_bytes(), number(bytes).to_le_bytes()].concat()
}

fn number(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn checksum(labels: &[u8], table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(labels);
    hasher.update(table);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use logyard::sys::clock::UnixTime;

    fn label(seconds: i64) -> Label {
        Label::from(UnixTime { seconds, nanoseconds: 500 })
    }

    fn read(file: &[u8]) -> Option<FrameIndex> {
        FrameIndex::read(file.len() as u64, |at, room| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            file.get(at..).and_then(|rest| rest.get(..room.len())).is_some_and(|bytes| {
                room.copy_from_slice(bytes);
                true
            })
        })
    }

    /// Its size in the file and unpacked, the seconds of its labels, its flags.
    type Made = (u16, u32, Option<(i64, i64)>, u32);

    /// A file of frames that are zero bytes, and its index.
    fn file(frames: &[Made]) -> (Vec<u8>, FrameIndex) {
        let mut index = FrameIndex { has_labels: true, ..FrameIndex::default() };
        let mut file = Vec::new();
        for &(packed_bytes, bytes, ends, flags) in frames {
            file.resize(file.len() + usize::from(packed_bytes), 0);
            let ends = ends.map(|(first, last)| (label(first), label(last)));
            index.push(u32::from(packed_bytes), bytes, Labels { ends, flags: Flags(flags) });
        }
        file.extend_from_slice(&index.encode());
        (file, index)
    }

    proptest! {
        #[test]
        fn an_index_survives_its_encoding(
            frames in proptest::collection::vec(
                (1_u16..99, any::<u32>(), proptest::option::of((0_i64..99, 0_i64..99)), 0_u32..8), 0..20
            ),
        ) {
            let (file, index) = file(&frames);

            prop_assert_eq!(read(&file), Some(index));
        }

        #[test]
        fn a_damaged_index_is_none(
            frames in proptest::collection::vec(
                (1_u16..99, any::<u32>(), proptest::option::of((0_i64..99, 0_i64..99)), 0_u32..8), 1..20
            ),
            place in any::<proptest::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let (mut file, index) = file(&frames);
            let index_bytes = index.encode().len();
            let at = file.len() - index_bytes + place.index(index_bytes);
            file[at] ^= 1 << bit;

            // Where the labels' name is damaged, what is left is another tool's file.
            prop_assert!(read(&file).is_none_or(|index| !index.has_labels()));
        }

        #[test]
        fn no_bytes_panic(head in proptest::collection::vec(any::<u8>(), 0..200), count in any::<u32>(), descriptor in any::<u8>()) {
            let footer = [&count.to_le_bytes()[..], &[descriptor], &FOOTER_MAGIC.to_le_bytes()].concat();
            let _ = read(&[&head[..], &footer].concat());
        }
    }

    #[test]
    fn only_labels_that_never_decrease_are_ordered() {
        let is_ordered = |frames: &[Made]| file(frames).1.is_ordered();

        assert!(is_ordered(&[]));
        assert!(is_ordered(&[(1, 1, Some((1, 2)), 0), (1, 1, Some((2, 2)), 4)]));
        assert!(!is_ordered(&[(1, 1, Some((1, 3)), 0), (1, 1, Some((2, 4)), 0)]), "from frame to frame");
        assert!(!is_ordered(&[(1, 1, Some((1, 2)), 0), (1, 1, None, 0)]), "a frame without labels");
        assert!(!is_ordered(&[(1, 1, Some((3, 1)), 0)]), "from end to end");
        assert!(!is_ordered(&[(1, 1, Some((1, 2)), 1)]), "within a frame");
        assert!(!is_ordered(&[(1, 1, Some((1, 2)), 2)]), "times of another form");
    }
}
