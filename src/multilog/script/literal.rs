//! The literals of which each match of a regular expression has one.
//!
//! Expressions must make sense, as bytes.

use std::cmp::Reverse;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

use crate::lines::line_pattern::without_newlines;

/// At most this many literals can be searched for many bytes at a time.
const LITERALS_MAX: usize = 64;
/// This many literals are searched for as quickly as one.
const FEW_LITERALS: usize = 8;
/// At most this many parts of an expression are put together to a literal.
const PARTS_MAX: usize = 8;
/// A literal of this length counts as rare in lines. If all literals are rare, it is better to have few than to have long ones.
const RARE_BYTES: usize = 4;

/// Some literals, as they may stand in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literals {
    pub(super) texts: Vec<Vec<u8>>,
    /// Whether each of them is all that its match may be.
    pub(super) are_whole: bool,
}

impl Literals {
    /// The literals of a sequence; `None` if it has none, or an empty one.
    fn of(mut sequence: Seq) -> Option<Literals> {
        sequence.minimize_by_preference();
        let common_bytes = sequence.longest_common_prefix()?.len();
        let is_short = sequence.is_exact() && sequence.len()? <= FEW_LITERALS;
        if common_bytes > RARE_BYTES && !is_short {
            sequence.keep_first_bytes(common_bytes);
            sequence.dedup();
        }
        let texts: Vec<Vec<u8>> = sequence.literals()?.iter().map(|literal| literal.as_bytes().to_vec()).collect();
        let is_usable = !texts.is_empty() && texts.iter().all(|text| !text.is_empty());
        is_usable.then(|| Literals { texts, are_whole: sequence.is_exact() })
    }

    /// Those of two expressions of which a line matches one or the other.
    pub(super) fn or(mut self, other: Literals) -> Option<Literals> {
        self.texts.extend(other.texts);
        self.are_whole &= other.are_whole;
        self.texts.sort();
        self.texts.dedup();
        (self.texts.len() <= LITERALS_MAX).then_some(self)
    }

    /// The length of the shortest.
    pub(super) fn shortest(&self) -> usize {
        self.texts.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Of two that would do, the rarer one in lines, as far as can be said without them; if both are alike, the other one: lines
    /// differ less in how they begin.
    fn or_better(self, other: Literals) -> Literals {
        let rank = |literals: &Literals| {
            let (bytes, count) = (literals.shortest(), literals.texts.len());
            (bytes.min(RARE_BYTES), count <= FEW_LITERALS, bytes, Reverse(count))
        };
        if rank(&self) > rank(&other) { self } else { other }
    }
}

/// What can be looked for in place of an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sought {
    /// Each match has one of them.
    pub(super) anywhere: Option<Literals>,
    /// Each match begins with one of them.
    pub(super) at_beginning: Option<Literals>,
    /// What follows the beginning, if there is one, with nothing to look for before it.
    pub(super) rest: Option<Hir>,
}

impl Sought {
    pub(super) fn of(text: &str) -> Sought {
        let Some(expression) = parse(text) else { return Sought::default() };
        let at_beginning = beginnings(&expression);
        let rest = match at_beginning.as_ref().map(|literals| &literals.texts[..]) {
            Some([literal]) => rest(&expression, literal),
            _ => None,
        };
        Sought { anywhere: anywhere(&expression), at_beginning, rest }
    }
}

/// An expression, without its groups, and without its newlines: no line has one.
fn parse(text: &str) -> Option<Hir> {
    let expression = ParserBuilder::new().unicode(false).utf8(false).build().parse(text).ok()?;
    Some(without_newlines(&expression, &|look| Hir::look(look)))
}

/// With which literals an expression begins.
fn beginnings(expression: &Hir) -> Option<Literals> {
    let mut literals =
        Literals::of(Extractor::new().kind(ExtractKind::Prefix).limit_total(LITERALS_MAX).extract(expression))?;
    // What looks around takes no bytes, but has to be asked.
    literals.are_whole &= expression.properties().look_set().is_empty();
    Some(literals)
}

fn anywhere(expression: &Hir) -> Option<Literals> {
    let of_parts = match expression.kind() {
        HirKind::Repetition(repetition) if repetition.min > 0 => anywhere(&repetition.sub).map(as_part),
        HirKind::Concat(parts) => {
            let from = |at: usize| beginnings(&Hir::concat(parts[at..].iter().take(PARTS_MAX).cloned().collect()));
            let within = parts.iter().map(anywhere);
            (1..parts.len()).map(from).chain(within).flatten().map(as_part).reduce(Literals::or_better)
        }
        HirKind::Alternation(parts) => {
            let mut all = parts.iter().map(anywhere);
            all.next().and_then(|first| all.try_fold(first?, |literals, other| literals.or(other?)))
        }
        _ => None,
    };
    [of_parts, beginnings(expression)].into_iter().flatten().reduce(Literals::or_better)
}

/// The literals of a part of an expression.
fn as_part(literals: Literals) -> Literals {
    Literals { are_whole: false, ..literals }
}

/// What follows the literal that an expression begins with.
fn rest(expression: &Hir, beginning: &[u8]) -> Option<Hir> {
    let is_beginning = |part: &Hir| matches!(part.kind(), HirKind::Literal(literal) if *literal.0 == *beginning);
    match expression.kind() {
        HirKind::Literal(_) if is_beginning(expression) => Some(Hir::empty()),
        HirKind::Concat(parts) if is_beginning(&parts[0]) => Some(Hir::concat(parts[1..].to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(literals: Option<&Literals>) -> Vec<String> {
        let text = |bytes: &Vec<u8>| bytes.escape_ascii().to_string();
        literals.map_or_else(Vec::new, |literals| literals.texts.iter().map(text).collect())
    }

    #[test]
    fn each_match_has_one_of_the_literals() {
        for (text, literals) in [
            ("[0-9]+: success", &[": success"][..]),
            ("^status: (?:sent|bounced)$", &["status: sent", "status: bounced"]),
            ("[0-9](?:sent|bounced)$", &["sent", "bounced"]),
            ("[0-9](error)+", &["error"]),
            ("(error)*xyz", &["xyz"]),
            ("([0-9](bcd){2}e)f", &["bcdbcdef"]),
            ("\\xff\\.", &["\\xff."]),
            ("[Ss]tatus|[0-9]+ bytes", &[" bytes", "Status", "status"]),
            ("deferral|failure [0-9]", &["deferral", "failure "]),
            ("a\\nb|cd", &["cd"]),
        ] {
            let mut found = texts(Sought::of(text).anywhere.as_ref());
            let mut literals = literals.to_vec();
            found.sort();
            literals.sort_unstable();
            assert_eq!(found, literals, "{text}");
        }
        for text in ["abc|[a-z]", "[a-z]+", "", "^$", "(error)?"] {
            assert_eq!(Sought::of(text).anywhere, None, "{text}");
        }
    }

    #[test]
    fn each_match_begins_with_one_of_the_beginnings() {
        for (text, beginnings) in [
            ("delivery [0-9]+: success", &["delivery "][..]),
            ("^\\b(?:sent|bounced) x$", &["sent x", "bounced x"]),
            ("(error)+", &["error"]),
            ("(?i)no", &["NO", "No", "nO", "no"]),
        ] {
            assert_eq!(texts(Sought::of(text).at_beginning.as_ref()), beginnings, "{text}");
        }
        for text in ["[a-z]+: x", "(error)*", "x?", "", "^$", "a|[a-z]b"] {
            assert_eq!(Sought::of(text).at_beginning, None, "{text}");
        }
    }

    #[test]
    fn a_literal_that_is_all_there_is_matches_by_itself() {
        for (text, are_whole) in [
            ("end msg", true),
            ("(end|new) msg", true),
            ("[Ss]tatus", true),
            ("^end msg", false),
            ("end msg\\b", false),
            ("end msg [0-9]+", false),
            ("(end msg)+", false),
            ("[0-9]+ bytes", false),
        ] {
            let Sought { anywhere, at_beginning, .. } = Sought::of(text);
            assert_eq!(anywhere.map(|literals| literals.are_whole), Some(are_whole), "{text}");
            assert!(at_beginning.is_none_or(|literals| literals.are_whole == are_whole), "{text}");
        }
    }

    #[test]
    fn what_follows_a_literal_is_the_rest() {
        for (text, rest) in [
            ("delivery [0-9]+: success", "[0-9]+: success"),
            ("(new) [a-z]", "[a-z]"),
            ("((end) msg$)", "$"),
            ("end msg", ""),
        ] {
            let Sought { rest: found, at_beginning, .. } = Sought::of(text);
            assert_eq!(found.is_some(), at_beginning.is_some_and(|literals| literals.texts.len() == 1), "{text}");
            assert!(found.is_none() || found == parse(rest), "{text}: {found:?}");
        }
        for text in ["^end", "\\bend", "(end|new) msg", "(end)+ msg", "[a-z]", ""] {
            assert_eq!(Sought::of(text).rest, None, "{text}");
        }
    }
}
