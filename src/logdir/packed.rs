//! How compressed files begin.

/// A file of gzip.
pub const GZIP: &[u8] = &[0x1f, 0x8b];
/// A file of zstd.
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A file of xz.
pub const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// Tells whether a file that begins with these bytes is compressed.
#[must_use]
pub fn is_packed(beginning: &[u8]) -> bool {
    [GZIP, ZSTD, XZ].iter().any(|magic| beginning.starts_with(magic))
}
