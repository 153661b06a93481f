//! Shows control characters as visible text.
//!
//! A log may contain any bytes that a client sent to a service. On a terminal, control characters (C0, DEL, C1), what
//! is not UTF-8, and the marks that turn the direction of writing are shown as `\x1b`, `\xff`, `\u{202e}`; a tab stays.

use std::io::Write;

use crate::cli::json::turns_direction;

/// Appends bytes, made visible.
pub fn print(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut utf8 = [0; 4];
            let utf8 = character.encode_utf8(&mut utf8).as_bytes();
            if character == '\t' {
                out.push(b'\t');
            } else if character.is_control() {
                print_bytes(out, utf8);
            } else if turns_direction(character) {
                // Writing to memory does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            } else {
                out.extend_from_slice(utf8);
            }
        }
        print_bytes(out, chunk.invalid());
    }
}

fn print_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        print(&mut out, bytes);
        String::from_utf8(out).expect("visible text is UTF-8")
    }

    #[test]
    fn what_a_terminal_would_obey_is_visible() {
        assert_eq!(shown(b"\x1b]0;title\x07"), "\\x1b]0;title\\x07");
        assert_eq!(shown("a\tb \u{9b}31m ü".as_bytes()), "a\tb \\xc2\\x9b31m ü");
        assert_eq!(shown(b"\xff\x7f\r"), "\\xff\\x7f\\x0d");
        assert_eq!(shown("\u{202e}x".as_bytes()), "\\u{202e}x");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(!shown(&bytes).chars().any(|character| character.is_control() && character != '\t'));
        }
    }
}
