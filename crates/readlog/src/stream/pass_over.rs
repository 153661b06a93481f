//! Skips groups that cannot match a pattern. A finder searches the whole buffer at once, so most lines are not split into
//! groups at all.

use memchr::memrchr;

use crate::finder::Finder;
use crate::stream::groups::{LabelCount, Stream};

impl Stream {
    /// Skips the groups in the buffer in which `finder` finds nothing.
    pub(crate) fn pass_over(&mut self, finder: &Finder) {
        self.consume();
        if self.printed.is_some() || self.files.is_after_gap() {
            return;
        }
        if self.files.wanted_bytes() > 0 {
            return;
        }
        let Some(newline) = memrchr(b'\n', self.files.unread()) else { return };
        let end = newline + 1;
        let found = finder.find(&self.files.unread()[..end]);
        // If nothing is found, the last group may still continue behind these lines.
        let line = self.line_start(found.unwrap_or(end - 1));
        let group = match self.group_start(line) {
            Some(group) => group,
            // Before the first label each line is a group.
            None if self.last.is_none() => {
                if found.is_some() {
                    line
                } else {
                    end
                }
            }
            // The group began before these lines, and no part of a group is skipped.
            None => return,
        };
        if group > 0 {
            self.count_labels(group);
            self.files.take(group);
            self.next_stamp = None;
            self.consumed = self.last;
        }
    }

    /// Takes the next lines if they are known to be wanted. The next group begins behind them, or is wanted too.
    pub(crate) fn take_wanted(&mut self) -> Option<&[u8]> {
        self.consume();
        if self.printed.is_some() || self.files.is_after_gap() {
            return None;
        }
        let lines = self.files.take_wanted()?;
        self.next_stamp = None;
        let mut end = lines.len();
        while end > 0 {
            let line = memrchr(b'\n', &lines[..end - 1]).map_or(0, |newline| newline + 1);
            if let Some(stamp) = self.context.recognise(&lines[line..]) {
                self.last = Some(LabelCount { label: stamp.label, count: 0 });
                break;
            }
            end = line;
        }
        self.consumed = self.last;
        Some(lines)
    }

    /// Where the last stamped line begins, of the unread lines up to the one at `line`, which is included.
    fn group_start(&self, mut line: usize) -> Option<usize> {
        while self.recognise_at(line).is_none() {
            if line == 0 {
                return None;
            }
            line = self.line_start(line - 1);
        }
        Some(line)
    }

    /// Notes the last label of the first `length` bytes, which are skipped.
    fn count_labels(&mut self, length: usize) {
        let mut last: Option<LabelCount> = None;
        let mut line = length;
        while line > 0 {
            line = self.line_start(line - 1);
            let Some(stamp) = self.recognise_at(line) else { continue };
            match &mut last {
                None => last = Some(LabelCount { label: stamp.label, count: 1 }),
                Some(last) if last.label == stamp.label => last.count += 1,
                Some(_) => {
                    self.last = last;
                    return;
                }
            }
        }
        if let Some(last) = last {
            let before = self.last.filter(|before| before.label == last.label).map_or(0, |before| before.count);
            self.last = Some(LabelCount { count: before + last.count, ..last });
        }
    }
}
