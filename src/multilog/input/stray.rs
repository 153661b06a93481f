//! Stray bytes: bytes that were consumed in place of those that had been shown and logged.
//!
//! If another process reads from the pipe, it removes bytes that this logger has seen, and consuming as many bytes then
//! removes the ones behind them. A process that lent pages to the pipe can change them. In both cases the comparison of
//! the consumed bytes with the logged bytes shows it, and bytes that are not logged yet are logged then.

use memchr::memchr_iter;

/// Finds what of `consumed` has not been logged, where `logged` was to be consumed. Both are not empty and begin at the
/// head of the pipe, as it was then and a little later.
#[must_use]
pub fn find(logged: &[u8], consumed: &[u8]) -> Vec<u8> {
    if logged.starts_with(consumed) {
        return Vec::new();
    }
    let overlap_bytes = overlap_bytes(logged, consumed);
    if overlap_bytes == 0
        && let Some(lines) = changed_lines(logged, consumed)
    {
        return lines;
    }
    consumed[overlap_bytes..].to_vec()
}

/// How much of the beginning of `consumed` is the end of `logged`: another reader took what stood before it.
fn overlap_bytes(logged: &[u8], consumed: &[u8]) -> usize {
    // Of each beginning of `consumed`: how long the longest shorter beginning is that it ends in.
    let mut fallbacks = vec![0; consumed.len()];
    let mut length = 0;
    for at in 1..consumed.len() {
        length = advance(consumed, &fallbacks, length, consumed[at]);
        fallbacks[at] = length;
    }
    let mut length = 0;
    for &byte in logged {
        if length == consumed.len() {
            length = fallbacks[length - 1];
        }
        length = advance(consumed, &fallbacks, length, byte);
    }
    length
}

/// How long a beginning of `text` ends with `byte`, where one of `length` bytes ended before it.
fn advance(text: &[u8], fallbacks: &[usize], mut length: usize, byte: u8) -> usize {
    while length > 0 && text[length] != byte {
        length = fallbacks[length - 1];
    }
    length + usize::from(text[length] == byte)
}

/// The lines that differ, if nothing else has happened than that some bytes were changed: lines end where they ended, and
/// most of them are the same.
fn changed_lines(logged: &[u8], consumed: &[u8]) -> Option<Vec<u8>> {
    if logged.len() != consumed.len() || !memchr_iter(b'\n', logged).eq(memchr_iter(b'\n', consumed)) {
        return None;
    }
    let is_line = |byte: &u8| *byte == b'\n';
    let mut changed = Vec::new();
    let (mut line_count, mut changed_count) = (0, 0);
    for (before, after) in logged.split_inclusive(is_line).zip(consumed.split_inclusive(is_line)) {
        line_count += 1;
        if before != after {
            changed_count += 1;
            changed.extend_from_slice(after);
        }
    }
    (2 * changed_count < line_count).then_some(changed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_another_reader_made_us_consume_is_found() {
        let cases: &[(&[u8], &[u8], &[u8])] = &[
            // Nothing else has come.
            (b"a\nb\nc\n", b"c\n", b""),
            (b"a\nb\nc\n", b"b\nc\nd\n", b"d\n"),
            (b"a\nb\nc\n", b"d\ne\nf\n", b"d\ne\nf\n"),
            (b"a\nb\nc\n", b"c\nd\ne", b"d\ne"),
            (b"a\na\nb\n", b"a\nb\na\n", b"a\n"),
            // A writer changed its page.
            (b"a\nb\nc\n", b"a\nx\nc\n", b"x\n"),
            (b"a\nb\nc\n", b"a\nx\ny\n", b"a\nx\ny\n"),
            (b"a\n", b"x\n", b"x\n"),
        ];
        for &(logged, consumed, expected) in cases {
            assert_eq!(find(logged, consumed), expected, "{logged:?} {consumed:?}");
        }
    }

    proptest! {
        #[test]
        fn the_overlap_is_the_longest(
            logged in prop::collection::vec(b'a'..=b'b', 1..40),
            consumed in prop::collection::vec(b'a'..=b'b', 1..40),
        ) {
            let plainly = (0..=logged.len().min(consumed.len()))
                .rev()
                .find(|&length| logged.ends_with(&consumed[..length]))
                .unwrap();
            prop_assert_eq!(overlap_bytes(&logged, &consumed), plainly);
        }
    }
}
