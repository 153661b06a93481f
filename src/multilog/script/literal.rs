//! The literals of which each match of a regular expression has one.
//!
//! Expressions must make sense, as bytes.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

use crate::lines::line_pattern::without_newlines;

/// More literals are no longer looked for many bytes at a time.
const LITERALS_MAX: usize = 64;
/// So many literals are not cut to what they have in common.
const FEW_LITERALS: usize = 16;
/// What literals have in common is rare enough if it is longer than this.
const COMMON_BYTES_MIN: usize = 4;

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
        if common_bytes > COMMON_BYTES_MIN && !is_short {
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
        let rank = |literals: &Literals| (literals.shortest(), std::cmp::Reverse(literals.texts.len()));
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

/// An expression, without its newlines: no line has one.
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
        HirKind::Capture(group) => anywhere(&group.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => anywhere(&repetition.sub).map(as_part),
        HirKind::Concat(parts) => {
            let from = |at: usize| beginnings(&Hir::concat(parts[at..].to_vec()));
            let within = parts.iter().map(anywhere);
            (1..parts.len()).map(from).chain(within).flatten().map(as_part).reduce(Literals::or_better)
        }
        HirKind::Alternation(parts) => {
            let mut all = parts.iter().map(anywhere);
            all.next().and_then(|first| all.try_fold(first?, |literals, other| literals.or(other?)))
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    };
    [of_parts, beginnings(expression)].into_iter().flatten().reduce(Literals::or_better)
}

/// The literals of a part of an expression.
fn as_part(literals: Literals) -> Literals {
    Literals { are_whole: false, ..literals }
}

/// What follows the literal that an expression begins with.
fn rest(expression: &Hir, beginning: &[u8]) -> Option<Hir> {
    match expression.kind() {
        HirKind::Literal(literal) => (*literal.0 == *beginning).then(Hir::empty),
        HirKind::Capture(group) => rest(&group.sub, beginning),
        HirKind::Concat(parts) => {
            let (first, others) = parts.split_first()?;
            let others = others.iter().cloned();
            Some(Hir::concat(std::iter::once(rest(first, beginning)?).chain(others).collect()))
        }
        _ => None,
    }
}
