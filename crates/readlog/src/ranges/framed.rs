//! Finds a window of time in a file that logpack packed, by the labels in its index.
//!
//! The labels may be forged. So the frames at the window's ends are unpacked up to their first labels, and if these are not as the
//! index says, the file is read line by line like any other. What is in the frames between, and in those that are left out, is
//! as certain as in a file that is not packed: labels are in order.

use std::sync::Arc;

use logpack::index::{Flags, Frame};

use crate::content::Content;
use crate::files::LogFile;
use crate::frames::Chunk;
use crate::ranges::probe::{LabelledLine, Part, Probe};
use crate::ranges::survey::{Next, Survey};
use crate::time_scale::Window;
use logyard::sys::file::File;
use logyard::tai64n::Label;

impl Probe<'_> {
    /// The part of a packed file that a window can be in; `None` if its frames do not tell.
    pub(super) fn survey_by_frames(self, log_file: &LogFile, file: &Arc<File>, window: &Window) -> Option<Survey> {
        log_file.label?;
        let index = log_file.index.of(file)?;
        if !index.is_ordered() {
            return None;
        }
        let frames = index.frames();
        let first_not_before =
            |moment: Label| frames.partition_point(|frame| frame.labels.ends.is_some_and(|(first, _)| first < moment));
        let mut bytes = 0;
        let mut check_first = |frame: &Frame| {
            bytes += u64::from(frame.bytes);
            self.check_first(file, frame)
        };
        let first = check_first(frames.first()?)?;
        let mut part = Part::WHOLE;
        if let Some(before) = window.since.and_then(|since| first_not_before(since).checked_sub(1)) {
            part.from = check_first(&frames[before])?.at;
        }
        if let Some(after) = window.until.and_then(|until| frames.get(first_not_before(until))) {
            part.to = Some(check_first(after)?.at);
        }
        let is_later = window.until.is_some_and(|until| first.label >= until);
        Some(Survey { first: Some(first), part: (!is_later).then_some(part), bytes })
    }

    /// Unpacks a frame up to its first label, which must be the one in the index.
    fn check_first(self, file: &Arc<File>, frame: &Frame) -> Option<LabelledLine> {
        let (stated, _) = frame.labels.ends.filter(|_| !frame.labels.flags.has(Flags::BEGINS_IN_LINE))?;
        let bytes = u64::from(frame.bytes);
        let chunk = Chunk { packed: frame.packed_at..frame.packed_end(), at: frame.at, skipped: 0, bytes };
        let content = Content::of_chunk(Arc::clone(file), &chunk).ok()?;
        let mut found = None;
        let note = |line: LabelledLine| {
            found = Some(LabelledLine { at: frame.at + line.at, ..line });
            Next::Nothing
        };
        self.each_label(content, bytes, note).ok()?;
        found.filter(|line| line.label == stated)
    }
}
