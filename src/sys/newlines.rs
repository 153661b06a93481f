//! Where the newlines of a block are, as a mask, by the processor's vector instructions.

/// How many bytes are searched at once: one bit of a `u64` for each.
pub const BLOCK_BYTES: usize = 64;

/// A bit for each byte of a block that is a newline; the lowest bit stands for the first byte.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn newlines_in(block: &[u8; BLOCK_BYTES]) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};

    let (quarters, _) = block.as_chunks::<16>();
    quarters.iter().rev().fold(0, |mask, quarter| {
        // The compiler makes one load of the two halves.
        let half = |at: usize| i64::from_le_bytes(*quarter[at..].first_chunk().expect("a quarter has two halves"));
        // SAFETY: these instructions are SSE2, which every x86-64 processor has. They read no memory.
        let found = unsafe {
            let newlines = _mm_set1_epi8(b'\n'.cast_signed());
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_set_epi64x(half(8), half(0)), newlines))
        };
        mask << 16 | u64::from(found.cast_unsigned())
    })
}

/// A bit for each byte of a block that is a newline; the lowest bit stands for the first byte.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn newlines_in(block: &[u8; BLOCK_BYTES]) -> u64 {
    block.iter().rev().fold(0, |mask, &byte| mask << 1 | u64::from(byte == b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
