//! Parses command-line options as daemontools does.
//!
//! An option is a letter after `-`; letters may be bundled (`-nx`); a value follows its letter directly or is the next
//! argument (`-o10`, `-o 10`). Options end before the first argument that does not begin with `-`, before a `-` alone,
//! and after any argument that begins with `--`; with [`Options::without_words`], only after `--` itself.

use std::ffi::CStr;
use std::fmt::{self, Display};

use crate::cli::Shown;
use crate::sys::program::Arguments;

/// The options of a command line, one after the other.
///
/// ```
/// use logyard::cli::Options;
/// let line = [c"setlock", c"-nx", c"lock", c"true"];
/// let mut options = Options::new(&line, b"nNxX");
/// let letters: Vec<u8> = options.by_ref().map(|option| option.expect("good").letter).collect();
/// assert_eq!((&letters[..], options.rest()), (&b"nx"[..], &[c"lock", c"true"][..]));
/// ```
#[derive(Debug)]
pub struct Options<'a> {
    program: &'a [u8],
    arguments: &'a Arguments,
    /// The letters that there are, `:` after each that takes a value.
    known: &'a [u8],
    /// The argument to look at next.
    at: usize,
    /// What is left of a bundle of letters, which has been taken out of the arguments.
    bundle: &'a [u8],
    /// Words behind `--` are an error.
    refuses_words: bool,
}

/// An option as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a> {
    /// Which option.
    pub letter: u8,
    /// What was given with it; empty for an option that takes no value.
    pub value: &'a [u8],
}

/// An option that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    /// The name under which the program was called, without its directory.
    program: &'a [u8],
    problem: Problem<'a>,
}

/// What is wrong with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem<'a> {
    /// There is no such letter.
    Letter(u8),
    /// There is no such word, here with its hyphens.
    Word(&'a [u8]),
    /// Nothing follows the letter.
    NoValue(u8),
}

impl Display for Error<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (problem, letter) = match self.problem {
            Problem::Word(word) => return write!(out, "{}: illegal option {}", Shown(self.program), Shown(word)),
            Problem::Letter(letter) => ("illegal option", letter),
            Problem::NoValue(letter) => ("option requires an argument", letter),
        };
        write!(out, "{}: {problem} -- {}", Shown(self.program), Shown(&[letter]))
    }
}

impl<'a> Options<'a> {
    /// Reads the options of `arguments`, of which the first is the program's own name. `known` lists the letters, with a
    /// `:` after each that takes a value.
    #[must_use]
    pub fn new(arguments: &'a Arguments, known: &'a [u8]) -> Options<'a> {
        let name = arguments.first().map_or(&[][..], |name| name.to_bytes());
        let program = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        Options { program, arguments, known, at: 1, bundle: &[], refuses_words: false }
    }

    /// The same, but an argument such as `--anything` is an error. 0.76's programs pass over it.
    #[must_use]
    pub fn without_words(arguments: &'a Arguments, known: &'a [u8]) -> Options<'a> {
        Options { refuses_words: true, ..Options::new(arguments, known) }
    }

    /// The arguments after the options; to be asked for when there are no more options.
    #[must_use]
    pub fn rest(&self) -> &'a Arguments {
        self.arguments.get(self.at..).unwrap_or_default()
    }

    /// Takes the next argument out.
    fn take(&mut self) -> Option<&'a CStr> {
        let argument = self.arguments.get(self.at)?;
        self.at += 1;
        Some(argument)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<Given<'a>, Error<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bundle.is_empty() {
            match self.rest().first()?.to_bytes() {
                word @ [b'-', b'-', _, ..] if self.refuses_words => {
                    return Some(Err(Error { program: self.program, problem: Problem::Word(word) }));
                }
                [b'-', b'-', ..] => {
                    self.take();
                    return None;
                }
                [b'-', bundle @ ..] if !bundle.is_empty() => {
                    self.take();
                    self.bundle = bundle;
                }
                _ => return None,
            }
        }
        let (&letter, rest) = self.bundle.split_first()?;
        self.bundle = rest;
        let bad = |problem| Error { program: self.program, problem };
        // A colon is not a letter of its own, wherever it stands.
        let Some(known) = self.known.iter().position(|&one| one == letter && one != b':') else {
            return Some(Err(bad(Problem::Letter(letter))));
        };
        if self.known.get(known + 1) != Some(&b':') {
            return Some(Ok(Given { letter, value: &[] }));
        }
        let bad = bad(Problem::NoValue(letter));
        self.bundle = &[];
        let value = if rest.is_empty() { self.take().map(CStr::to_bytes) } else { Some(rest) };
        Some(value.map(|value| Given { letter, value }).ok_or(bad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from a command line: the options as text, and the arguments that are left.
    fn read<'a>(arguments: &'a Arguments, known: &'a [u8]) -> (Vec<String>, &'a Arguments) {
        let mut options = Options::new(arguments, known);
        let mut read = Vec::new();
        for option in options.by_ref() {
            match option {
                Ok(given) => read.push(format!("{}{}", char::from(given.letter), String::from_utf8_lossy(given.value))),
                Err(bad) => {
                    read.push(bad.to_string());
                    break;
                }
            }
        }
        (read, options.rest())
    }

    #[test]
    fn letters_may_be_bundled_and_values_may_touch_them() {
        let line = [c"p", c"-na5", c"-a", c"6", c"-n", c"rest", c"-x"];

        assert_eq!(read(&line, b"na:"), (vec!["n".into(), "a5".into(), "a6".into(), "n".into()], &line[5..]));
    }

    #[test]
    fn options_end_at_a_dash_and_after_two() {
        assert_eq!(read(&[c"p", c"-", c"-n"], b"n").1, [c"-", c"-n"]);
        assert_eq!(read(&[c"p", c"--", c"-n"], b"n").1, [c"-n"]);
        assert_eq!(read(&[c"p", c"--anything", c"-n"], b"n").1, [c"-n"]);
        assert_eq!(read(&[c"p", c"", c"-n"], b"n").1, [c"", c"-n"]);
        assert_eq!(read(&[], b"n").1, [c""; 0]);
    }

    #[test]
    fn words_may_be_refused() {
        let first = |arguments: &Arguments| {
            Options::without_words(arguments, b"na:").next().map(|option| option.err().map(|bad| bad.to_string()))
        };

        assert_eq!(
            first(&[c"p", c"--any\x1bthing", c"-n"]),
            Some(Some("p: illegal option --any\\x1bthing".to_owned()))
        );
        assert_eq!(first(&[c"p", c"-a", c"--anything"]), Some(None), "a value");
        assert_eq!(first(&[c"p", c"--", c"--anything"]), None);
        assert_eq!(first(&[c"p", c"dir", c"--anything"]), None);
    }

    #[test]
    fn an_unknown_letter_is_named_with_the_program() {
        assert_eq!(read(&[c"/usr/bin/p", c"-nZ"], b"n").0, ["n", "p: illegal option -- Z"]);
        assert_eq!(read(&[c"p", c"-:"], b"a:").0, ["p: illegal option -- :"]);
        assert_eq!(read(&[c"p", c"-\x1b"], b"a:").0, ["p: illegal option -- \\x1b"]);
    }

    #[test]
    fn a_missing_value_is_a_problem_and_an_empty_one_is_none() {
        assert_eq!(read(&[c"p", c"-a"], b"a:").0, ["p: option requires an argument -- a"]);
        assert_eq!(read(&[c"p", c"-a", c""], b"a:").0, ["a"]);
        assert_eq!(read(&[c"p", c"-a", c"--"], b"a:").0, ["a--"]);
    }
}
