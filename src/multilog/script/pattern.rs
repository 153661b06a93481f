//! What a selector looks for: a star pattern or a regular expression.

use crate::multilog::script::expression::Expression;
use crate::multilog::script::selector::Selector;

/// The pattern of `+`, `-`, `r+` or `r-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Must match the whole line, with what stands in front of it.
    Star(Selector),
    /// Must match somewhere in the line.
    Expression(Expression),
}

impl Pattern {
    /// A star pattern. Every text is one.
    #[must_use]
    pub fn star(text: &[u8]) -> Pattern {
        Pattern::Star(Selector::new(text))
    }
}
