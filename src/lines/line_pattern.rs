//! A regular expression in a form that finds its lines in a whole buffer.

use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};

/// The same expression without its newlines: no match of it is longer than a line. `look` says what becomes of what looks around;
/// groups are not kept apart.
#[must_use]
pub fn without_newlines(expression: &Hir, look: &impl Fn(Look) -> Hir) -> Hir {
    let inner = |part: &Hir| without_newlines(part, look);
    match expression.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut class = class.clone();
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Look(kind) => look(*kind),
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub: Box::new(inner(sub)) })
        }
        HirKind::Capture(Capture { sub, .. }) => inner(sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(inner).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(inner).collect()),
    }
}

#[cfg(test)]
mod tests {
    use regex_syntax::ParserBuilder;

    use super::*;

    #[test]
    fn no_part_of_it_is_a_newline() {
        let parse = |text| ParserBuilder::new().utf8(false).build().parse(text).expect("an expression");
        for (text, expected) in
            [("a\\s+(b|\\n)", "a[\\s&&[^\\n]]+b"), ("[^a](?s:.)*", "[^a\\n].*"), ("^(?-u:[^a])$", "^(?-u:[^a\\n])$")]
        {
            assert_eq!(without_newlines(&parse(text), &|kind| Hir::look(kind)), parse(expected), "{text}");
        }
        assert_eq!(without_newlines(&parse("\\n"), &|kind| Hir::look(kind)), Hir::fail());
        assert_eq!(without_newlines(&parse("^a"), &|_| Hir::empty()), parse("a"));
    }
}
