//! `-n` without a number. The number is a word of its own, and so is the directory behind an `-n` without one: only looking at
//! the next word tells which of the two it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Command};

/// How many lines `-n` without a number means.
const LINES: &str = "10";

/// Writes out the number of each `-n` without one. `arguments` begins with the program's name.
pub(super) fn with_number(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut words: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(mut word) = arguments.next() {
        if word == "--" {
            words.push(word);
            break;
        }
        match value_that_follows(command, &word) {
            Follows::Nothing => words.push(word),
            Follows::Value => words.extend([Some(word), arguments.next()].into_iter().flatten()),
            Follows::Number if arguments.peek().is_some_and(|next| is_number(next)) => {
                words.extend([Some(word), arguments.next()].into_iter().flatten());
            }
            Follows::Number => {
                word.push(if word == "--lines" { "=" } else { "" });
                word.push(LINES);
                words.push(word);
            }
        }
    }
    words.extend(arguments);
    words
}

/// What the word behind an option may be.
enum Follows {
    /// Another option, or a directory.
    Nothing,
    /// The option's value.
    Value,
    /// The number of `-n`.
    Number,
}

fn value_that_follows(command: &Command, word: &OsStr) -> Follows {
    let bytes = word.as_bytes();
    let is_long = |name: &str| command.get_arguments().find(|one| one.get_long() == Some(name)).is_some_and(takes_word);
    match bytes {
        b"--lines" => Follows::Number,
        [b'-', b'-', name @ ..] => match std::str::from_utf8(name) {
            Ok(name) if is_long(name) => Follows::Value,
            _ => Follows::Nothing,
        },
        [b'-', letters @ ..] => {
            for (i, &letter) in letters.iter().enumerate() {
                let option = command.get_arguments().find(|one| one.get_short() == Some(char::from(letter)));
                if option.is_some_and(takes_word) {
                    // What is left of the word is the value.
                    let is_last = i + 1 == letters.len();
                    return match letter {
                        _ if !is_last => Follows::Nothing,
                        b'n' => Follows::Number,
                        _ => Follows::Value,
                    };
                }
            }
            Follows::Nothing
        }
        _ => Follows::Nothing,
    }
}

/// Tells whether the value of an option is the next word if it is not in the option's own.
fn takes_word(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

fn is_number(word: &OsStr) -> bool {
    !word.is_empty() && word.as_bytes().iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::arguments::grammar::command;

    #[test]
    fn only_an_n_without_a_number_gets_one() {
        for (given, written_out) in [
            ("-n", "-n10"),
            ("-n main", "-n10 main"),
            ("-n 5 main", "-n 5 main"),
            ("-n5 main", "-n5 main"),
            ("-nmany main", "-nmany main"),
            ("-fn main", "-fn10 main"),
            ("-fn 0 main", "-fn 0 main"),
            ("-n -f main", "-n10 -f main"),
            ("--lines main", "--lines=10 main"),
            ("--lines 5 main", "--lines 5 main"),
            ("--lines=5 main", "--lines=5 main"),
            ("-g -n main", "-g -n main"),
            ("-g-n main", "-g-n main"),
            ("--grep -n main", "--grep -n main"),
            ("--histogram -n main", "--histogram -n10 main"),
            ("-- -n main", "-- -n main"),
            ("main -n", "main -n10"),
        ] {
            let words = ["readlog"].into_iter().chain(given.split(' ')).map(OsString::from);

            let found = with_number(&command(), words);

            let expected: Vec<OsString> =
                ["readlog"].into_iter().chain(written_out.split(' ')).map(OsString::from).collect();
            assert_eq!(found, expected, "{given}");
        }
    }

    #[test]
    fn words_that_are_no_text_stay() {
        let word = OsString::from_vec(b"--\xff".to_vec());

        assert_eq!(with_number(&command(), ["readlog".into(), word.clone()]), ["readlog".into(), word]);
    }
}
