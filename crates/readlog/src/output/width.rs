//! How many columns of a terminal text takes: a Chinese character takes two, a combining accent none.

use unicode_width::UnicodeWidthStr;

/// The columns of some bytes, without a newline. What is no text counts a column a byte.
pub(crate) fn width(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        return bytes.len();
    }
    bytes.utf8_chunks().map(|chunk| chunk.valid().width() + chunk.invalid().len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_not_bytes() {
        for (text, columns) in [
            (&b"plain"[..], 5),
            ("für".as_bytes(), 3),
            ("日本".as_bytes(), 4),
            ("e\u{301}".as_bytes(), 1),
            (b"a\xff", 2),
        ] {
            assert_eq!(width(text), columns, "{}", text.escape_ascii());
        }
    }
}
