//! `-A`, `-B`, `-C`: the lines around a match.
//!
//! The unit is a line with its continuation lines, as it is for `-g`. The lines around a match are those that would be printed
//! next to it without `-g`: if several directories are merged, they may be of another one.

use std::collections::VecDeque;

/// How many lines are printed around a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Surroundings {
    /// Tells whether only matches are printed.
    pub(super) fn is_empty(self) -> bool {
        self == Surroundings::default()
    }
}

/// What is to be done with a line that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<T> {
    /// It is printed, and these before it. With `is_apart`, lines are missing between what was printed before and these.
    Print { earlier: Vec<T>, is_apart: bool },
    /// It may still be printed, before a match that comes soon: [`Selection::keep`] it.
    Keep,
    /// It is not printed.
    Drop,
}

/// Selects matches and what is around them, line by line.
#[derive(Debug)]
pub(super) struct Selection<T> {
    wanted: Surroundings,
    kept: VecDeque<T>,
    /// How many lines are still printed because they come after a match.
    after: usize,
    /// Whether anything was printed, and whether lines are missing since.
    has_printed: bool,
    is_apart: bool,
}

impl<T> Selection<T> {
    /// Nothing has come yet.
    pub(super) fn new(wanted: Surroundings) -> Selection<T> {
        Selection { wanted, kept: VecDeque::new(), after: 0, has_printed: false, is_apart: false }
    }

    /// Judges the next line.
    pub(super) fn judge(&mut self, is_match: bool) -> Verdict<T> {
        if is_match {
            self.after = self.wanted.after;
            let is_apart = std::mem::take(&mut self.is_apart) && self.has_printed;
            self.has_printed = true;
            return Verdict::Print { earlier: self.kept.drain(..).collect(), is_apart };
        }
        if self.after > 0 {
            self.after -= 1;
            return Verdict::Print { earlier: Vec::new(), is_apart: false };
        }
        if self.wanted.before == 0 {
            self.is_apart = true;
            return Verdict::Drop;
        }
        Verdict::Keep
    }

    /// Tells whether the next line is printed in any case.
    pub(super) fn is_open(&self) -> bool {
        self.after > 0
    }

    /// Continues behind lines that were judged elsewhere: `distance` of them are behind the last match, if there is one.
    /// [`Selection::keep`] is then called for the last of those that were not printed.
    pub(super) fn continue_behind(&mut self, distance: Option<usize>) {
        self.has_printed = distance.is_some();
        self.after = distance.map_or(0, |distance| self.wanted.after.saturating_sub(distance));
        self.is_apart = distance.is_none_or(|distance| distance > self.wanted.after + self.wanted.before);
    }

    /// Keeps a line that may still be printed.
    pub(super) fn keep(&mut self, line: T) {
        if self.kept.len() == self.wanted.before {
            self.kept.pop_front();
            self.is_apart = true;
        }
        self.kept.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is printed of some lines, by their numbers; `None` stands where lines are missing.
    fn printed(matches: &[bool], wanted: Surroundings) -> Vec<Option<usize>> {
        let mut selection = Selection::new(wanted);
        let mut printed = Vec::new();
        for (line, is_match) in matches.iter().enumerate() {
            match selection.judge(*is_match) {
                Verdict::Print { earlier, is_apart } => {
                    printed.extend(is_apart.then_some(None));
                    printed.extend(earlier.into_iter().map(Some));
                    printed.push(Some(line));
                }
                Verdict::Keep => selection.keep(line),
                Verdict::Drop => {}
            }
        }
        printed
    }

    proptest! {
        #[test]
        fn exactly_the_lines_around_matches_are_printed(
            matches in proptest::collection::vec(prop::bool::weighted(0.2), 0..60), before in 0_usize..4, after in 0_usize..4,
        ) {
            let is_wanted = |line: usize| {
                let around = line.saturating_sub(after)..(line + before + 1).min(matches.len());
                around.into_iter().any(|other| matches[other])
            };
            let mut expected = Vec::new();
            for line in (0..matches.len()).filter(|line| is_wanted(*line)) {
                if line > 0 && !is_wanted(line - 1) && !expected.is_empty() {
                    expected.push(None);
                }
                expected.push(Some(line));
            }

            prop_assert_eq!(printed(&matches, Surroundings { before, after }), expected);
        }
    }
}
