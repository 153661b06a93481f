//! One JSON object a line.
//!
//! Text that is UTF-8 is a string. What is not would be lost in one: it is an array of byte values instead, as journald
//! does it, so that whoever reads it tells the two apart by their types and gets every byte back.

use std::io::Write;

use crate::output::View;
use crate::output::visible::turns_direction;

/// Appends the object of a line, without a newline.
pub(super) fn print(out: &mut Vec<u8>, view: &View<'_>, service: &[u8], time: Option<&[u8]>, message: &[u8]) {
    out.extend_from_slice(b"{\"time\":");
    match time {
        Some(time) => print_value(out, time),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"label\":");
    match view.label {
        Some(label) => print_value(out, &label.to_text()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"service\":");
    print_value(out, service);
    out.extend_from_slice(b",\"message\":");
    print_value(out, message);
    out.extend_from_slice(b",\"file\":");
    let mut path = view.directory.to_vec();
    path.push(b'/');
    path.extend_from_slice(view.file);
    print_value(out, &path);
    out.push(b'}');
}

fn print_value(out: &mut Vec<u8>, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        out.push(b'[');
        for (i, byte) in bytes.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Writing to memory does not fail.
            let _ = write!(out, "{comma}{byte}");
        }
        return out.push(b']');
    };
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let character = special.chars().next().expect("a byte was found");
        print_special(out, character);
        rest = &special[character.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Appends a character that is not printable ASCII, or that JSON gives a meaning.
fn print_special(out: &mut Vec<u8>, character: char) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        '\t' => out.extend_from_slice(b"\\t"),
        // A terminal would obey these, and no reader of JSON minds.
        _ if character.is_control() || turns_direction(character) => {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        }
        _ => {
            let mut utf8 = [0; 4];
            out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_string_and_other_bytes_are_an_array() {
        let shown = |bytes: &[u8]| {
            let mut out = Vec::new();
            print_value(&mut out, bytes);
            String::from_utf8(out).expect("JSON is UTF-8")
        };

        assert_eq!(shown("ü \"x\" \\ \t\x1b".as_bytes()), "\"ü \\\"x\\\" \\\\ \\t\\u001b\"");
        assert_eq!(shown(b"a\xff"), "[97,255]");
        assert_eq!(shown(b""), "\"\"");
    }
}
