//! The log of one service as it is written: readlog finds it, goes on across rotations, and shows times.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;

use logyard::cli::cause;
use logyard::sys::{Errno, limit, program};
use memchr::memchr;

use crate::event::Event;

/// The program.
const READLOG: &str = "readlog";
/// How many lines are asked for that are there already.
const LINES_BEFORE: &str = "500";
/// How many lines are kept, and how much of each.
const LINES_MAX: usize = 2000;
const LINE_BYTES_MAX: usize = 8192;
/// How much is read at a time.
const BLOCK_BYTES: usize = 1 << 14;

/// A log that is followed, until this is dropped.
#[derive(Debug)]
pub(crate) struct Follow {
    /// Which one it is of all that were followed.
    pub(crate) number: u64,
    child: Child,
    /// What is followed.
    pub(crate) path: Vec<u8>,
    /// The last lines, as readlog prints them: they may hold anything.
    pub(crate) lines: VecDeque<Vec<u8>>,
    /// How many lines below the screen there are: 0 shows the end.
    pub(crate) below: usize,
    /// How many columns are left of the screen.
    pub(crate) left: usize,
    /// readlog has exited.
    pub(crate) has_ended: bool,
}

impl Follow {
    /// Follows the log in a directory. The error is a sentence.
    pub(crate) fn start(number: u64, path: Vec<u8>, events: SyncSender<Event>) -> Result<Follow, String> {
        let reader = io::pipe();
        let started = reader.and_then(|(reader, writer)| {
            let mut command = Command::new(readlog());
            command
                .args(["--follow", "--lines", LINES_BEFORE, "--service", "never", "--color", "never", "--"])
                .arg(OsStr::from_bytes(&path))
                .stdin(Stdio::null())
                .stdout(writer.try_clone()?)
                .stderr(writer);
            limit::restore_for(&mut command);
            Ok((command.spawn()?, reader))
        });
        let (child, reader) = started.map_err(|error| {
            format!("unable to run {READLOG}: {}", cause(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)))
        })?;
        thread::spawn(move || read(number, reader, &events));
        Ok(Follow { number, child, path, lines: VecDeque::new(), below: 0, left: 0, has_ended: false })
    }

    /// Adds lines that have come. If the end is not shown, what is shown stays where it is.
    pub(crate) fn add(&mut self, lines: Vec<Vec<u8>>) {
        if self.below > 0 {
            self.below = (self.below + lines.len()).min(LINES_MAX);
        }
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }

    /// Shows earlier lines, or later ones if the number is negative. `page` is how many the screen shows.
    pub(crate) fn scroll(&mut self, up: isize, page: usize) {
        let most = self.lines.len().saturating_sub(page);
        self.below = self.below.saturating_add_signed(up).min(most);
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        // It may have exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// readlog beside this program, or the one in the search path.
fn readlog() -> OsString {
    let beside = program::own_path().map(OsString::from_vec);
    let beside = beside.as_deref().map(Path::new).and_then(Path::parent).map(|directory| directory.join(READLOG));
    beside.filter(|path| path.is_file()).map_or_else(|| READLOG.into(), Into::into)
}

/// Passes on what readlog prints, line by line.
fn read(number: u64, reader: PipeReader, events: &SyncSender<Event>) {
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, reader);
    let mut line = Vec::new();
    loop {
        let block = match reader.fill_buf() {
            Ok([]) => break,
            Ok(block) => block,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let (length, mut rest, mut lines) = (block.len(), block, Vec::new());
        while let Some(newline) = memchr(b'\n', rest) {
            append(&mut line, &rest[..newline]);
            lines.push(std::mem::take(&mut line));
            rest = &rest[newline + 1..];
        }
        append(&mut line, rest);
        reader.consume(length);
        if !lines.is_empty() && events.send(Event::Lines(number, lines)).is_err() {
            return;
        }
    }
    if !line.is_empty() {
        let _ = events.send(Event::Lines(number, vec![line]));
    }
    let _ = events.send(Event::LinesEnded(number));
}

fn append(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}
