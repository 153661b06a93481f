//! The checksum of journals and of the state in them.

/// FNV-1a, 64 bits, as `doc/logdir.md` promises to other programs: to tell records and names apart, not to withstand anybody.
#[must_use]
#[allow(single_use_lifetimes)] // Nothing else can be written here.
pub fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A faster checksum, for what only loggers read: of a byte and of the bytes behind it, which it takes eight at a time. A
/// logger that gets its lines one by one needs it for each line.
#[must_use]
pub fn hash_words(first: u8, bytes: &[u8]) -> u64 {
    // With an odd factor no two words give the same product. The rotation moves the high bits, which depend on all bits of
    // the word, to where they change all of the next product.
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let begin = step(bytes.len() as u64, u64::from(first));
    let hash = words.iter().fold(begin, |hash, word| step(hash, u64::from_le_bytes(*word)));
    step(hash, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_is_documented() {
        assert_eq!(hash([&b"foo"[..], b"bar"]), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_changed_bit_changes_the_checksum_of_words() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).collect();
            let before = hash_words(b'x', &bytes);
            for bit in 0..8 * bytes.len() {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(hash_words(b'x', &changed), before, "bit {bit} of {length} bytes");
            }
            assert_ne!(hash_words(b'y', &bytes), before);
            assert_ne!(hash_words(b'x', &[&bytes[..], &[0]].concat()), before, "a zero more");
        }
    }
}
