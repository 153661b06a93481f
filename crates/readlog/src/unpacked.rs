//! The bytes of a packed file, or of a chunk of it, from the last to the first.
//!
//! They can only be unpacked from the beginning. The first pass keeps the last part in memory, and often that is enough. The
//! second pass unpacks everything before that part into a file without a name in `TMPDIR`, and reads it from there. If no such
//! file can be made, each part is unpacked again from the beginning: slow, but in the same memory.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::content::Content;
use crate::frames::Chunk;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::{Errno, Result, fd};

/// The part that is kept in memory; while a file is unpacked, up to twice as much.
const PART_BYTES: usize = 8 << 20;

/// How much is unpacked at a time.
const STEP_BYTES: usize = 1 << 16;

/// Where temporary files are made that may be large.
const TEMPORARY: &str = "/var/tmp";

/// The bytes of a packed file that have not been read, which are read from its end.
#[derive(Debug)]
pub(super) struct Unpacked {
    file: Arc<File>,
    /// The frames that are read, if not all of the file is.
    chunk: Option<Chunk>,
    /// Where to end, in bytes unpacked; those of a chunk begin with the first that is wanted.
    from: u64,
    /// Where the part in memory begins.
    start: u64,
    part: Vec<u8>,
    spool: Spool,
}

/// The bytes from the first that is wanted up to the part that was first in memory.
#[derive(Debug)]
enum Spool {
    NotYet,
    Made(File),
    Impossible,
}

impl Unpacked {
    /// Unpacks a file, and keeps the last bytes in memory. A damaged file ends where the damage is; the cause is returned.
    pub(super) fn open(file: Arc<File>, chunk: Option<Chunk>, from: u64) -> Result<(Unpacked, Option<Errno>)> {
        let mut source = source(&file, chunk.as_ref())?;
        let mut part = Vec::with_capacity(STEP_BYTES);
        let mut start = 0;
        let mut room = vec![0; STEP_BYTES];
        let damage = loop {
            match source.read(&mut room) {
                Ok(0) => break None,
                Ok(length) => {
                    // Doubled beyond twice a part it would be room for nothing.
                    if part.len() > PART_BYTES {
                        part.reserve_exact((2 * PART_BYTES + STEP_BYTES).saturating_sub(part.len()));
                    }
                    part.extend_from_slice(&room[..length]);
                }
                Err(errno) => break Some(errno),
            }
            if part.len() >= 2 * PART_BYTES {
                part.drain(..PART_BYTES);
                start += PART_BYTES as u64;
            }
        };
        if start < from {
            let surplus = usize::try_from(from - start).map_or(part.len(), |surplus| surplus.min(part.len()));
            part.drain(..surplus);
            start = from;
        }
        Ok((Unpacked { file, chunk, from, start, part, spool: Spool::NotYet }, damage))
    }

    /// Takes the last bytes that have not been taken, at most `bytes_max`, and tells whether there are no more.
    pub(super) fn take(&mut self, bytes_max: usize) -> Result<(Vec<u8>, bool)> {
        if self.part.is_empty() && self.start > self.from {
            self.refill()?;
        }
        let block = self.part.split_off(self.part.len().saturating_sub(bytes_max));
        Ok((block, self.part.is_empty() && self.start == self.from))
    }

    /// Gets the part before the one that has been taken into memory.
    fn refill(&mut self) -> Result<()> {
        let start = self.start.saturating_sub(PART_BYTES as u64).max(self.from);
        let length = usize::try_from(self.start - start).map_err(|_| Errno::EFBIG)?;
        if matches!(self.spool, Spool::NotYet) {
            self.spool = self.spool().map_or(Spool::Impossible, Spool::Made);
        }
        self.part.resize(length, 0);
        let filled = match &self.spool {
            Spool::Made(spool) => fill(&mut self.part, |room, filled| spool.read_at(start - self.from + filled, room))?,
            _ => {
                let mut source = source(&self.file, self.chunk.as_ref())?;
                skip(&mut source, start)?;
                fill(&mut self.part, |room, _| source.read(room))?
            }
        };
        // Not what it was when it was unpacked first.
        if filled < length {
            Err(Errno::EPROTO)
        } else {
            self.start = start;
            Ok(())
        }
    }

    /// Unpacks everything before the part in memory into a file without a name.
    fn spool(&self) -> Result<File> {
        let directory = std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).unwrap_or_else(|| TEMPORARY.into());
        let spool = Dir::open(directory.as_bytes())?.make_nameless(0o600)?;
        let mut source = source(&self.file, self.chunk.as_ref())?;
        skip(&mut source, self.from)?;
        let mut room = vec![0; STEP_BYTES];
        let mut left = self.start - self.from;
        while left > 0 {
            let most = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
            match source.read(&mut room[..most])? {
                0 => return Err(Errno::EPROTO),
                length => {
                    fd::write_all(&spool, &room[..length])?;
                    left -= length as u64;
                }
            }
        }
        Ok(spool)
    }
}

fn source(file: &Arc<File>, chunk: Option<&Chunk>) -> Result<Content> {
    match chunk {
        Some(chunk) => Content::of_chunk(Arc::clone(file), chunk),
        None => Content::of(Arc::clone(file), 0),
    }
}

fn skip(source: &mut Content, mut bytes: u64) -> Result<()> {
    let mut room = vec![0; STEP_BYTES];
    while bytes > 0 {
        let most = usize::try_from(bytes).map_or(room.len(), |bytes| bytes.min(room.len()));
        match source.read(&mut room[..most])? {
            0 => return Err(Errno::EPROTO),
            length => bytes -= length as u64,
        }
    }
    Ok(())
}

/// Fills a buffer by several reads, each of which gets the number of bytes that are filled already. Returns the total.
fn fill(room: &mut [u8], mut read: impl FnMut(&mut [u8], u64) -> Result<usize>) -> Result<usize> {
    let mut filled = 0;
    while filled < room.len() {
        match read(&mut room[filled..], filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}
