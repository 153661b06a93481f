//! Reads and replaces whole files.

use crate::sys::Result as Answer;
use crate::sys::dir::Dir;
use crate::sys::replace::Replacement;

/// The directory and the name of an absolute path.
#[must_use]
pub fn split(path: &str) -> (&str, &[u8]) {
    let at = path.rfind('/').unwrap_or(0);
    (if at == 0 { "/" } else { &path[..at] }, &path.as_bytes()[at + 1..])
}

/// Reads a whole file; a link is refused.
pub fn read_all(dir: &Dir, name: &[u8]) -> Answer<Vec<u8>> {
    let file = dir.open_to_read(name)?;
    let mut bytes = Vec::new();
    let mut room = vec![0; 1 << 16];
    loop {
        match file.read_at(u64::try_from(bytes.len()).expect("it is in memory"), &mut room)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&room[..count]),
        }
    }
}

/// Makes or replaces a file in one step, and waits until it is on the disk.
pub fn replace(dir: &Dir, name: &[u8], bytes: &[u8], mode: u32) -> Answer<()> {
    let replacement = Replacement { suffix: b"{new}", mode, overrides_umask: true, is_durable: true };
    replacement.carry_out(dir, name, bytes).map_err(|(_, errno)| errno)
}
