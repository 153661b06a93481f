//! Where a message in a stream ends (RFC 6587).
//!
//! A message begins with its length in decimal and a space (*octet counting*), or it ends at a line feed or a zero byte.
//! Each message of a stream may choose: a message that is not counted begins with `<`, never with a digit.

use memchr::memchr2;

/// The longest message. What is longer and is not counted becomes several.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// A length with more digits is none.
const DIGITS_MAX: usize = 9;

/// What the beginning of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message in these bytes; the stream goes on at `next`.
    Message {
        /// Where the message begins.
        start: usize,
        /// Where it ends.
        end: usize,
        /// Where the next one begins.
        next: usize,
    },
    /// The beginning of a message that is so long at least, with what belongs to it.
    Partial {
        /// How many bytes there must be before it makes sense to look again.
        needed: usize,
    },
    /// A counted message that is longer than any may be.
    TooLong {
        /// Its length.
        length: usize,
    },
}

/// Finds the first message of a stream.
///
/// ```
/// use socklog::frame::{Frame, first};
/// assert_eq!(first(b"5 hello<13>"), Frame::Message { start: 2, end: 7, next: 7 });
/// assert_eq!(first(b"<13>hello\n"), Frame::Message { start: 0, end: 9, next: 10 });
/// assert_eq!(first(b"5 hel"), Frame::Partial { needed: 7 });
/// ```
#[must_use]
pub fn first(stream: &[u8]) -> Frame {
    let digits = stream.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let is_number = digits > 0 && stream[0] != b'0' && digits <= DIGITS_MAX;
    if is_number && stream.get(digits) == Some(&b' ') {
        let length = stream[..digits].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        let (start, end) = (digits + 1, digits + 1 + length);
        return if length > MESSAGE_BYTES_MAX {
            Frame::TooLong { length }
        } else if stream.len() < end {
            Frame::Partial { needed: end }
        } else {
            Frame::Message { start, end, next: end }
        };
    }
    if is_number && digits == stream.len() {
        return Frame::Partial { needed: digits + 1 };
    }
    let piece = &stream[..stream.len().min(MESSAGE_BYTES_MAX)];
    match memchr2(b'\n', 0, piece) {
        Some(end) => Frame::Message { start: 0, end, next: end + 1 },
        None if piece.len() == MESSAGE_BYTES_MAX => {
            Frame::Message { start: 0, end: MESSAGE_BYTES_MAX, next: MESSAGE_BYTES_MAX }
        }
        None => Frame::Partial { needed: stream.len() + 1 },
    }
}
