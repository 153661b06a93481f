//! Logs of any size, in the shapes that users have.
//!
//! A corpus is its shape, its seed and its length: the same three give the same bytes on every machine, so a benchmark
//! names them instead of keeping a file. It is made line by line and never needs to be in memory.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::requests::Requests;
use crate::{Counts, Random};

/// How much is written at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// What the lines of a log look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A busy qmail-send: 59 bytes a line.
    Qmail,
    /// 13 bytes a line, always: what a line costs beside its bytes.
    Short,
    /// From empty lines to 2000 bytes, most of them short.
    Mixed,
    /// 300 to 900 bytes: web servers behind proxies, JSON.
    Long,
    /// 100,000 bytes a line: more than any pipe takes at once unless it is asked.
    Huge,
    /// A Java service: messages, some followed by the lines of a stack trace.
    Multiline,
    /// A service that logs one JSON object a line.
    Json,
}

impl Shape {
    /// All there are.
    pub const ALL: [Shape; 7] =
        [Shape::Qmail, Shape::Short, Shape::Mixed, Shape::Long, Shape::Huge, Shape::Multiline, Shape::Json];

    /// The shape of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// The name, as a command line has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shape::Qmail => "qmail",
            Shape::Short => "short",
            Shape::Mixed => "mixed",
            Shape::Long => "long",
            Shape::Huge => "huge",
            Shape::Multiline => "multiline",
            Shape::Json => "json",
        }
    }
}

/// A log of a given shape and length.
///
/// ```
/// use logyard_corpus::{Corpus, Shape};
/// let mut log = Vec::new();
/// let counts = Corpus::new(Shape::Short, 1, 130).write_to(&mut log)?;
/// assert_eq!((counts.lines, log.len()), (10, 130));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Corpus {
    shape: Shape,
    random: Random,
    /// What is still to come, newlines included.
    left_bytes: u64,
    counts: Counts,
    /// The line that was made last.
    line: String,
    mail: Mail,
    requests: Requests,
}

impl Corpus {
    /// A log of exactly `bytes`, in whole lines; the last one may be cut short to end there.
    #[must_use]
    pub fn new(shape: Shape, seed: u64, bytes: u64) -> Corpus {
        let mail = Mail { message: 257_198, delivery: 1, stage: 0, host: 7, user: 1 };
        let counts = Counts::default();
        let requests = Requests::default();
        Corpus { shape, random: Random::new(seed), left_bytes: bytes, counts, line: String::new(), mail, requests }
    }

    /// The next line, with its newline; `None` when the log is complete.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        if self.left_bytes == 0 {
            return None;
        }
        self.line.clear();
        match self.shape {
            Shape::Qmail => self.mail.write_line(&mut self.random, &mut self.line),
            Shape::Short => write_text(&mut self.random, 12, &mut self.line),
            Shape::Mixed => {
                let longest = *self.random.pick(&[20, 80, 80, 80, 200, 200, 1000, 2000]);
                let length = self.random.within(0..=longest);
                write_text(&mut self.random, length, &mut self.line);
            }
            Shape::Long => {
                let length = self.random.within(299..=899);
                write_text(&mut self.random, length, &mut self.line);
            }
            Shape::Huge => write_text(&mut self.random, 99_999, &mut self.line),
            Shape::Multiline => self.requests.write_trace_line(&mut self.random, &mut self.line),
            Shape::Json => self.requests.write_json(&mut self.random, &mut self.line),
        }
        let room = usize::try_from(self.left_bytes - 1).unwrap_or(usize::MAX);
        self.line.truncate(room);
        self.line.push('\n');
        self.left_bytes -= self.line.len() as u64;
        self.counts.add(self.line.as_bytes());
        Some(self.line.as_bytes())
    }

    /// Writes what is left of the log, and says what all of it counts.
    pub fn write_to(mut self, out: &mut impl Write) -> io::Result<Counts> {
        let mut block = Vec::with_capacity(2 * BLOCK_BYTES);
        while let Some(line) = self.next_line() {
            block.extend_from_slice(line);
            if block.len() >= BLOCK_BYTES {
                out.write_all(&block)?;
                block.clear();
            }
        }
        out.write_all(&block)?;
        Ok(self.counts)
    }

    /// The rest of the log in memory.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut log = Vec::with_capacity(usize::try_from(self.left_bytes).unwrap_or(0));
        self.write_to(&mut log).expect("memory can be written");
        log
    }
}

/// Where a mail queue stands in the life of a message.
#[derive(Debug)]
struct Mail {
    message: u64,
    delivery: u64,
    stage: u8,
    host: usize,
    user: usize,
}

impl Mail {
    fn write_line(&mut self, random: &mut Random, line: &mut String) {
        let Mail { message, delivery, stage, host, user } = *self;
        let written = match stage {
            0 => write!(line, "new msg {message}"),
            1 => {
                self.host = random.within(1..=254);
                self.user = random.within(1..=999);
                let (size, process) = (random.within(400..=90_000), random.within(1000..=32_000));
                write!(
                    line,
                    "info msg {message}: bytes {size} from <list-owner-{user}@lists.example.jp> qp {process} uid 502"
                )
            }
            2 => write!(
                line,
                "starting delivery {delivery}: msg {message} to remote user{user}@mail{host}.customers.example.com"
            ),
            3 => write!(line, "status: local 0/10 remote {}/20", random.within(1..=20)),
            4 => {
                let queued = random.number() >> 24;
                let said = "Remote_host_said:_250_2.0.0_from_MTA(smtp:[127.0.0.1]:10025):_250_2.0.0_Ok:_queued_as";
                write!(line, "delivery {delivery}: success: 192.0.2.{host}_accepted_message./{said}_{queued:010X}/")
            }
            5 => write!(line, "status: local 0/10 remote {}/20", random.within(0..=19)),
            _ => write!(line, "end msg {message}"),
        };
        written.expect("a String takes everything");
        self.stage = (stage + 1) % 7;
        if self.stage == 0 {
            self.message += 1;
            self.delivery += 1;
        }
    }
}

/// Appends words to the length.
fn write_text(random: &mut Random, length: usize, line: &mut String) {
    const WORDS: [&str; 12] =
        ["accepted", "from", "10.1.2.3", "status=ok", "to", "user", "retry", "in", "time", "0", "id=4f2a", "closed"];
    while line.len() < length {
        let word: &&str = random.pick(&WORDS);
        line.push_str(word);
        line.push(' ');
    }
    line.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_has_exactly_the_bytes_asked_for_in_whole_lines() {
        for shape in Shape::ALL {
            for bytes in [0, 1, 2, 12, 13, 14, 1000, 250_001] {
                let mut log = Vec::new();

                let counts = Corpus::new(shape, 1, bytes).write_to(&mut log).unwrap();

                assert_eq!(log.len() as u64, bytes, "{shape:?}");
                assert_eq!(counts, Counts::of(&log), "{shape:?} of {bytes} bytes");
                assert_eq!(counts.ends_in_newline, bytes > 0);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_log_and_another_seed_another() {
        for shape in Shape::ALL {
            let log = |seed| Corpus::new(shape, seed, 400_000).into_bytes();

            assert_eq!(log(1), log(1), "{shape:?}");
            assert_ne!(log(1), log(2), "{shape:?}");
        }
    }

    #[test]
    fn lines_are_as_long_as_their_shape_says() {
        let mean = |shape| {
            let counts = Counts::of(&Corpus::new(shape, 1, 2_600_000).into_bytes());
            (counts.bytes as f64 / counts.lines as f64, counts.longest_bytes)
        };

        let (qmail, _) = mean(Shape::Qmail);
        assert!((58.0..60.0).contains(&qmail), "{qmail}");
        assert_eq!(mean(Shape::Short), (13.0, 12));
        assert_eq!(mean(Shape::Huge), (100_000.0, 99_999));
        let (long, longest) = mean(Shape::Long);
        assert!((590.0..610.0).contains(&long) && longest < 900, "{long}");
        assert!((100.0..400.0).contains(&mean(Shape::Mixed).0));
        assert!((50.0..80.0).contains(&mean(Shape::Multiline).0));
        assert!((200.0..260.0).contains(&mean(Shape::Json).0));
    }

    #[test]
    fn a_message_of_the_multi_line_shape_has_lines_that_begin_with_a_tab() {
        let log = Corpus::new(Shape::Multiline, 1, 100_000).into_bytes();
        let text = String::from_utf8(log).unwrap();

        let traces = text.lines().filter(|line| line.starts_with("\tat ")).count();
        assert!(traces > 500 && traces < text.lines().count(), "{traces} lines of stack traces");
    }

    #[test]
    fn each_line_of_the_json_shape_is_an_object() {
        let mut corpus = Corpus::new(Shape::Json, 1, 100_000);
        let mut objects = 0;
        while let Some(line) = corpus.next_line() {
            let line = std::str::from_utf8(line).unwrap();
            // The last one may be cut short.
            objects += u32::from(line.starts_with("{\"time\":") && line.ends_with("}\n"));
        }
        assert!(objects > 300, "{objects} objects");
    }

    #[test]
    fn a_shape_is_found_by_its_name() {
        for shape in Shape::ALL {
            assert_eq!(Shape::named(shape.name()), Some(shape));
        }
        assert_eq!(Shape::named("round"), None);
    }
}
