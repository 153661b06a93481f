//! Which parts of which files a window of time can be in.
//!
//! An archive's name is the moment at which it was finished: no line in it is later. Its first line is the earliest. So
//! names and first lines say which files the window touches, and in those at its ends a binary search finds the line.
//!
//! That holds as long as the clock did not step back. Where it did, names and first labels may disagree: a file begins
//! later than its name says, or earlier than the file before it. Such files are read from end to end; so is a file in
//! which the search meets a label that is out of order. But a step back may also lie within a file, where neither names nor
//! first labels show it, and only reading does. So the files that would be left out, the nearest to the window first, and
//! those at its ends are looked through as far as [`Context::survey_bytes_max`] goes: all of a usual directory, and of a
//! large one what surrounds the window.
//!
//! Lines without a label belong to the line with a label before, in whatever file that is. So where a file is read to its
//! end, the beginning of the next is read, too, up to its first label; and where the file before is not, that is left out.

use std::rc::Rc;
use std::sync::Arc;

use memchr::memchr;

use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::stamp::{STAMP_BYTES_MAX, recognise};
use crate::stream::Span;
use crate::survey::{COST_BYTES_MIN, Survey, first_label};
use crate::time_scale::Window;
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};
use logyard::tai64n::Label;

/// How much of a file is looked at to find its first label, at first and where that is not enough.
const HEAD_BYTES: usize = 64;
const LONG_HEAD_BYTES: usize = 1 << 16;

/// Below this distance the search ends: so much is read in one go anyway.
const NEAR_BYTES: u64 = 1 << 14;

/// How much is read at a step of the search.
const STEP_BYTES: usize = 1 << 12;

/// How many files are asked whether a line in them has a label, by how they begin.
pub(super) const ASKED_MAX: usize = 16;

/// From where in a file, and up to where if not to its end.
type Part = (u64, Option<u64>);

/// The parts of a directory's files that a window can be in. If the last file will be written on, it is read to its end.
pub(super) fn plan(
    log_dir: &LogDir,
    files: Vec<LogFile>,
    window: &Window,
    goes_on: bool,
    context: &Context,
) -> Vec<Span> {
    let files: Vec<Rc<LogFile>> = files.into_iter().map(Rc::new).collect();
    if window.is_everything() {
        return files.into_iter().map(Span::whole).collect();
    }
    let firsts: Vec<First> = files.iter().map(|log_file| First::of(log_dir, log_file, context)).collect();
    let mut plan = Plan { log_dir, window, context, parts: vec![None; files.len()], files, firsts };
    let believed = plan.judge();
    plan.look_through(believed);
    if goes_on {
        plan.keep_last();
    }
    plan.join()
}

/// The files of a directory, and what is to be read of each.
struct Plan<'p> {
    log_dir: &'p LogDir,
    window: &'p Window,
    context: &'p Context,
    files: Vec<Rc<LogFile>>,
    firsts: Vec<First>,
    parts: Vec<Option<Part>>,
}

impl Plan<'_> {
    /// Judges files by names, first labels and a search. Returns those of which a part or nothing is to be read, which
    /// holds only if their labels are in order.
    fn judge(&mut self) -> Vec<usize> {
        let is_suspect = suspects(&self.files, &self.firsts);
        let mut believed = Vec::new();
        for (i, log_file) in self.files.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|before| self.files[before].label);
            self.parts[i] = if is_suspect[i] {
                Some((0, None))
            } else {
                part(self.log_dir, log_file, &self.firsts[i], before, self.window, self.context)
            };
            if self.parts[i] != Some((0, None)) && self.firsts[i] != First::Without {
                believed.push(i);
            }
        }
        believed
    }

    /// Looks through files line by line, the nearest to the window first.
    fn look_through(&mut self, believed: Vec<usize>) {
        let first = self.parts.iter().position(Option::is_some);
        let last = self.parts.iter().rposition(Option::is_some);
        let is_late = |log_file: &Rc<LogFile>| {
            log_file.label.is_none_or(|name| self.window.since.is_some_and(|since| name >= since))
        };
        let between = || self.files.iter().position(is_late).unwrap_or(self.files.len());
        let (first, last) = first.zip(last).unwrap_or_else(|| (between(), between()));
        let mut nearest: Vec<(usize, usize)> =
            believed.into_iter().map(|i| (first.saturating_sub(i).max(i.saturating_sub(last)), i)).collect();
        nearest.sort_unstable();
        let mut left = self.context.survey_bytes_max;
        for (_, i) in nearest {
            if left < COST_BYTES_MIN {
                return;
            }
            // What cannot be read is told when its turn comes, if it comes.
            let Ok(survey) = Survey::of(self.log_dir, &self.files[i], self.window, self.context, left) else {
                continue;
            };
            let Some(survey) = survey else {
                if self.firsts[i] == First::Unknown {
                    // As much was unpacked as there was left.
                    return;
                }
                continue;
            };
            left = left.saturating_sub(survey.bytes.max(COST_BYTES_MIN));
            self.firsts[i] = survey.first.map_or(First::Without, |(label, at)| First::At(label, at));
            self.parts[i] = survey.part;
        }
    }

    /// Has the last file read to its end, and from where it is known what its lines belong to.
    fn keep_last(&mut self) {
        let Some(last) = self.parts.len().checked_sub(1) else { return };
        self.parts[last] = Some((self.parts[last].map_or(0, |(from, _)| from), None));
        for i in (0..=last).rev() {
            if self.find_first(i).label().is_some() {
                return;
            }
            if i > 0 {
                self.parts[i - 1] = Some((0, None));
            }
        }
    }

    /// Makes one sequence of the parts, in which each line without a label comes behind the one it belongs to.
    fn join(mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut is_joined = true;
        for i in 0..self.parts.len() {
            let part = if self.has_label_before(i) { self.part_behind(i, is_joined) } else { self.part_at_first(i) };
            if let Some((from, to)) = part {
                spans.push(Span { from, to, ..Span::whole(Rc::clone(&self.files[i])) });
            }
            is_joined = matches!(part, Some((_, None)));
        }
        spans
    }

    /// What is to be read of a file behind one that is read to its end, or behind one that is not.
    fn part_behind(&mut self, i: usize, is_joined: bool) -> Option<Part> {
        match (self.parts[i], is_joined) {
            (None, false) => None,
            (Some((0, to)), true) if self.firsts[i] != First::Without => Some((0, to)),
            (part, _) => match (self.find_first(i), part) {
                (First::Without, _) => is_joined.then_some((0, None)),
                (First::At(_, 0), part) => part,
                (First::At(_, _), Some((_, to))) if is_joined => Some((0, to)),
                (First::At(_, at), Some((from, to))) => Some((from.max(at), to)),
                (First::At(_, at), None) => Some((0, Some(at))),
                (First::Unknown, part) => part,
            },
        }
    }

    /// What is to be read of a file with no label before it: lines without one are judged by the first label in their
    /// file, and if there is none by its name.
    fn part_at_first(&self, i: usize) -> Option<Part> {
        let (from, to) = self.parts[i]?;
        match self.firsts[i] {
            First::At(label, _) if self.window.contains(label) => Some((0, to)),
            First::At(_, at) => Some((from.max(at), to)),
            First::Without | First::Unknown => Some((from, to)),
        }
    }

    /// The first label of a file, for which a packed one is unpacked.
    fn find_first(&mut self, i: usize) -> First {
        if self.firsts[i] == First::Unknown
            && let Ok(first) = first_label(self.log_dir, &self.files[i], self.context, u64::MAX)
        {
            self.firsts[i] = first.map_or(First::Without, |(label, at)| First::At(label, at));
        }
        self.firsts[i]
    }

    /// Tells whether any file before one has a label.
    fn has_label_before(&self, i: usize) -> bool {
        self.firsts[..i].iter().any(|first| first.label().is_some())
            || (0..i)
                .rev()
                .filter(|&i| self.firsts[i] == First::Unknown)
                .take(ASKED_MAX)
                .any(|i| begins_with_label(self.log_dir, &self.files[i], self.context))
    }
}

/// Tells whether a line at the beginning of a file, which may be packed, has a label.
pub(super) fn begins_with_label(log_dir: &LogDir, log_file: &LogFile, context: &Context) -> bool {
    first_label(log_dir, log_file, context, LONG_HEAD_BYTES as u64).is_ok_and(|first| first.is_some())
}

/// What is known of a file's first label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// This one, in the line that begins here.
    At(Label, u64),
    /// No line at its beginning has one.
    Without,
    /// The file is packed, or cannot be read: that is told when its turn comes.
    Unknown,
}

impl First {
    fn of(log_dir: &LogDir, log_file: &LogFile, context: &Context) -> First {
        // Not asked whether it is a plain file: the listing said so, and this is done for every file.
        let opened = match &log_file.held {
            Some(file) => Ok(Arc::clone(file)),
            None => log_dir.dir.open_to_read(&log_file.name).map(Arc::new),
        };
        let Ok(file) = opened else { return First::Unknown };
        let mut head = [0; HEAD_BYTES];
        match file.read_at(0, &mut head) {
            Ok(0) => return First::Without,
            Ok(length) => {
                if let Some(stamp) = recognise(&head[..length], context.scale, &context.clock) {
                    return First::At(stamp.label, 0);
                }
            }
            Err(_) => return First::Unknown,
        }
        if log_file.label.is_some() && crate::content::is_packed(&file).unwrap_or(true) {
            return First::Unknown;
        }
        match next_label(&file, 0, u64::MAX, LONG_HEAD_BYTES, context) {
            Ok(Some((at, label))) => First::At(label, at),
            _ => First::Without,
        }
    }

    fn label(self) -> Option<Label> {
        if let First::At(label, _) = self { Some(label) } else { None }
    }
}

/// Which files cannot be judged by name and first label, because the clock stepped back.
fn suspects(files: &[Rc<LogFile>], firsts: &[First]) -> Vec<bool> {
    let mut is_suspect = vec![false; files.len()];
    let mut before: Option<(usize, Label)> = None;
    for (i, first) in firsts.iter().enumerate() {
        let Some(first) = first.label() else { continue };
        if files[i].label.is_some_and(|name| first > name) {
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
    log_dir: &LogDir,
    log_file: &Rc<LogFile>,
    first: &First,
    before: Option<Label>,
    window: &Window,
    context: &Context,
) -> Option<Part> {
    if let (Some(since), Some(name)) = (window.since, log_file.label)
        && name < since
    {
        return None;
    }
    let First::At(first, _) = *first else {
        // The file's lines are later than the file before, or a little earlier, if its processor took a while.
        let is_too_late = match (window.until, before) {
            (Some(until), Some(before)) => before >= until && !packed_begins_before(log_dir, log_file, until, context),
            _ => false,
        };
        return (!is_too_late).then_some((0, None));
    };
    if window.until.is_some_and(|until| first >= until) {
        return None;
    }
    let Ok(file) = log_file.open(&log_dir.dir) else { return Some((0, None)) };
    let from = match window.since {
        Some(since) if first < since => search(&file, since, first, log_file.label, context),
        _ => Ok(Found { before: 0, after: None }),
    };
    let to = match window.until {
        Some(until) if log_file.label.is_none_or(|name| name >= until) => {
            search(&file, until, first, log_file.label, context)
        }
        _ => Ok(Found { before: 0, after: None }),
    };
    match (from, to) {
        (Ok(from), Ok(to)) => Some((from.before, to.after)),
        // Out of order, or not to be read: the reader meets every line, or tells why not.
        _ => Some((0, None)),
    }
}

fn packed_begins_before(log_dir: &LogDir, log_file: &LogFile, until: Label, context: &Context) -> bool {
    let mut head = vec![0; LONG_HEAD_BYTES];
    let read =
        |head: &mut [u8]| -> Result<usize> { crate::content::Content::of(log_file.open(&log_dir.dir)?, 0)?.read(head) };
    match read(&mut head) {
        Ok(length) => first_stamped_line(&head[..length], true, context).is_some_and(|(_, label)| label < until),
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
fn search(file: &Arc<File>, moment: Label, first: Label, name: Option<Label>, context: &Context) -> Result<Found> {
    let mut found = Found { before: 0, after: None };
    let (mut low, mut high) = (first, name);
    let mut end = file.stat()?.size_bytes;
    while end.saturating_sub(found.before) > NEAR_BYTES {
        let middle = found.before + (end - found.before) / 2;
        let Some((at, label)) = next_label(file, middle, end, STEP_BYTES, context)? else {
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
fn next_label(file: &File, from: u64, to: u64, step: usize, context: &Context) -> Result<Option<(u64, Label)>> {
    let mut block = vec![0; step + STAMP_BYTES_MAX + 1];
    let mut at = from;
    // Whether the block begins where a line may begin.
    let mut at_line_start = from == 0;
    while at < to {
        let length = file.read_at(at, &mut block)?;
        if let Some((offset, label)) = first_stamped_line(&block[..length], at_line_start, context) {
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
fn first_stamped_line(block: &[u8], at_line_start: bool, context: &Context) -> Option<(usize, Label)> {
    let mut start = if at_line_start { 0 } else { memchr(b'\n', block)? + 1 };
    loop {
        if let Some(stamp) = recognise(&block[start..], context.scale, &context.clock) {
            return Some((start, stamp.label));
        }
        start += memchr(b'\n', &block[start..])? + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::LocalClock;
    use crate::files;
    use crate::prefetch::Workers;
    use crate::stream::Stream;
    use crate::time_scale::TimeScale;
    use crate::warnings::Warnings;
    use logyard::sys::clock::UnixTime;
    use logyard::sys::dir::Dir;

    fn label(seconds: u64) -> Label {
        let seconds = 1_790_000_000 + i64::try_from(seconds).expect("a small number");
        Label::from(UnixTime { seconds, nanoseconds: 0 })
    }

    /// What is found of a window, if so much of a directory is looked through.
    fn found(path: &Path, window: &Window, survey_bytes_max: u64) -> String {
        let directory = Dir::open(path).expect("a directory");
        let log_dir =
            Rc::new(LogDir { path: path.as_os_str().as_bytes().to_vec(), service: Vec::new(), dir: directory });
        let context = Rc::new(Context {
            scale: TimeScale::Djb,
            clock: LocalClock::utc(),
            warnings: Warnings::default(),
            workers: Workers::new(None),
            survey_bytes_max,
        });
        let files = files::list(&log_dir, &context.warnings).expect("a list");
        let spans = plan(&log_dir, files, window, false, &context);
        let mut stream = Stream::new(log_dir, context, spans);
        let mut text = Vec::new();
        while stream.advance() {
            let group = stream.group().expect("a group");
            if group.label.is_none_or(|label| window.contains(label)) {
                text.extend_from_slice(stream.bytes(group));
            }
        }
        String::from_utf8(text).expect("text")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What a large directory is judged by is enough as long as the clock is not set back.
        #[test]
        fn labels_in_order_need_no_looking_through(
            files in proptest::collection::vec((0_u64..600, 0_u64..3, 0_u8..5), 1..8),
            bounds in (0_u64..2000, 0_u64..2000),
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let (mut now, mut rest) = (0, String::new());
            for (i, &(lines, pace, end)) in files.iter().enumerate() {
                let mut text = std::mem::take(&mut rest);
                for line in 0..lines {
                    now += pace;
                    text.push_str(&format!("{} line {line} {}\n", label(now), "x".repeat(60)));
                    if line % 5 == 0 {
                        text.push_str(" trace\n");
                    }
                }
                match end {
                    0 => rest.push_str(" trace in the next file\n"),
                    1 | 2 => {
                        text.push_str(&format!("{} begun", label(now)));
                        rest = format!("{} ended\n trace\n", "long ".repeat(500));
                    }
                    _ => {}
                }
                let is_current = i + 1 == files.len();
                let name = if is_current { "current".to_owned() } else { format!("{}.s", label(now + i as u64)) };
                std::fs::write(dir.path().join(name), text).expect("a file");
                now += i as u64;
            }
            let window = Window { since: Some(label(bounds.0.min(bounds.1))), until: Some(label(bounds.0.max(bounds.1))) };

            prop_assert_eq!(found(dir.path(), &window, 0), found(dir.path(), &window, u64::MAX));
        }
    }
}
