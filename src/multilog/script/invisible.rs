//! Characters at the ends of an argument that nobody sees: an editor, another system or a copied text has left them.

/// How an argument begins or ends, if that cannot be seen, and the name of the character: `ends in`, `a blank`.
pub(super) fn invisible(argument: &[u8]) -> Option<(&'static str, String)> {
    let mut chunks = argument.utf8_chunks();
    let first = chunks.next()?;
    let last = chunks.last().unwrap_or_else(|| first.clone());
    if last.invalid().is_empty()
        && let Some(name) = last.valid().chars().next_back().and_then(name)
    {
        return Some(("ends in", name));
    }
    Some(("begins with", first.valid().chars().next().and_then(name)?))
}

fn name(character: char) -> Option<String> {
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
        "" => format!("the invisible character U+{:04X}", u32::from(character)),
        known => known.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_has_a_name() {
        for (argument, expected) in [
            (&b"n5 "[..], "ends in a blank"),
            (b"n5\t", "ends in a tab"),
            (b"n5\r", "ends in a carriage return"),
            (b"n5\n", "ends in a newline"),
            ("n5\u{a0}".as_bytes(), "ends in the invisible character U+00A0"),
            ("n5\u{200b}".as_bytes(), "ends in the invisible character U+200B"),
            (b"n5\x1b", "ends in the invisible character U+001B"),
            (b"\xff\t", "ends in a tab"),
            (b" ", "ends in a blank"),
            (b" t", "begins with a blank"),
            (b"\tt\xff", "begins with a tab"),
            ("\u{feff}t".as_bytes(), "begins with a byte order mark"),
            (b"", ""),
            (b"n 5", ""),
            ("./\u{fc}".as_bytes(), ""),
            // These are shown as bytes.
            (b"n5\xa0", ""),
            (b"n5 \xff", ""),
            (b"\xff t", ""),
        ] {
            let found = invisible(argument).map_or_else(String::new, |(how, name)| format!("{how} {name}"));
            assert_eq!(found, expected, "{argument:?}");
        }
    }
}
