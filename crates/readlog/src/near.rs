//! Chooses, of very many archives, those that a window of time can be in, by their names alone.
//!
//! The archives of an ordinary directory are all listed, and all are looked into, because the clock may have been set back. In a
//! directory of 100,000 archives that would cost half a second. So there the files near the window are enough: those named after
//! a time in it, some before and some behind.

use crate::time_scale::Window;
use logyard::tai64n::Label;

/// More are not all looked into anyway: so many small files use up
/// [`Context::survey_bytes_max`](crate::context::Context::survey_bytes_max).
const FILES_MAX: usize = 2048;

/// How many are kept on each side of the window. With those in a minute, they are opened 200 times at most if there is one a
/// second.
const NEAR_FILES: usize = 16;

/// How many of the newest are kept: those that `previous` and `current` may be other names of.
pub(super) const NEWEST_FILES: usize = 2;

/// The names of archives, as they are read.
#[derive(Debug)]
pub(super) struct Near {
    names: Vec<Vec<u8>>,
    /// The window, as names have it; none if it is everything.
    since: Option<[u8; Label::TEXT_BYTES]>,
    until: Option<[u8; Label::TEXT_BYTES]>,
    /// Names are left out when there are more.
    names_max: usize,
    /// What is left out, once something is.
    bounds: Option<Bounds>,
}

/// Between which names none is near the window.
#[derive(Debug)]
struct Bounds {
    /// Those before this one are far, if there are enough from here to the window.
    first: Option<Vec<u8>>,
    /// Those behind this one are far, if there are enough from the window to here, but not the newest.
    last: Option<Vec<u8>>,
    newest: Vec<u8>,
}

impl Near {
    /// Chooses those near a window.
    pub(super) fn new(window: &Window) -> Near {
        let names_max = if window.is_everything() { usize::MAX } else { FILES_MAX };
        let [since, until] = [window.since, window.until].map(|bound| bound.map(Label::to_text));
        Near { names: Vec::new(), since, until, names_max, bounds: None }
    }

    /// Adds a name.
    pub(super) fn push(&mut self, name: &[u8]) {
        let is_far = |Bounds { first, last, newest }: &Bounds| {
            first.as_ref().is_some_and(|first| name < &first[..])
                || (last.as_ref().is_some_and(|last| name > &last[..]) && name < &newest[..])
        };
        if self.bounds.as_ref().is_some_and(is_far) {
            return;
        }
        self.names.push(name.to_vec());
        if self.names.len() > self.names_max {
            self.leave_out_far();
            self.names_max = 2 * self.names.len().max(FILES_MAX);
        }
    }

    /// The names in order, and whether some were left out.
    pub(super) fn finish(mut self) -> (Vec<Vec<u8>>, bool) {
        if self.bounds.is_some() {
            self.leave_out_far();
        }
        self.names.sort_unstable();
        (self.names, self.bounds.is_some())
    }

    fn leave_out_far(&mut self) {
        self.names.sort_unstable();
        let names = &self.names;
        let place = |bound: &[u8; Label::TEXT_BYTES]| names.partition_point(|name| name[..] < bound[..]);
        let first = self.since.as_ref().and_then(|since| place(since).checked_sub(NEAR_FILES));
        let last = self.until.as_ref().map(|until| place(until) + NEAR_FILES - 1).filter(|last| *last < names.len());
        let newest = names.len().saturating_sub(NEWEST_FILES);
        let is_near =
            |i: usize| first.is_none_or(|first| i >= first) && last.is_none_or(|last| i <= last) || i >= newest;
        let name = |i: usize| names[i].clone();
        let newest_name = names.get(newest).cloned().unwrap_or_default();
        self.bounds = Some(Bounds { first: first.map(name), last: last.map(name), newest: newest_name });
        let mut i = 0..;
        self.names.retain(|_| i.next().is_some_and(is_near));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use logyard::sys::clock::UnixTime;

    fn label(seconds: i64) -> Label {
        Label::from(UnixTime { seconds: 1_790_000_000 + seconds, nanoseconds: 0 })
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_far_from_the_window_and_not_the_newest(
            names in proptest::collection::btree_set(0_i64..1000, 0..400).prop_flat_map(|names| {
                Just(names.into_iter().collect::<Vec<i64>>()).prop_shuffle()
            }),
            since in proptest::option::of(-10_i64..1010),
            length in proptest::option::of(0_i64..300),
            names_max in 1_usize..500,
        ) {
            let name = |seconds: &i64| format!("{}.s", label(*seconds)).into_bytes();
            let until = length.map(|length| since.unwrap_or(0) + length);
            let window = Window { since: since.map(label), until: until.map(label) };
            let mut near = Near { names_max, ..Near::new(&window) };

            names.iter().for_each(|seconds| near.push(&name(seconds)));
            let (kept, is_part) = near.finish();

            let mut all = names.clone();
            all.sort_unstable();
            let before: Vec<&i64> = all.iter().filter(|at| since.is_some_and(|since| **at < since)).collect();
            let behind: Vec<&i64> = all.iter().filter(|at| until.is_some_and(|until| **at >= until)).collect();
            let is_wanted = |at: &&i64| {
                let place_before = before.iter().rev().position(|before| before == at);
                let place_behind = behind.iter().position(|behind| behind == at);
                place_before.or(place_behind).is_none_or(|place| place < NEAR_FILES)
                    || all.iter().rev().take(NEWEST_FILES).any(|newest| newest == *at)
            };
            prop_assert_eq!(is_part, all.len() > names_max);
            let expected: Vec<Vec<u8>> = all.iter().filter(|at| !is_part || is_wanted(at)).map(name).collect();
            prop_assert!(kept == expected, "{} names instead of {}", kept.len(), expected.len());
        }
    }
}
