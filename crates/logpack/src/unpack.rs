//! `-d`: unpacks files.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::os::fd::BorrowedFd;

use logyard::cli::cause;
use logyard::sys::{Errno, fd};

/// How much is read at once, and written at once.
const READ_BYTES: usize = 1 << 16;
const WRITE_BYTES: usize = 1 << 17;
/// The window that a file may ask for, as a power of two: the largest that zstd's own tool makes.
const WINDOW_LOG_MAX: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// Why a file cannot be unpacked.
#[derive(Debug)]
pub(crate) enum Error {
    Input(io::Error),
    Output(Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Input(error) => match error.raw_os_error() {
                Some(errno) => write!(out, "unable to read input: {}", cause(Errno::from_raw(errno))),
                None => write!(out, "unable to unpack: {error}"),
            },
            Error::Output(errno) => write!(out, "unable to write output: {}", cause(*errno)),
        }
    }
}

/// Unpacks all of an input, whatever zstd tool made it.
pub(crate) fn unpack(input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), Error> {
    let source = BufReader::with_capacity(READ_BYTES, Source(input));
    let mut unpacked = zstd::stream::read::Decoder::with_buffer(source).map_err(Error::Input)?;
    unpacked.window_log_max(WINDOW_LOG_MAX).map_err(Error::Input)?;
    let mut room = vec![0; WRITE_BYTES];
    loop {
        match unpacked.read(&mut room).map_err(Error::Input)? {
            0 => return Ok(()),
            bytes => fd::write_all(output, &room[..bytes]).map_err(Error::Output)?,
        }
    }
}

/// A descriptor that is read.
struct Source<'f>(BorrowedFd<'f>);

impl Read for Source<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        fd::read(self.0, room).map_err(|errno| io::Error::from_raw_os_error(errno as i32))
    }
}
