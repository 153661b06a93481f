//! The groups of several directories in the order of their labels.
//!
//! The merge takes the earliest of the directories' current groups; of groups with the same label, that of the directory
//! named first. The order within a directory never changes: the result is that of `sort -s -m` on the labels.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::backward::{Backward, OwnedGroup};
use crate::filter::{Filter, Pattern};
use crate::stream::Stream;
use logyard::tai64n::Label;

/// Several streams as one.
#[derive(Debug)]
pub(super) struct Merge {
    /// The streams, in the order in which the directories were named.
    pub(super) streams: Vec<Stream>,
    filter: Filter,
    /// The streams that have a current group, by its place in the order.
    ready: BinaryHeap<Reverse<(Label, usize)>>,
    /// The stream whose group is the caller's.
    taken: Option<usize>,
}

impl Merge {
    /// The wanted groups of some streams.
    pub(super) fn new(streams: Vec<Stream>, filter: Filter) -> Merge {
        Merge { streams, filter, ready: BinaryHeap::new(), taken: None }
    }

    /// The stream, if there is only one and all of its lines are wanted.
    pub(super) fn only_stream(&mut self) -> Option<&mut Stream> {
        let is_everything = self.filter.pattern.is_none() && self.filter.window.is_everything();
        match &mut self.streams[..] {
            [only] if is_everything => Some(only),
            _ => None,
        }
    }

    /// Tells whether there is only one stream, of which lines are wanted at any time.
    pub(super) fn is_one_at_any_time(&self) -> bool {
        self.streams.len() == 1 && self.filter.window.is_everything()
    }

    /// Advances the streams that have no current group: at first all, later those that are live.
    pub(super) fn look_again(&mut self) {
        for i in 0..self.streams.len() {
            if self.taken != Some(i)
                && self.streams[i].group().is_none()
                && let Some(key) = self.next_wanted(i)
            {
                self.ready.push(Reverse((key, i)));
            }
        }
    }

    /// The stream that has the next group; its group is consumed at the next call.
    pub(super) fn next(&mut self) -> Option<usize> {
        let Some(last) = self.taken.take() else {
            return self.take_earliest();
        };
        let Some(key) = self.next_wanted(last) else {
            return self.take_earliest();
        };
        match self.ready.peek() {
            Some(&Reverse(earliest)) if earliest < (key, last) => {
                self.ready.push(Reverse((key, last)));
                self.take_earliest()
            }
            // A run of one stream, as most of them are, does not touch the others.
            _ => {
                self.taken = Some(last);
                self.taken
            }
        }
    }

    fn take_earliest(&mut self) -> Option<usize> {
        self.taken = self.ready.pop().map(|Reverse((_, i))| i);
        self.taken
    }

    /// Consumes the taken group, so that the stream's position is behind it.
    pub(super) fn consume(&mut self) {
        if let Some(i) = self.taken {
            self.streams[i].consume();
        }
    }

    /// Moves a stream on to its next wanted group.
    fn next_wanted(&mut self, i: usize) -> Option<Label> {
        let stream = &mut self.streams[i];
        let finder = || self.filter.pattern.as_ref().and_then(Pattern::finder_of_wanted);
        loop {
            if let Some(finder) = finder() {
                stream.pass_over(finder);
            }
            if !stream.advance() {
                return None;
            }
            let is_match = stream.is_wanted();
            let group = stream.group()?;
            if is_match {
                if self.filter.accepts_time(group.label) {
                    return Some(group.key);
                }
                continue;
            }
            let message = &stream.bytes(group)[group.stamp.map_or(0, |stamp| stamp.bytes)..];
            if self.filter.accepts(group.label, message) {
                return Some(group.key);
            }
        }
    }
}

/// The last groups of several directories, last first.
#[derive(Debug)]
pub(super) struct MergeBackward {
    directories: Vec<Backward>,
    filter: Filter,
    heads: Vec<Option<OwnedGroup>>,
}

impl MergeBackward {
    /// The wanted groups of some directories.
    pub(super) fn new(directories: Vec<Backward>, filter: Filter) -> MergeBackward {
        let heads = directories.iter().map(|_| None).collect();
        let mut merge = MergeBackward { directories, filter, heads };
        for i in 0..merge.heads.len() {
            merge.refill(i);
        }
        merge
    }

    /// The next group towards the beginning, and the number of its directory.
    pub(super) fn next(&mut self) -> Option<(usize, OwnedGroup)> {
        let keys = self.heads.iter().enumerate().filter_map(|(i, head)| head.as_ref().map(|head| (head.key, i)));
        let (_, i) = keys.max()?;
        let found = self.heads[i].take()?;
        self.refill(i);
        Some((i, found))
    }

    fn refill(&mut self, i: usize) {
        self.heads[i] = loop {
            let Some(found) = self.directories[i].next() else { break None };
            let message = &found.bytes[found.stamp.map_or(0, |stamp| stamp.bytes)..];
            if self.filter.accepts(found.label, message) {
                break Some(found);
            }
        };
    }
}
