//! The bytes of a file, unpacked if the file is packed with gzip, zstd or xz. The first bytes decide, not the name.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use logyard::sys::file::File;
use logyard::sys::{Errno, Result};

/// How files that are packed begin.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// The window that a zstd file may ask for, as a power of two: the largest that the format's own tool makes.
const ZSTD_WINDOW_LOG_MAX: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

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
    /// Unpacked before.
    Ready(io::Cursor<Vec<u8>>),
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Content::Plain { .. } => "Plain",
            Content::Packed(_) => "Packed",
            Content::Ready(_) => "Ready",
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

    /// Reads some of the bytes; 0 means that there are no more, for now.
    pub fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        match self {
            Content::Plain { file, offset } => {
                let bytes = file.read_at(*offset, room)?;
                *offset += bytes as u64;
                Ok(bytes)
            }
            Content::Packed(unpacked) => read(unpacked, room),
            Content::Ready(bytes) => read(bytes, room),
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
    Ok([GZIP, ZSTD, XZ].iter().any(|magic| head[..length].starts_with(magic)))
}

/// What a file holds unpacked; `None` if it is not packed.
pub(super) fn unpack(file: &Arc<File>) -> Result<Option<Box<dyn Read>>> {
    let mut head = [0; 6];
    let length = file.read_at(0, &mut head)?;
    let head = &head[..length];
    let source = || BufReader::with_capacity(1 << 16, FromStart { file: Arc::clone(file), offset: 0 });
    if head.starts_with(GZIP) {
        return Ok(Some(Box::new(flate2::bufread::MultiGzDecoder::new(source()))));
    }
    if head.starts_with(ZSTD) {
        let mut unpacked = zstd::stream::read::Decoder::with_buffer(source()).map_err(|error| errno(&error))?;
        unpacked.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| errno(&error))?;
        return Ok(Some(Box::new(unpacked)));
    }
    if head.starts_with(XZ) {
        let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, liblzma::stream::CONCATENATED)
            .map_err(|_| Errno::ENOMEM)?;
        return Ok(Some(Box::new(liblzma::bufread::XzDecoder::new_stream(source(), stream))));
    }
    Ok(None)
}

/// A file that is read from its beginning, with an offset of its own.
struct FromStart {
    file: Arc<File>,
    offset: u64,
}

impl Read for FromStart {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(self.offset, room).map_err(|errno| io::Error::from_raw_os_error(errno as i32))?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}
