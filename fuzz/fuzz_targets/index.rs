//! The index at the end of a packed file, from any bytes: reading it does not panic, and what it says adds up.
#![no_main]

use libfuzzer_sys::fuzz_target;

use logpack::index::FrameIndex;

/// The magic numbers and the name in an index. The fuzzer finds the sizes between them by itself, but rarely these.
const FOOTER_MAGIC: [u8; 4] = [0xb1, 0xea, 0x92, 0x8f];

fuzz_target!(|input: (&[u8], bool)| {
    let (bytes, gets_footer) = input;
    let mut file = bytes.to_vec();
    if gets_footer {
        file.extend_from_slice(&FOOTER_MAGIC);
    }
    let read_at = |at: u64, room: &mut [u8]| {
        let bytes = usize::try_from(at).ok().and_then(|at| file.get(at..)?.get(..room.len()));
        bytes.is_some_and(|bytes| {
            room.copy_from_slice(bytes);
            true
        })
    };
    let Some(index) = FrameIndex::read(file.len() as u64, read_at) else { return };
    let (mut packed_at, mut at) = (0, 0);
    for frame in index.frames() {
        assert_eq!((frame.packed_at, frame.at), (packed_at, at), "frames follow each other");
        (packed_at, at) = (frame.packed_end(), frame.end());
    }
    assert!(packed_at <= file.len() as u64);
    let _ = index.is_ordered();
});
