//! Characters at the ends of an argument that nobody sees: an editor, another system or a copied text has left them.

use std::borrow::Cow;

/// What an argument ends in, if that cannot be seen.
pub(super) fn at_end(argument: &[u8]) -> Option<Cow<'static, str>> {
    let last = argument.utf8_chunks().last().filter(|chunk| chunk.invalid().is_empty())?;
    name(last.valid().chars().next_back()?)
}

/// What an argument begins with, if that cannot be seen.
pub(super) fn at_beginning(argument: &[u8]) -> Option<Cow<'static, str>> {
    name(argument.utf8_chunks().next()?.valid().chars().next()?)
}

fn name(character: char) -> Option<Cow<'static, str>> {
    let known = match character {
        ' ' => "a blank",
        '\t' => "a tab",
        '\r' => "a carriage return",
        '\n' => "a newline",
        '\u{feff}' => "a byte order mark",
        // Without width, or turning the direction of writing.
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => "",
        _ if character.is_control() || character.is_whitespace() => "",
        _ => return None,
    };
    Some(match known {
        "" => format!("the invisible character U+{:04X}", u32::from(character)).into(),
        known => known.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_has_a_name() {
        for (argument, name) in [
            (&b"n5 "[..], Some("a blank")),
            (b"n5\t", Some("a tab")),
            (b"n5\r", Some("a carriage return")),
            (b"n5\n", Some("a newline")),
            ("n5\u{a0}".as_bytes(), Some("the invisible character U+00A0")),
            ("n5\u{200b}".as_bytes(), Some("the invisible character U+200B")),
            (b"n5\x1b", Some("the invisible character U+001B")),
            (b" ", Some("a blank")),
            (b"", None),
            (b"n 5", None),
            ("./\u{fc}".as_bytes(), None),
            // These are shown as bytes.
            (b"n5\xa0", None),
            (b"n5 \xff", None),
        ] {
            assert_eq!(at_end(argument).as_deref(), name, "{argument:?}");
        }
        assert_eq!(at_beginning("\u{feff}t".as_bytes()).as_deref(), Some("a byte order mark"));
        assert_eq!(at_beginning(b"\xfft"), None);
        assert_eq!(at_beginning(b"t "), None);
    }
}
