//! The bytes of a file, unpacked if the file is packed with gzip, zstd or xz. The first bytes decide, not the name.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::frames::Chunk;
use logyard::logdir::packed::{self, GZIP, XZ, ZSTD};
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};

/// The window that a zstd file may ask for, as a power of two: the largest that the format's own tool makes.
const ZSTD_WINDOW_LOG_MAX: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// How much is read at once of a packed file.
const SOURCE_BYTES: usize = 1 << 16;

/// The memory that an xz file may ask for.
const XZ_MEMORY_BYTES_MAX: u64 = 512 << 20;

/// The bytes of a file, from some offset on.
pub enum Content {
    /// As they are in the file.
    Plain {
        /// The file.
        file: Arc<File>,
        /// Where the next read begins.
        offset: u64,
    },
    /// As they are unpacked.
    Packed(Box<dyn Read>),
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Content::Plain { .. } => "Plain",
            Content::Packed(_) => "Packed",
        })
    }
}

impl Content {
    /// The bytes from `offset` on; of a packed file, `offset` counts what is unpacked.
    pub fn of(file: Arc<File>, offset: u64) -> Result<Content> {
        let Some(unpacked) = unpack(&file)? else { return Ok(Content::Plain { file, offset }) };
        let mut content = Content::Packed(unpacked);
        content.skip(offset)?;
        Ok(content)
    }

    /// The wanted bytes of a chunk.
    pub(super) fn of_chunk(file: Arc<File>, chunk: &Chunk) -> Result<Content> {
        let mut content = Content::Packed(unpack_frames(file, chunk.packed.clone())?);
        content.skip(chunk.skipped)?;
        Ok(match content {
            Content::Packed(unpacked) => Content::Packed(Box::new(FirstBytes { unpacked, left: chunk.bytes })),
            other => other,
        })
    }

    /// Reads some of the bytes; 0 means that there are no more, for now.
    pub fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        match self {
            Content::Plain { file, offset } => {
                let bytes = file.read_at(*offset, room)?;
                *offset += bytes as u64;
                Ok(bytes)
            }
            Content::Packed(unpacked) => read(unpacked, room),
        }
    }

    fn skip(&mut self, mut bytes: u64) -> Result<()> {
        let mut room = [0; 1 << 14];
        while bytes > 0 {
            let part = room.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            match self.read(&mut room[..part])? {
                0 => return Ok(()),
                read => bytes -= read as u64,
            }
        }
        Ok(())
    }
}

pub(super) fn read(source: &mut impl Read, room: &mut [u8]) -> Result<usize> {
    loop {
        match source.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer.map_err(|error| errno(&error)),
        }
    }
}

/// The cause that a warning gives for a damaged file.
fn errno(error: &io::Error) -> Errno {
    if let Some(errno) = error.raw_os_error() {
        return Errno::from_raw(errno);
    }
    let cause = error.get_ref();
    let is_limit = cause
        .and_then(|cause| cause.downcast_ref::<liblzma::stream::Error>())
        .is_some_and(|error| matches!(error, liblzma::stream::Error::MemLimit | liblzma::stream::Error::Mem));
    // zstd reports it only as text.
    if is_limit || cause.is_some_and(|cause| cause.to_string().contains("memory")) {
        return Errno::E2BIG;
    }
    Errno::EPROTO
}

/// Tells whether a file is packed.
pub(super) fn is_packed(file: &File) -> Result<bool> {
    let mut head = [0; 6];
    let length = file.read_at(0, &mut head)?;
    Ok(packed::is_packed(&head[..length]))
}

/// What a file holds unpacked; `None` if it is not packed.
pub(super) fn unpack(file: &Arc<File>) -> Result<Option<Box<dyn Read>>> {
    let mut head = [0; 6];
    let length = file.read_at(0, &mut head)?;
    let head = &head[..length];
    let source = || BufReader::with_capacity(SOURCE_BYTES, Part { file: Arc::clone(file), bytes: 0..u64::MAX });
    if head.starts_with(GZIP) {
        return Ok(Some(Box::new(flate2::bufread::MultiGzDecoder::new(source()))));
    }
    if head.starts_with(ZSTD) {
        return unpack_frames(Arc::clone(file), 0..u64::MAX).map(Some);
    }
    if head.starts_with(XZ) {
        let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, liblzma::stream::CONCATENATED)
            .map_err(|_| Errno::ENOMEM)?;
        return Ok(Some(Box::new(liblzma::bufread::XzDecoder::new_stream(source(), stream))));
    }
    Ok(None)
}

/// What some frames of a zstd file unpack to.
pub(super) fn unpack_frames(file: Arc<File>, frames: Range<u64>) -> Result<Box<dyn Read>> {
    let source = BufReader::with_capacity(SOURCE_BYTES, Part { file, bytes: frames });
    let mut unpacked = zstd::stream::read::Decoder::with_buffer(source).map_err(|error| errno(&error))?;
    unpacked.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| errno(&error))?;
    Ok(Box::new(unpacked))
}

/// The first bytes of what is unpacked.
struct FirstBytes {
    unpacked: Box<dyn Read>,
    left: u64,
}

impl Read for FirstBytes {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // The checksum of a frame is compared when more is asked for than it holds.
            return self.unpacked.read(&mut [0]).map(|_| 0);
        }
        let length = usize::try_from(self.left).map_or(room.len(), |left| left.min(room.len()));
        let bytes = self.unpacked.read(&mut room[..length])?;
        self.left = if bytes == 0 { 0 } else { self.left - bytes as u64 };
        Ok(bytes)
    }
}

/// A part of a file that is read from its beginning, with an offset of its own.
struct Part {
    file: Arc<File>,
    /// The bytes that have not been read.
    bytes: Range<u64>,
}

impl Read for Part {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.end.saturating_sub(self.bytes.start);
        let length = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
        let read = self.file.read_at(self.bytes.start, &mut room[..length]);
        let bytes = read.map_err(|errno| io::Error::from_raw_os_error(errno as i32))?;
        self.bytes.start += bytes as u64;
        Ok(bytes)
    }
}
