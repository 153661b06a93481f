//! The line that is written for a message.
//!
//! Control characters appear as `\xNN`, so that a message is one line. Line feeds and zero bytes at the end of a message end
//! it and are left out.

use memchr::memchr_iter;

use crate::priority;

/// What is written for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The facility and severity by name, then the text.
    #[default]
    Named,
    /// The message as it came.
    Raw,
    /// Both, in two lines.
    RawAndNamed,
}

impl Form {
    /// Appends the line or lines of a message. `origin` is put before the named one.
    pub fn append(self, lines: &mut Vec<u8>, origin: &[u8], message: &[u8]) {
        let message = without_end(message);
        if self != Form::Named {
            append_escaped(lines, message);
            lines.push(b'\n');
        }
        if self != Form::Raw {
            append_named(lines, origin, message);
        }
    }
}

/// Appends the line of a message with the names of its priority.
pub fn append_named(lines: &mut Vec<u8>, origin: &[u8], message: &[u8]) {
    let message = without_end(message);
    lines.extend_from_slice(origin);
    let mut text = message;
    if let Some(priority) = priority::parse(message) {
        lines.extend_from_slice(priority.facility.as_bytes());
        lines.push(b'.');
        lines.extend_from_slice(priority.severity.as_bytes());
        lines.extend_from_slice(b": ");
        text = &message[priority.length..];
    }
    append_escaped(lines, text);
    lines.push(b'\n');
}

fn without_end(message: &[u8]) -> &[u8] {
    let end = message.iter().rposition(|byte| !matches!(byte, b'\n' | 0)).map_or(0, |last| last + 1);
    &message[..end]
}

/// Appends text in which control characters are written as `\xNN`.
pub fn append_escaped(lines: &mut Vec<u8>, text: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let is_control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
    // Without a branch for each byte, this takes many bytes at a time.
    if !text.iter().fold(false, |any, byte| any | is_control(byte)) {
        lines.extend_from_slice(text);
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(is_control) {
        let byte = rest[at];
        lines.extend_from_slice(&rest[..at]);
        lines.extend_from_slice(&[b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        rest = &rest[at + 1..];
    }
    lines.extend_from_slice(rest);
}

/// How many lines some output has.
#[must_use]
pub fn count(lines: &[u8]) -> usize {
    memchr_iter(b'\n', lines).count()
}
