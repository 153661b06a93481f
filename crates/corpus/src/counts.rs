//! What is counted of a log.

use memchr::memchr_iter;

/// The counts of a log.
///
/// ```
/// use logyard_corpus::Counts;
/// let counts = Counts::of(b"one\ntwo\0\nthree");
/// assert_eq!((counts.lines, counts.bytes, counts.longest_bytes, counts.nuls), (3, 14, 5, 1));
/// assert!(!counts.ends_in_newline);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines, a last one without a newline included.
    pub lines: u64,
    /// Bytes, newlines included.
    pub bytes: u64,
    /// The length of the longest line, its newline left out.
    pub longest_bytes: u64,
    /// Bytes that are 0.
    pub nuls: u64,
    /// Whether the last byte is a newline; false if there is none.
    pub ends_in_newline: bool,
}

impl Counts {
    /// Counts a whole log.
    #[must_use]
    pub fn of(log: &[u8]) -> Counts {
        let mut counts = Counts::default();
        log.split_inclusive(|&byte| byte == b'\n').for_each(|line| counts.add(line));
        counts
    }

    /// Counts one more line, with its newline if it has one.
    pub fn add(&mut self, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        self.lines += 1;
        self.bytes += line.len() as u64;
        self.longest_bytes = self.longest_bytes.max(text.len() as u64);
        self.nuls += memchr_iter(0, text).count() as u64;
        self.ends_in_newline = text.len() < line.len();
    }
}
