//! The automaton of all regular expressions of a script.
//!
//! It is one of `regex-automata`, whose states are made when a line first leads to them. A line passes through it once, however
//! many expressions there are; which of them match is the answer. They are matched as bytes: a line may hold anything. Nothing
//! backtracks, so no line takes long.
//!
//! Where there are few expressions, and each match of any of them has one of a few literals, a line without these literals does
//! not get that far: looking for them is some ten times as fast. Where there is one expression, and each match begins with one of
//! a few literals, the automaton starts only where such a literal stands.

use memchr::memmem::Finder;
use memchr::memrchr;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::multilog::script::expression::{Compiler, Expressions};
use crate::multilog::script::literal;

/// So many literals at most are searched for first: each of them costs a pass through the line.
const LITERALS_MAX: usize = 4;
/// Shorter beginnings are not looked for: lines have too many of them.
const BEGINNING_BYTES_MIN: usize = 2;
/// After so many beginnings of which none was that of a match, the rest of the line is searched in one pass, so that no line takes
/// long.
const BEGINNINGS_MAX: usize = 4;
/// What one expression may take when it is compiled.
const ONE_BYTES_MAX: usize = 1024 * 1024;
/// What the states may take that lines lead to. When it is full, all are forgotten.
const STATES_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The compiler of this automaton.
pub const COMPILER: Compiler = Compiler { check, compile };

fn check(text: &str) -> Result<usize, String> {
    let compiled = thompson::Compiler::new()
        .syntax(as_bytes())
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(ONE_BYTES_MAX)))
        .build(text)
        .map_err(|error| cause(&error))?;
    // A state would have to know the character before, of several bytes.
    if compiled.look_set_any().contains_word_unicode() {
        return Err("it has a word boundary of Unicode".to_owned());
    }
    Ok(compiled.memory_usage())
}

fn compile(texts: &[&str]) -> Box<dyn Expressions> {
    Box::new(Automaton::new(texts))
}

fn as_bytes() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// The innermost cause, in one line: a syntax error is drawn over several, and ends in what is wrong.
fn cause(error: &thompson::BuildError) -> String {
    if error.size_limit().is_some() {
        return "it takes more than a megabyte".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Expressions that are compiled together.
#[derive(Debug)]
struct Automaton {
    automaton: DFA,
    states: Cache,
    count: usize,
    /// Literals of which a line has one if it matches an expression; none if there is no such set, or it is large.
    literals: Vec<Finder<'static>>,
    /// Of one expression: literals of which each match begins with one; none if there is no such set, or it is large.
    beginnings: Vec<Finder<'static>>,
    /// Which of the literals was the first in the lines that were searched last.
    found_last: usize,
    /// A bit for each expression.
    matching: Vec<u64>,
}

impl Automaton {
    fn new(texts: &[&str]) -> Automaton {
        let automaton = DFA::builder()
            .syntax(as_bytes())
            .thompson(thompson::Config::new().utf8(false))
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(STATES_BYTES_MAX)
                    .skip_cache_capacity_check(true),
            )
            .build_many(texts)
            .expect("each of them was compiled");
        let states = automaton.create_cache();
        let count = texts.len();
        let beginnings = match texts {
            [text] => finders(literal::begin_each_match(text)).filter(|all| all.iter().all(is_long_enough)),
            _ => None,
        };
        let beginnings = beginnings.unwrap_or_default();
        let mut literals = if texts.len() <= LITERALS_MAX {
            let literals = texts.iter().map(|text| literal::in_each_match(text)).collect::<Option<Vec<_>>>();
            finders(literals.map(|literals| literals.concat())).unwrap_or_default()
        } else {
            Vec::new()
        };
        if literals.iter().map(Finder::needle).eq(beginnings.iter().map(Finder::needle)) {
            // One search does.
            literals.clear();
        }
        Automaton {
            automaton,
            states,
            count,
            literals,
            beginnings,
            found_last: 0,
            matching: vec![0; count.div_ceil(64)],
        }
    }
}

/// With one expression.
impl Automaton {
    fn matches_one(&mut self, line: &[u8]) -> bool {
        let mut from = 0;
        if !self.beginnings.is_empty() {
            for _ in 0..BEGINNINGS_MAX {
                let Some(at) = self.next_beginning(line, from) else { return false };
                if self.finds(Input::new(line).range(at..).anchored(Anchored::Yes)) {
                    return true;
                }
                from = at + 1;
            }
        }
        self.finds(Input::new(line).range(from..))
    }

    /// Where the next literal is that a match may begin with.
    fn next_beginning(&self, line: &[u8], from: usize) -> Option<usize> {
        let found = self.beginnings.iter().filter_map(|beginning| beginning.find(&line[from..])).min()?;
        Some(from + found)
    }

    fn finds(&mut self, input: Input<'_>) -> bool {
        let found = self.automaton.try_search_fwd(&mut self.states, &input.earliest(true));
        found.expect("no byte stops it, and it forgets as often as it must").is_some()
    }
}

impl Expressions for Automaton {
    fn matching(&mut self, line: &[u8]) -> &[u64] {
        self.matching.fill(0);
        if !self.literals.is_empty() && self.literals.iter().all(|literal| literal.find(line).is_none()) {
            return &self.matching;
        }
        if self.count == 1 {
            self.matching[0] = u64::from(self.matches_one(line));
            return &self.matching;
        }
        let mut left = self.count;
        let mut state =
            self.automaton.start_state_forward(&mut self.states, &Input::new(line)).expect("no byte stops it");
        for &byte in line {
            state = self.automaton.next_state(&mut self.states, state, byte).expect("it forgets as often as it must");
            if state.is_tagged() {
                if state.is_match() {
                    left -= note(&self.automaton, &self.states, state, &mut self.matching);
                }
                if left == 0 || state.is_dead() {
                    return &self.matching;
                }
            }
        }
        state = self.automaton.next_eoi_state(&mut self.states, state).expect("it forgets as often as it must");
        if state.is_match() {
            note(&self.automaton, &self.states, state, &mut self.matching);
        }
        &self.matching
    }

    fn bytes_without_match(&mut self, lines: &[u8]) -> usize {
        let literals = if self.literals.is_empty() { &self.beginnings } else { &self.literals };
        if literals.is_empty() {
            return 0;
        }
        // The one that was found last comes first: the others are looked for up to it, so that a rare one is not looked for up
        // to the end again and again.
        let mut end = lines.len();
        for number in (self.found_last..literals.len()).chain(0..self.found_last) {
            if let Some(at) = literals[number].find(&lines[..end]) {
                end = at;
                self.found_last = number;
            }
        }
        memrchr(b'\n', &lines[..end]).map_or(0, |newline| newline + 1)
    }

    fn shrink(&mut self) {
        self.states = self.automaton.create_cache();
    }
}

/// What finds literals; `None` if there are many, or none were given.
fn finders(literals: Option<Vec<Vec<u8>>>) -> Option<Vec<Finder<'static>>> {
    let literals = literals.filter(|literals| literals.len() <= LITERALS_MAX)?;
    Some(literals.iter().map(|literal| Finder::new(literal).into_owned()).collect())
}

fn is_long_enough(beginning: &Finder<'_>) -> bool {
    beginning.needle().len() >= BEGINNING_BYTES_MIN
}

/// Notes the expressions that match in a state, and says how many of them are new.
fn note(automaton: &DFA, states: &Cache, state: LazyStateID, matching: &mut [u64]) -> usize {
    let mut new = 0;
    for number in 0..automaton.match_len(states, state) {
        let expression = automaton.match_pattern(states, state, number).as_usize();
        let (word, bit) = (&mut matching[expression / 64], 1 << (expression % 64));
        new += usize::from(*word & bit == 0);
        *word |= bit;
    }
    new
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;
    use crate::multilog::script::expression::{BadExpression, Expression, use_compiler};

    fn new(text: &[u8]) -> Result<Expression, BadExpression> {
        use_compiler(COMPILER);
        Expression::new(text)
    }

    fn reason(text: &[u8]) -> String {
        new(text).unwrap_err().to_string()
    }

    fn compiled(texts: &[String]) -> Automaton {
        texts.iter().for_each(|text| assert!(new(text.as_bytes()).is_ok(), "{text}"));
        Automaton::new(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn numbers(expressions: &mut Automaton, line: &[u8]) -> Vec<usize> {
        let count = expressions.count;
        let matching = expressions.matching(line);
        (0..count).filter(|number| matching[number / 64] >> (number % 64) & 1 == 1).collect()
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said_in_a_line() {
        assert_eq!(reason(b"(a"), "it is no regular expression: unclosed group");
        assert_eq!(reason(b"a\xff"), "it is no regular expression: it is not UTF-8; write \\xFF");
        assert_eq!(reason(b"*"), "it is no regular expression: repetition operator missing expression");
        assert!(
            reason(b"(a{1000}){1000}").ends_with("it takes more than a megabyte"),
            "{}",
            reason(b"(a{1000}){1000}")
        );
        assert!(!reason(b"\\pL").contains('\n'));
        for text in ["(?u)\\bab", "(?u:\\B)x"] {
            assert_eq!(reason(text.as_bytes()), "it is no regular expression: it has a word boundary of Unicode");
        }
    }

    #[test]
    fn a_match_is_found_behind_any_number_of_its_beginnings() {
        for count in 0..2 * BEGINNINGS_MAX {
            let mut one = compiled(&["ab[0-9]".to_owned()]);
            assert!(!one.beginnings.is_empty());
            assert_eq!(numbers(&mut one, format!("{}ab7", "ab ".repeat(count)).as_bytes()), [0], "{count}");
            assert_eq!(numbers(&mut one, "ab ".repeat(count).as_bytes()), [0; 0], "{count}");
        }
        for (text, line, is_match) in
            [("\\bab", "xab ab", true), ("\\bab", "xab", false), ("^(ab|cd)$", "cd", true), ("^(ab|cd)$", " cd", false)]
        {
            assert_eq!(
                numbers(&mut compiled(&[text.to_owned()]), line.as_bytes()).len(),
                usize::from(is_match),
                "{text} {line}"
            );
        }
    }

    #[test]
    fn lines_without_the_literals_are_passed_over() {
        let mut expressions = compiled(&["(accepted|queued)_[a-z]".to_owned()]);
        let lines = b"one\ntwo\nx queued_\naccepted\nthree\nfour";
        let mut skip = |from: usize| expressions.bytes_without_match(&lines[from..]);

        assert_eq!(skip(0), b"one\ntwo\n".len());
        assert_eq!(skip(8), 0, "the line has a literal");
        assert_eq!(skip(18), 0);
        assert_eq!(skip(27), b"three\n".len(), "what has no end is no line");
        assert_eq!(compiled(&["[0-9]+".to_owned()]).bytes_without_match(lines), 0);
    }

    #[test]
    fn lines_cannot_make_it_grow_beyond_its_memory() {
        // After each byte the automaton knows which of the last hundred bytes were an a.
        let mut expressions = compiled(&["a[ab]{100}c".to_owned()]);
        let mut random = 1_u64;
        for _ in 0..40 {
            let line: Vec<u8> = (0..1000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    b'a' + u8::from(random >> 63 == 1)
                })
                .collect();
            assert_eq!(numbers(&mut expressions, &line), [0; 0]);
        }
        let bytes = expressions.states.memory_usage();
        assert!(bytes <= 2 * STATES_BYTES_MAX, "{bytes} bytes");
        assert_eq!(numbers(&mut expressions, &[&[b'a'; 101][..], b"c"].concat()), [0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn all_expressions_together_match_as_one_by_one(
            texts in prop_oneof![1..5_usize, 5..80_usize].prop_flat_map(|count| prop::collection::vec(
                r"(\^|\\b)?([ab.]|\[\^a\]|\(a\|bc\)|\(abc\)[+?*]|\\xff|\\w){1,4}[*+?]?\$?", count,
            )),
            lines in prop::collection::vec(
                prop::collection::vec(prop::sample::select(&b"abc \xff\0"[..]), 0..12), 1..20,
            ),
        ) {
            let one_by_one: Vec<_> =
                texts.iter().map(|text| RegexBuilder::new(text).unicode(false).build().unwrap()).collect();
            let mut together = compiled(&texts);
            let joined: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
            let skipped = &joined[..together.bytes_without_match(&joined)];
            prop_assert!(skipped.is_empty() || skipped.ends_with(b"\n"));
            for line in skipped.split_inclusive(|&byte| byte == b'\n') {
                let line = &line[..line.len() - 1];
                prop_assert!(!one_by_one.iter().any(|one| one.is_match(line)), "{:?} {:?}", &texts, line);
            }
            for line in lines {
                let expected: Vec<usize> = (0..texts.len()).filter(|&number| one_by_one[number].is_match(&line)).collect();
                prop_assert_eq!(numbers(&mut together, &line), expected, "{:?} {:?}", &texts, line);
            }
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(expression) = new(&text) {
                numbers(&mut Automaton::new(&[expression.text()]), b"a line");
            }
        }
    }
}
