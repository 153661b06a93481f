//! The cursor file: positions, and the lines that are being sent.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cursor::record::{self, Record};
use crate::error::Error;
use crate::resume::Position;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;
use logyard::sys::sendfile::SentMark;
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result, fd};

const MAGIC: &[u8] = b"readlog cursor 1\n";
const SENT_AT: usize = 24;
const PATH_AT: usize = 80;
const HEAD_BYTES: usize = 4096;
/// readlog writes no longer cursor files.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A cursor file in use.
#[derive(Debug)]
pub(crate) struct CursorFile {
    path: PathBuf,
    new_path: PathBuf,
    records: Vec<Record>,
    /// Whether standard output is a file that is appended to, or something that `sendfile` refuses.
    is_appended: bool,
}

/// What a cursor file holds.
struct Contents {
    file: File,
    records: Vec<Record>,
    /// Where in the file the batch lies.
    batch: std::ops::Range<u64>,
    appended: Option<Appended>,
}

/// A file that was appended to.
struct Appended {
    identity: FileId,
    /// Its length before the batch.
    length: u64,
    /// Its path; empty if that is not known.
    path: Vec<u8>,
}

impl CursorFile {
    /// Opens a cursor file, or begins one, and sends the rest of the batch of an earlier run.
    pub(crate) fn open(path: &Path) -> std::result::Result<CursorFile, Error> {
        let unable = |errno| Error::Cursor(path.to_path_buf(), errno);
        let mut new_name = OsString::from(".");
        new_name.push(path.file_name().ok_or(unable(Errno::EISDIR))?);
        new_name.push(".new");
        let new_path = path.with_file_name(new_name);
        let stdout = fd::stat(fd::stdout()).map_err(Error::Output)?;
        let is_appended = stdout.is_plain && fd::is_appending(fd::stdout()).map_err(Error::Output)?;
        let mut cursor_file = CursorFile { path: path.to_path_buf(), new_path, records: Vec::new(), is_appended };
        let found = match find(path) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(cursor_file),
            Err(Errno::EPROTO) => return Err(Error::ForeignCursor(path.to_path_buf())),
            Err(errno) => return Err(unable(errno)),
        };
        cursor_file.send_rest(found)?;
        Ok(cursor_file)
    }

    /// The place in a directory, by its path.
    pub(crate) fn position(&self, path: &[u8]) -> Option<&Position> {
        self.records.iter().find(|record| record.path == path).map(|record| &record.position)
    }

    /// Sends a batch, behind which the directories are at these positions.
    pub(crate) fn send(&mut self, batch: &[u8], positions: Vec<Record>) -> std::result::Result<(), Error> {
        for new in positions {
            match self.records.iter_mut().find(|old| old.path == new.path) {
                Some(old) => old.position = new.position,
                None => self.records.push(new),
            }
        }
        self.send_anew(batch)
    }

    /// Sends a batch from a new cursor file.
    fn send_anew(&mut self, batch: &[u8]) -> std::result::Result<(), Error> {
        let file = self.replace(batch).map_err(|errno| Error::Cursor(self.path.clone(), errno))?;
        self.send_from(&file, batch).map_err(Error::Output)
    }

    /// Makes a new cursor file with a batch that has not been sent.
    ///
    /// This is not `sys::replace`: the new file stays open for reading and writing, because the kernel counts in it what was sent, and
    /// the directory above it need not be readable. It is not written to disk either: after a power cut the system has forgotten what
    /// it sent, too.
    fn replace(&self, batch: &[u8]) -> Result<File> {
        let text = record::write(&self.records);
        let begin = (HEAD_BYTES + text.len()) as u64;
        let end = begin + batch.len() as u64;
        let (mut device, mut inode, mut length, mut path) = (0, 0, 0, Vec::new());
        if self.is_appended {
            let stat = fd::stat(fd::stdout())?;
            (FileId { device, inode }, length) = (stat.identity, stat.size_bytes);
            path = fd::path(fd::stdout()).filter(|path| path.len() <= HEAD_BYTES - PATH_AT).unwrap_or_default();
        }
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        for (i, number) in [begin, begin, end, device, inode, length, path.len() as u64].into_iter().enumerate() {
            bytes[SENT_AT + 8 * i..][..8].copy_from_slice(&number.to_ne_bytes());
        }
        bytes[PATH_AT..][..path.len()].copy_from_slice(&path);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(batch);
        let file = File::create_new(&self.new_path, 0o600)?;
        fd::write_all(&file, &bytes)?;
        logyard::sys::file::rename(&self.new_path, &self.path)?;
        Ok(file)
    }

    /// Sends the batch of a new cursor file.
    fn send_from(&mut self, file: &File, batch: &[u8]) -> Result<()> {
        let mut mark = SentMark::map(file, SENT_AT)?;
        let begin = mark.get();
        let end = begin + i64::try_from(batch.len()).map_err(|_| Errno::EFBIG)?;
        if !self.is_appended {
            match send_up_to(&mut mark, file, end) {
                Err(errno) if is_refused(errno) => self.is_appended = true,
                answer => return answer,
            }
        }
        let done = usize::try_from(mark.get() - begin).unwrap_or(0);
        fd::write_all(fd::stdout(), &batch[done..])?;
        mark.set(end);
        Ok(())
    }

    /// Sends the rest of the batch of an earlier run.
    fn send_rest(&mut self, found: Contents) -> std::result::Result<(), Error> {
        let Contents { file, records, batch, appended } = found;
        self.records = records;
        let mut mark = SentMark::map(&file, SENT_AT).map_err(Error::Output)?;
        let mut sent = u64::try_from(mark.get()).unwrap_or(0).clamp(batch.start, batch.end);
        if sent == batch.end {
            return Ok(());
        }
        let now = fd::stat(fd::stdout()).map_err(Error::Output)?;
        let is_same_file = appended.as_ref().is_some_and(|appended| appended.identity == now.identity);
        if let Some(appended) = &appended {
            // What has been appended since is the beginning of the batch.
            let size = if is_same_file { Some(now.size_bytes) } else { appended.size_bytes() };
            let arrived = size.map_or(0, |size| size.saturating_sub(appended.length));
            sent = batch.start + arrived.min(batch.end - batch.start);
        }
        let read_rest = |from: u64| -> Result<Vec<u8>> {
            let mut rest = vec![0; usize::try_from(batch.end - from).map_err(|_| Errno::EFBIG)?];
            read_all(&file, &mut rest, from)?;
            Ok(rest)
        };
        if is_same_file != self.is_appended || is_same_file != appended.is_some() {
            // Progress on this output is recorded in another way, so the rest becomes a batch of its own.
            let rest = read_rest(sent).map_err(|errno| Error::Cursor(self.path.clone(), errno))?;
            return self.send_anew(&rest);
        }
        let mut send = || -> Result<()> {
            let end = i64::try_from(batch.end).map_err(|_| Errno::EFBIG)?;
            mark.set(i64::try_from(sent).map_err(|_| Errno::EFBIG)?);
            if !is_same_file {
                match send_up_to(&mut mark, &file, end) {
                    Err(errno) if is_refused(errno) => sent = u64::try_from(mark.get()).unwrap_or(sent),
                    answer => return answer,
                }
            }
            fd::write_all(fd::stdout(), &read_rest(sent)?)?;
            mark.set(end);
            Ok(())
        };
        send().map_err(Error::Output)
    }
}

impl Appended {
    /// How long the file is now; `None` if its path does not lead to it any more.
    fn size_bytes(&self) -> Option<u64> {
        let slash = self.path.iter().rposition(|&byte| byte == b'/')?;
        let stat = Dir::open(&self.path[..=slash]).ok()?.stat(&self.path[slash + 1..]).ok()??;
        (stat.identity == self.identity).then_some(stat.size_bytes)
    }
}

/// Tells whether `sendfile` itself is refused: by a terminal on an old kernel, or by a sandbox.
fn is_refused(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EPERM)
}

fn send_up_to(mark: &mut SentMark, file: &File, end: i64) -> Result<()> {
    while mark.get() < end {
        let left = usize::try_from(end - mark.get()).map_err(|_| Errno::EFBIG)?;
        if mark.send(file, fd::stdout(), left)? == 0 {
            return Err(Errno::EIO);
        }
    }
    Ok(())
}

/// Reads a cursor file, if there is one; what is something else is `EPROTO`.
fn find(path: &Path) -> Result<Option<Contents>> {
    let file = match File::open_to_change(path) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let stat = file.stat()?;
    if stat.is_plain && stat.size_bytes == 0 {
        // As `mktemp` makes it.
        return Ok(None);
    }
    if !stat.is_plain || !(HEAD_BYTES as u64..FILE_BYTES_MAX).contains(&stat.size_bytes) {
        return Err(Errno::EPROTO);
    }
    let mut head = vec![0; HEAD_BYTES];
    read_all(&file, &mut head, 0)?;
    let number = |i: usize| u64::from_ne_bytes(std::array::from_fn(|byte| head[SENT_AT + 8 * i + byte]));
    let batch = number(1)..number(2);
    if !head.starts_with(MAGIC)
        || batch.start < HEAD_BYTES as u64
        || batch.end < batch.start
        || batch.end != stat.size_bytes
    {
        return Err(Errno::EPROTO);
    }
    let mut text = vec![0; usize::try_from(batch.start).map_err(|_| Errno::EPROTO)? - HEAD_BYTES];
    read_all(&file, &mut text, HEAD_BYTES as u64)?;
    let records = std::str::from_utf8(&text).ok().and_then(record::read).ok_or(Errno::EPROTO)?;
    let identity = FileId::new(number(3), number(4));
    let path = usize::try_from(number(6)).ok().and_then(|length| head[PATH_AT..].get(..length)).unwrap_or_default();
    let appended =
        (identity != FileId::default()).then(|| Appended { identity, length: number(5), path: path.to_vec() });
    Ok(Some(Contents { file, records, batch, appended }))
}

fn read_all(file: &File, room: &mut [u8], offset: u64) -> Result<()> {
    let mut filled = 0;
    while filled < room.len() {
        match file.read_at(offset + filled as u64, &mut room[filled..])? {
            0 => return Err(Errno::EIO),
            bytes => filled += bytes,
        }
    }
    Ok(())
}
