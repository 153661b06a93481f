//! Reads a whole file for a window of time, line by line.
//!
//! This is exact in whatever order the labels are, and costs no more than reading: a few milliseconds for the longest file
//! that multilog writes.

use memchr::memchr;

use crate::content::{Content, is_packed};
use crate::files::LogFile;
use crate::ranges::probe::{LabelledLine, Part, Probe};
use crate::stamp::STAMP_BYTES_MAX;
use crate::time_scale::Window;
use logyard::sys::Result;

/// How much is read at a time.
const BLOCK_BYTES: usize = 1 << 18;

/// The part of a label that tells the second: `@` and 16 digits.
const LABEL_SECOND_BYTES: usize = 17;

/// What opening a file costs, in bytes that could be read in the same time.
pub(super) const COST_BYTES_MIN: u64 = 1 << 14;

/// What a file was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// The first line with a label.
    pub(super) first: Option<LabelledLine>,
    /// From the first line in the window to behind the last one.
    pub(super) part: Option<Part>,
    /// How many bytes were read, unpacked.
    pub(super) bytes: u64,
}

/// What is to be noted after a line.
pub(super) enum Next {
    /// The next line.
    Line,
    /// The next line of another second: what holds for this one holds for all of its second.
    Second,
    /// Nothing.
    Nothing,
}

/// How far a file was read.
pub(super) struct Extent {
    /// How many bytes were read, unpacked.
    bytes: u64,
    /// Whether that was all of them.
    is_whole: bool,
}

impl Probe<'_> {
    /// Reads a file, if it holds no more than `bytes_max`.
    pub(super) fn survey(self, log_file: &LogFile, window: &Window, bytes_max: u64) -> Result<Option<Survey>> {
        let file = log_file.open(&self.log_dir.dir)?;
        if let Some(survey) = self.survey_by_frames(log_file, &file, window) {
            return Ok(Some(survey));
        }
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
        let note = |line: LabelledLine| {
            survey.first.get_or_insert(line);
            if window.contains(line.label) {
                survey.part = Some(Part { from: survey.part.map_or(line.at, |part| part.from), to: None });
            } else if let Some(Part { to: to @ None, .. }) = &mut survey.part {
                *to = Some(line.at);
            }
            if has_edge_in(line.label.unix_seconds()) { Next::Line } else { Next::Second }
        };
        let extent = self.each_label(content, bytes_max, note)?;
        survey.bytes = extent.bytes;
        Ok(extent.is_whole.then_some(survey))
    }

    /// Calls `note` with lines that have a label.
    pub(super) fn each_label(
        self,
        mut content: Content,
        bytes_max: u64,
        mut note: impl FnMut(LabelledLine) -> Next,
    ) -> Result<Extent> {
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
                // A stamp that may continue is recognised with the next block.
                if is_line_start && filled - at <= STAMP_BYTES_MAX && !is_end {
                    break;
                }
                // A line without a stamp belongs to the one before, so it makes no difference if this is one.
                if is_line_start
                    && !buffer[at..filled].starts_with(&done_second)
                    && let Some(stamp) = self.context.recognise(&buffer[at..filled])
                {
                    done_second = [0; LABEL_SECOND_BYTES];
                    match note(LabelledLine { label: stamp.label, at: base + at as u64 }) {
                        Next::Line => {}
                        Next::Second if stamp.is_label => {
                            done_second.copy_from_slice(&buffer[at..at + LABEL_SECOND_BYTES]);
                        }
                        Next::Second => {}
                        Next::Nothing => return Ok(Extent { bytes: base + at as u64, is_whole: false }),
                    }
                }
                let newline = memchr(b'\n', &buffer[at..filled]);
                is_line_start = newline.is_some();
                at = newline.map_or(filled, |newline| at + newline + 1);
            }
            base += at as u64;
            if is_end || base > bytes_max {
                return Ok(Extent { bytes: base, is_whole: is_end });
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
        }
    }
}
