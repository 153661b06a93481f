//! The automaton of all regular expressions of a script.
//!
//! It is one of `regex-automata`, whose states are made when a line first leads to them. A line passes through it once, however
//! many expressions there are; which of them match is the answer. They are matched as bytes: a line may hold anything. Nothing
//! backtracks, so no line takes long.
//!
//! Where there are few expressions, and each match of any of them has one of a few literals, a line without these literals does
//! not get that far: looking for them is some ten times as fast. Where there is one expression, and each match begins with one of
//! a few literals, the automaton starts only where such a literal stands; if there is one literal, behind it.

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::multilog::script::expression::{Compiler, Expressions, Found, MatchingLine};
use crate::multilog::script::literal::{self, Beginnings};

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
    let config = thompson::Config::new().nfa_size_limit(Some(ONE_BYTES_MAX));
    let compiled = compiler().configure(config).build(text).map_err(|error| cause(&error))?;
    // A state would have to know the character before, of several bytes.
    if compiled.look_set_any().contains_word_unicode() {
        return Err("it has a word boundary of Unicode".to_owned());
    }
    Ok(compiled.memory_usage())
}

fn compile(texts: &[&str]) -> Box<dyn Expressions> {
    Box::new(Automaton::new(texts))
}

/// What compiles expressions, as bytes.
fn compiler() -> thompson::Compiler {
    let mut compiler = thompson::Compiler::new();
    compiler.syntax(syntax::Config::new().unicode(false).utf8(false));
    // No group is asked for.
    compiler.configure(thompson::Config::new().utf8(false).which_captures(WhichCaptures::None));
    compiler
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

/// An automaton with the states that it has made so far.
#[derive(Debug)]
struct LazyAutomaton {
    automaton: DFA,
    states: Cache,
}

impl LazyAutomaton {
    fn new(nfa: NFA) -> LazyAutomaton {
        let config =
            DFA::config().match_kind(MatchKind::All).cache_capacity(STATES_BYTES_MAX).skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa).expect("each expression was compiled");
        let states = automaton.create_cache();
        LazyAutomaton { automaton, states }
    }

    /// Tells whether a match is found.
    fn finds(&mut self, input: Input<'_>) -> bool {
        let found = self.automaton.try_search_fwd(&mut self.states, &input.earliest(true));
        found.expect("no byte stops it, and it forgets as often as it must").is_some()
    }

    /// Notes each of the `count` expressions that matches.
    fn find_all(&mut self, line: &[u8], count: usize, matching: &mut [u64]) {
        let LazyAutomaton { automaton, states } = self;
        let mut left = count;
        let mut state = automaton.start_state_forward(states, &Input::new(line)).expect("no byte stops it");
        for &byte in line {
            state = automaton.next_state(states, state, byte).expect("it forgets as often as it must");
            if state.is_tagged() {
                if state.is_match() {
                    left -= note(automaton, states, state, matching);
                }
                if left == 0 || state.is_dead() {
                    return;
                }
            }
        }
        state = automaton.next_eoi_state(states, state).expect("it forgets as often as it must");
        if state.is_match() {
            note(automaton, states, state, matching);
        }
    }

    fn forget_states(&mut self) {
        self.states = self.automaton.create_cache();
    }
}

/// Expressions that are compiled together.
#[derive(Debug)]
struct Automaton {
    whole: LazyAutomaton,
    /// Of one expression that begins with a literal: what follows it.
    rest: Option<LazyAutomaton>,
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
        let count = texts.len();
        let beginnings = match texts {
            [text] => Beginnings::of(text),
            _ => Beginnings::default(),
        };
        let rest = beginnings.rest;
        let beginnings = finders(beginnings.literals).filter(|all| all.iter().all(is_long_enough)).unwrap_or_default();
        let rest = rest.filter(|_| !beginnings.is_empty());
        let literals = if count <= LITERALS_MAX {
            texts.iter().map(|text| literal::in_each_match(text)).collect::<Option<Vec<_>>>()
        } else {
            None
        };
        let mut literals = literals.and_then(|literals| finders(literals.concat())).unwrap_or_default();
        if literals.iter().map(Finder::needle).eq(beginnings.iter().map(Finder::needle)) {
            // One search does.
            literals.clear();
        }
        Automaton {
            whole: LazyAutomaton::new(compiler().build_many(texts).expect("each of them was compiled")),
            rest: rest.map(|rest| LazyAutomaton::new(compiler().build_from_hir(&rest).expect("less than the whole"))),
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
    /// Tells whether a line matches. `beginning` is where the first literal is that a match may begin with, if that is known.
    fn matches_one(&mut self, line: &[u8], mut beginning: Option<usize>) -> bool {
        if self.beginnings.is_empty() {
            return self.whole.finds(Input::new(line));
        }
        let mut from = 0;
        for _ in 0..BEGINNINGS_MAX {
            let Some(at) = beginning.take().or_else(|| self.next_beginning(line, from)) else { return false };
            let is_match = match &mut self.rest {
                // There is one beginning.
                Some(rest) => {
                    let behind = at + self.beginnings[0].needle().len();
                    rest.finds(Input::new(line).range(behind..).anchored(Anchored::Yes))
                }
                None => self.whole.finds(Input::new(line).range(at..).anchored(Anchored::Yes)),
            };
            if is_match {
                return true;
            }
            from = at + 1;
        }
        self.whole.finds(Input::new(line).range(from..))
    }

    /// Where the next literal is that a match may begin with.
    fn next_beginning(&self, line: &[u8], from: usize) -> Option<usize> {
        let found = self.beginnings.iter().filter_map(|beginning| beginning.find(&line[from..])).min()?;
        Some(from + found)
    }
}

/// With any number of them.
impl Automaton {
    /// Finds out which expressions match a line, and tells whether any does. `sought` is where the first of the literals is that
    /// are sought, if that is known.
    fn find_matching(&mut self, line: &[u8], sought: Option<usize>) -> bool {
        self.matching.fill(0);
        if self.count == 1 {
            let beginning = sought.filter(|_| self.literals.is_empty());
            self.matching[0] = u64::from(self.matches_one(line, beginning));
        } else {
            self.whole.find_all(line, self.count, &mut self.matching);
        }
        self.matching.iter().any(|&bits| bits != 0)
    }

    /// What is looked for first, if anything is.
    fn sought(&self) -> &[Finder<'static>] {
        if self.literals.is_empty() { &self.beginnings } else { &self.literals }
    }

    /// Where the first of these literals is.
    fn next_sought(&mut self, lines: &[u8]) -> Option<usize> {
        let sought = self.sought();
        let (mut first, mut first_number) = (None, self.found_last);
        // The one that was found last comes first: the others are looked for up to it, so that a rare one is not looked for up
        // to the end again and again.
        for number in (self.found_last..sought.len()).chain(0..self.found_last) {
            let literal = &sought[number];
            // It may reach into the one that was found.
            let end = first.map_or(lines.len(), |at| lines.len().min(at + literal.needle().len() - 1));
            if let Some(at) = literal.find(&lines[..end]) {
                (first, first_number) = (Some(at), number);
            }
        }
        self.found_last = first_number;
        first
    }
}

impl Expressions for Automaton {
    fn matching(&mut self, line: &[u8]) -> &[u64] {
        if self.literals.is_empty() || self.literals.iter().any(|literal| literal.find(line).is_some()) {
            self.find_matching(line, None);
        } else {
            self.matching.fill(0);
        }
        &self.matching
    }

    fn finds_quickly(&self) -> bool {
        !self.sought().is_empty()
    }

    fn find_match(&mut self, lines: &[u8], examined_bytes: usize) -> Found<'_> {
        let mut start = 0;
        while let Some(at) = self.next_sought(&lines[start..]) {
            let at = start + at;
            start += memrchr(b'\n', &lines[start..at]).map_or(0, |newline| newline + 1);
            // What has no end is no line yet.
            let Some(length) = memchr(b'\n', &lines[at..]) else {
                return Found { bytes_without_match: start, line: None };
            };
            let end = at + length;
            let line = &lines[start..end];
            let is_match = if line.len() <= examined_bytes {
                self.find_matching(line, Some(at - start))
            } else {
                self.find_matching(&line[..examined_bytes], None)
            };
            if is_match {
                let line = MatchingLine { length: line.len(), matching: &self.matching };
                return Found { bytes_without_match: start, line: Some(line) };
            }
            start = end + 1;
        }
        let end = memrchr(b'\n', &lines[start..]).map_or(start, |newline| start + newline + 1);
        Found { bytes_without_match: end, line: None }
    }

    fn shrink(&mut self) {
        self.whole.forget_states();
        if let Some(rest) = &mut self.rest {
            rest.forget_states();
        }
    }
}

/// What finds literals, each of them once; `None` if there are many, or if one goes beyond a line.
fn finders(mut literals: Vec<Vec<u8>>) -> Option<Vec<Finder<'static>>> {
    literals.sort();
    literals.dedup();
    let are_sought = literals.len() <= LITERALS_MAX && literals.iter().all(|literal| !literal.contains(&b'\n'));
    are_sought.then(|| literals.iter().map(|literal| Finder::new(literal).into_owned()).collect())
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

    /// What is found in lines: the bytes without a match, and the length of the line behind them.
    fn found(expressions: &mut Automaton, lines: &[u8]) -> (usize, Option<usize>) {
        let Found { bytes_without_match, line } = expressions.find_match(lines, 1000);
        (bytes_without_match, line.map(|line| line.length))
    }

    #[test]
    fn lines_without_a_match_are_passed_over() {
        let mut expressions = compiled(&["(accepted|queued)_[a-z]".to_owned()]);
        let lines = b"one\ntwo\nx queued_\naccepted_a b\nthree\naccepted_b";
        let mut find = |from: usize| found(&mut expressions, &lines[from..]);

        assert_eq!(find(0), (b"one\ntwo\nx queued_\n".len(), Some(b"accepted_a b".len())));
        assert_eq!(find(18), (0, Some(b"accepted_a b".len())));
        assert_eq!(find(31), (b"three\n".len(), None), "what has no end is no line");
        assert!(expressions.finds_quickly() && !compiled(&["[0-9]+".to_owned()]).finds_quickly());
    }

    #[test]
    fn the_first_beginning_of_a_line_is_found_whichever_was_found_before() {
        for line in ["delivery x", "very1 delivery x", "delivery very1 x", "delivery x very"] {
            let mut expressions = compiled(&["delivery x|very[0-9]".to_owned()]);
            assert_eq!(found(&mut expressions, b"very1\n"), (0, Some(5)));
            assert_eq!(found(&mut expressions, format!("-\n{line}\n").as_bytes()), (2, Some(line.len())), "{line}");
        }
    }

    #[test]
    fn an_expression_with_a_newline_matches_no_line() {
        for text in ["ab\\ncd", "ab\\n(cd|c)", "(ab\\n|cd\\n)[a-z]", "[a-z]b\\nc", "\\n\\n"] {
            let mut expressions = compiled(&[text.to_owned()]);
            for line in [&b"ab"[..], b"cd", b""] {
                assert_eq!(numbers(&mut expressions, line), [0; 0], "{text}");
            }
            if expressions.finds_quickly() {
                assert_eq!(found(&mut expressions, b"ab\ncd\n\n\nab\nc"), (b"ab\ncd\n\n\nab\n".len(), None), "{text}");
            }
        }
    }

    #[test]
    fn a_line_is_examined_as_far_as_is_asked_for() {
        for text in ["ab[0-9]", "(ab|cd)[0-9]", "[a-z]b[0-9]cde"] {
            let mut expressions = compiled(&[text.to_owned()]);
            for bytes in 0..7 {
                let found = expressions.find_match(b"\nab1cde\n", bytes);
                let least = if text.ends_with("cde") { 6 } else { 3 };
                let line = MatchingLine { length: 6, matching: &[1] };
                let expected = if bytes < least { (8, None) } else { (1, Some(line)) };
                assert_eq!((found.bytes_without_match, found.line), expected, "{text} {bytes}");
            }
        }
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
        let bytes = expressions.whole.states.memory_usage();
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
            let matches = |line: &[u8]| one_by_one.iter().any(|one| one.is_match(line));
            let mut rest = &joined[..];
            while together.finds_quickly() && !rest.is_empty() {
                let (bytes, length) = found(&mut together, rest);
                let (passed, next) = rest.split_at(bytes);
                prop_assert!(passed.is_empty() || passed.ends_with(b"\n"));
                for line in passed.split_inclusive(|&byte| byte == b'\n') {
                    prop_assert!(!matches(&line[..line.len() - 1]), "{:?} {:?}", &texts, line);
                }
                rest = next;
                if let Some(length) = length {
                    let (line, next) = next.split_at(length);
                    prop_assert!(matches(line) && !line.contains(&b'\n'), "{:?} {:?}", &texts, line);
                    rest = &next[1..];
                }
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
