//! The checksum of journals and of the state in them.

/// FNV-1a, 64 bits: to tell records and names apart, not to withstand anybody.
#[must_use]
#[allow(single_use_lifetimes)] // Nothing else can be written here.
pub fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
