//! `-l`: shows the frames of a file, with their times.

use std::fmt::Write as _;

use crate::index::{Flags, Frame, FrameIndex};
use logyard::sys::Result;
use logyard::sys::file::File;
use logyard::tai64n::{Label, Zone};

/// Reads the index of a file; `None` if it has none.
pub(crate) fn read(file: &File) -> Result<Option<FrameIndex>> {
    let size_bytes = file.stat()?.size_bytes;
    Ok(FrameIndex::read(size_bytes, |at, room| {
        let mut filled = 0;
        while filled < room.len() {
            match file.read_at(at + filled as u64, &mut room[filled..]) {
                Ok(bytes) if bytes > 0 => filled += bytes,
                _ => return false,
            }
        }
        true
    }))
}

/// The frames of a file as a table.
pub(crate) fn table(index: &FrameIndex, zone: &Zone) -> String {
    let mut table = format!("{:>7} {:>12} {:>12}  {:<29}  {}\n", "frame", "bytes", "packed", "first", "last");
    let (mut bytes, mut packed_bytes) = (0_u64, 0_u64);
    for (i, frame) in index.frames().iter().enumerate() {
        let Frame { labels, .. } = frame;
        let (first, last) = match labels.ends {
            Some((first, last)) => (time(first, zone), time(last, zone)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let is_back = labels.flags.has(Flags::OUT_OF_ORDER);
        let note = if is_back { "  the clock was set back" } else { "" };
        let _ = writeln!(table, "{i:>7} {:>12} {:>12}  {first:<29}  {last}{note}", frame.bytes, frame.packed_bytes);
        bytes += u64::from(frame.bytes);
        packed_bytes += u64::from(frame.packed_bytes);
    }
    let _ = writeln!(table, "{:>7} {bytes:>12} {packed_bytes:>12}", "total");
    table
}

/// A label as local time; as it is if no calendar has its year.
fn time(label: Label, zone: &Zone) -> String {
    let mut shown = Vec::new();
    zone.show(label.unix_seconds(), &mut shown);
    match String::from_utf8(shown) {
        Ok(second) if !second.is_empty() => format!("{second}{:09}", label.nanoseconds()),
        _ => label.to_string(),
    }
}
