//! Selectors: `+pattern` and `-pattern`, compiled once.
//!
//! A simple pattern is literal bytes and stars. A star skips to the first occurrence of the byte that follows it in the
//! pattern and never looks back: `*foo` does not match `ffoo`. At the end of the pattern it matches all the rest. So a
//! pattern is a chain of "find this byte, then these must follow", and matching is a `memchr` and a comparison for each
//! link of the chain.
//!
//! A star before a star skips to a literal `*` and stays before it: `**` asks for a line with a `*` in it. There is no
//! other way to speak of a literal star, and a pattern cannot hold a NUL; the line may hold any byte.

use memchr::memchr;

/// One link of the chain: skip to `seek`, then `literal` must stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    seek: u8,
    /// Begins with `seek`, or is empty where the star was followed by a star.
    literal: Box<[u8]>,
}

/// A compiled pattern.
///
/// ```
/// use logyard::multilog::script::selector::Selector;
/// let delivered = Selector::new(b"*delivery *: success:*");
/// assert!(delivered.matches(b"info: delivery 7: success: did_0+0+1/"));
/// assert!(!delivered.matches(b"delivery 7: failure: delivery 7: success: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    head: Box<[u8]>,
    links: Box<[Link]>,
    /// The pattern ends in a star.
    ends_open: bool,
}

/// How far a pattern has come after some first bytes of a line.
///
/// All lines of a batch begin with the same stamp, so this is computed once for the stamp and continued for each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Progress(State);

impl Progress {
    /// Of what has matched.
    pub(super) const MATCHED: Progress = Progress(State::Matched);

    /// Whether the pattern matches, where the rest of the line does not matter any more.
    #[must_use]
    pub fn verdict(self) -> Option<bool> {
        match self.0 {
            State::Matched => Some(true),
            State::Failed => Some(false),
            State::Within { .. } | State::Seeking { .. } => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// `offset` bytes of the literal of `link` have been seen; link 0 is the head.
    Within { link: usize, offset: usize },
    /// Skipping to the byte that `link` seeks.
    Seeking { link: usize },
    /// The rest does not matter: the line matches.
    Matched,
    /// The rest does not matter: the line does not match.
    Failed,
}

impl Selector {
    /// Compiles a pattern. Every pattern is one.
    #[must_use]
    pub fn new(pattern: &[u8]) -> Selector {
        let mut parts = pattern.split(|&byte| byte == b'*');
        let head = parts.next().unwrap_or_default().into();
        let mut links = Vec::new();
        let mut ends_open = false;
        let mut parts = parts.peekable();
        while let Some(literal) = parts.next() {
            match literal.first() {
                Some(&seek) => links.push(Link { seek, literal: literal.into() }),
                None if parts.peek().is_some() => links.push(Link { seek: b'*', literal: Box::default() }),
                None => ends_open = true,
            }
        }
        Selector { head, links: links.into(), ends_open }
    }

    /// The pattern that it was compiled from.
    #[must_use]
    pub fn pattern(&self) -> Vec<u8> {
        let mut pattern = self.head.to_vec();
        for link in &self.links {
            pattern.push(b'*');
            pattern.extend_from_slice(&link.literal);
        }
        if self.ends_open {
            pattern.push(b'*');
        }
        pattern
    }

    /// Tells whether the pattern matches a whole line.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        self.finish(self.start(b""), line)
    }

    /// Matches the first bytes of a line, to be continued by [`Selector::finish`].
    #[must_use]
    pub fn start(&self, first: &[u8]) -> Progress {
        Progress(self.advance(State::Within { link: 0, offset: 0 }, first))
    }

    /// Goes on with the next bytes of the line.
    #[must_use]
    pub fn go_on(&self, progress: Progress, next: &[u8]) -> Progress {
        Progress(self.advance(progress.0, next))
    }

    /// The byte up to which all others make no difference, if the pattern is at a star.
    #[must_use]
    pub fn sought(&self, progress: Progress) -> Option<u8> {
        match progress.0 {
            State::Seeking { link } => Some(self.links[link - 1].seek),
            _ => None,
        }
    }

    /// The bytes that stand in the pattern; all others are alike to it.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let links = self.links.iter().flat_map(|link| std::iter::once(&link.seek).chain(&link.literal));
        self.head.iter().chain(links).copied()
    }

    /// Tells whether the pattern matches a line of which the first bytes went to [`Selector::start`].
    #[must_use]
    pub fn finish(&self, progress: Progress, rest: &[u8]) -> bool {
        match self.advance(progress.0, rest) {
            State::Matched => true,
            State::Failed | State::Seeking { .. } => false,
            // A literal that is complete and not followed by a star: only the last one stops here.
            State::Within { link, offset } => offset == self.literal(link).len(),
        }
    }

    fn literal(&self, link: usize) -> &[u8] {
        match link.checked_sub(1) {
            None => &self.head,
            Some(index) => &self.links[index].literal,
        }
    }

    fn advance(&self, mut state: State, mut bytes: &[u8]) -> State {
        loop {
            match state {
                State::Matched | State::Failed => return state,
                State::Seeking { link } => match memchr(self.links[link - 1].seek, bytes) {
                    None => return state,
                    Some(position) => {
                        bytes = &bytes[position..];
                        state = State::Within { link, offset: 0 };
                    }
                },
                State::Within { link, offset } => {
                    let expected = &self.literal(link)[offset..];
                    let length = expected.len().min(bytes.len());
                    if expected[..length] != bytes[..length] {
                        return State::Failed;
                    }
                    if length < expected.len() {
                        return State::Within { link, offset: offset + length };
                    }
                    bytes = &bytes[length..];
                    if link < self.links.len() {
                        state = State::Seeking { link: link + 1 };
                    } else if self.ends_open {
                        return State::Matched;
                    } else if bytes.is_empty() {
                        return State::Within { link, offset: offset + length };
                    } else {
                        return State::Failed;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pattern language as multilog.8 tells it, a byte at a time.
    fn naive_matches(pattern: &[u8], line: &[u8]) -> bool {
        match pattern {
            [] => line.is_empty(),
            [b'*'] => true,
            [b'*', next, ..] => match line.iter().position(|byte| byte == next) {
                None => false,
                Some(position) => naive_matches(&pattern[1..], &line[position..]),
            },
            [byte, rest @ ..] => line.first() == Some(byte) && naive_matches(rest, &line[1..]),
        }
    }

    #[test]
    fn the_examples_of_the_manual_hold() {
        // multilog.8 > "+hello selects the line if the line is hello"
        assert!(Selector::new(b"hello").matches(b"hello"));
        assert!(!Selector::new(b"hello").matches(b"hello, world"));
        // multilog.8 > "+named[*]: * accepts any string starting named[, then anything up to the next ], …"
        assert!(Selector::new(b"named[*]: *").matches(b"named[33]: cache cleared"));
        assert!(!Selector::new(b"named[*]: *").matches(b"named[33] cache cleared"));
    }

    #[test]
    fn a_star_never_looks_back() {
        assert!(!Selector::new(b"*foo").matches(b"ffoo"));
        assert!(Selector::new(b"*foo").matches(b"barfoo"));
        assert!(!Selector::new(b"*foo").matches(b"foofoo"));
    }

    #[test]
    fn two_stars_ask_for_a_star() {
        assert!(Selector::new(b"**").matches(b"a * b"));
        assert!(!Selector::new(b"**").matches(b"a b"));
        assert!(Selector::new(b"**b").matches(b"a*ccb"));
        assert!(!Selector::new(b"**b").matches(b"b"));
        assert!(Selector::new(b"***").matches(b"*"));
    }

    #[test]
    fn the_empty_pattern_is_the_empty_line() {
        assert!(Selector::new(b"").matches(b""));
        assert!(!Selector::new(b"").matches(b"a"));
    }

    /// Few different bytes, so that patterns and lines meet; a NUL and an 8-bit byte among them.
    fn text(bytes: &'static [u8], length: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(bytes), 0..length)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_compiled_selector_agrees_with_the_naive_one(
            pattern in text(b"ab*\xff", 10),
            line in text(b"ab*\xff\0", 16),
            cut in 0..16_usize,
        ) {
            let selector = Selector::new(&pattern);
            let (first, rest) = line.split_at(cut.min(line.len()));

            prop_assert_eq!(selector.matches(&line), naive_matches(&pattern, &line));
            prop_assert_eq!(selector.finish(selector.start(first), rest), naive_matches(&pattern, &line));
        }
    }
}
