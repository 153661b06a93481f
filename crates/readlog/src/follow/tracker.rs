//! Concludes from the events of a directory where each file is that was once `current`. Does no I/O.
//!
//! The files that are `current` one after another are numbered: generations. A generation ends when `current` loses its name.
//! Then it is `previous`, or a processor works on it, until one archive results from it: the next one whose name appears. So a
//! reader that is behind knows which archive follows which, even if a processor replaced a file that it was reading, and even
//! if archives have been removed already.

use std::collections::{BTreeMap, HashSet};

use crate::files::archive_label;
use logyard::logdir::names::{CURRENT, PREVIOUS};
use logyard::sys::inotify::Event;
use logyard::tai64n::Label;

/// Where a generation's lines are to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In `current`.
    Current,
    /// In `previous`, or nowhere yet: a processor works on it.
    Waiting,
    /// In this archive, unless it was removed.
    Archive(Vec<u8>),
    /// It was removed before it became an archive.
    Gone,
}

/// What became of each generation.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// The number of the file that is `current`, or will be.
    generation: u64,
    /// The generation that has not become an archive yet.
    waiting: Option<u64>,
    /// An archive that is a link to `current`, while `current` still has its own name.
    linked: Option<Vec<u8>>,
    archives: BTreeMap<u64, Vec<u8>>,
    /// The labels that are taken: another file of the same label is the same archive, compressed or processed.
    known: HashSet<Vec<u8>>,
}

impl Tracker {
    /// Begins with the names in the directory. `is_one_waiting` tells whether a generation has yet to become an archive.
    pub(super) fn new(names: impl IntoIterator<Item = Vec<u8>>, is_one_waiting: bool) -> Tracker {
        let known = names.into_iter().filter_map(|name| label_text(&name)).collect();
        Tracker { generation: 1, waiting: is_one_waiting.then_some(0), known, ..Tracker::default() }
    }

    /// The number of the file that is `current` now.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Says where a generation is.
    pub(super) fn find(&self, generation: u64) -> Whereabouts {
        if generation >= self.generation {
            Whereabouts::Current
        } else if let Some(name) = self.archives.get(&generation) {
            Whereabouts::Archive(name.clone())
        } else if self.waiting == Some(generation) {
            Whereabouts::Waiting
        } else {
            Whereabouts::Gone
        }
    }

    /// Forgets earlier generations.
    pub(super) fn forget_before(&mut self, generation: u64) {
        self.archives = self.archives.split_off(&generation);
    }

    /// Notes an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Went(name) if name == CURRENT.as_bytes() => {
                self.waiting = Some(self.generation);
                self.linked = None;
                self.generation += 1;
            }
            // A logger removed an empty file at its start, or a user removed the file: no archive results from it.
            Event::Removed(name) if name == CURRENT.as_bytes() => {
                let ended = self.generation;
                self.generation += 1;
                if let Some(archive) = self.linked.take() {
                    self.archives.insert(ended, archive);
                }
            }
            Event::Came(name) if name == PREVIOUS.as_bytes() => {}
            Event::Came(name) => {
                let Some(label) = label_text(name) else { return };
                if !self.known.insert(label) {
                    return;
                }
                match self.waiting.take() {
                    Some(generation) => drop(self.archives.insert(generation, name.clone())),
                    None => self.linked = Some(name.clone()),
                }
            }
            Event::Went(_) | Event::Removed(_) | Event::Changed(_) | Event::Itself | Event::Lost => {}
        }
    }
}

/// The label at the beginning of an archive's name.
fn label_text(name: &[u8]) -> Option<Vec<u8>> {
    archive_label(name).map(|_| name[..Label::TEXT_BYTES].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "@400000003ce2403d00000000.s";
    const B: &str = "@400000003ce2403e00000000.s";
    const U: &str = "@400000003ce2403f00000000.u";

    fn came(name: &str) -> Event {
        Event::Came(name.into())
    }

    fn went(name: &str) -> Event {
        Event::Went(name.into())
    }

    fn removed(name: &str) -> Event {
        Event::Removed(name.into())
    }

    fn tracker(is_one_waiting: bool, events: &[Event]) -> Tracker {
        let mut tracker = Tracker::new([], is_one_waiting);
        for event in events {
            tracker.note(event);
        }
        tracker
    }

    fn archive(name: &str) -> Whereabouts {
        Whereabouts::Archive(name.into())
    }

    #[test]
    fn a_rotation_is_followed_to_its_archive() {
        let rotation = [went("current"), came("previous"), came("current"), came(A), removed("previous")];

        for (events, whereabouts) in
            [(0, Whereabouts::Current), (1, Whereabouts::Waiting), (3, Whereabouts::Waiting), (5, archive(A))]
        {
            assert_eq!(tracker(false, &rotation[..events]).find(1), whereabouts, "after {events} events");
        }
        assert_eq!(tracker(false, &rotation).find(2), Whereabouts::Current);
    }

    #[test]
    fn what_was_waiting_from_the_start_becomes_the_first_archive() {
        let tracker = tracker(true, &[came(A), went("current"), came("previous"), came("current"), came(B)]);

        assert_eq!((tracker.find(0), tracker.find(1)), (archive(A), archive(B)));
    }

    #[test]
    fn a_processor_only_makes_it_take_longer() {
        let tracker = tracker(
            false,
            &[
                went("current"),
                came("previous"),
                came("current"),
                came("processed"),
                removed("previous"),
                came(A),
                removed("processed"),
                went("current"),
                came("previous"),
                came("current"),
                came("processed"),
            ],
        );

        assert_eq!((tracker.find(1), tracker.find(2)), (archive(A), Whereabouts::Waiting));
    }

    #[test]
    fn svlogd_renames_current_to_its_archive() {
        let tracker = tracker(false, &[went("current"), came(A), came("current")]);

        assert_eq!((tracker.find(1), tracker.find(2)), (archive(A), Whereabouts::Current));
    }

    #[test]
    fn a_recovery_links_current_before_it_goes() {
        let tracker = tracker(false, &[came(U), removed("current"), came("current")]);

        assert_eq!((tracker.find(1), tracker.find(2)), (archive(U), Whereabouts::Current));
    }

    #[test]
    fn an_archive_that_is_compressed_is_no_second_one() {
        let mut tracker = Tracker::new([A.as_bytes().to_vec()], false);
        for event in [came(&format!("{A}.gz")), removed(A), went("current"), came("previous"), came(B)] {
            tracker.note(&event);
        }

        assert_eq!(tracker.find(1), archive(B));
    }

    #[test]
    fn an_empty_current_that_is_removed_leaves_nothing() {
        let tracker = tracker(false, &[removed("current"), came("current")]);

        assert_eq!((tracker.find(1), tracker.find(2)), (Whereabouts::Gone, Whereabouts::Current));
    }
}
