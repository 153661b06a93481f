//! Finds the lines that may match a pattern in a whole buffer, labels and all.
//!
//! A pattern is matched against each line's message by itself. Finding the end of each line, its stamp and the pattern costs
//! more than a search of the buffer, and most lines do not match. So the buffer is first searched for a wider pattern, which
//! every matching line contains. Only the lines that it finds are matched against the pattern itself.
//!
//! - The wide pattern is the user's pattern without everything that depends on the bytes around the message: it has no
//!   beginning of a line, and no boundary of a word. No part of it matches a newline, so no match is longer than a line.
//! - If every match contains one of a few words, the buffer is searched for those words, as long as the lines that contain
//!   them do match. Where only some bytes can stand before the word in a match, the line is matched from where they begin.
//! - If most lines may match, the search gains nothing: see [`Finder::is_useful`].

use std::cell::Cell;

use logyard::lines::line_pattern::without_newlines;
use regex_automata::meta::Regex;
use regex_automata::{Input, util::syntax};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The memory that a compiled pattern may take.
pub(super) const PATTERN_BYTES_MAX: usize = 64 << 20;
/// Too many lines contain a shorter word.
const WORD_BYTES_MIN: usize = 3;
/// How many words are searched for at once.
const WORDS_MAX: usize = 16;

/// The cost of matching a line in vain, in bytes that could be searched for words, or for the wide pattern, in the same time.
const WORD_MISS_BYTES: u64 = 512;
const WIDE_MISS_BYTES: u64 = 128;
/// Fewer bytes of misses prove nothing.
const GRACE_BYTES: u64 = 1 << 16;

/// Finds the lines that may match. Each thread has a clone, with its own counts of hits and misses: shared ones cost more than
/// a search for a common word.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    words: Option<Searcher>,
    /// What can stand before the word in a match; `None` if that is not known.
    before_word: Option<BeforeWord>,
    wide: Searcher,
    /// Whether the wide pattern is no wider than the user's in a message by itself.
    is_exact: bool,
    /// The longest match of the wide pattern.
    match_bytes_max: Option<usize>,
}

/// What can stand between the beginning of a match and the first word that is searched for.
#[derive(Clone, Debug)]
struct BeforeWord {
    can_stand: Box<[bool; 256]>,
    word_bytes_max: usize,
}

impl BeforeWord {
    /// What stands before one part of a pattern, which is one of `words`. The newline is in no part.
    fn new(parts: &[Hir], words: &[Box<[u8]>]) -> BeforeWord {
        let mut can_stand = Box::new([false; 256]);
        parts.iter().for_each(|part| allow(part, &mut can_stand));
        can_stand[usize::from(b'\n')] = false;
        BeforeWord { can_stand, word_bytes_max: words.iter().map(|word| word.len()).max().unwrap_or(0) }
    }

    /// Where matches begin at the earliest, in a message in which the search for words has answered `found`.
    fn begin(&self, message: &[u8], found: usize) -> usize {
        // No word begins before this: the search finds the leftmost, or the one that ends first.
        let word = found.saturating_sub(self.word_bytes_max);
        let cannot_stand = |byte: &u8| !self.can_stand[usize::from(*byte)];
        message[..word].iter().rposition(cannot_stand).map_or(0, |place| place + 1)
    }
}

/// Notes the bytes that a part of a pattern can match.
fn allow(part: &Hir, can_stand: &mut [bool; 256]) {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|&byte| can_stand[usize::from(byte)] = true),
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.ranges() {
                can_stand[usize::from(range.start())..=usize::from(range.end())].fill(true);
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                let place = |character: char| usize::try_from(u32::from(character)).unwrap_or(usize::MAX);
                let (start, end) = (place(range.start()), place(range.end()));
                can_stand[start.min(0x80)..(end + 1).min(0x80)].fill(true);
                if end >= 0x80 {
                    can_stand[0x80..].fill(true);
                }
            }
        }
        HirKind::Repetition(repetition) => allow(&repetition.sub, can_stand),
        HirKind::Capture(capture) => allow(&capture.sub, can_stand),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| allow(part, can_stand)),
    }
}

/// A pattern that is wider than the user's, and how often its lines match.
#[derive(Clone, Debug)]
struct Searcher {
    regex: Regex,
    searched_bytes: Cell<u64>,
    missed_bytes: Cell<u64>,
    miss_bytes: u64,
}

impl Searcher {
    fn new(wide: &Hir, miss_bytes: u64) -> Option<Searcher> {
        let config = Regex::config().utf8_empty(false).nfa_size_limit(Some(PATTERN_BYTES_MAX));
        Some(Searcher {
            regex: Regex::builder().configure(config).build_from_hir(wide).ok()?,
            searched_bytes: Cell::new(0),
            missed_bytes: Cell::new(0),
            miss_bytes,
        })
    }

    fn is_useful(&self) -> bool {
        self.missed_bytes.get() <= self.searched_bytes.get() + GRACE_BYTES
    }
}

impl Finder {
    /// The finder of a pattern that the engine accepts; `None` if it cannot be made wider.
    pub(super) fn new(pattern: &str, ignores_case: bool) -> Option<Finder> {
        let config = syntax::Config::new().utf8(false).case_insensitive(ignores_case);
        let hir = syntax::parse_with(pattern, &config).ok()?;
        let is_exact = hir.properties().look_set().iter().all(|look| matches!(look, Look::End | Look::EndLF));
        let wide = widen(&hir);
        let match_bytes_max = wide.properties().maximum_len();
        let words = required(&wide).filter(|words| {
            words.len() <= WORDS_MAX && words.iter().all(|word| word.len() >= WORD_BYTES_MIN) && !is_words(&wide)
        });
        let before_word = words.as_ref().filter(|_| is_exact).and_then(|words| before_word(&wide, words));
        let words = words.and_then(|words| {
            let words = Hir::alternation(words.into_iter().map(Hir::literal).collect());
            Searcher::new(&words, WORD_MISS_BYTES)
        });
        Some(Finder { words, before_word, wide: Searcher::new(&wide, WIDE_MISS_BYTES)?, is_exact, match_bytes_max })
    }

    /// Tells whether searching is faster than matching each line.
    pub(super) fn is_useful(&self) -> bool {
        self.wide.is_useful()
    }

    /// Searches lines. Returns a place in the first line that may match, or at its end.
    pub(super) fn find(&self, lines: &[u8]) -> Option<usize> {
        let searcher = self.searcher();
        let found = searcher.regex.search_half(&Input::new(lines).earliest(true)).map(|end| end.offset());
        searcher.searched_bytes.set(searcher.searched_bytes.get() + found.unwrap_or(lines.len()) as u64);
        found
    }

    /// Notes that a line that was found did not match.
    pub(super) fn miss(&self) {
        let searcher = self.searcher();
        searcher.missed_bytes.set(searcher.missed_bytes.get() + searcher.miss_bytes);
    }

    /// Where a match begins at the earliest in a message in which something was found: the bytes before do not matter.
    pub(super) fn begin(&self, message: &[u8], found: usize) -> usize {
        let is_word = !std::ptr::eq(self.searcher(), &self.wide);
        let before = self.before_word.as_ref().filter(|_| is_word);
        before.map_or(0, |before| before.begin(message, found))
    }

    /// Tells whether the next place that is found proves a match, if the search begins with a message.
    pub(super) fn proves_match(&self) -> bool {
        self.is_exact && std::ptr::eq(self.searcher(), &self.wide)
    }

    /// How far before a place that was found its match may begin, if there is a limit.
    pub(super) fn match_bytes_max(&self) -> Option<usize> {
        self.match_bytes_max
    }

    fn searcher(&self) -> &Searcher {
        self.words.as_ref().filter(|words| words.is_useful()).unwrap_or(&self.wide)
    }
}

/// The pattern that finds, in lines with their stamps, at least what `hir` finds in messages.
fn widen(hir: &Hir) -> Hir {
    without_newlines(hir, &|look| match look {
        // A message ends where its line does.
        Look::End | Look::EndLF => Hir::look(Look::EndLF),
        _ => Hir::empty(),
    })
}

/// Words of which every match has one in it; those of which the shortest is longest.
fn required(hir: &Hir) -> Option<Vec<Box<[u8]>>> {
    let shortest = |words: &Vec<Box<[u8]>>| words.iter().map(|word| word.len()).min();
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.clone()]),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(required).max_by_key(shortest),
        HirKind::Alternation(parts) => {
            let words: Option<Vec<_>> = parts.iter().map(required).collect();
            words.map(|words| words.concat())
        }
        _ => None,
    }
}

/// What can stand before the words that are [`required`] by a pattern, if they are one part after others.
fn before_word(hir: &Hir, words: &[Box<[u8]>]) -> Option<BeforeWord> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let at = parts.iter().position(|part| is_words(part) && required(part).is_some_and(|found| found == words))?;
    Some(BeforeWord::new(&parts[..at], words))
}

/// Tells whether a pattern is nothing but words: then it is as quick by itself.
fn is_words(hir: &Hir) -> bool {
    hir.properties().is_literal() || hir.properties().is_alternation_literal()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;

    const PATTERNS: [&str; 35] = [
        "[0-9]{2}:[0-9]{2}.*(error|fail)",
        "^error",
        "error$",
        "^$",
        "",
        "x*",
        "\\s",
        "a\\s+b",
        "[^a]",
        "\\berror\\b",
        "\\Bfail",
        "(?i)ERROR|b",
        "error|\\n",
        "a\\nb",
        "(?s)a.b",
        "(?s)^.*$",
        "(?m)^fail$",
        "(?-u)\\xff",
        "(?-u:[^a])",
        "é",
        "^.{5}$",
        "(?R)a$",
        "(?mR)^a$",
        "(?mR)a$",
        "\\A\\w",
        "\\w\\z",
        "(error|fail){2}",
        "x(error)?b",
        "[a-c]+error",
        "\\w+fail",
        "[^ ]*(error|fail)x?",
        "a b*error$",
        "é+error",
        "(?:rror|errorfail)x?",
        "[a-e]*(?:err|errorfail)[a-z]",
    ];

    #[test]
    fn words_are_found_that_every_match_has() {
        for (pattern, expected) in [
            ("[0-9]{2}:[0-9]{2}.*(error|fail)", Some(vec!["error", "fail"])),
            ("status: .*failed", Some(vec!["status: "])),
            ("(error)?", None),
            ("(error|[0-9])", None),
            ("(error){2,3}", Some(vec!["error"])),
            ("^a+warning$", Some(vec!["warning"])),
        ] {
            let config = syntax::Config::new().utf8(false);
            let words = required(&widen(&syntax::parse_with(pattern, &config).expect("a pattern")));

            let words = words
                .map(|words| words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>());
            assert_eq!(words, expected.map(|words| words.into_iter().map(str::to_owned).collect()), "{pattern}");
        }
    }

    #[test]
    fn a_line_is_matched_from_where_a_match_can_begin() {
        for (pattern, message, begin) in [
            ("[A-Z]\\w+_said", "1: sent/Remote_host_said:_250", 8),
            ("(error|fail): .*x", "an error: y", 3),
            ("[^:]+: [0-9]+ errors", "in a: b: 12 errors", 0),
            ("^a+error", "b aerror", 0),
        ] {
            let finder = Finder::new(pattern, false).expect("a finder");
            let found = finder.find(message.as_bytes()).expect("a word");
            assert_eq!(finder.begin(message.as_bytes(), found), begin, "{pattern}");
        }
    }

    #[test]
    fn what_finds_too_much_is_given_up() {
        let finder = Finder::new("ab.*[0-9]xyz", false).expect("a finder");
        for _ in 0..1000 {
            assert_eq!(
                finder.find(b"xyz\n"),
                if finder.searcher().miss_bytes == WORD_MISS_BYTES { Some(3) } else { None }
            );
            finder.miss();
        }
        assert!(finder.words.as_ref().is_some_and(|words| !words.is_useful()));
        assert!(!finder.is_useful());
    }

    proptest! {
        #[test]
        fn no_line_that_matches_is_passed_over(
            lines in proptest::collection::vec("(@4f |x|)(error|fail|a|b|x| |\t|\r|12:34|é|ERROR){0,5}", 0..8),
            pattern in proptest::sample::select(PATTERNS.to_vec()),
            cut in 0_usize..2,
        ) {
            let (finder, regex) = (Finder::new(pattern, false).expect("a finder"), Regex::new(pattern).expect("a pattern"));
            let text = lines.concat_with_newlines();
            let text = &text[..text.len().saturating_sub(cut * usize::from(!lines.is_empty()))];
            let mut at = 0;
            for line in text.split_inclusive(|&byte| byte == b'\n') {
                let end = at + line.len();
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                // With the beginning of the line taken for a label, and without.
                for label in [0, 1, 4] {
                    if line.get(label..).is_some_and(|message| regex.is_match(message)) {
                        let found = finder.find(&text[at..]).map(|found| at + found);
                        prop_assert!(found.is_some_and(|found| found <= at + line.len()), "{:?} {:?}", line, found);
                        let message = &line[label..];
                        let begin = finder.begin(message, finder.find(message).expect("a match"));
                        prop_assert!(regex.is_match(&message[begin..]), "{:?} from {}", message, begin);
                    }
                }
                at = end;
            }
        }
    }

    trait ConcatWithNewlines {
        fn concat_with_newlines(&self) -> Vec<u8>;
    }

    impl ConcatWithNewlines for Vec<String> {
        fn concat_with_newlines(&self) -> Vec<u8> {
            self.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
        }
    }
}
