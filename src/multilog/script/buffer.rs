//! The memory for lines that the disk does not take, as the script gives it.

use crate::multilog::script::numbers::{begins_with_digit, parse_size};

/// The smallest buffer: what the logger reads at once has room.
const BYTES_LEAST: u64 = 512 * 1024;
/// The largest buffer.
const BYTES_MOST: u64 = 1 << 30;

/// How much waits in memory, and what is dropped if that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// No more bytes wait.
    pub bytes_max: usize,
    /// Which lines are dropped.
    pub victims: Victims,
}

/// Which lines are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victims {
    /// Those that have waited longest.
    Oldest,
    /// Those that come.
    Newest,
}

/// Reads a size, with `:oldest` or `:newest` behind it, and nothing else; 0 is no buffer.
pub(super) fn parse_buffer(text: &[u8]) -> Option<Option<Buffer>> {
    let (bytes, rest) = parse_size(text);
    let victims = match rest {
        b"" | b":oldest" => Victims::Oldest,
        b":newest" => Victims::Newest,
        _ => return None,
    };
    let bytes_max = usize::try_from(bytes.clamp(BYTES_LEAST, BYTES_MOST)).unwrap_or(usize::MAX);
    begins_with_digit(text).then_some((bytes > 0).then_some(Buffer { bytes_max, victims }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_a_size_and_victims() {
        let buffer = |bytes_max, victims| Some(Some(Buffer { bytes_max, victims }));
        assert_eq!(parse_buffer(b"16M"), buffer(16 << 20, Victims::Oldest));
        assert_eq!(parse_buffer(b"16M:oldest"), buffer(16 << 20, Victims::Oldest));
        assert_eq!(parse_buffer(b"1G:newest"), buffer(1 << 30, Victims::Newest));
        assert_eq!(parse_buffer(b"1"), buffer(512 << 10, Victims::Oldest));
        assert_eq!(parse_buffer(b"999999G"), buffer(1 << 30, Victims::Oldest));
        assert_eq!(parse_buffer(b"0"), Some(None));
        for bad in [&b""[..], b"M", b"16Q", b"16M:", b"16M:all", b"16M:oldest:", b"16MB", b":oldest"] {
            assert_eq!(parse_buffer(bad), None, "{bad:?}");
        }
    }
}
