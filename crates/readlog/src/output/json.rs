//! One JSON object a line.
//!
//! Text that is UTF-8 is a string. Other bytes are an array of numbers, as in the JSON of journald: a program that reads the
//! object gets every byte back, and tells the two apart by their types. svstat follows the same rule: [`logyard::cli::json`].

use std::io::Write;

use crate::output::View;
use logyard::cli::json::turns_direction;

/// A line, in the parts that its object shows.
#[derive(Debug)]
pub(super) struct Line<'l> {
    /// RFC 3339; `None` if the line has no label, or its year has more than four digits.
    pub(super) time: Option<&'l [u8]>,
    pub(super) service: &'l [u8],
    /// The line without its stamp.
    pub(super) message: &'l [u8],
}

/// Appends the object of a line, without a newline.
pub(super) fn print(out: &mut Vec<u8>, view: &View<'_>, line: &Line<'_>) {
    let Line { time, service, message } = *line;
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

/// Appends text as a string, and anything else as an array of its bytes' values.
fn print_value(out: &mut Vec<u8>, bytes: &[u8]) {
    const WRITTEN: &str = "memory can be written to";
    let Ok(text) = std::str::from_utf8(bytes) else {
        return serde_json::to_writer(out, bytes).expect(WRITTEN);
    };
    let start = out.len();
    serde_json::to_writer(&mut *out, text).expect(WRITTEN);
    if out[start..].iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return;
    }
    // A terminal would obey these characters; a reader of JSON gets the same text from their escapes.
    let json = String::from_utf8(out.split_off(start)).expect("JSON is text");
    for character in json.chars() {
        if character.is_control() || turns_direction(character) {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!(shown("\r\u{7f}\u{9b}\u{202e}".as_bytes()), "\"\\r\\u007f\\u009b\\u202e\"");
    }

    proptest! {
        #[test]
        fn the_printer_of_the_core_follows_the_same_rule(
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
            text in proptest::collection::vec(0..0x2070_u32, 0..20),
        ) {
            let text: String = text.into_iter().filter_map(char::from_u32).collect();
            for bytes in [&bytes[..], text.as_bytes()] {
                let (mut ours, mut core) = (Vec::new(), String::new());
                print_value(&mut ours, bytes);
                logyard::cli::json::print(&mut core, bytes);
                prop_assert_eq!(String::from_utf8(ours).expect("JSON is UTF-8"), core);
            }
        }
    }
}
