//! The files `shipped` and `lost`.
//!
//! `logship` writes to `shipped` how far the directory is shipped. The count of archives that were removed before that is in
//! `lost`, so that it outlives the logger. It is replaced before an archive is removed, with the name of the archive: a successor that removes the same one
//! does not count it again.

use std::time::{Duration, Instant};

use memchr::memchr_iter;

use crate::cli::cause;
use crate::logdir::names::{LOST, MODE_OPEN, NEWLOST, SHIPPED};
use crate::logdir::packed::is_packed;
use crate::logdir::shipping::{Lost, READ_BYTES, parse_shipped};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::Place;
use crate::multilog::writer::unshipped::State;
use crate::sys::{Errno, Result};
use crate::tai64n::Label;

/// How long after one message about losses the next one may come.
const BETWEEN_MESSAGES: Duration = Duration::from_secs(5);
/// How much of an archive is read at once to count its lines.
const CHUNK_BYTES: usize = 1 << 14;

/// How far the directory is shipped; `None` if nothing is. If it is not known, nothing counts as shipped.
pub(super) fn shipped<D: Directory>(place: &Place<D>, patience: &mut dyn Patience) -> Option<Label> {
    let mut state = place.unshipped.state();
    read_total(place, &mut state);
    let answer = match read(place, SHIPPED) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => parse_shipped(&text).map(Some).ok_or("bad format"),
        Err(errno) => Err(cause(errno)),
    };
    if let Err(cause) = answer
        && !state.has_bad_mark
    {
        patience.complain(&Error::unexplained(format_args!("unable to read {}/{SHIPPED}: {cause}", place.name)));
    }
    state.has_bad_mark = answer.is_err();
    answer.ok().flatten()
}

/// Counts an archive that is about to be removed, although it is not shipped. Returns the total without it; `None` if the
/// archive is gone.
pub(super) fn count<D: Directory>(place: &Place<D>, name: &[u8], patience: &mut dyn Patience) -> Option<Lost> {
    let (lines, bytes) = match measure(place, name) {
        Ok(measured) => measured,
        Err(Errno::ENOENT) => return None,
        Err(_) => (None, place.directory.stat(name).ok().flatten().map_or(0, |stat| stat.size_bytes)),
    };
    let mut state = place.unshipped.state();
    read_total(place, &mut state);
    let before = state.lost.clone();
    if state.lost.add(name, lines, bytes) {
        state.is_behind = true;
        write_total(place, &mut state, patience);
    }
    Some(before)
}

/// The archive could not be removed: it is not lost.
pub(super) fn take_back<D: Directory>(place: &Place<D>, before: Lost, patience: &mut dyn Patience) {
    let mut state = place.unshipped.state();
    if state.lost != before {
        state.lost = before;
        state.is_behind = true;
        write_total(place, &mut state, patience);
    }
}

/// Prints what was lost since the last message, but not too often, unless this is the last one.
pub(super) fn say<D: Directory>(place: &Place<D>, is_last: bool, patience: &mut dyn Patience) {
    let mut state = place.unshipped.state();
    if state.is_behind {
        write_total(place, &mut state, patience);
    }
    let is_time = is_last || state.said_at.is_none_or(|at| at.elapsed() >= BETWEEN_MESSAGES);
    let Lost { archives, lines, bytes, .. } = state.lost;
    if archives > state.said && is_time {
        let name = &place.name;
        patience.complain(&Error::unexplained(format_args!(
            "{name} has lost {archives} archives that were not shipped: {lines} lines, {bytes} bytes"
        )));
        state.said = archives;
        state.said_at = Some(Instant::now());
    }
}

/// Adds what the file says, once.
fn read_total<D: Directory>(place: &Place<D>, state: &mut State) {
    if state.is_read {
        return;
    }
    let text = match read(place, LOST) {
        // Planted: no plain file.
        Err(Errno::ELOOP | Errno::ENXIO) => None,
        Err(_) => return,
        Ok(text) => text,
    };
    // A text of another form says nothing.
    let total = text.and_then(|text| Lost::parse(&text)).unwrap_or_default();
    let lost = &mut state.lost;
    lost.archives = lost.archives.saturating_add(total.archives);
    lost.lines = lost.lines.saturating_add(total.lines);
    lost.bytes = lost.bytes.saturating_add(total.bytes);
    if lost.last.is_empty() {
        lost.last = total.last;
    }
    state.said = state.said.saturating_add(total.archives);
    state.is_read = true;
}

/// Replaces the file. If the disk is full, the next one says it too.
fn write_total<D: Directory>(place: &Place<D>, state: &mut State, patience: &mut dyn Patience) {
    read_total(place, state);
    let text = state.lost.to_text();
    let write = || {
        if !state.is_read {
            // What it says would be overwritten.
            return Err(Errno::EIO);
        }
        // Left by a logger that was killed, or planted.
        place.remove(NEWLOST)?;
        let file = place.directory.create(NEWLOST, MODE_OPEN)?;
        if file.write(&text)? < text.len() {
            return Err(Errno::ENOSPC);
        }
        place.directory.rename(NEWLOST, LOST)
    };
    let written = write();
    if let Err(errno) = written
        && !state.has_unwritten_file
    {
        patience.complain(&Error::unable(format_args!("write {}/{LOST}", place.name), errno));
    }
    state.is_behind = written.is_err();
    state.has_unwritten_file = state.is_behind;
}

/// The beginning of a file; `None` if there is none.
fn read<D: Directory>(place: &Place<D>, name: &str) -> Result<Option<Vec<u8>>> {
    let mut room = vec![0; READ_BYTES];
    match place.directory.open_to_read(name.as_bytes()).and_then(|file| file.read_at(0, &mut room)) {
        Ok(length) => {
            room.truncate(length);
            Ok(Some(room))
        }
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The lines of an archive, as logship counts them, and its bytes. The lines of a compressed one are not known.
fn measure<D: Directory>(place: &Place<D>, name: &[u8]) -> Result<(Option<u64>, u64)> {
    let file = place.directory.open_to_read(name)?;
    let mut room = vec![0; CHUNK_BYTES];
    let (mut lines, mut bytes, mut last) = (0, 0, b'\n');
    loop {
        let length = file.read_at(bytes, &mut room)?;
        let read = &room[..length];
        if bytes == 0 && is_packed(read) {
            return Ok((None, file.stat()?.size_bytes));
        }
        let Some(&end) = read.last() else { break };
        lines += memchr_iter(b'\n', read).count() as u64;
        bytes += length as u64;
        last = end;
    }
    Ok((Some(lines + u64::from(last != b'\n')), bytes))
}
