//! The positions of a cursor file, as text: a line for each directory.
//!
//! `path file-system number offset label count tail`, the path and the tail in hexadecimal digits, `-` for what is empty.

use std::fmt::Write;

use crate::resume::Position;
use crate::stream::LabelCount;
use logyard::sys::stat::FileId;
use logyard::tai64n::Label;

/// A directory, and the place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The path of the directory.
    pub(crate) path: Vec<u8>,
    pub(crate) position: Position,
}

/// Writes positions.
pub(super) fn write(records: &[Record]) -> String {
    let mut text = String::new();
    for Record { path, position } in records {
        let Position { identity: FileId { device, inode }, offset, tail, last } = position;
        let (label, count) = match last {
            Some(last) => (last.label.to_string(), last.count),
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
    let last = match label {
        "-" => None,
        label => Some(LabelCount { label: Label::parse(label.as_bytes()).ok()?, count: count.parse().ok()? }),
    };
    let identity = FileId { device: device.parse().ok()?, inode: inode.parse().ok()? };
    let position = Position { identity, offset: offset.parse().ok()?, tail: unhex(tail)?, last };
    Some(Record { path: unhex(path)?, position })
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
            let label = Label::parse(b"@400000003ce2403d3677ea94").expect("a label");
            let last = has_label.then_some(LabelCount { label, count });
            let records = vec![Record { path, position: Position { identity: FileId { device, inode }, offset, tail, last } }; 2];

            prop_assert_eq!(read(&write(&records)), Some(records));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = read(&text);
        }
    }
}
