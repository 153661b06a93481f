//! Finds the parts of a script that do not have the intended effect, which depends on where an action stands.
//!
//! A logger runs such a script as 0.76 does; only `--check` reports them.

use std::ffi::CStr;
use std::fmt::{self, Write};

use crate::cli::Shown;
use crate::multilog::script::head_rule::HeadRule;
use crate::multilog::script::invisible::invisible;
use crate::multilog::script::numbers::{begins_with_digit, parse_examined, parse_number, parse_size, parse_time};
use crate::multilog::script::{FILES_LEAST, Ignored, REPEATS_LONGEST, SIZE_LEAST_BYTES, SYNC_MOST_SECONDS, Script};
use crate::sys::program::Arguments;
use crate::tai64n::StampForm;

/// What is said of a script in which nothing is written.
pub const WRITES_NOTHING: &str = "no action writes: every line is dropped";

/// What was found in a script.
#[derive(Debug)]
pub struct Review<'s> {
    /// What was found about each argument.
    pub findings: Vec<Vec<Finding>>,
    /// No line is written anywhere.
    pub writes_nothing: bool,
    ignored: &'s [Ignored],
}

/// What was found about an argument.
#[derive(Debug)]
pub struct Finding {
    /// The argument.
    pub argument: &'static CStr,
    /// A sentence of which the argument is the subject.
    pub text: String,
    /// The argument does nothing else.
    pub is_all: bool,
    /// It is probably a mistake.
    pub is_fault: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the action {} {}", Shown(self.argument.to_bytes()), self.text)
    }
}

/// Which lines are selected where an action stands, or which lines a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    All,
    Some,
    None,
}

impl<'s> Review<'s> {
    /// Reviews a script that was parsed from the arguments.
    #[must_use]
    pub fn new(arguments: &Arguments, script: &'s Script, is_ignored: &[bool]) -> Review<'s> {
        let mut walk = Walk {
            script,
            arguments,
            findings: arguments.iter().map(|_| Vec::new()).collect(),
            selected: Lines::All,
            waiting: Vec::new(),
            selectors: Vec::new(),
            directories: Vec::new(),
            buffer: None,
            metrics: None,
            examined: None,
            writes: false,
            prints_every_line: false,
        };
        for (place, argument) in arguments.iter().enumerate() {
            if !is_ignored[place] {
                walk.take(place, argument.to_bytes());
            }
            walk.name_invisible(place, argument.to_bytes(), is_ignored[place]);
        }
        walk.end();
        let Walk { findings, writes, .. } = walk;
        Review { findings, writes_nothing: !writes, ignored: &script.ignored }
    }

    /// What is wrong with the script. The warnings of a logger that runs it come first.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for ignored in self.ignored {
            let argument = ignored.argument.to_bytes();
            let mut warning = ignored.to_string();
            if argument.is_empty() {
                warning.push_str(" (it is empty)");
            }
            if let Some((how, character)) = invisible(argument) {
                // A string takes whatever is written to it.
                let _ = write!(warning, " (it {how} {character})");
            }
            warnings.push(warning);
        }
        for finding in self.findings.iter().flatten().filter(|finding| finding.is_fault) {
            warnings.push(finding.to_string());
        }
        if self.writes_nothing && !warnings.is_empty() {
            warnings.push(WRITES_NOTHING.to_owned());
        }
        warnings
    }
}

/// The way through a script, from its first action to its last.
struct Walk<'s> {
    script: &'s Script,
    arguments: &'s Arguments,
    findings: Vec<Vec<Finding>>,
    selected: Lines,
    /// The settings that no directory has followed yet: what they set, and their places.
    waiting: Vec<(u8, usize)>,
    /// The places of the selectors that no action that writes has followed yet.
    selectors: Vec<usize>,
    directories: Vec<Path<'s>>,
    /// The last `B`.
    buffer: Option<usize>,
    /// The last `M`.
    metrics: Option<usize>,
    /// The last `r` with a number.
    examined: Option<usize>,
    writes: bool,
    prints_every_line: bool,
}

/// A path without what makes no difference: whether it is absolute, and its names.
type Path<'s> = (bool, Vec<&'s [u8]>);

impl<'s> Walk<'s> {
    fn add(&mut self, place: usize, text: &str, is_all: bool, is_fault: bool) {
        let argument = self.arguments[place];
        let known = &mut self.findings[place];
        // One reason why an argument does nothing is enough.
        if !is_all || known.iter().all(|before| !before.is_all) {
            known.push(Finding { argument, text: text.to_owned(), is_all, is_fault });
        }
    }

    /// The argument does nothing, which is probably a mistake.
    fn add_idle(&mut self, place: usize, text: &str) {
        self.add(place, text, true, true);
    }

    /// The argument does something, but not what is meant.
    fn add_doubt(&mut self, place: usize, text: &str) {
        self.add(place, text, false, true);
    }

    /// Goes on by an action that is not ignored.
    fn take(&mut self, place: usize, bytes: &'s [u8]) {
        let [letter, rest @ ..] = bytes else { return };
        match letter {
            b't' | b'T' => self.look_for_rest(place, bytes),
            b'+' | b'-' => self.select(place, *letter == b'+', self.lines_of_star(rest)),
            b'r' if begins_with_digit(rest) => self.examine(place, rest),
            b'r' => self.select(place, rest[0] == b'+', if rest.len() == 1 { Lines::All } else { Lines::Some }),
            b'e' => {
                self.look_for_rest(place, bytes);
                self.write(place);
            }
            b'1' => {
                self.write(place);
                self.print(place, rest.first() == Some(&b'b'));
            }
            b'=' => {
                self.write(place);
                if matches!(rest.rsplit(|&byte| byte == b'/').next(), None | Some(b"" | b"." | b"..")) {
                    self.add_doubt(place, "names no file");
                }
            }
            b'.' | b'/' => {
                self.write(place);
                self.log(place, bytes);
            }
            b'B' => {
                if let Some(before) = self.buffer.replace(place) {
                    self.add_replaced(before, place, "holds for no directory");
                }
            }
            b'M' => {
                if let Some(before) = self.metrics.replace(place) {
                    self.add_replaced(before, place, "writes nothing");
                }
            }
            b'p' => {}
            _ => {
                self.set(place, bytes);
                self.compare_number(place, *letter, rest);
            }
        }
    }

    /// 0.76 looks at the letter alone.
    fn look_for_rest(&mut self, place: usize, bytes: &[u8]) {
        if bytes.len() > 1 && bytes[0] != b'T' {
            let letter = char::from(bytes[0]);
            self.add_doubt(place, &format!("counts as {letter}: what follows the letter is ignored"));
        }
    }

    /// How much of a line regular expressions examine.
    fn examine(&mut self, place: usize, number: &[u8]) {
        if !self.script.has_expressions() {
            self.add_idle(place, "has no effect: the script has no regular expression");
        }
        self.compare_number(place, b'r', number);
        if let Some(before) = self.examined.replace(place) {
            self.add_replaced(before, place, "has no effect");
        }
    }

    fn add_replaced(&mut self, before: usize, place: usize, effect: &str) {
        let [old, new] = [before, place].map(|place| self.arguments[place].to_bytes());
        let file = |action: &'s [u8]| action.splitn(2, |&byte| byte == b'=').nth(1).filter(|_| action[0] == b'M');
        // A later action may be meant to overrule one of a script file, or of a variable; not if another file gets nothing.
        let is_fault = file(old) != file(new);
        self.add(before, &format!("{effect}: {} replaces it", Shown(new)), true, is_fault);
    }

    /// Which lines a star pattern can match.
    fn lines_of_star(&self, pattern: &[u8]) -> Lines {
        match pattern.first() {
            Some(b'*') if pattern.len() == 1 => Lines::All,
            Some(b'*') => Lines::Some,
            first => {
                let HeadRule { stamp, prefix } = &self.script.head;
                let can_match = match (stamp, prefix.first()) {
                    (None, None) => true,
                    (None, Some(prefix)) => first == Some(prefix),
                    (Some(StampForm::Label), _) => first == Some(&b'@'),
                    // A clock that is very wrong gives a sign.
                    (Some(_), _) => first.is_some_and(|first| first.is_ascii_digit() || b"+-".contains(first)),
                };
                if can_match { Lines::Some } else { Lines::None }
            }
        }
    }

    /// A selector that matches `lines`.
    fn select(&mut self, place: usize, selects: bool, lines: Lines) {
        match (selects, self.selected, lines) {
            (_, _, Lines::None) => {
                let head = if self.script.head.stamp.is_some() { "a timestamp" } else { "the prefix" };
                self.add_idle(place, &format!("matches no line: each begins with {head}"));
            }
            // To select all lines where all are selected may be a habit.
            (true, Lines::All, _) => {
                self.add(place, "has no effect: every line is selected here", true, lines != Lines::All);
            }
            (false, Lines::None, _) => self.add(place, "has no effect: no line is selected here", true, false),
            (true, _, Lines::All) => self.selected = Lines::All,
            (false, _, Lines::All) => self.selected = Lines::None,
            (_, _, Lines::Some) => self.selected = Lines::Some,
        }
        self.selectors.push(place);
    }

    /// An action that writes lines.
    fn write(&mut self, place: usize) {
        self.writes = true;
        self.selectors.clear();
        if self.selected == Lines::None {
            self.add_doubt(place, "gets no line: none is selected here");
        }
    }

    /// A line is printed once.
    fn print(&mut self, place: usize, waits: bool) {
        if self.prints_every_line && !waits {
            self.add_idle(place, "prints nothing: an action before it prints every line");
        }
        self.prints_every_line |= self.selected == Lines::All;
    }

    fn log(&mut self, place: usize, path: &'s [u8]) {
        self.waiting.clear();
        let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        let directory = (path[0] == b'/', names.collect());
        if self.directories.contains(&directory) {
            self.add_doubt(place, "cannot be locked: an action before it names the same directory");
        }
        self.directories.push(directory);
    }

    /// A setting of the directories that follow.
    fn set(&mut self, place: usize, bytes: &[u8]) {
        let what = match bytes {
            // It ends both kinds of times.
            [b'R', b'0'..=b'9', ..] if parse_time(&bytes[1..]) == Some(None) => &b"R@"[..],
            [b'R', b'@', ..] => b"@",
            _ => &bytes[..1],
        };
        for one in what {
            let Some(at) = self.waiting.iter().position(|(other, _)| other == one) else { continue };
            let (_, before) = self.waiting.swap_remove(at);
            if self.waiting.iter().all(|&(_, place)| place != before) {
                self.add_replaced(before, place, "holds for no directory");
            }
        }
        self.waiting.extend(what.iter().map(|&one| (one, place)));
    }

    /// Names the number that counts, where it is not the one that is there.
    fn compare_number(&mut self, place: usize, letter: u8, rest: &[u8]) {
        let (given, counts) = match letter {
            b's' => (parse_size(rest).0, parse_size(rest).0.max(SIZE_LEAST_BYTES)),
            b'n' => (parse_number(rest).0, parse_number(rest).0.max(FILES_LEAST)),
            b'r' => {
                let (given, counts) = parse_examined(rest).unwrap_or_default();
                (given, counts.min(self.script.examined_bytes_most()) as u64)
            }
            b'y' => (parse_number(rest).0, parse_number(rest).0.min(SYNC_MOST_SECONDS)),
            b'D' => {
                let seconds = parse_time(rest).flatten().map_or(0, |time| time.as_secs());
                (seconds, seconds.min(REPEATS_LONGEST.as_secs()))
            }
            _ => return,
        };
        let letter = char::from(letter);
        if !begins_with_digit(rest) {
            self.add_doubt(place, &format!("has no number and counts as {letter}{counts}"));
        } else if given != counts {
            self.add(place, &format!("counts as {letter}{counts}"), false, false);
        }
    }

    fn name_invisible(&mut self, place: usize, bytes: &[u8], is_ignored: bool) {
        let Some((how, character)) = invisible(bytes) else { return };
        let is_fault = match bytes[0] {
            _ if is_ignored => false,
            b'.' | b'/' | b'=' | b'M' => true,
            // The shell passes over blanks.
            b'!' => !matches!(bytes.last(), Some(b' ' | b'\t' | b'\n')),
            _ => false,
        };
        self.add(place, &format!("{how} {character}"), false, is_fault);
    }

    fn end(&mut self) {
        for (_, place) in std::mem::take(&mut self.waiting) {
            self.add_idle(place, "holds for no directory: none follows");
        }
        for place in std::mem::take(&mut self.selectors) {
            // A script that deselects every line is meant to write nothing.
            let is_meant = !self.writes && self.arguments[place].to_bytes() == b"-*";
            self.add(place, "has no effect: no action that writes follows", true, !is_meant);
        }
        if let (Some(place), []) = (self.buffer, &self.script.directories[..]) {
            self.add_idle(place, "holds for no directory: the script names none");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::multilog::script::matcher::Matcher;
    use crate::multilog::script::{automaton, expression};

    fn warnings(arguments: &Arguments) -> Vec<String> {
        let (script, is_ignored) = Script::parse_marking(arguments);
        Review::new(arguments, &script, &is_ignored).warnings()
    }

    /// What is found, faults marked with an exclamation mark.
    fn findings(arguments: &Arguments) -> Vec<String> {
        let (script, is_ignored) = Script::parse_marking(arguments);
        let review = Review::new(arguments, &script, &is_ignored);
        let mark = |finding: &Finding| if finding.is_fault { "! " } else { "" };
        review
            .findings
            .iter()
            .flatten()
            .map(|finding| format!("{}{} {}", mark(finding), Shown(finding.argument.to_bytes()), finding.text))
            .collect()
    }

    #[test]
    fn how_much_expressions_examine_is_compared_with_what_counts() {
        expression::use_compiler(automaton::COMPILER);
        assert_eq!(findings(&[c"r8k", c"./a"]), ["! r8k has no effect: the script has no regular expression"]);
        assert_eq!(findings(&[c"-*", c"r+a", c"./a", c"r8k"]), [""; 0]);
        assert_eq!(
            findings(&[c"r1", c"r1M", c"-*", c"r+a", c"./a"]),
            ["r1 counts as r1000", "r1 has no effect: r1M replaces it", "r1M counts as r65536"]
        );
        assert_eq!(findings(&[c"r8k", c"-*", c"r+a", c"s5000", c"./a", c"s1M", c"./b"]), ["r8k counts as r4000"]);
        assert_eq!(warnings(&[c"r8kB", c"./a"]), ["ignoring the action r8kB: it is no number of bytes such as r8k"]);
    }

    #[test]
    fn a_setting_that_no_directory_follows_is_a_fault() {
        for setting in [
            c"s5000", c"n5", c"S1M", c"A1d", c"F5%", c"H1M", c"R1h", c"R@hour", c"R0", c"L5", c"D5", c"y5", c"g=4",
            c"!cat",
        ] {
            let name = setting.to_str().unwrap();
            assert_eq!(findings(&[c"t", setting, c"./main"]), [""; 0], "{name}");
            let fault = format!("! {name} holds for no directory: none follows");
            assert_eq!(findings(&[c"t", c"./main", setting]), [&fault[..]]);
            assert_eq!(findings(&[setting, c"e", c"1", c"=x"]), [&fault[..]]);
            assert_eq!(findings(&[setting, c"+a", c"main", c"./a"]).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_script_that_does_all_that_it_says_has_no_findings() {
        for script in [
            &[][..],
            &[c"t"],
            &[c"T@utc", c"p=x"],
            &[c"e"],
            &[c"=status"],
            &[c"1"],
            &[c"t", c"e"],
            &[c"t", c"s1000000", c"n10", c"./main"],
            &[c"t", c"./main", c"-*", c"+* fatal: *", c"./alerts"],
            &[c"t", c"-*", c"+* stats: *", c"=status", c"+*", c"-* stats: *", c"./main"],
            &[c"./a", c"s5000", c"./b", c"s6000", c"n3", c"/c"],
            &[c"R1h", c"R@hour", c"./a", c"R0", c"R@midnight", c"./b"],
            &[c"B1M", c"M5=x", c"./a"],
            &[c"./a", c"B1M", c"p=x"],
            &[c"1", c"1b", c"-a", c"e"],
            &[c"-*a", c"1", c"1=x", c"./a"],
            &[c"-foo", c"./main", c"/main", c"./main/.."],
            &[c"t", c"-@*", c"./a"],
            &[c"T", c"-2*", c"./a"],
            &[c"p=x", c"-x*", c"./a"],
        ] {
            assert_eq!(findings(script), [""; 0], "{script:?}");
            assert_eq!(warnings(script), [""; 0], "{script:?}");
        }
    }

    #[test]
    fn what_a_later_action_replaces_is_found_but_no_fault() {
        assert_eq!(findings(&[c"n5", c"n10", c"./a"]), ["n5 holds for no directory: n10 replaces it"]);
        assert_eq!(findings(&[c"R1h", c"R@hour", c"R0", c"./a"]).len(), 2);
        assert_eq!(findings(&[c"R0", c"R1h", c"./a"]), [""; 0]);
        assert_eq!(findings(&[c"R0", c"R1h", c"R@hour", c"./a"]), ["R0 holds for no directory: R@hour replaces it"]);
        assert_eq!(findings(&[c"M5=x", c"M6=x", c"e"]), ["M5=x writes nothing: M6=x replaces it"]);
        assert_eq!(findings(&[c"M5=x", c"M6=y", c"e"]), ["! M5=x writes nothing: M6=y replaces it"]);
    }

    #[test]
    fn a_selector_that_can_select_nothing_is_a_fault() {
        let no_action = "has no effect: no action that writes follows";
        assert_eq!(findings(&[c"./a", c"-*x", c"s5000"])[0], format!("! -*x {no_action}"));
        assert_eq!(findings(&[c"t", c"-*"]), [format!("-* {no_action}")]);
        assert_eq!(findings(&[c"t", c"./a", c"-*"]), [format!("! -* {no_action}")]);
        assert_eq!(findings(&[c"t", c"+*x*", c"./a"]), ["! +*x* has no effect: every line is selected here"]);
        assert_eq!(findings(&[c"t", c"+*", c"./a"]), ["+* has no effect: every line is selected here"]);
        assert_eq!(findings(&[c"t", c"-*", c"-*x", c"+*y", c"./a"]), ["-*x has no effect: no line is selected here"]);
        assert_eq!(findings(&[c"t", c"-x*", c"./a"]), ["! -x* matches no line: each begins with a timestamp"]);
        assert_eq!(findings(&[c"T@epoch", c"-", c"./a"]), ["! - matches no line: each begins with a timestamp"]);
        assert_eq!(findings(&[c"-x*", c"./a", c"p=y"]), ["! -x* matches no line: each begins with the prefix"]);
    }

    #[test]
    fn an_action_that_gets_no_line_is_a_fault() {
        let no_line = "gets no line: none is selected here";
        assert_eq!(findings(&[c"-*", c"./a", c"+x", c"./b"]), [format!("! ./a {no_line}")]);
        assert_eq!(findings(&[c"-*", c"e", c"=x"]), [format!("! e {no_line}"), format!("! =x {no_line}")]);
        assert_eq!(findings(&[c"1", c"1=x"]), ["! 1=x prints nothing: an action before it prints every line"]);
    }

    #[test]
    fn what_no_logger_can_start_with_is_a_fault() {
        let same = "cannot be locked: an action before it names the same directory";
        assert_eq!(findings(&[c"./a", c"./b", c".//./a/"]), [format!("! .//./a/ {same}")]);
        assert_eq!(findings(&[c"./a", c"/a", c"./b/../a", c"./A"]), [""; 0]);
        for status in [c"=", c"=x/", c"=.", c"=/tmp/.."] {
            assert!(findings(&[status])[0].ends_with(" names no file"), "{status:?}");
        }
    }

    #[test]
    fn what_is_read_in_part_and_what_cannot_be_seen_is_named() {
        assert_eq!(
            findings(&[c"tai", c"error", c"s", c"./a"]),
            [
                "! tai counts as t: what follows the letter is ignored",
                "! error counts as e: what follows the letter is ignored",
                "! s has no number and counts as s4096",
            ]
        );
        assert_eq!(
            warnings(&[c"t", c"n5 ", c"\u{feff}s5000", c"", c"./a\r"]),
            [
                "ignoring the action n5 : something follows the number (it ends in a blank)",
                "ignoring the action \u{feff}s5000: no such action; a log directory begins with . or / \
                 (it begins with a byte order mark)",
                "ignoring the action : no such action; a log directory begins with . or / (it is empty)",
                "the action ./a\\x0d ends in a carriage return",
            ]
        );
        // A selector may be meant so, and the shell passes over a blank.
        assert_eq!(findings(&[c"-*x ", c"!cat ", c"./a"]), ["-*x  ends in a blank", "!cat  ends in a blank"]);
        assert_eq!(findings(&[c"!cat\r", c"=x\t", c"./a"]).iter().filter(|one| one.starts_with("! ")).count(), 2);
    }

    #[test]
    fn a_script_in_which_nothing_is_written_has_that_warning_if_it_has_another() {
        assert_eq!(warnings(&[c"t", c"s5000"]).last().map(String::as_str), Some(WRITES_NOTHING));
        assert_eq!(warnings(&[c"main"]).last().map(String::as_str), Some(WRITES_NOTHING));
        assert_eq!(warnings(&[c"t", c"p=x", c"-*"]), [""; 0]);
    }

    /// What becomes of each of some lines, and what is in force for each directory.
    fn behaviour(arguments: &Arguments) -> (Vec<String>, Script) {
        let script = Script::parse(arguments);
        let mut matcher = Matcher::new(&script);
        let stamp: &[u8] = if script.head.stamp.is_some() { b"@400000000000000000000000 " } else { b"" };
        matcher.begin(&[stamp, &script.head.prefix].concat());
        let lines = ["", "a", "b", "aa", "ab", "ba", "bb", "aab", "aba", "b b", "@", "pa"];
        let judge = |line: &str| {
            let number = matcher.match_line(line.as_bytes());
            let verdict = matcher.verdict(number);
            let copy = verdict.copy.map(|copy| &script.copies[copy]);
            format!("{:?} {:?} {} {copy:?}", verdict.directories, verdict.statuses, verdict.alert_count)
        };
        (lines.into_iter().map(judge).collect(), script)
    }

    const HEADS: [&CStr; 3] = [c"t", c"p=p", c"e"];
    const WORDS: [&CStr; 32] = [
        c"-*",
        c"-*",
        c"+*",
        c"-*a*",
        c"+*b*",
        c"-a*",
        c"+a",
        c"-",
        c"+p*",
        c"-@*",
        c"e",
        c"1",
        c"1=x",
        c"1b",
        c"=x",
        c"./a",
        c"./b",
        c"./c",
        c"s5000",
        c"s6000",
        c"n5",
        c"S1M",
        c"R0",
        c"R1h",
        c"R2h",
        c"R@hour",
        c"R@midnight",
        c"!cat",
        c"B1M",
        c"B2M",
        c"M5=x",
        c"M6=x",
    ];

    proptest! {
        #[test]
        fn without_what_does_nothing_a_script_does_the_same(
            head in prop::option::of(prop::sample::select(&HEADS[..])),
            words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..9),
        ) {
            let all: Vec<&'static CStr> = head.into_iter().chain(words).collect();
            let (script, is_ignored) = Script::parse_marking(&all);
            let review = Review::new(&all, &script, &is_ignored);
            let (lines, before) = behaviour(&all);
            let found = review.findings.iter().enumerate();
            for (place, finding) in found.flat_map(|(place, some)| some.iter().map(move |one| (place, one))) {
                let text = &finding.text;
                if text.starts_with("gets no line") {
                    let mut with_another = all.clone();
                    with_another.insert(place, c"./new");
                    let (lines, after) = behaviour(&with_another);
                    let new = after.directories.iter().position(|one| one.path == c"./new").unwrap();
                    prop_assert!(!lines.iter().any(|line| line.split(']').next().unwrap().contains(&new.to_string())));
                }
                if finding.is_all {
                    let mut less = all.clone();
                    less.remove(place);
                    let (lines_of_less, after) = behaviour(&less);
                    prop_assert_eq!(&lines, &lines_of_less, "{} {}", Shown(finding.argument.to_bytes()), text);
                    prop_assert_eq!(&before.directories, &after.directories);
                    prop_assert_eq!((&before.statuses, before.metrics), (&after.statuses, after.metrics));
                    prop_assert!(before.buffer == after.buffer || before.directories.is_empty());
                }
            }
            if review.writes_nothing {
                prop_assert!(lines.iter().all(|line| line == "[] [] 0 None"), "{:?}", lines);
            }
        }

        #[test]
        fn what_is_not_found_makes_a_difference(kinds in prop::collection::vec(0..8_usize, 0..9)) {
            // Each value is in the script once, so whatever a setting replaces was another one.
            let value = |(place, kind): (usize, &usize)| -> &'static CStr {
                let letters = ["s500", "n2", "y2", "S20000", "L2", "R2"];
                let text = letters.get(*kind).map_or(format!("./d{place}"), |letter| format!("{letter}{place}"));
                Box::leak(std::ffi::CString::new(text).unwrap().into_boxed_c_str())
            };
            let all: Vec<&'static CStr> = kinds.iter().enumerate().map(value).collect();
            let (script, is_ignored) = Script::parse_marking(&all);
            let review = Review::new(&all, &script, &is_ignored);
            for place in 0..all.len() {
                let mut less = all.clone();
                less.remove(place);
                let is_found = review.findings[place].iter().any(|finding| finding.is_all);
                prop_assert_eq!(is_found, Script::parse(&less).directories == script.directories, "{:?}", all);
            }
        }
    }
}
