//! JSON values of bytes that came from outside. All programs follow the same rule.
//!
//! Text that is UTF-8 is a string. Other bytes are an array of numbers, as in the JSON of journald: a program that reads the
//! value gets every byte back, and tells the two apart by their types. In a string, all characters that a terminal would obey are
//! escaped.
//!
//! readlog prints its lines with `serde_json`, which the core does not depend on. A test of readlog compares the two.

use std::fmt::Write;

/// Appends bytes as a JSON string or, if they are not UTF-8, as an array of numbers.
///
/// ```
/// # use logyard::cli::json::print;
/// let shown = |bytes: &[u8]| { let mut out = String::new(); print(&mut out, bytes); out };
/// assert_eq!(shown(b"/service/\"x\"\x1b"), r#""/service/\"x\"\u001b""#);
/// assert_eq!(shown(b"a\xff"), "[97,255]");
/// ```
pub fn print(out: &mut String, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        return write(out, format_args!("[{}]", numbers.join(",")));
    };
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => write(out, format_args!("\\{character}")),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            _ if character.is_control() || turns_direction(character) => {
                write(out, format_args!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory can be written to");
}

/// Tells whether a character reorders the text around it, or breaks lines.
#[must_use]
pub fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
