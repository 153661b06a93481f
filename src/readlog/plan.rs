//! Which parts of which files a window of time can be in.
//!
//! An archive's name is the moment at which it was finished: no line in it is later. Its first line is the earliest. So
//! names and first lines say which files the window touches, and in those at its ends a binary search finds the line.
//!
//! That holds as long as the clock did not step back. Where it did, names and labels disagree: a file begins later than
//! its name says, or earlier than the file before it. Such files are read from end to end, line by line; so is a file in
//! which the search meets a label that is out of order. A file that is packed, or without labels, is judged by its name
//! and that of the file before.

use std::rc::Rc;
use std::sync::Arc;

use memchr::memchr;

use crate::readlog::pieces::Piece;
use crate::readlog::place::Place;
use crate::readlog::stamp::{STAMP_BYTES_MAX, recognise};
use crate::readlog::stream::{Common, Span};
use crate::sys::file::File;
use crate::sys::{Errno, Result};
use crate::tai64n::Label;

/// How much of a file is looked at to find its first label, at first and where that is not enough.
const HEAD_BYTES: usize = 64;
const LONG_HEAD_BYTES: usize = 1 << 16;

/// Below this distance the search ends: so much is read in one go anyway.
const NEAR_BYTES: u64 = 1 << 14;

/// How much is read at a step of the search.
const STEP_BYTES: usize = 1 << 12;

use crate::readlog::scale::Window;

/// The parts of a directory's files that a window can be in.
pub(super) fn plan(place: &Place, pieces: Vec<Piece>, window: &Window, common: &Common) -> Vec<Span> {
    let pieces: Vec<Rc<Piece>> = pieces.into_iter().map(Rc::new).collect();
    if window.is_everything() {
        return pieces.into_iter().map(Span::whole).collect();
    }
    let firsts: Vec<First> = pieces.iter().map(|piece| First::of(place, piece, common)).collect();
    let is_suspect = suspects(&pieces, &firsts);
    let mut spans = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|before| pieces[before].label);
        if is_suspect[i] {
            spans.push(Span::whole(Rc::clone(piece)));
        } else if let Some((from, to)) = part(place, piece, &firsts[i], before, window, common) {
            spans.push(Span { from, to, ..Span::whole(Rc::clone(piece)) });
        }
    }
    spans
}

/// What is known of a file's first label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    At(Label),
    /// No line at its beginning has one.
    Without,
    /// The file is packed, or cannot be read: that is told when its turn comes.
    Unknown,
}

impl First {
    fn of(place: &Place, piece: &Piece, common: &Common) -> First {
        // Not asked whether it is a plain file: the listing said so, and this is done for every file.
        let opened = match &piece.held {
            Some(file) => Ok(Arc::clone(file)),
            None => place.directory.open_to_read(&piece.name).map(Arc::new),
        };
        let Ok(file) = opened else { return First::Unknown };
        let mut head = [0; HEAD_BYTES];
        match file.read_at(0, &mut head) {
            Ok(0) => return First::Without,
            Ok(length) => {
                if let Some(stamp) = recognise(&head[..length], common.scale, &common.clock) {
                    return First::At(stamp.label);
                }
            }
            Err(_) => return First::Unknown,
        }
        if piece.label.is_some() && crate::readlog::content::is_packed(&file).unwrap_or(true) {
            return First::Unknown;
        }
        match next_label(&file, 0, u64::MAX, LONG_HEAD_BYTES, common) {
            Ok(Some((_, label))) => First::At(label),
            _ => First::Without,
        }
    }

    fn label(self) -> Option<Label> {
        if let First::At(label) = self { Some(label) } else { None }
    }
}

/// Which files cannot be judged by name and first label, because the clock stepped back.
fn suspects(pieces: &[Rc<Piece>], firsts: &[First]) -> Vec<bool> {
    let mut is_suspect = vec![false; pieces.len()];
    let mut before: Option<(usize, Label)> = None;
    for (i, first) in firsts.iter().enumerate() {
        let Some(first) = first.label() else { continue };
        if pieces[i].label.is_some_and(|name| first > name) {
            is_suspect[i] = true;
        }
        if let Some((other, label)) = before
            && first < label
        {
            is_suspect[i] = true;
            is_suspect[other] = true;
        }
        before = Some((i, first));
    }
    is_suspect
}

/// The part of a file that a window can be in; `None` if none can.
fn part(
    place: &Place,
    piece: &Rc<Piece>,
    first: &First,
    before: Option<Label>,
    window: &Window,
    common: &Common,
) -> Option<(u64, Option<u64>)> {
    if let (Some(since), Some(name)) = (window.since, piece.label)
        && name < since
    {
        return None;
    }
    let First::At(first) = *first else {
        // The file's lines are later than the file before, or a little earlier, if its processor took a while.
        let is_too_late = match (window.until, before) {
            (Some(until), Some(before)) => before >= until && !packed_begins_before(place, piece, until, common),
            _ => false,
        };
        return (!is_too_late).then_some((0, None));
    };
    if window.until.is_some_and(|until| first >= until) {
        return None;
    }
    let Ok(file) = piece.open(&place.directory) else { return Some((0, None)) };
    let from = match window.since {
        Some(since) if first < since => search(&file, since, first, piece.label, common),
        _ => Ok(Found { before: 0, after: None }),
    };
    let to = match window.until {
        Some(until) if piece.label.is_none_or(|name| name >= until) => search(&file, until, first, piece.label, common),
        _ => Ok(Found { before: 0, after: None }),
    };
    match (from, to) {
        (Ok(from), Ok(to)) => Some((from.before, to.after)),
        // Out of order, or not to be read: the reader meets every line, or tells why not.
        _ => Some((0, None)),
    }
}

fn packed_begins_before(place: &Place, piece: &Piece, until: Label, common: &Common) -> bool {
    let mut head = vec![0; LONG_HEAD_BYTES];
    let read = |head: &mut [u8]| -> Result<usize> {
        crate::readlog::content::Content::of(piece.open(&place.directory)?, 0)?.read(head)
    };
    match read(&mut head) {
        Ok(length) => first_stamped_line(&head[..length], true, common).is_some_and(|(_, label)| label < until),
        Err(_) => false,
    }
}

/// Two places in a file, each the beginning of a line or of the file.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Here lies a line before the moment.
    before: u64,
    /// Here lies the earliest line found that is not; none if none was found.
    after: Option<u64>,
}

/// Searches for a moment in a file of which the first label is known, and the moment at which it was finished.
fn search(file: &Arc<File>, moment: Label, first: Label, name: Option<Label>, common: &Common) -> Result<Found> {
    let mut found = Found { before: 0, after: None };
    let (mut low, mut high) = (first, name);
    let mut end = file.stat()?.size_bytes;
    while end.saturating_sub(found.before) > NEAR_BYTES {
        let middle = found.before + (end - found.before) / 2;
        let Some((at, label)) = next_label(file, middle, end, STEP_BYTES, common)? else {
            end = middle;
            continue;
        };
        if label < low || high.is_some_and(|high| label > high) {
            return Err(Errno::EDOM);
        }
        if label < moment {
            (found.before, low) = (at, label);
        } else {
            (found.after, high) = (Some(at), Some(label));
            end = middle;
        }
    }
    Ok(found)
}

/// The first line with a label that begins between two offsets.
fn next_label(file: &File, from: u64, to: u64, step: usize, common: &Common) -> Result<Option<(u64, Label)>> {
    let mut block = vec![0; step + STAMP_BYTES_MAX + 1];
    let mut at = from;
    // Whether the block begins where a line may begin.
    let mut at_line_start = from == 0;
    while at < to {
        let length = file.read_at(at, &mut block)?;
        if let Some((offset, label)) = first_stamped_line(&block[..length], at_line_start, common) {
            let found = at + offset as u64;
            return Ok((found < to).then_some((found, label)));
        }
        if length < block.len() {
            return Ok(None);
        }
        // Blocks overlap by as much as a stamp is long, and the newline before it.
        at += step as u64;
        at_line_start = false;
    }
    Ok(None)
}

/// The first line of a block that has a stamp.
fn first_stamped_line(block: &[u8], at_line_start: bool, common: &Common) -> Option<(usize, Label)> {
    let mut start = if at_line_start { 0 } else { memchr(b'\n', block)? + 1 };
    loop {
        if let Some(stamp) = recognise(&block[start..], common.scale, &common.clock) {
            return Some((start, stamp.label));
        }
        start += memchr(b'\n', &block[start..])? + 1;
    }
}
