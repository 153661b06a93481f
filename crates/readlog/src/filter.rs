//! Selects groups by a window of time and by a pattern.

use std::sync::Arc;

use memchr::memchr_iter;
use regex::bytes::{Regex, RegexBuilder};

use crate::finder::{Finder, PATTERN_BYTES_MAX};
use crate::time_scale::Window;
use logyard::tai64n::Label;

/// The options `-g` and `-v`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    finder: Option<Arc<Finder>>,
    is_inverted: bool,
}

impl Pattern {
    /// Compiles a regular expression.
    pub(super) fn new(pattern: &str, ignores_case: bool, is_inverted: bool) -> Result<Pattern, String> {
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(ignores_case)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        let finder = Finder::new(pattern, ignores_case).map(Arc::new);
        Ok(Pattern { regex, finder, is_inverted })
    }

    /// The finder of lines that may match, if it is faster than matching each line.
    pub(super) fn finder(&self) -> Option<&Finder> {
        self.finder.as_deref().filter(|finder| finder.is_useful())
    }

    /// The same, if lines in which it finds nothing are not selected.
    pub(super) fn finder_of_wanted(&self) -> Option<&Finder> {
        self.finder().filter(|_| !self.is_inverted)
    }

    /// Tells whether groups are wanted that do not match.
    pub(super) fn is_inverted(&self) -> bool {
        self.is_inverted
    }

    /// Tells whether a group, without its stamp, is wanted: one of its lines matches, or with `-v` none does.
    pub(super) fn selects(&self, message: &[u8]) -> bool {
        self.matches(message) != self.is_inverted
    }

    /// Tells whether one of a group's lines matches.
    fn matches(&self, message: &[u8]) -> bool {
        let message = message.strip_suffix(b"\n").unwrap_or(message);
        let mut start = 0;
        memchr_iter(b'\n', message).any(|end| {
            let line = &message[start..end];
            start = end + 1;
            self.regex.is_match(line)
        }) || self.regex.is_match(&message[start..])
    }

    /// The pattern that is marked in printed lines.
    pub(super) fn marks(&self) -> Option<&Regex> {
        (!self.is_inverted).then_some(&self.regex)
    }
}

/// Which groups are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// By time.
    pub(super) window: Window,
    /// By content.
    pub(super) pattern: Option<Pattern>,
}

impl Filter {
    /// Tells whether a group of this label is wanted, whose bytes behind the stamp are given. A group without a label has
    /// been selected by the file that it is in.
    pub(super) fn accepts(&self, label: Option<Label>, message: &[u8]) -> bool {
        label.is_none_or(|label| self.window.contains(label))
            && self.pattern.as_ref().is_none_or(|pattern| {
                let is_selected = pattern.selects(message);
                if !is_selected && let Some(finder) = pattern.finder_of_wanted() {
                    finder.miss();
                }
                is_selected
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_selected_by_any_of_its_lines() {
        let pattern = |text, is_inverted| Pattern::new(text, false, is_inverted).expect("a pattern");

        for (text, group, is_selected) in [
            ("^at", &b"oops\nat main\n"[..], true),
            ("oops$", b"oops\nat main\n", true),
            ("^main", b"oops\nat main\n", false),
            ("^$", b"\n", true),
            ("^$", b"x\n", false),
        ] {
            assert_eq!(pattern(text, false).selects(group), is_selected, "{text}");
            assert_eq!(pattern(text, true).selects(group), !is_selected, "{text}");
        }
    }
}
