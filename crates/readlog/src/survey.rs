//! Looking through a whole file for a window of time, line by line.
//!
//! This is exact in whatever order the labels are, and costs no more than reading: a few milliseconds for the longest
//! file that multilog writes.

use memchr::memchr;

use crate::content::{Content, is_packed};
use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stamp::{STAMP_BYTES_MAX, recognise};
use crate::time_scale::Window;
use logyard::sys::Result;
use logyard::tai64n::Label;

/// How much is read at a time.
const BLOCK_BYTES: usize = 1 << 18;

/// The part of a label that tells the second: `@` and 16 digits.
const LABEL_SECOND_BYTES: usize = 17;

/// What opening a file costs, in bytes that could be read meanwhile.
pub(super) const COST_BYTES_MIN: u64 = 1 << 14;

/// What a file was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// The first label, and where its line begins.
    pub(super) first: Option<(Label, u64)>,
    /// From the first line in the window to behind the last one; `None` as the end is the end of the file.
    pub(super) part: Option<(u64, Option<u64>)>,
    /// How many bytes were read, unpacked.
    pub(super) bytes: u64,
}

impl Survey {
    /// Looks through a file, if it holds no more than some bytes.
    pub(super) fn of(
        log_dir: &LogDir,
        log_file: &LogFile,
        window: &Window,
        context: &Context,
        bytes_max: u64,
    ) -> Result<Option<Survey>> {
        let file = log_file.open(&log_dir.dir)?;
        if file.stat()?.size_bytes > bytes_max {
            return Ok(None);
        }
        let content = match log_file.label {
            Some(_) if is_packed(&file)? => Content::of(file, 0)?,
            _ => Content::Plain { file, offset: 0 },
        };
        let mut survey = Survey::default();
        let edges = [window.since, window.until];
        let has_edge_in = |second: i64| edges.into_iter().flatten().any(|edge| edge.unix_seconds() == second);
        let note = |at: u64, label: Label| {
            survey.first.get_or_insert((label, at));
            if window.contains(label) {
                survey.part = Some((survey.part.map_or(at, |(from, _)| from), None));
            } else if let Some((_, to @ None)) = &mut survey.part {
                *to = Some(at);
            }
            if has_edge_in(label.unix_seconds()) { Next::Line } else { Next::Second }
        };
        let (bytes, is_whole) = each_label(content, context, bytes_max, note)?;
        survey.bytes = bytes;
        Ok(is_whole.then_some(survey))
    }
}

/// The first label of a file that may be packed, and where its line begins, in what it unpacks to.
pub(super) fn first_label(
    log_dir: &LogDir,
    log_file: &LogFile,
    context: &Context,
    bytes_max: u64,
) -> Result<Option<(Label, u64)>> {
    let content = Content::of(log_file.open(&log_dir.dir)?, 0)?;
    let mut first = None;
    each_label(content, context, bytes_max, |at, label| {
        first = Some((label, at));
        Next::Nothing
    })?;
    Ok(first)
}

/// What is to be noted after a line.
enum Next {
    /// The next line.
    Line,
    /// The next line of another second: what holds for this one holds for all of its second.
    Second,
    Nothing,
}

/// Calls `note` with the place and the label of lines that have one. Returns how many bytes were read, and whether that
/// was all of them.
fn each_label(
    mut content: Content,
    context: &Context,
    bytes_max: u64,
    mut note: impl FnMut(u64, Label) -> Next,
) -> Result<(u64, bool)> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let (mut base, mut filled) = (0, 0);
    let mut is_line_start = true;
    // No label begins with a NUL.
    let mut done_second = [0; LABEL_SECOND_BYTES];
    loop {
        let bytes = content.read(&mut buffer[filled..])?;
        filled += bytes;
        let is_end = bytes == 0;
        let mut at = 0;
        while at < filled {
            // A stamp that may go on is looked at with the next block.
            if is_line_start && filled - at <= STAMP_BYTES_MAX && !is_end {
                break;
            }
            // A line without a stamp belongs to the one before, so it makes no difference if this is one.
            if is_line_start
                && !buffer[at..filled].starts_with(&done_second)
                && let Some(stamp) = recognise(&buffer[at..filled], context.scale, &context.clock)
            {
                done_second = [0; LABEL_SECOND_BYTES];
                match note(base + at as u64, stamp.label) {
                    Next::Line => {}
                    Next::Second if stamp.is_label => {
                        done_second.copy_from_slice(&buffer[at..at + LABEL_SECOND_BYTES]);
                    }
                    Next::Second => {}
                    Next::Nothing => return Ok((base + at as u64, false)),
                }
            }
            let newline = memchr(b'\n', &buffer[at..filled]);
            is_line_start = newline.is_some();
            at = newline.map_or(filled, |newline| at + newline + 1);
        }
        base += at as u64;
        if is_end {
            return Ok((base, true));
        }
        if base > bytes_max {
            return Ok((base, false));
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}
