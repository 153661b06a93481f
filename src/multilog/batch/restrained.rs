//! Batches for directories that do not get every line, and reports of what they did not get.

use std::ops::Range;
use std::time::Duration;

use memchr::memchr;

use super::{Batch, COPIED_BYTES_MAX};
use crate::lines::heads::Heads;
use crate::lines::window::Window;
use crate::logdir::room::Room;
use crate::multilog::script::matcher::Verdict;
use crate::multilog::script::{SEEN_BYTES, Script};
use crate::multilog::withheld::restrained::Restrained;
use crate::multilog::withheld::state::{Change, Withheld};
use crate::multilog::withheld::tally::Tally;
use crate::tai64n::Label;

impl Batch {
    /// Says when the lines of the next batch came.
    pub fn come(&mut self, came: [Label; 2]) {
        if let Some(restrained) = &mut self.restrained {
            restrained.come(came);
        }
    }

    /// Continues with the counts of another process.
    pub fn take_over(&mut self, script: &Script, states: Vec<Withheld>) {
        self.restrained.get_or_insert_with(|| Restrained::of(script)).take_over(states);
    }

    /// Makes the batch of another process again.
    pub fn repeat(&mut self, script: &Script, changes: &[Change]) {
        if !changes.is_empty() {
            self.restrained.get_or_insert_with(|| Restrained::of(script)).repeat(changes);
        }
    }

    /// Lines were dropped before they were looked at: no directory gets them.
    pub fn note_dropped(&mut self, script: &Script, tally: &Tally) {
        self.restrained.get_or_insert_with(|| Restrained::of(script)).note_dropped(tally);
    }

    /// What the planned batch does to the counts of each directory; nothing if there are none.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.restrained.as_ref().map_or_else(Vec::new, |restrained| restrained.changes().collect())
    }

    /// The counts of each directory; nothing if there are none.
    #[must_use]
    pub fn states(&self) -> &[Withheld] {
        self.restrained.as_ref().map_or(&[], |restrained| restrained.states())
    }

    /// How many repeated lines, and suppressed ones, the planned batch adds in a directory.
    #[must_use]
    pub fn added(&self, directory: usize) -> Option<&[Tally; 2]> {
        self.restrained.as_ref().map(|restrained| restrained.added(directory))
    }

    /// How long the log may wait until it says what is counted; `None` if nothing is.
    #[must_use]
    pub fn report_delay(&self) -> Option<Duration> {
        self.restrained.as_ref()?.report_delay()
    }

    /// Begins to plan what directories do not get. Returns false if they get everything.
    pub(super) fn begin_restrained(&mut self) -> bool {
        let Some(restrained) = &mut self.restrained else { return false };
        restrained.begin();
        restrained.is_active()
    }

    /// Plans a batch without lines, which says what is counted. Returns false if there is nothing to say, or nothing that
    /// can be said now: not within a line.
    pub fn plan_report(&mut self, head: &[u8], rooms: impl Iterator<Item = Room>) -> bool {
        self.begin(rooms);
        self.line_count = 0;
        self.is_shared = false;
        self.is_report = true;
        self.after.clone_from(&self.before);
        let Some(restrained) = &mut self.restrained else { return false };
        restrained.begin();
        let mut has_any = false;
        for (directory, share) in self.shares.iter_mut().enumerate() {
            if self.before.goes_to[directory] {
                continue;
            }
            let Some(text) = restrained.plan_report(directory, head) else { continue };
            has_any = true;
            // More than 2000 bytes are left where a file may not end, and a report is shorter.
            if share.left() < text.len() {
                share.is_full = true;
            } else {
                share.take(b"", text);
                restrained.settle(directory);
            }
        }
        has_any
    }

    /// Each line goes where the script sends it and no restraint forbids it.
    pub(super) fn take_restrained(&mut self, window: Window<'_>, heads: &Heads) {
        let Some(mut restrained) = self.restrained.take() else { return };
        self.matcher.tidy();
        let mut head = heads.first();
        self.matcher.begin(head);
        while self.input_bytes < window.bytes.len() {
            if !self.take_line(window, head, &mut restrained) {
                break;
            }
            if head != heads.rest() {
                head = heads.rest();
                self.matcher.begin(head);
            }
        }
        self.restrained = Some(restrained);
    }

    /// Takes the next line; returns false if the batch ends before or within it.
    fn take_line(&mut self, window: Window<'_>, head: &[u8], restrained: &mut Restrained) -> bool {
        let start = self.input_bytes;
        let newline = memchr(b'\n', &window.bytes[start..]);
        let line: Range<usize> = start..newline.map_or(window.bytes.len(), |newline| start + newline + 1);
        let text = &window.bytes[line.clone()];
        let bare = &text[..text.len() - usize::from(newline.is_some())];
        let seen = &bare[..bare.len().min(SEEN_BYTES - head.len())];
        let verdict = self.matcher.match_line(bare);
        let Verdict { directories, copy, .. } = self.matcher.verdict(verdict);
        let sent_to = directories.clone();
        self.copy = *copy;
        self.chosen.clear();
        let is_output_full = copy.is_some() && self.copies.len() + head.len() + text.len() > self.copies_bytes_max;
        let mut has_room = newline.is_some() && !is_output_full;
        for &directory in &sent_to {
            if restrained.decide(directory, window.bytes, &line, head) {
                self.chosen.push(directory);
                let share = &self.shares[directory];
                let left = share.left().min(COPIED_BYTES_MAX - share.copied.filled().len().min(COPIED_BYTES_MAX));
                has_room &= restrained.preface(directory).len() + head.len() + text.len() <= left;
            }
        }
        let mut taken = line.clone();
        if has_room {
            for &directory in &self.chosen {
                let share = &mut self.shares[directory];
                share.take(restrained.preface(directory), head);
                share.take(b"", text);
            }
            self.copy_line(head, text);
            self.input_bytes = line.end;
        } else if start > 0 || !self.begin_line(head, text, Some(restrained)) {
            return false;
        } else if newline.is_none() {
            taken.end = self.input_bytes;
        }
        let is_whole = self.input_bytes == line.end && newline.is_some();
        for &directory in &sent_to {
            restrained.apply(directory, window.bytes, &taken, is_whole);
        }
        self.announce(verdict, head, seen);
        has_room
    }
}
