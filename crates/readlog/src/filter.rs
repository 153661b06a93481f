//! Selects groups by a window of time and by a pattern.

use memchr::memchr_iter;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast;

use crate::finder::{Finder, PATTERN_BYTES_MAX};
use crate::time_scale::Window;
use logyard::tai64n::Label;

/// Whether a pattern distinguishes capital from small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// If the pattern has a capital letter.
    AsWritten,
    /// No.
    Ignored,
    /// Yes.
    Regarded,
}

impl Case {
    fn is_ignored(self, pattern: &str) -> bool {
        match self {
            Case::AsWritten => !has_capital(pattern),
            Case::Ignored => true,
            Case::Regarded => false,
        }
    }
}

/// Tells whether a pattern has a capital letter that stands for itself: not the `S` of `\S`, nor the `L` of `\pL`.
fn has_capital(pattern: &str) -> bool {
    struct Capitals(bool);
    impl ast::Visitor for Capitals {
        type Output = bool;
        type Err = ();

        fn finish(self) -> Result<bool, ()> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, part: &ast::Ast) -> Result<(), ()> {
            if let ast::Ast::Literal(literal) = part {
                self.0 |= literal.c.is_uppercase();
            }
            Ok(())
        }

        fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), ()> {
            self.0 |= match item {
                ast::ClassSetItem::Literal(literal) => literal.c.is_uppercase(),
                ast::ClassSetItem::Range(range) => range.start.c.is_uppercase() || range.end.c.is_uppercase(),
                _ => false,
            };
            Ok(())
        }
    }
    ast::parse::Parser::new().parse(pattern).is_ok_and(|parsed| ast::visit(&parsed, Capitals(false)) == Ok(true))
}

/// The options `-g` and `-v`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    ignores_case: bool,
    regex: Regex,
    finder: Option<Finder>,
    is_inverted: bool,
}

impl Pattern {
    /// Compiles a regular expression.
    pub(super) fn new(pattern: &str, case: Case, is_inverted: bool) -> Result<Pattern, String> {
        let ignores_case = case.is_ignored(pattern);
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(ignores_case)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        let finder = Finder::new(pattern, ignores_case);
        Ok(Pattern { text: pattern.to_owned(), ignores_case, regex, finder, is_inverted })
    }

    /// The pattern as it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Tells whether the case of letters is ignored.
    pub(super) fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// The finder of lines that may match, if it is faster than matching each line.
    pub(super) fn finder(&self) -> Option<&Finder> {
        self.finder.as_ref().filter(|finder| finder.is_useful())
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
    pub(super) fn matches(&self, message: &[u8]) -> bool {
        let message = message.strip_suffix(b"\n").unwrap_or(message);
        let mut start = 0;
        memchr_iter(b'\n', message).any(|end| {
            let line = &message[start..end];
            start = end + 1;
            self.regex.is_match(line)
        }) || self.regex.is_match(&message[start..])
    }

    /// The same where the finder has found something in the message, up to a place.
    pub(super) fn matches_at(&self, message: &[u8], found: usize) -> bool {
        let begin = self.finder.as_ref().map_or(0, |finder| finder.begin(message, found));
        self.matches(&message[begin..])
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
    /// Tells whether a group of this label is wanted if it matches the pattern.
    pub(super) fn accepts_time(&self, label: Option<Label>) -> bool {
        label.is_none_or(|label| self.window.contains(label))
    }

    /// Tells whether a group of this label is wanted, whose bytes behind the stamp are given. A group without a label has
    /// been selected by the file that it is in.
    pub(super) fn accepts(&self, label: Option<Label>, message: &[u8]) -> bool {
        self.accepts_time(label)
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
    fn capital_letters_of_a_pattern_are_those_that_stand_for_themselves() {
        for (pattern, has_one) in [
            ("error", false),
            ("Error", true),
            (r"\S+ error", false),
            (r"\pL\D\W\B\A", false),
            ("[a-z]", false),
            ("[A-Z]", true),
            ("[^xY]", true),
            ("(a|(b|C))*", true),
            ("é", false),
            ("É", true),
            (r"\x41", true),
            ("(?P<Name>x)", false),
            ("", false),
        ] {
            assert_eq!(has_capital(pattern), has_one, "{pattern}");
        }
    }

    #[test]
    fn a_group_is_selected_by_any_of_its_lines() {
        let pattern = |text, is_inverted| Pattern::new(text, Case::Regarded, is_inverted).expect("a pattern");

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
