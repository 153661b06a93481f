//! The groups of a directory from the last to the first, for `-n` and `-r`.
//!
//! Files are read from their ends, a block at a time. The lines before the first stamp of a block may belong to a group that
//! begins in the block before, so they are carried over to that block.

use std::rc::Rc;
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::carry::Carry;
use crate::content::is_packed;
use crate::context::Context;
use crate::files::LogFile;
use crate::log_dir::LogDir;
use crate::ranges::{ASKED_MAX, Probe};
use crate::stamp::Stamp;
use crate::stream::{GROUP_BYTES_MAX, LINE_BYTES_MAX, Span};
use crate::time_scale;
use crate::unpacked::Unpacked;
use logyard::sys::file::File;
use logyard::sys::{Errno, Result};
use logyard::tai64n::Label;

/// How much is read at a time.
const BLOCK_BYTES: u64 = 1 << 18;
/// Of how many bytes groups are made at a time where each line is one.
const PIECE_BYTES: usize = 1 << 16;

/// A group with its own copy of the bytes.
#[derive(Debug)]
pub(super) struct OwnedGroup {
    /// The lines, newline and all.
    pub(super) bytes: Vec<u8>,
    /// The stamp of the first.
    pub(super) stamp: Option<Stamp>,
    /// The moment.
    pub(super) label: Option<Label>,
    /// Where the group stands among those of other directories.
    pub(super) key: Label,
    /// The file in which it begins.
    pub(super) log_file: Rc<LogFile>,
}

/// The bytes of a span that have not been read.
#[derive(Debug)]
enum Rest {
    Plain { file: Arc<File>, from: u64, to: u64 },
    Packed(Unpacked),
}

/// What becomes of a span when its turn comes.
#[derive(Debug)]
enum Opened {
    Rest(Rest),
    /// The parts of a packed file, in the place of its span.
    Parts(Vec<Span>),
}

/// A block of a file.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    log_file: Rc<LogFile>,
    /// Whether it begins where the file, or the part of it that is read, does.
    is_start: bool,
}

/// The groups of a directory, last first.
#[derive(Debug)]
pub(super) struct Backward {
    log_dir: Rc<LogDir>,
    context: Rc<Context>,
    spans: Vec<Span>,
    rest: Option<(Rest, Rc<LogFile>)>,
    /// Bytes that have been read and belong to no group yet.
    carry: Carry,
    /// Where the first line begins that is a group by itself, as all behind it are.
    single_lines: Option<usize>,
    /// Where in `carry` a file begins, the last first.
    begins: Vec<(usize, Rc<LogFile>)>,
    groups: Vec<OwnedGroup>,
    /// Whether nothing that is left to read seems to have a label.
    has_no_label_left: bool,
}

impl Backward {
    /// The groups of some parts of files.
    pub(super) fn new(log_dir: Rc<LogDir>, context: Rc<Context>, spans: Vec<Span>) -> Backward {
        Backward {
            log_dir,
            context,
            spans,
            rest: None,
            carry: Carry::default(),
            single_lines: None,
            begins: Vec::new(),
            groups: Vec::new(),
            has_no_label_left: false,
        }
    }

    /// The directory's path.
    pub(super) fn path(&self) -> &[u8] {
        &self.log_dir.path
    }

    /// The next group towards the beginning.
    pub(super) fn next(&mut self) -> Option<OwnedGroup> {
        loop {
            if let Some(group) = self.groups.pop() {
                return Some(group);
            }
            if !self.read_block() {
                if self.carry.is_empty() {
                    return None;
                }
                // Nothing stands before it: it is a group, or lines that belong to nothing.
                self.split(0);
            }
        }
    }

    /// Finds groups in what has been read, or in the block before that, which is read; `false` if there is none.
    fn read_block(&mut self) -> bool {
        if let Some(first) = self.single_lines {
            self.split_single_lines(first);
            return true;
        }
        let Some(Block { bytes, log_file, is_start }) = self.take_block() else { return false };
        let new = self.put_before(bytes, &log_file);
        let first_line = || memchr(b'\n', &self.carry[..new]).map(|newline| newline + 1);
        let start = if is_start { Some(0) } else { first_line() };
        match start.and_then(|start| self.first_stamp(start, new)) {
            Some(start) => self.split(start),
            // Lines without any stamp: they are their own groups when there is nothing that they could belong to.
            None if self.carry.len() > GROUP_BYTES_MAX => {
                let is_too_long = self.carry.len() > LINE_BYTES_MAX;
                if is_too_long || !self.has_label_before(&[]) {
                    match memchr(b'\n', &self.carry) {
                        Some(newline) => self.single_lines = Some(newline + 1),
                        None if is_too_long => self.split(0),
                        None => {}
                    }
                }
            }
            None => {}
        }
        true
    }

    /// Where the first stamp is in the lines that begin between two places. No line behind them has one.
    fn first_stamp(&self, mut start: usize, end: usize) -> Option<usize> {
        while start <= end && start < self.carry.len() {
            if self.context.recognise(&self.carry[start..]).is_some() {
                return Some(start);
            }
            start += memchr(b'\n', &self.carry[start..])? + 1;
        }
        None
    }

    /// Makes groups of the last lines that are groups by themselves: not of all at once, because each has memory of its own.
    fn split_single_lines(&mut self, first: usize) {
        let piece = self.carry.len().saturating_sub(PIECE_BYTES);
        let start = memrchr(b'\n', &self.carry[..piece]).map_or(0, |newline| newline + 1).max(first);
        self.single_lines = Some(first).filter(|first| start > *first);
        self.split(start);
    }

    /// The last block that has not been read.
    fn take_block(&mut self) -> Option<Block> {
        loop {
            if self.rest.is_none() {
                let span = self.spans.pop()?;
                match self.open(&span) {
                    Ok(Opened::Rest(rest)) => self.rest = Some((rest, span.log_file)),
                    Ok(Opened::Parts(parts)) => {
                        self.spans.extend(parts);
                        continue;
                    }
                    Err(errno) => {
                        self.context.warnings.unable_to_read(&self.log_dir.path, &span.log_file.name, errno);
                        continue;
                    }
                }
            }
            let (rest, log_file) = self.rest.as_mut()?;
            let log_file = Rc::clone(log_file);
            let answer = match rest {
                Rest::Packed(unpacked) => unpacked.take(BLOCK_BYTES as usize),
                Rest::Plain { file, from, to } => {
                    let start = to.saturating_sub(BLOCK_BYTES).max(*from);
                    let block = read_between(file, start, *to);
                    *to = start;
                    block.map(|block| (block, start == *from))
                }
            };
            let (block, is_start) = answer.unwrap_or_else(|errno| {
                self.context.warnings.unable_to_read(&self.log_dir.path, &log_file.name, errno);
                (Vec::new(), true)
            });
            if is_start {
                self.rest = None;
            }
            if !block.is_empty() {
                return Some(Block { bytes: block, log_file, is_start });
            }
        }
    }

    fn open(&self, span: &Span) -> Result<Opened> {
        let file = span.log_file.open(&self.log_dir.dir)?;
        if let Some(parts) = span.divide(&file) {
            return Ok(Opened::Parts(parts));
        }
        if span.log_file.label.is_some() && is_packed(&file)? {
            // A chunk begins where it is wanted.
            let from = if span.chunk.is_some() { 0 } else { span.from };
            let (unpacked, damage) = Unpacked::open(file, span.chunk.clone(), from)?;
            // What could be unpacked is shown.
            if let Some(errno) = damage {
                self.context.warnings.unable_to_read(&self.log_dir.path, &span.log_file.name, errno);
            }
            return Ok(Opened::Rest(Rest::Packed(unpacked)));
        }
        let to = span.to.map_or_else(|| file.stat().map(|stat| stat.size_bytes), Ok)?;
        Ok(Opened::Rest(Rest::Plain { file, from: span.from.min(to), to }))
    }

    /// Puts a block before what is carried over, with a newline between if a line ends there that has none. Returns how many
    /// bytes that are.
    fn put_before(&mut self, mut block: Vec<u8>, log_file: &Rc<LogFile>) -> usize {
        let is_same_file = self.begins.last().is_some_and(|(_, last)| Rc::ptr_eq(last, log_file));
        let is_torn = !is_same_file && block.last() != Some(&b'\n');
        // What carries no stamp continues the line, unless an outage may have cut it short.
        let goes_on = !self.carry.is_empty()
            && self.context.recognise(&self.carry).is_none()
            && (!log_file.is_unfinished() || self.has_label_before(&block));
        if is_torn && !goes_on {
            block.push(b'\n');
        }
        if is_same_file {
            self.begins.pop();
        }
        let new = block.len();
        for (at, _) in &mut self.begins {
            *at += new;
        }
        self.begins.push((0, Rc::clone(log_file)));
        self.carry.put_before(block);
        new
    }

    /// Tells whether a line of a block has a stamp, or one before it.
    fn has_label_before(&mut self, block: &[u8]) -> bool {
        let mut start = 0;
        while start < block.len() {
            if self.context.recognise(&block[start..]).is_some() {
                return true;
            }
            start = memchr(b'\n', &block[start..]).map_or(block.len(), |newline| start + newline + 1);
        }
        let rest = self.rest.iter().map(|(_, log_file)| log_file);
        let mut before = rest.chain(self.spans.iter().rev().map(|span| &span.log_file)).take(ASKED_MAX);
        self.has_no_label_left = self.has_no_label_left
            || !before.any(|log_file| Probe::new(&self.log_dir, &self.context).begins_with_label(log_file));
        !self.has_no_label_left
    }

    /// Makes groups of what is carried over from `start` on, which begins one.
    fn split(&mut self, start: usize) {
        let bytes = self.carry.split_off(start);
        let begins = |at: usize| {
            let log_file = self.begins.iter().find(|(begin, _)| *begin <= start + at).or(self.begins.last());
            log_file.map(|(_, log_file)| Rc::clone(log_file))
        };
        // Groups in which nothing can be found are left out.
        let finder = self.context.workers.finder();
        let find = |from: usize| match finder {
            Some(finder) => finder.find(&bytes[from..]).map(|found| from + found),
            None => Some(from),
        };
        let mut found = find(0);
        let mut groups: Vec<OwnedGroup> = Vec::new();
        let (mut line, mut label) = (0, None);
        while line < bytes.len() {
            let first = line;
            let stamp = self.context.recognise(&bytes[line..]);
            label = stamp.map(|stamp| stamp.label).or(label);
            line = line_end(&bytes, line);
            while label.is_some()
                && line < bytes.len()
                && line - first < GROUP_BYTES_MAX
                && self.context.recognise(&bytes[line..]).is_none()
            {
                line = line_end(&bytes, line);
            }
            // A place at the end of a line is in it, unless its newline is before it.
            let may_match = found.is_some_and(|found| found < line || (found == line && bytes[line - 1] != b'\n'));
            if !may_match {
                continue;
            }
            let Some(log_file) = begins(first) else { break };
            let key = label.or(log_file.label).unwrap_or_else(time_scale::latest);
            groups.push(OwnedGroup { bytes: bytes[first..line].to_vec(), stamp, label, key, log_file });
            found = find(line);
        }
        self.begins.retain(|(begin, _)| *begin < start);
        groups.append(&mut self.groups);
        self.groups = groups;
    }
}

/// Where a line ends, newline included.
fn line_end(bytes: &[u8], start: usize) -> usize {
    memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |newline| start + newline + 1)
}

fn read_between(file: &File, from: u64, to: u64) -> Result<Vec<u8>> {
    let length = usize::try_from(to - from).map_err(|_| Errno::EFBIG)?;
    let mut block = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(from + filled as u64, &mut block[filled..])? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    block.truncate(filled);
    Ok(block)
}
