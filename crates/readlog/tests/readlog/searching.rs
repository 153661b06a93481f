//! `-g` finds what a regular expression finds in each line by itself, however the lines are searched.

use std::fmt::Write as _;

use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::{log_directory, printed, run, second};
use testkit::Workdir;

/// Patterns in which something is special about lines, labels, or the way that a search takes.
const PATTERNS: [&str; 40] = [
    "[0-9]{2}:[0-9]{2}.*(error|fail)",
    "error",
    "^error",
    "error$",
    "^$",
    "^",
    "$",
    "",
    "x*",
    "\\s",
    "\\serror",
    "a\\s+b",
    "[^a]",
    "^[^a]+$",
    "\\berror\\b",
    "\\Bfail",
    "\\bx",
    "(?i)ERROR",
    "error|\\n",
    "a\\nb",
    "(?s)a.b",
    "(?s)^.*$",
    "(?m)^fail$",
    "@4",
    "[0-9a-f]{24}",
    "^[0-9a-f]+$",
    "(?-u)\\xff",
    "(?-u:[^a])",
    "é",
    "\\w+é",
    ".",
    "^.{5}$",
    "(?R)a$",
    "(?mR)^a$",
    "\\A\\w",
    "\\w\\z",
    "error.*fail|fail.*error",
    "(error|fail){2}",
    "[ef]rror",
    "\\t",
];

/// One line's message; what follows the label directly is no space now and then.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = [
        &b"error"[..],
        b"fail",
        b"a",
        b"b",
        b"x",
        b" ",
        b" ",
        b"\t",
        b"\r",
        b"12:34",
        b"@4",
        "é".as_bytes(),
        b"\xff",
        b"ERROR",
        b"\0",
        b"some other text that matches nothing much",
    ]
    .to_vec();
    let word = proptest::sample::select(words).prop_map(<[u8]>::to_vec);
    proptest::collection::vec(word, 0..6).prop_map(|words| words.concat())
}

#[derive(Clone, Debug)]
struct Line {
    /// Whether it has a label; else it belongs to the line before.
    is_stamped: bool,
    /// What stands between the label and the message.
    space: &'static str,
    message: Vec<u8>,
}

fn line() -> impl Strategy<Value = Line> {
    (prop::bool::weighted(0.7), prop_oneof![4 => Just(" "), 1 => Just("")], message())
        .prop_map(|(is_stamped, space, message)| Line { is_stamped, space, message })
}

/// Some files of lines, with the groups that they consist of: their text, and the messages in them.
fn files(lines: &[Vec<Line>], dir: &Workdir) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut groups: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    let mut has_label = false;
    for (number, lines) in lines.iter().enumerate() {
        let mut text = Vec::new();
        for line in lines {
            let mut label = String::new();
            // A message that begins like a digit would make the label another, and an unstamped line must not look
            // stamped.
            let begins_as_digit = line.message.first().is_some_and(u8::is_ascii_hexdigit);
            if line.is_stamped {
                let space = if line.space.is_empty() && begins_as_digit { " " } else { line.space };
                write!(label, "{}{space}", second(number as u64)).unwrap();
            }
            // One space belongs to the label.
            let whole = [label.as_bytes(), &line.message, b"\n"].concat();
            let message = whole[..whole.len() - 1].to_vec();
            let message = if line.is_stamped {
                message[25..].strip_prefix(b" ").unwrap_or(&message[25..]).to_vec()
            } else {
                message
            };
            has_label |= line.is_stamped;
            match groups.last_mut() {
                Some((group, messages)) if !line.is_stamped && has_label => {
                    group.extend(&whole);
                    messages.push(message);
                }
                _ => groups.push((whole.clone(), vec![message])),
            }
            text.extend(whole);
        }
        let name = if number + 1 == 4 { "current".to_owned() } else { format!("{}.s", second(number as u64 + 1)) };
        log_directory(dir, "main", &[(&name, &text)]);
    }
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_pattern_is_found_as_it_is_line_by_line(
        lines in proptest::collection::vec(proptest::collection::vec(line(), 0..40), 4),
        patterns in proptest::sample::subsequence(PATTERNS.to_vec(), 5),
        option in prop_oneof![Just("-s"), Just("-i"), Just("-sv")],
    ) {
        let dir = Workdir::new();
        let groups = files(&lines, &dir);
        for pattern in patterns {
            let regex = RegexBuilder::new(pattern).case_insensitive(option == "-i").build().unwrap();
            let wanted = groups.iter().filter(|(_, messages)| {
                messages.iter().any(|message| regex.is_match(message)) != (option == "-sv")
            });
            let mut wanted: Vec<String> = wanted.map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
            let shown = |order: &[&str]| {
                let arguments = [order, &["-o", "tai64n", option, "-g", pattern, "main"]].concat();
                String::from_utf8_lossy(&run(dir.path(), &arguments).stdout).into_owned()
            };

            prop_assert_eq!(shown(&[]), wanted.concat(), "{}", pattern);
            wanted.reverse();
            prop_assert_eq!(shown(&["-r"]), wanted.concat(), "{} backwards", pattern);
        }
    }
}

#[test]
fn lines_without_a_match_are_printed_with_labels_whatever_their_stamps_are() {
    let dir = Workdir::new();
    let line = |i: u64| format!("{} line {i}\n", second(i));
    let current = line(0) + &line(1) + "2026-09-21_14:13:22.00000 line 2\n" + &line(3) + &line(4);
    log_directory(&dir, "main", &[("current", current.as_bytes())]);

    let printed = printed(&dir, &["-v", "-g", "error", "-o", "tai64n", "main"]);

    assert_eq!(printed, (0..5).map(line).collect::<String>());
}
