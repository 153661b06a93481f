//! Where following, or a first run with a cursor, begins if earlier lines are not wanted: behind the last whole line.

use std::rc::Rc;
use std::sync::Arc;

use memchr::memrchr;

use crate::backward::Backward;
use crate::content::{Content, is_packed};
use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stamp::STAMP_BYTES_MAX;
use crate::stream::{LabelCount, Span};
use logyard::sys::Result;
use logyard::sys::file::File;

/// How much is read at a time.
const BLOCK_BYTES: usize = 1 << 16;

/// The parts of a directory's files before and behind the last whole line.
#[derive(Debug)]
pub(crate) struct SplitSpans {
    /// Everything up to the last newline.
    pub(crate) before: Vec<Span>,
    /// The beginning of a last line, and what will be written.
    pub(crate) behind: Vec<Span>,
}

/// Splits spans behind the last whole line. If no writer appends to the last file, only its end is behind.
pub(crate) fn split_behind_last_line(log_dir: &LogDir, mut spans: Vec<Span>, context: &Context) -> SplitSpans {
    let mut behind = Vec::new();
    if let Some(last) = spans.last().filter(|last| !last.is_live) {
        let end = last.log_file.open(&log_dir.dir).and_then(|file| length(&last.log_file, file));
        if let Ok(end) = end {
            behind.push(Span { from: end, ..Span::whole(Rc::clone(&last.log_file)) });
        }
    }
    if spans.last().is_some_and(|last| last.is_live) {
        // A line that is still being written may begin in an earlier file.
        for span in spans.iter_mut().rev() {
            let is_live = std::mem::take(&mut span.is_live);
            let file = span.log_file.open(&log_dir.dir).ok();
            let file = file.filter(|file| is_live || (span.to.is_none() && !is_packed(file).unwrap_or(true)));
            let end = file.as_ref().map_or(0, |file| last_line_end(file)).max(span.from);
            let Some(size) = file.as_ref().and_then(|file| file.stat().ok()).map(|stat| stat.size_bytes) else {
                break;
            };
            span.to = Some(end);
            behind.push(Span { from: end, is_live, ..Span::whole(Rc::clone(&span.log_file)) });
            // The end of a whole file begins what is behind, though nothing comes after it: by its last bytes a later run
            // finds the place, and an empty `current` has none.
            if !is_live && end == size && size > 0 {
                break;
            }
            if end > 0 || file.is_some_and(|file| begins_with_stamp(&file, context)) {
                break;
            }
        }
    }
    behind.reverse();
    SplitSpans { before: spans, behind }
}

/// The last label in some spans, and how many lines in a row have it there at the end.
pub(crate) fn last_label(log_dir: &Rc<LogDir>, spans: &[Span], context: &Rc<Context>) -> Option<LabelCount> {
    let again = |span: &Span| Span { from: span.from, to: span.to, ..Span::whole(Rc::clone(&span.log_file)) };
    let spans = spans.iter().map(again).collect();
    let mut backward = Backward::new(Rc::clone(log_dir), Rc::clone(context), spans);
    let mut labels = std::iter::from_fn(|| backward.next()).filter_map(|group| group.stamp.map(|stamp| stamp.label));
    let label = labels.next()?;
    let count = 1 + labels.take_while(|other| *other == label).count() as u64;
    Some(LabelCount { label, count })
}

/// How long a file is, or what it unpacks to.
fn length(log_file: &LogFile, file: Arc<File>) -> Result<u64> {
    if log_file.label.is_none() || !is_packed(&file)? {
        return Ok(file.stat()?.size_bytes);
    }
    let mut content = Content::of(file, 0)?;
    let (mut room, mut length) = (vec![0; BLOCK_BYTES], 0);
    loop {
        match content.read(&mut room)? {
            0 => return Ok(length),
            bytes => length += bytes as u64,
        }
    }
}

fn begins_with_stamp(file: &File, context: &Context) -> bool {
    let mut head = [0; STAMP_BYTES_MAX + 1];
    let length = file.read_at(0, &mut head).unwrap_or(0);
    context.recognise(&head[..length]).is_some()
}

/// Where the last line ends that has its newline.
fn last_line_end(file: &File) -> u64 {
    let mut end = file.stat().map_or(0, |stat| stat.size_bytes);
    let mut block = vec![0; BLOCK_BYTES];
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES as u64);
        let length = usize::try_from(end - start).expect("a block at most");
        let Ok(read) = file.read_at(start, &mut block[..length]) else { return 0 };
        if let Some(newline) = memrchr(b'\n', &block[..read]) {
            return start + newline as u64 + 1;
        }
        end = start;
    }
    0
}
