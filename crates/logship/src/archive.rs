//! The bytes of an archive: unpacked, counted and hashed while they are read.

use std::sync::Arc;

use logyard::sys::file::File;
use logyard::sys::{Errno, Result};
use readlog::content::Content;
use ring::digest;

use crate::facts::Facts;

/// The bytes of an archive, from its beginning to its end.
pub(crate) struct ArchiveBytes {
    content: Content,
    digest: digest::Context,
    newlines: u64,
    bytes: u64,
    bytes_max: u64,
    last: u8,
}

impl ArchiveBytes {
    /// Begins to read an archive. `EFBIG` follows if it has more than `bytes_max`, unpacked.
    pub(crate) fn of(file: Arc<File>, bytes_max: u64) -> Result<ArchiveBytes> {
        let content = Content::of(file, 0)?;
        let digest = digest::Context::new(&digest::SHA256);
        Ok(ArchiveBytes { content, digest, newlines: 0, bytes: 0, bytes_max, last: b'\n' })
    }

    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        let length = self.content.read(room)?;
        let bytes = &room[..length];
        self.digest.update(bytes);
        self.newlines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.bytes += length as u64;
        self.last = bytes.last().copied().unwrap_or(self.last);
        if self.bytes > self.bytes_max { Err(Errno::EFBIG) } else { Ok(length) }
    }

    /// What there is to say about the archive, after its end was read.
    pub(crate) fn facts(self) -> Facts {
        let lines = self.newlines + u64::from(self.last != b'\n');
        Facts { sha256: hexadecimal(self.digest.finish().as_ref()), lines, bytes: self.bytes }
    }
}

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// Reads an archive to say what there is to say about it.
pub(crate) fn facts(file: Arc<File>, bytes_max: u64) -> Result<Facts> {
    let mut bytes = ArchiveBytes::of(file, bytes_max)?;
    let mut room = vec![0; CHUNK_BYTES];
    while bytes.read(&mut room)? > 0 {}
    Ok(bytes.facts())
}

/// Tells whether the last line of an archive has no newline: it goes on in the next file.
pub(crate) fn is_cut(file: &Arc<File>) -> Result<bool> {
    let mut content = Content::of(Arc::clone(file), 0)?;
    let mut last = b'\n';
    if let Content::Plain { .. } = content {
        let size = file.stat()?.size_bytes;
        let mut byte = [b'\n'];
        if size > 0 {
            file.read_at(size - 1, &mut byte)?;
        }
        return Ok(byte[0] != b'\n');
    }
    let mut room = vec![0; CHUNK_BYTES];
    loop {
        match content.read(&mut room)? {
            0 => return Ok(last != b'\n'),
            length => last = room[length - 1],
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
