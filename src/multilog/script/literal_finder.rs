//! Finds the literals of expressions in lines.

use regex_automata::util::prefilter::Prefilter;
use regex_automata::{Anchored, Input, MatchKind, Span};
use regex_syntax::hir::Hir;

use crate::multilog::script::lazy_automaton::{LazyAutomaton, compiler};
use crate::multilog::script::literal::Literals;

/// Shorter literals are not looked for: lines have too many of them.
const LITERAL_BYTES_MIN: usize = 2;
/// After so many beginnings of which none was that of a match, the rest of the line is searched in one pass, so that no line takes
/// long.
pub(super) const BEGINNINGS_MAX: usize = 4;

/// Finds literals, many bytes at a time.
#[derive(Debug)]
pub(super) struct LiteralFinder {
    prefilter: Prefilter,
    /// Whether each literal is a match by itself.
    pub(super) are_matches: bool,
}

impl LiteralFinder {
    /// `None` if that would be no quicker than the automaton.
    pub(super) fn new(literals: &Literals) -> Option<LiteralFinder> {
        let prefilter = Prefilter::new(MatchKind::All, &literals.texts)?;
        let is_quick = prefilter.is_fast() && literals.texts.iter().all(|text| text.len() >= LITERAL_BYTES_MIN);
        is_quick.then_some(LiteralFinder { prefilter, are_matches: literals.are_whole })
    }

    /// Where the next literal is.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        Some(self.prefilter.find(text, Span::from(from..text.len()))?.start)
    }
}

/// What each match of one expression begins with, and what finds out whether a match follows.
#[derive(Debug)]
pub(super) struct Beginnings {
    pub(super) finder: LiteralFinder,
    /// The length of the literal, if there is one, and what follows it.
    pub(super) rest: Option<(usize, LazyAutomaton)>,
}

impl Beginnings {
    pub(super) fn new(literals: &Literals, rest: Option<&Hir>) -> Option<Beginnings> {
        let finder = LiteralFinder::new(literals)?;
        let automaton = |rest| LazyAutomaton::new(compiler().build_from_hir(rest).expect("less than the whole"));
        Some(Beginnings { finder, rest: rest.map(|rest| (literals.shortest(), automaton(rest))) })
    }

    /// Tells whether the expression, which is `whole`, matches a line. `first` is where the first beginning is, if that is known.
    pub(super) fn find_match(&mut self, whole: &mut LazyAutomaton, line: &[u8], mut first: Option<usize>) -> bool {
        let mut from = 0;
        for _ in 0..BEGINNINGS_MAX {
            let Some(at) = first.take().or_else(|| self.finder.find(line, from)) else { return false };
            let is_match = match &mut self.rest {
                Some((length, rest)) => rest.finds(Input::new(line).range(at + *length..).anchored(Anchored::Yes)),
                None => whole.finds(Input::new(line).range(at..).anchored(Anchored::Yes)),
            };
            if is_match {
                return true;
            }
            from = at + 1;
        }
        whole.finds(Input::new(line).range(from..))
    }
}
