//! Chooses the parts of the files that are read for a window of time.

use std::rc::Rc;

use crate::files::{Listing, LogFile};
use crate::ranges::bisect::{Bounds, OrderedFile};
use crate::ranges::first_label::{ASKED_MAX, First};
use crate::ranges::probe::{LabelledLine, Part, Probe};
use crate::ranges::survey::COST_BYTES_MIN;
use crate::stream::Span;
use crate::time_scale::Window;
use logyard::tai64n::Label;

/// How much of a directory's last file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastFile {
    /// What can be in the window.
    InWindow,
    /// All up to its end, because the reader continues with what will be appended.
    ToEnd,
}

/// The parts of a directory's files that a window can be in.
pub(crate) fn plan(probe: Probe<'_>, listing: Listing, window: &Window, last_file: LastFile) -> Vec<Span> {
    let files: Vec<Rc<LogFile>> = listing.files.into_iter().map(Rc::new).collect();
    if window.is_everything() {
        return files.into_iter().map(Span::whole).collect();
    }
    // Of very many files, those between the ends of the window are opened once, when they are read.
    let is_known = |i: usize| listing.is_part && is_between(&files, i, window);
    let first = |i: usize| if is_known(i) { First::Unknown } else { probe.first_in_head(&files[i]) };
    let firsts: Vec<First> = (0..files.len()).map(first).collect();
    let is_known = (0..files.len()).map(is_known).collect();
    let mut plan = Plan { probe, window, parts: vec![None; files.len()], files, firsts, is_known };
    let believed = plan.choose_by_names();
    plan.survey(believed);
    if last_file == LastFile::ToEnd {
        plan.keep_last();
    }
    plan.join()
}

/// The files of a directory, and what is to be read of each.
struct Plan<'p> {
    probe: Probe<'p>,
    window: &'p Window,
    files: Vec<Rc<LogFile>>,
    firsts: Vec<First>,
    parts: Vec<Option<Part>>,
    /// Which files are read from end to end, by their names alone.
    is_known: Vec<bool>,
}

impl Plan<'_> {
    /// Chooses by names, first labels and a binary search. Returns the files of which a part or nothing is to be read: that
    /// is right only if their labels are in order.
    fn choose_by_names(&mut self) -> Vec<usize> {
        let is_suspect = suspects(&self.files, &self.firsts);
        let mut believed = Vec::new();
        for (i, is_suspect) in is_suspect.into_iter().enumerate() {
            self.parts[i] = if is_suspect || self.is_known[i] { Some(Part::WHOLE) } else { self.part_by_name(i) };
            if self.parts[i] != Some(Part::WHOLE) && self.firsts[i] != First::Without {
                believed.push(i);
            }
        }
        believed
    }

    /// The part of a file that the window can be in if labels are in order; `None` if none can.
    fn part_by_name(&self, i: usize) -> Option<Part> {
        let (probe, window, log_file) = (self.probe, self.window, &self.files[i]);
        if let (Some(since), Some(name)) = (window.since, log_file.label)
            && name < since
        {
            return None;
        }
        let First::At(LabelledLine { label: first, .. }) = self.firsts[i] else {
            // The file's lines are later than the file before, or a little earlier, if its processor took a while.
            let before = i.checked_sub(1).and_then(|before| self.files[before].label);
            let is_too_late = match (window.until, before) {
                (Some(until), Some(before)) => before >= until && !probe.packed_begins_before(log_file, until),
                _ => false,
            };
            if is_too_late {
                return None;
            }
            let by_frames = |file| probe.survey_by_frames(log_file, &file, window);
            let survey = log_file.open(&probe.log_dir.dir).ok().and_then(by_frames);
            return survey.map_or(Some(Part::WHOLE), |survey| survey.part);
        };
        if window.until.is_some_and(|until| first >= until) {
            return None;
        }
        let since = window.since.filter(|since| first < *since);
        let until = window.until.filter(|until| log_file.label.is_none_or(|name| name >= *until));
        if since.is_none() && until.is_none() {
            return Some(Part::WHOLE);
        }
        let Ok(file) = log_file.open(&probe.log_dir.dir) else { return Some(Part::WHOLE) };
        let ordered = OrderedFile { file: &file, first, finished: log_file.label };
        let bisect = |end: Option<Label>| end.map_or(Ok(Bounds::WHOLE), |end| probe.bisect(ordered, end));
        let (from, to) = (bisect(since), bisect(until));
        match (from, to) {
            (Ok(from), Ok(to)) => Some(Part { from: from.before, to: to.after }),
            // Out of order, or unreadable: the reader checks every line, or warns of the failure.
            _ => Some(Part::WHOLE),
        }
    }

    /// Reads files line by line, the nearest to the window first.
    fn survey(&mut self, believed: Vec<usize>) {
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
        let mut left = self.probe.context.survey_bytes_max;
        for (_, i) in nearest {
            if left < COST_BYTES_MIN {
                return;
            }
            // A file that cannot be read is reported when its turn comes, if it comes.
            let Ok(survey) = self.probe.survey(&self.files[i], self.window, left) else { continue };
            let Some(survey) = survey else {
                if self.firsts[i] == First::Unknown {
                    // All that was left has been spent on unpacking it.
                    return;
                }
                continue;
            };
            left = left.saturating_sub(survey.bytes.max(COST_BYTES_MIN));
            self.firsts[i] = First::from(survey.first);
            self.parts[i] = survey.part;
        }
    }

    /// Has the last file read to its end, and begins early enough to know what its lines belong to.
    fn keep_last(&mut self) {
        let Some(last) = self.parts.len().checked_sub(1) else { return };
        self.parts[last] = Some(Part { from: self.parts[last].map_or(0, |part| part.from), to: None });
        for i in (0..=last).rev() {
            if self.find_first(i).label().is_some() {
                return;
            }
            if i > 0 {
                self.parts[i - 1] = Some(Part::WHOLE);
            }
        }
    }

    /// Makes one sequence of the parts, in which each line without a label follows the line that it belongs to.
    fn join(mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut is_joined = true;
        for i in 0..self.parts.len() {
            let part = if self.has_label_before(i) { self.part_behind(i, is_joined) } else { self.part_at_first(i) };
            if let Some(Part { from, to }) = part {
                spans.push(Span { from, to, ..Span::whole(Rc::clone(&self.files[i])) });
            }
            is_joined = matches!(part, Some(Part { to: None, .. }));
        }
        spans
    }

    /// What is to be read of a file behind one that is read to its end (`is_joined`), or behind one that is not.
    fn part_behind(&mut self, i: usize, is_joined: bool) -> Option<Part> {
        match (self.parts[i], is_joined) {
            (None, false) => None,
            (Some(part), true) if part.from == 0 && self.firsts[i] != First::Without => Some(part),
            (part, _) => match (self.find_first(i), part) {
                (First::Without, _) => is_joined.then_some(Part::WHOLE),
                (First::At(LabelledLine { at: 0, .. }), part) => part,
                (First::At(_), Some(part)) if is_joined => Some(Part { from: 0, ..part }),
                (First::At(line), Some(part)) => Some(Part { from: part.from.max(line.at), ..part }),
                (First::At(line), None) => Some(Part { from: 0, to: Some(line.at) }),
                (First::Unknown, part) => part,
            },
        }
    }

    /// What is to be read of a file with no label before it. Lines without a label are judged by the first label in their
    /// file, or by its name if there is none.
    fn part_at_first(&self, i: usize) -> Option<Part> {
        let part = self.parts[i]?;
        match self.firsts[i] {
            First::At(line) if self.window.contains(line.label) => Some(Part { from: 0, ..part }),
            First::At(line) => Some(Part { from: part.from.max(line.at), ..part }),
            First::Without | First::Unknown => Some(part),
        }
    }

    /// The first label of a file. A packed file is unpacked for it.
    fn find_first(&mut self, i: usize) -> First {
        if self.firsts[i] == First::Unknown
            && let Ok(first) = self.probe.first_label(&self.files[i], u64::MAX)
        {
            self.firsts[i] = First::from(first);
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
                .any(|i| self.probe.begins_with_label(&self.files[i]))
    }
}

/// Tells whether all lines of a file are in a window, by its name and that of the file before it.
fn is_between(files: &[Rc<LogFile>], i: usize, window: &Window) -> bool {
    let label = |i: usize| files[i].label;
    let is_before_end = label(i).is_some_and(|name| window.until.is_none_or(|until| name < until));
    let since = window.since.filter(|since| i.checked_sub(1).and_then(label).is_none_or(|before| before < *since));
    is_before_end && since.is_none()
}

/// Which files cannot be judged by name and first label, because the clock was set back.
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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::LocalClock;
    use crate::context::Context;
    use crate::files;
    use crate::log_dir::LogDir;
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

    /// The lines that are found in a window if `survey_bytes_max` bytes are read line by line.
    fn found(path: &Path, window: &Window, survey_bytes_max: u64) -> String {
        let directory = Dir::open(path).expect("a directory");
        let log_dir = Rc::new(LogDir {
            path: path.as_os_str().as_bytes().to_vec(),
            service: Vec::new(),
            dir: directory,
            only: None,
        });
        let context = Rc::new(Context {
            scale: TimeScale::Djb,
            clock: LocalClock::utc(),
            warnings: Warnings::new(logyard::cli::Messages::DROPPED),
            announcements: logyard::cli::Messages::DROPPED,
            workers: Workers::new(None),
            survey_bytes_max,
        });
        let listing = files::list_near(&log_dir, window, &context.warnings).expect("a list");
        let spans = plan(Probe::new(&log_dir, &context), listing, window, LastFile::InWindow);
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

        /// Names, first labels and a binary search are enough as long as the clock is not set back.
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
