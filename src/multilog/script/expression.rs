//! Regular expressions as selectors: `r+expression` and `r-expression`.
//!
//! The code that compiles and matches them is [`automaton`](crate::multilog::script::automaton): 700 kB, which only the program
//! `multilog-regex` has. `multilog` must start under `softlimit -m 2000000`; where a script or the journal of another logger has
//! regular expressions, it executes `multilog-regex`, which is the same logger with that code.

use std::fmt;
use std::sync::OnceLock;

/// How many bytes of a line, without timestamp and prefix, expressions examine by default.
pub const EXAMINED_BYTES_LEAST: usize = 1000;
/// The most that they examine: a line of this length waits as a whole in a pipe of the size that multilog asks for.
pub const EXAMINED_BYTES_MOST: usize = 64 * 1024;
/// What all expressions of a script may take together.
pub const ALL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What compiles expressions.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    /// How many bytes an expression takes, or what is wrong with it.
    pub check: fn(text: &str) -> Result<usize, String>,
    /// Compiles expressions that were checked.
    pub compile: fn(texts: &[&str]) -> Box<dyn Expressions>,
}

/// The expressions of a script, in its order, compiled together.
pub trait Expressions: fmt::Debug + Send {
    /// Finds those that match what is to be examined of a line: a bit for each, from the lowest of the first number on.
    fn matching(&mut self, line: &[u8]) -> &[u64];

    /// Matches whole lines at the beginning of `lines`, where that is quicker than one line after the other: adds runs of them to
    /// `runs`, side by side, or nothing. At most `examined_bytes` bytes of a line are examined.
    fn match_lines(&mut self, lines: &[u8], examined_bytes: usize, runs: &mut Vec<MatchRun>);

    /// Frees memory that can be made again.
    fn shrink(&mut self);
}

/// Whole lines side by side that the same expressions match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchRun {
    /// Their bytes, with their newlines.
    pub bytes: usize,
    /// Whether it is known that this is one line.
    pub is_one: bool,
    /// The expressions that match: a bit for each, from the lowest on.
    pub matching: u64,
}

/// The one that this program has.
static COMPILER: OnceLock<Compiler> = OnceLock::new();

/// Gives this program a compiler: before the first script is parsed.
pub fn use_compiler(compiler: Compiler) {
    // Each program has one at most.
    let _ = COMPILER.set(compiler);
}

/// Tells whether this program can match expressions.
#[must_use]
pub fn has_compiler() -> bool {
    COMPILER.get().is_some()
}

/// Compiles expressions.
///
/// # Panics
///
/// If this program has no compiler.
#[must_use]
pub fn compile(expressions: &[&Expression]) -> Box<dyn Expressions> {
    let compiler = COMPILER.get().expect("a program without a compiler executes one that has it");
    let texts: Vec<&str> = expressions.iter().map(|expression| expression.text()).collect();
    (compiler.compile)(&texts)
}

/// A regular expression. It makes sense, if this program has a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    compiled_bytes: usize,
}

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadExpression(String);

impl fmt::Display for BadExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "it is no regular expression: {}", self.0)
    }
}

impl Expression {
    /// Checks an expression.
    pub fn new(text: &[u8]) -> Result<Expression, BadExpression> {
        let text = std::str::from_utf8(text).map_err(|_| BadExpression("it is not UTF-8; write \\xFF".to_owned()))?;
        let compiled_bytes = COMPILER.get().map_or(Ok(0), |compiler| (compiler.check)(text)).map_err(BadExpression)?;
        Ok(Expression { text: text.to_owned(), compiled_bytes })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it takes, as far as this program knows.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.compiled_bytes
    }
}
