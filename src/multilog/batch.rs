//! The batch: what one turn of the engine writes and where. It is planned without a system call.
//!
//! A batch takes lines from the front of the window for as long as every directory they go to has room for them, so that
//! within a batch nothing is rotated. It ends
//!
//! - at the end of the window, or when it is large enough;
//! - before a line that does not fit where a file may end: in its last 2000 bytes, after a line;
//! - in the middle of a line that does not fit where a file may not end, at exactly the largest size.
//!
//! Then the directories that are used up are rotated, and the next batch begins where this one ended. The rule is
//! 0.76's; only the moment differs: 0.76 decides for pieces of 512 bytes and cuts earlier.
//!
//! A line that is longer than the window comes in pieces, and a batch may end within a line. The script decides on the
//! first bytes of a line, and the verdict holds to its end.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use crate::lines::heads::Heads;
use crate::lines::prefix::{Output, rewrite_lines};
use crate::lines::window::Window;
use crate::logdir::room::Room;
use crate::multilog::open_line::OpenLine;
use crate::multilog::script::matcher::{BegunLines, Matcher, UNKEPT, Verdict};
use crate::multilog::script::{SEEN_BYTES, Script};
use crate::multilog::withheld::restrained::Restrained;
use crate::multilog::{alert, status};
use crate::sys::memory;

mod restrained;

/// A batch of copied lines ends at this size, so that memory is bounded.
const COPIED_BYTES_MAX: usize = 512 * 1024;
/// A batch ends when so much goes to standard output: if the logger is killed, it is repeated.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The same where the address space is limited.
const SCARCE_OUTPUT_BYTES_MAX: usize = 8 * 1024;

/// Regular expressions are matched in as many bytes of lines together as the fullest file has room for, within these bounds. The
/// lines that a batch does not take are matched again for the next one.
const BEGUN_BYTES_MIN: usize = 8 * 1024;
const BEGUN_BYTES_MAX: usize = 64 * 1024;

/// Lines of the window, side by side, that have the same verdict and have room where they go.
#[derive(Debug, Default)]
struct Run {
    lines: Range<usize>,
    /// `None` before the first line.
    verdict: Option<usize>,
    /// Whether each line gives alerts or is noted in status files.
    is_announced: bool,
    /// What there is room for behind them.
    left_bytes: usize,
}

impl Run {
    /// Takes the lines that follow, for which there is room.
    fn add(&mut self, bytes: usize, heads_bytes: usize) {
        self.lines.end += bytes;
        self.left_bytes -= bytes + heads_bytes;
    }
}

/// What one directory gets.
#[derive(Debug, Default)]
struct Share {
    /// How full the directory's file is, with what this batch adds to it.
    room: Option<Room>,
    /// Output that is the window's own bytes.
    range: Range<usize>,
    /// Output that was put together.
    copied: Output,
    /// The file must be rotated before the next line can be written.
    is_full: bool,
}

impl Share {
    fn room(&self) -> Room {
        self.room.expect("rooms are told before a batch is planned")
    }

    fn left(&self) -> usize {
        usize::try_from(self.room().left_bytes()).unwrap_or(usize::MAX)
    }

    fn grow(&mut self, bytes: usize) {
        self.room = Some(self.room().with(bytes));
    }

    fn take(&mut self, head: &[u8], line: &[u8]) {
        self.copied.push(head);
        self.copied.push(line);
        self.grow(head.len() + line.len());
    }
}

/// What one turn of the engine writes. Its buffers are kept from turn to turn.
#[derive(Debug)]
pub struct Batch {
    shares: Vec<Share>,
    /// Every directory gets all of every line that begins in the batch.
    is_uniform: bool,
    /// All directories use the first share.
    is_shared: bool,
    /// Lines for standard error.
    alerts: Vec<u8>,
    /// Lines for standard output.
    copies: Vec<u8>,
    /// How many bytes of these a batch may have.
    copies_bytes_max: usize,
    /// What stands before them, by the number of the copy.
    copy_prefixes: Vec<Vec<u8>>,
    /// The latest record of each status file; empty if there is none in this batch.
    statuses: Vec<Vec<u8>>,
    /// The line that the last batch left open.
    before: OpenLine,
    /// The line that this batch leaves open.
    after: OpenLine,
    input_bytes: usize,
    line_count: usize,
    /// The directories that the current lines go to.
    chosen: Vec<usize>,
    /// The copy that the current lines give.
    copy: Option<usize>,
    matcher: Matcher,
    /// What some directories do not get; `None` if each gets every line that the script sends there.
    restrained: Option<Box<Restrained>>,
    /// The batch only says what was counted.
    is_report: bool,
}

impl Batch {
    /// An empty batch for the directories of a script.
    #[must_use]
    pub fn new(script: &Script) -> Batch {
        Batch {
            shares: script.directories.iter().map(|_| Share::default()).collect(),
            is_uniform: script.is_uniform(),
            is_shared: script.is_uniform(),
            alerts: Vec::new(),
            copies: Vec::new(),
            copies_bytes_max: if memory::is_scarce() { SCARCE_OUTPUT_BYTES_MAX } else { OUTPUT_BYTES_MAX },
            copy_prefixes: script.copies.clone(),
            statuses: script.statuses.iter().map(|_| Vec::new()).collect(),
            before: OpenLine::closed(script.directories.len()),
            after: OpenLine::closed(script.directories.len()),
            input_bytes: 0,
            line_count: 0,
            chosen: Vec::new(),
            copy: None,
            matcher: Matcher::new(script),
            restrained: Restrained::new(script),
            is_report: false,
        }
    }

    /// Decides what to write of `window`. `rooms` are those of the directories, in the order of the script. Until
    /// [`Batch::commit`] the plan may be made again, for another window or other rooms.
    pub fn plan(&mut self, window: Window<'_>, heads: &Heads, rooms: impl Iterator<Item = Room>) {
        self.begin(rooms);
        self.after.close();
        let is_restrained = self.begin_restrained();
        // A line that was begun by another script may go to only some of the directories.
        self.is_shared = self.is_uniform && !self.before.is_open && !is_restrained;
        if self.before.is_open {
            self.continue_line(window);
        } else if is_restrained {
            self.take_restrained(window, heads);
        } else if !self.is_uniform {
            self.take_chosen(window, heads);
        } else if !matches!(heads, Heads::None) {
            self.take_prefixed(window, heads);
        } else {
            self.take_as_is(window);
        }
        self.line_count = self.count_lines(window, heads);
    }

    /// Empties the plan.
    fn begin(&mut self, rooms: impl Iterator<Item = Room>) {
        self.alerts.clear();
        self.copies.clear();
        self.statuses.iter_mut().for_each(Vec::clear);
        for (share, room) in self.shares.iter_mut().zip(rooms) {
            share.room = Some(room);
            share.range = 0..0;
            share.copied.clear();
            share.is_full = false;
        }
        self.input_bytes = 0;
        self.is_report = false;
    }

    fn count_lines(&self, window: Window<'_>, heads: &Heads) -> usize {
        let head_bytes = heads.rest().len();
        let is_prefixed = head_bytes > 0 && head_bytes == heads.first().len();
        let is_counted = is_prefixed && self.is_shared && self.input_bytes > 0;
        let output_bytes = if is_counted { self.shares[0].copied.filled().len() } else { 0 };
        match output_bytes.checked_sub(self.input_bytes) {
            // Each line has its beginning.
            Some(added_bytes) if is_counted && !self.after.is_open => added_bytes / head_bytes,
            _ => memchr_iter(b'\n', &window.bytes[..self.input_bytes]).count(),
        }
    }

    /// Gives back the memory of the largest batch. It must have been committed.
    pub fn shrink(&mut self) {
        self.shares.iter_mut().for_each(|share| share.copied = Output::default());
        self.copies = Vec::new();
        self.matcher.shrink();
    }

    /// The batch is written: the next one follows it. `window` is the one that it was planned for.
    pub fn commit(&mut self, window: &[u8]) {
        if self.input_bytes > 0 || self.is_report {
            if let Some(restrained) = &mut self.restrained {
                restrained.commit(window);
            }
            std::mem::swap(&mut self.before, &mut self.after);
        }
    }

    /// What the batch before left open, and what this one leaves open.
    #[must_use]
    pub fn open_lines(&self) -> [&OpenLine; 2] {
        [&self.before, &self.after]
    }

    /// Takes a batch of another process, which may have had more memory.
    pub fn lift_limit(&mut self) {
        self.copies_bytes_max = usize::MAX;
    }

    /// Continues where a batch of another process ended.
    pub fn resume(&mut self, before: OpenLine) {
        assert_eq!(before.goes_to.len(), self.shares.len(), "a batch of the same script");
        self.before = before;
    }

    /// How much of the window the batch covers; 0 if something must be rotated first.
    #[must_use]
    pub fn input_bytes(&self) -> usize {
        self.input_bytes
    }

    /// How many lines end in the batch.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.line_count
    }

    /// What goes to a directory.
    #[must_use]
    pub fn output<'b>(&'b self, directory: usize, window: Window<'b>) -> &'b [u8] {
        let share = &self.shares[if self.is_shared { 0 } else { directory }];
        if share.copied.filled().is_empty() { &window.bytes[share.range.clone()] } else { share.copied.filled() }
    }

    /// Tells whether a directory must be rotated once the batch is written.
    #[must_use]
    pub fn uses_up(&self, directory: usize, window: Window<'_>) -> bool {
        let share = &self.shares[directory];
        let last = self.output(directory, window).last();
        share.is_full || last.is_some_and(|&last| share.room().is_used_up(last == b'\n'))
    }

    /// What goes to standard error.
    #[must_use]
    pub fn alerts(&self) -> &[u8] {
        &self.alerts
    }

    /// What goes to standard output.
    #[must_use]
    pub fn copies(&self) -> &[u8] {
        &self.copies
    }

    /// What goes to a status file, if anything.
    #[must_use]
    pub fn status(&self, file: usize) -> Option<&[u8]> {
        Some(&self.statuses[file][..]).filter(|record| !record.is_empty())
    }

    /// The rest of a line goes where its beginning went.
    fn continue_line(&mut self, window: Window<'_>) {
        let length = memchr(b'\n', window.bytes).map_or(window.bytes.len(), |newline| newline + 1);
        let open = || self.shares.iter().zip(&self.before.goes_to).filter(|(_, goes_here)| **goes_here);
        let taken = open().map(|(share, _)| share.left()).fold(length, usize::min);
        for (share, _) in self.shares.iter_mut().zip(&self.before.goes_to).filter(|(_, goes_here)| **goes_here) {
            share.is_full = share.left() == 0;
            share.range = 0..taken;
            share.grow(taken);
        }
        if self.before.is_copied {
            self.copies.extend_from_slice(&window.bytes[..taken]);
        }
        self.input_bytes = taken;
        let is_ended = taken > 0 && window.bytes[taken - 1] == b'\n';
        if !is_ended {
            self.after.set(&self.before);
        }
        if let Some(restrained) = &mut self.restrained {
            restrained.continue_line(taken, is_ended);
        }
    }

    /// All lines to all directories as they are: the window's own bytes.
    fn take_as_is(&mut self, window: Window<'_>) {
        self.choose_all();
        let left = self.shares.iter().map(Share::left).fold(usize::MAX, usize::min);
        if window.bytes.len() <= left && !window.is_open {
            self.take_range(window.bytes.len());
            return;
        }
        match memrchr(b'\n', &window.bytes[..left.min(window.bytes.len())]) {
            Some(newline) => self.take_range(newline + 1),
            None => {
                self.begin_line(b"", first_line(window), None);
            }
        }
    }

    fn take_range(&mut self, length: usize) {
        self.input_bytes = length;
        self.shares[0].range = 0..length;
        self.shares.iter_mut().for_each(|share| share.grow(length));
    }

    /// All lines to all directories, each behind its beginning.
    fn take_prefixed(&mut self, window: Window<'_>, heads: &Heads) {
        self.choose_all();
        let left = self.shares.iter().map(Share::left).fold(COPIED_BYTES_MAX, usize::min);
        let output = &mut self.shares[0].copied;
        let taken = prefix_lines(window.bytes, heads, left, output);
        if taken == 0 {
            self.begin_line(heads.first(), first_line(window), None);
            return;
        }
        let length = output.filled().len();
        self.input_bytes = taken;
        self.shares.iter_mut().for_each(|share| share.grow(length));
    }

    /// Each line goes where the script sends it. Consecutive lines with the same verdict are handled together.
    fn take_chosen(&mut self, window: Window<'_>, heads: &Heads) {
        let (first, rest) = (heads.first(), heads.rest());
        let mut head = first;
        let mut is_last_head = first == rest;
        let heads_behind_first = heads.without_first();
        let heads_at = |start: usize| if start == 0 { heads } else { &heads_behind_first };
        self.matcher.tidy();
        self.matcher.begin(head);
        let left = self.shares.iter().map(Share::left).min().unwrap_or(usize::MAX);
        let begun_bytes_max = left.clamp(BEGUN_BYTES_MIN, BEGUN_BYTES_MAX);
        let mut run = Run::default();
        // The lines that come next, if their regular expressions have been matched.
        let mut known = BegunLines::default();
        while run.lines.end < window.bytes.len() {
            if known.bytes == 0
                && is_last_head
                && let ahead = &window.bytes[run.lines.end..]
                && let Some(lines) = self.matcher.begin_lines(&ahead[..ahead.len().min(begun_bytes_max)])
            {
                known = lines;
                if let Some(verdict) = known.verdict {
                    self.turn_to(verdict, &mut run, window, &heads_at);
                    let lines = &window.bytes[run.lines.end..][..known.bytes];
                    known.bytes -= self.take_lines(lines, known.is_one, head, &mut run);
                    if known.bytes == 0 {
                        continue;
                    }
                }
            }
            let rest_of_window = &window.bytes[run.lines.end..];
            let newline = memchr(b'\n', rest_of_window);
            let is_whole = newline.is_some();
            let text = &rest_of_window[..newline.unwrap_or(rest_of_window.len())];
            let verdict = if known.bytes > 0 {
                self.matcher.match_begun(known.begun, text)
            } else {
                self.matcher.match_line(text)
            };
            let seen = &text[..text.len().min(SEEN_BYTES - head.len())];
            let line = &rest_of_window[..text.len() + usize::from(is_whole)];
            self.turn_to(verdict, &mut run, window, &heads_at);
            let line_bytes = head.len() + line.len();
            let is_output_full = self.copy.is_some() && self.copies.len() + line_bytes > self.copies_bytes_max;
            if line_bytes > run.left_bytes || is_output_full || !is_whole {
                self.take_run(window, run.lines.clone(), heads_at(run.lines.start));
                self.input_bytes = run.lines.end;
                if run.lines.end == 0 && self.begin_line(head, line, None) {
                    self.announce(verdict, head, seen);
                }
                return;
            }
            if run.is_announced {
                self.announce(verdict, head, seen);
            }
            self.copy_line(head, line);
            run.add(line.len(), head.len());
            known.bytes = known.bytes.saturating_sub(line.len());
            if !is_last_head {
                head = rest;
                is_last_head = true;
                self.matcher.begin(head);
            }
        }
        self.input_bytes = run.lines.end;
        self.take_run(window, run.lines.clone(), heads_at(run.lines.start));
    }

    /// Ends a run of lines if the next one has another verdict. `heads_at` tells the beginnings of lines from a place in the window on.
    fn turn_to<'h>(
        &mut self,
        verdict: usize,
        run: &mut Run,
        window: Window<'_>,
        heads_at: &impl Fn(usize) -> &'h Heads,
    ) {
        if run.verdict == Some(verdict) && verdict != UNKEPT {
            return;
        }
        self.take_run(window, run.lines.clone(), heads_at(run.lines.start));
        let Verdict { directories, statuses, alert_count, copy } = self.matcher.verdict(verdict);
        self.copy = *copy;
        self.chosen.clone_from(directories);
        *run = Run {
            lines: run.lines.end..run.lines.end,
            verdict: Some(verdict),
            is_announced: *alert_count > 0 || !statuses.is_empty(),
            left_bytes: self.left_for_chosen(),
        };
    }

    /// Takes whole lines, or one, into a run, as many as have room where they go; its verdict is nothing but directories. Returns
    /// their bytes.
    fn take_lines(&self, lines: &[u8], is_one: bool, head: &[u8], run: &mut Run) -> usize {
        if self.chosen.is_empty() {
            run.lines.end += lines.len();
            return lines.len();
        }
        let count = if is_one { 1 } else { memchr_iter(b'\n', lines).count() };
        let heads_bytes = head.len() * count;
        if lines.len() + heads_bytes <= run.left_bytes {
            run.add(lines.len(), heads_bytes);
            return lines.len();
        }
        let mut taken = 0;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            if line.len() + head.len() > run.left_bytes {
                break;
            }
            run.add(line.len(), head.len());
            taken += line.len();
        }
        taken
    }

    /// Takes lines of the window, all of which have room where they go. `heads` are theirs.
    fn take_run(&mut self, window: Window<'_>, run: Range<usize>, heads: &Heads) {
        let lines = &window.bytes[run];
        for &directory in &self.chosen {
            let share = &mut self.shares[directory];
            let before_bytes = share.copied.filled().len();
            prefix_lines(lines, heads, COPIED_BYTES_MAX, &mut share.copied);
            share.grow(share.copied.filled().len() - before_bytes);
        }
    }

    /// Prepares the copy of a line, or of its beginning.
    fn copy_line(&mut self, head: &[u8], line: &[u8]) {
        if let Some(copy) = self.copy {
            [&self.copy_prefixes[copy], head, line].into_iter().for_each(|part| self.copies.extend_from_slice(part));
        }
    }

    /// Prepares the alerts and status records of a line.
    fn announce(&mut self, verdict: usize, head: &[u8], seen: &[u8]) {
        let verdict = self.matcher.verdict(verdict);
        for _ in 0..verdict.alert_count {
            alert::push(&mut self.alerts, head, seen);
        }
        for &file in &verdict.statuses {
            status::set(&mut self.statuses[file], head, seen);
        }
    }

    fn choose_all(&mut self) {
        self.chosen.clear();
        self.chosen.extend(0..self.shares.len());
        self.copy = None;
    }

    /// How much all directories that were chosen have room for.
    fn left_for_chosen(&self) -> usize {
        let left = |share: &Share| share.left().min(COPIED_BYTES_MAX - share.copied.filled().len());
        self.chosen.iter().map(|&directory| left(&self.shares[directory])).min().unwrap_or(usize::MAX)
    }

    /// Begins a line, the first of the batch, that does not fit or whose end is not in sight. Returns false if a
    /// directory must be rotated first.
    fn begin_line(&mut self, head: &[u8], line: &[u8], restrained: Option<&Restrained>) -> bool {
        let preface = |directory| restrained.map_or(&[][..], |restrained| restrained.preface(directory));
        let mut taken = line.len();
        // The successor of a killed logger judges the line by what the batch holds of it.
        let judged = line.len().min(self.matcher.examined_bytes());
        for &directory in &self.chosen {
            let share = &mut self.shares[directory];
            let before_line = preface(directory).len() + head.len();
            let is_short = share.left() < before_line + line.len() && share.room().may_end_after_line();
            let is_too_short = share.left() < before_line + judged && share.room().filled_bytes > 0;
            if is_short || is_too_short {
                share.is_full = true;
            }
            taken = taken.min(share.left().saturating_sub(before_line));
        }
        if self.chosen.iter().any(|&directory| self.shares[directory].is_full) {
            return false;
        }
        // The room that is left is more than 2000 bytes, or the line would wait for the next file: the beginning fits.
        let part = &line[..taken];
        self.after.is_open = !part.ends_with(b"\n");
        self.after.is_copied = self.after.is_open && self.copy.is_some();
        self.copy_line(head, part);
        self.input_bytes = part.len();
        for &directory in &self.chosen {
            let share = &mut self.shares[directory];
            share.take(preface(directory), b"");
            share.take(head, part);
            self.after.goes_to[directory] = self.after.is_open;
        }
        true
    }
}

/// Appends lines, each behind its beginning, and says how many bytes of them had room.
fn prefix_lines(lines: &[u8], heads: &Heads, room_bytes: usize, output: &mut Output) -> usize {
    match heads {
        Heads::None => {
            output.push(lines);
            lines.len()
        }
        Heads::Stamps(stamps) => rewrite_lines(lines, &mut &*stamps, room_bytes, output),
        Heads::Texts(texts) => rewrite_lines(lines, &mut &*texts, room_bytes, output),
    }
}

/// The first line of a window with its newline, or all of it where there is no newline.
fn first_line(window: Window<'_>) -> &[u8] {
    let end = memchr(b'\n', window.bytes).map_or(window.bytes.len(), |newline| newline + 1);
    &window.bytes[..end]
}
