//! The automaton of all regular expressions of a script.
//!
//! It is one of `regex-automata`, whose states are made when a line first leads to them. A line passes through it once, however
//! many expressions there are; which of them match is the answer. They are matched as bytes: a line may hold anything. Nothing
//! backtracks, so no line takes long.
//!
//! Lines that are side by side are matched together. Where each match of any expression has one of some literals, a line without
//! these literals is passed over: looking for them is some ten times as fast. Where there are none, and the automaton is small, a
//! table of it takes a third of the time.

use memchr::{memchr, memrchr};
use regex_automata::Input;
use regex_automata::nfa::thompson;

use crate::multilog::script::expression::{Compiler, Expressions, MatchRun};
use crate::multilog::script::lazy_automaton::{LazyAutomaton, compiler};
use crate::multilog::script::line_table::LineTable;
use crate::multilog::script::literal::Sought;
use crate::multilog::script::literal_finder::{Beginnings, LiteralFinder};

/// A table is not made for fewer bytes of lines.
const TABLE_BYTES_MIN: usize = 4096;
/// What one expression may take when it is compiled.
const ONE_BYTES_MAX: usize = 1024 * 1024;

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
    whole: LazyAutomaton,
    count: usize,
    /// Of one expression, if its matches begin with literals.
    beginnings: Option<Beginnings>,
    /// Finds literals of which a line has one if it matches an expression; if these are no beginnings.
    anywhere: Option<LiteralFinder>,
    /// The whole as a table, if it was asked for; within, `None` if it cannot be one.
    table: Option<Option<LineTable>>,
    /// A bit for each expression.
    matching: Vec<u64>,
}

impl Automaton {
    fn new(texts: &[&str]) -> Automaton {
        let count = texts.len();
        let sought: Vec<Sought> = texts.iter().map(|text| Sought::of(text)).collect();
        let beginnings = match &sought[..] {
            [Sought { at_beginning: Some(literals), rest, .. }] => Beginnings::new(literals, rest.as_ref()),
            _ => None,
        };
        let is_one_search = beginnings.is_some() && sought[0].anywhere == sought[0].at_beginning;
        let mut anywhere = sought.into_iter().map(|sought| sought.anywhere).filter(|_| !is_one_search);
        let anywhere = anywhere.next().and_then(|first| anywhere.try_fold(first?, |all, literals| all.or(literals?)));
        Automaton {
            whole: LazyAutomaton::new(compiler().build_many(texts).expect("each of them was compiled")),
            count,
            beginnings,
            anywhere: anywhere.as_ref().and_then(LiteralFinder::new),
            table: None,
            matching: vec![0; count.div_ceil(64)],
        }
    }

    /// Finds what is looked for first, if anything is.
    fn sought(&self) -> Option<&LiteralFinder> {
        self.anywhere.as_ref().or_else(|| self.beginnings.as_ref().map(|beginnings| &beginnings.finder))
    }

    /// Finds out which expressions match a line, and tells whether any does. `sought` is where the first of the literals is that
    /// are sought, if that is known.
    fn find_matching(&mut self, line: &[u8], sought: Option<usize>) -> bool {
        self.matching.fill(0);
        if self.count > 1 {
            self.whole.find_all(line, self.count, &mut self.matching);
            return self.matching.iter().any(|&bits| bits != 0);
        }
        let is_match = sought.is_some() && self.sought().is_some_and(|sought| sought.are_matches)
            || match &mut self.beginnings {
                Some(beginnings) => {
                    let first = sought.filter(|_| self.anywhere.is_none());
                    beginnings.find_match(&mut self.whole, line, first)
                }
                None => self.whole.finds(Input::new(line)),
            };
        self.matching[0] = u64::from(is_match);
        is_match
    }
}

/// Of whole lines that are side by side.
impl Automaton {
    /// Looks for the lines that may match, and matches these.
    fn find_lines(&mut self, lines: &[u8], examined_bytes: usize, runs: &mut Vec<MatchRun>) {
        let (mut start, mut end) = (0, 0);
        while let Some(at) = self.sought().and_then(|sought| sought.find(lines, end)) {
            let begin = memrchr(b'\n', &lines[end..at]).map_or(end, |newline| end + newline + 1);
            end = memchr(b'\n', &lines[at..]).map_or(lines.len(), |length| at + length + 1);
            let line = &lines[begin..end - 1];
            let is_match = if line.len() <= examined_bytes {
                self.find_matching(line, Some(at - begin))
            } else {
                self.find_matching(&line[..examined_bytes], None)
            };
            if is_match {
                push_others(runs, begin - start);
                push(runs, MatchRun { bytes: end - begin, is_one: true, matching: self.matching[0] });
                start = end;
            }
        }
        push_others(runs, lines.len() - start);
    }

    /// Matches each line, several at once.
    fn follow_lines(&mut self, lines: &[u8], runs: &mut Vec<MatchRun>) {
        let Some(table) = self.table.get_or_insert_with(|| LineTable::new(&mut self.whole)) else { return };
        let mut start = 0;
        for end in table.find_ends(lines) {
            let begin = memrchr(b'\n', &lines[start..end]).map_or(start, |newline| start + newline + 1);
            if self.count > 1 {
                self.matching.fill(0);
                self.whole.find_all(&lines[begin..end], self.count, &mut self.matching);
            } else {
                self.matching[0] = 1;
            }
            push_others(runs, begin - start);
            push(runs, MatchRun { bytes: end + 1 - begin, is_one: true, matching: self.matching[0] });
            start = end + 1;
        }
        push_others(runs, lines.len() - start);
    }
}

impl Expressions for Automaton {
    fn matching(&mut self, line: &[u8]) -> &[u64] {
        let place = self.sought().map(|sought| sought.find(line, 0));
        match place {
            Some(None) => self.matching.fill(0),
            place => {
                self.find_matching(line, place.flatten());
            }
        }
        &self.matching
    }

    fn match_lines(&mut self, lines: &[u8], examined_bytes: usize, runs: &mut Vec<MatchRun>) {
        if self.count > u64::BITS as usize {
            return;
        }
        // What has no end is no line yet.
        let lines = &lines[..memrchr(b'\n', lines).map_or(0, |newline| newline + 1)];
        if self.sought().is_some() {
            self.find_lines(lines, examined_bytes, runs);
        } else if lines.len() >= TABLE_BYTES_MIN && !matches!(self.table, Some(None)) {
            // A table knows no line that is cut.
            let lines = before_longer_line(lines, examined_bytes);
            if lines.len() >= TABLE_BYTES_MIN {
                self.follow_lines(lines, runs);
            }
        }
    }

    fn shrink(&mut self) {
        // That it cannot be made remains true.
        self.table.take_if(|table| table.is_some());
        self.whole.forget_states();
        if let Some(Beginnings { rest: Some((_, rest)), .. }) = &mut self.beginnings {
            rest.forget_states();
        }
    }
}

/// Adds lines that do not match to runs.
fn push_others(runs: &mut Vec<MatchRun>, bytes: usize) {
    push(runs, MatchRun { bytes, is_one: false, matching: 0 });
}

/// Adds lines to runs.
fn push(runs: &mut Vec<MatchRun>, lines: MatchRun) {
    match runs.last_mut() {
        _ if lines.bytes == 0 => {}
        Some(last) if last.matching == lines.matching => {
            last.bytes += lines.bytes;
            last.is_one = false;
        }
        _ => runs.push(lines),
    }
}

/// The whole lines before one that is longer than `bytes`, without its newline.
fn before_longer_line(lines: &[u8], bytes: usize) -> &[u8] {
    let mut end = 0;
    while lines.len() - end > bytes {
        match memrchr(b'\n', &lines[end..=end + bytes]) {
            Some(newline) => end += newline + 1,
            None => return &lines[..end],
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;
    use crate::multilog::script::expression::{BadExpression, Expression, use_compiler};
    use crate::multilog::script::lazy_automaton::STATES_BYTES_MAX;
    use crate::multilog::script::literal_finder::BEGINNINGS_MAX;

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
            assert!(one.beginnings.is_some());
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

    /// The bytes of lines side by side, and the expressions that match them.
    fn runs(expressions: &mut Automaton, lines: &[u8], examined_bytes: usize) -> Vec<(usize, u64)> {
        let mut runs = Vec::new();
        expressions.match_lines(lines, examined_bytes, &mut runs);
        runs.iter().map(|run| (run.bytes, run.matching)).collect()
    }

    #[test]
    fn lines_side_by_side_are_matched_together() {
        for text in ["(accepted|queued)_[a-z]", "[a-z]_[a-z]"] {
            let mut expressions = compiled(&[text.to_owned()]);
            let lines = b"one\ntwo\nx queued_\naccepted_a b\nqueued_b\n\n".repeat(100);
            let expected = [(18, 0), (22, 1), (1 + 18, 0)];
            let expected: Vec<_> =
                expected[..2].iter().chain(expected[1..].iter().rev().cycle().take(2 * 99)).collect();
            let mut found = runs(&mut expressions, &[&lines[..], b"accepted_b"].concat(), 1000);
            assert_eq!(found.pop(), Some((1, 0)), "{text}: what has no end is no line");
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
        }
        assert_eq!(runs(&mut compiled(&["[0-9]".to_owned()]), b"1\n", 1000), [], "one line is not worth a table");
    }

    #[test]
    fn an_expression_with_a_newline_matches_no_line() {
        for text in ["ab\\ncd", "ab\\n(cd|c)", "(ab\\n|cd\\n)[a-z]", "[a-z]b\\nc", "\\n\\n", "[^x]{3}c"] {
            let mut expressions = compiled(&[text.to_owned()]);
            for line in [&b"ab"[..], b"cd", b""] {
                assert_eq!(numbers(&mut expressions, line), [0; 0], "{text}");
            }
            let lines = b"ab\ncd\n\n\nab\n".repeat(1000);
            assert!(runs(&mut expressions, &lines, 1000).iter().all(|(_, matching)| *matching == 0), "{text}");
        }
    }

    #[test]
    fn a_line_is_examined_as_far_as_is_asked_for() {
        for (text, least) in [("ab[0-9]", 3), ("(ab|cd)[0-9]", 3), ("[a-z]b[0-9]cde", 6), ("ab1|cde", 3)] {
            let mut expressions = compiled(&[text.to_owned()]);
            for bytes in 0..7 {
                let expected = if bytes < least { [(8, 0)].to_vec() } else { [(1, 0), (7, 1)].to_vec() };
                assert_eq!(runs(&mut expressions, b"\nab1cde\n", bytes), expected, "{text} {bytes}");
            }
        }
        // What is cut has another end.
        let mut expressions = compiled(&["[0-9]$".to_owned()]);
        let lines = b"a1\nb\n".repeat(1000);
        let others = [&lines[..], b"a1b\n", &lines].concat();
        assert_eq!(runs(&mut expressions, &lines, 2).len(), 2000);
        assert_eq!(runs(&mut expressions, &others, 2), runs(&mut expressions, &lines, 2), "who cuts it matches it");
        assert_eq!(runs(&mut expressions, &others[lines.len()..], 2), []);
    }

    #[test]
    fn an_automaton_with_many_states_is_no_table() {
        for (text, is_table) in [("[ab]{3}c", true), ("a[a-z]{100}c", false)] {
            let mut expressions = compiled(&[text.to_owned()]);
            let lines = b"aaac\nb\n".repeat(1000);
            assert_eq!(!runs(&mut expressions, &lines, 1000).is_empty(), is_table, "{text}");
        }
    }

    #[test]
    fn lines_cannot_make_it_grow_beyond_its_memory() {
        // After each byte the automaton knows which of the last hundred bytes were an a.
        let mut expressions = compiled(&["a[a-z]{100}c".to_owned()]);
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
            let joined = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect::<Vec<u8>>().repeat(500);
            let mut rest = &joined[..];
            for (bytes, bits) in runs(&mut together, rest, 1000) {
                let (run, others) = rest.split_at(bytes);
                prop_assert!(run.ends_with(b"\n"));
                for line in run.split_inclusive(|&byte| byte == b'\n').take(lines.len()) {
                    let line = &line[..line.len() - 1];
                    let expected = (0..texts.len()).filter(|&one| one_by_one[one].is_match(line)).map(|one| 1 << one).sum();
                    prop_assert_eq!(bits, expected, "{:?} {:?}", &texts, line);
                }
                rest = others;
                // Three times all lines are enough.
                if rest.len() + 3 * lines.len() * 12 < joined.len() {
                    break;
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
