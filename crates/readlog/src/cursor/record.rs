//! The positions of a cursor file, as text: a line for each directory.
//!
//! `path file-system number offset label count tail`, the path and the tail in hexadecimal digits, `-` for what is empty.

use std::fmt::Write;

use crate::resume::Position;
use logyard::sys::stat::FileId;
use logyard::tai64n::Label;

/// A directory, and the place in it.
pub(super) type Record = (Vec<u8>, Position);

/// Writes positions.
pub(super) fn write(records: &[Record]) -> String {
    let mut text = String::new();
    for (path, position) in records {
        let Position { identity: FileId { device, inode }, offset, tail, label } = position;
        let (label, count) = match label {
            Some((label, count)) => (label.to_string(), *count),
            None => ("-".to_owned(), 0),
        };
        // Writing to memory does not fail.
        let _ = writeln!(text, "{} {device} {inode} {offset} {label} {count} {}", hex(path), hex(tail));
    }
    text
}

/// Reads positions; `None` if the text is not what [`write`] makes.
pub(super) fn read(text: &str) -> Option<Vec<Record>> {
    text.lines().map(read_line).collect()
}

fn read_line(line: &str) -> Option<Record> {
    let words: Vec<&str> = line.split(' ').collect();
    let [path, device, inode, offset, label, count, tail] = words[..] else { return None };
    let label = match label {
        "-" => None,
        label => Some((Label::parse(label.as_bytes()).ok()?, count.parse().ok()?)),
    };
    let identity = FileId { device: device.parse().ok()?, inode: inode.parse().ok()? };
    Some((unhex(path)?, Position { identity, offset: offset.parse().ok()?, tail: unhex(tail)?, label }))
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    text.len().is_multiple_of(2).then(|| pairs.collect())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_survive_their_text(
            path in proptest::collection::vec(any::<u8>(), 1..20),
            tail in proptest::collection::vec(any::<u8>(), 0..20),
            device: u64, inode: u64, offset: u64, has_label: bool, count: u64,
        ) {
            let label = has_label.then(|| (Label::parse(b"@400000003ce2403d3677ea94").expect("a label"), count));
            let records = vec![(path, Position { identity: FileId { device, inode }, offset, tail, label }); 2];

            prop_assert_eq!(read(&write(&records)), Some(records));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = read(&text);
        }
    }
}
