//! The literals of which each match of a regular expression has one, and those with which it begins.
//!
//! Expressions must make sense, as bytes.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// How each match of an expression begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beginnings {
    /// It begins with one of them; none if they were not found.
    pub(super) literals: Vec<Vec<u8>>,
    /// What follows if there is one literal, with nothing to look for before it.
    pub(super) rest: Option<Hir>,
}

impl Beginnings {
    pub(super) fn of(text: &str) -> Beginnings {
        let Some(expression) = parse(text) else { return Beginnings::default() };
        let literals = owned(beginnings(&expression).unwrap_or_default());
        Beginnings { literals, rest: rest(&expression) }
    }
}

/// Literals of which each match of an expression has at least one, as long as possible; `None` if none were found.
pub(super) fn in_each_match(text: &str) -> Option<Vec<Vec<u8>>> {
    literals(&parse(text)?).map(owned)
}

fn parse(text: &str) -> Option<Hir> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(text).ok()
}

fn owned(literals: Vec<&[u8]>) -> Vec<Vec<u8>> {
    literals.into_iter().map(Into::into).collect()
}

/// What follows the literal that an expression begins with, if it begins with one.
fn rest(expression: &Hir) -> Option<Hir> {
    match expression.kind() {
        HirKind::Literal(_) => Some(Hir::empty()),
        HirKind::Capture(group) => rest(&group.sub),
        HirKind::Concat(parts) => {
            let (first, others) = parts.split_first()?;
            let others = others.iter().cloned();
            Some(Hir::concat(std::iter::once(rest(first)?).chain(others).collect()))
        }
        _ => None,
    }
}

fn beginnings(expression: &Hir) -> Option<Vec<&[u8]>> {
    match expression.kind() {
        HirKind::Literal(literal) => Some(vec![&literal.0]),
        HirKind::Capture(group) => beginnings(&group.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => beginnings(&repetition.sub),
        // What looks around takes no bytes.
        HirKind::Concat(parts) => {
            beginnings(parts.iter().find(|part| !matches!(part.kind(), HirKind::Look(_) | HirKind::Empty))?)
        }
        HirKind::Alternation(parts) => Some(parts.iter().map(beginnings).collect::<Option<Vec<_>>>()?.concat()),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

fn literals(expression: &Hir) -> Option<Vec<&[u8]>> {
    match expression.kind() {
        HirKind::Literal(literal) => Some(vec![&literal.0]),
        HirKind::Capture(group) => literals(&group.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => literals(&repetition.sub),
        // Of two that are equally long the last: lines differ less in how they begin.
        HirKind::Concat(parts) => parts.iter().filter_map(literals).max_by_key(|literals| shortest(literals)),
        HirKind::Alternation(parts) => Some(parts.iter().map(literals).collect::<Option<Vec<_>>>()?.concat()),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

fn shortest(literals: &[&[u8]]) -> usize {
    literals.iter().map(|literal| literal.len()).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_match_lacks_all_literals() {
        for (text, literals) in [
            ("delivery [0-9]+: success", &[&b": success"[..]][..]),
            ("^status: (?:sent|bounced)$", &[b"status: "]),
            ("^a: (?:sent|bounced)$", &[b"sent", b"bounced"]),
            ("(error)+", &[b"error"]),
            ("(error)*x", &[b"x"]),
            ("(a(bcd){2}e)f", &[b"bcd"]),
            ("\\xff\\.", &[b"\xff."]),
            ("deferral|failure [0-9]", &[b"deferral", b"failure "]),
        ] {
            assert_eq!(in_each_match(text), Some(literals.iter().map(|&literal| literal.into()).collect()), "{text}");
        }
        for text in ["a|[0-9]", "(?i)error", "[0-9]+", "", "^$", "(error)?"] {
            assert_eq!(in_each_match(text), None, "{text}");
        }
    }

    #[test]
    fn every_match_begins_with_one_of_the_beginnings() {
        for (text, beginnings) in [
            ("delivery [0-9]+: success", &[&b"delivery "[..]][..]),
            ("^\\b(?:sent|bounced) x$", &[b"sent", b"bounced"]),
            ("(error)+", &[b"error"]),
            ("deferral [0-9]|failure", &[b"deferral ", b"failure"]),
        ] {
            assert_eq!(Beginnings::of(text).literals, beginnings, "{text}");
        }
        for text in ["[0-9]+: x", "(error)*x", "x?y", "", "^$", "a|[0-9]b", "(?i)error"] {
            assert_eq!(Beginnings::of(text), Beginnings::default(), "{text}");
        }
    }

    #[test]
    fn what_follows_a_literal_is_the_rest() {
        for (text, rest) in [
            ("delivery [0-9]+: success", "[0-9]+: success"),
            ("(new) msg", " msg"),
            ("((end) msg$)", " msg$"),
            ("end msg", ""),
        ] {
            assert_eq!(Beginnings::of(text).rest, parse(rest), "{text}");
        }
        for text in ["^end", "\\bend", "(end|new) msg", "(end)+ msg", "[0-9]", ""] {
            assert_eq!(Beginnings::of(text).rest, None, "{text}");
        }
    }
}
