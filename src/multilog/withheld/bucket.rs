//! A bucket of tokens, one of which each line takes.
//!
//! The bucket holds as many tokens as a burst may have lines, and gets new ones at the rate. Once it was empty when a line
//! came, it gives none until it has the tokens of a second (or of a burst, if that is smaller): so a flood leaves one gap a
//! second in the log, and not one between any two lines.
//!
//! Time is that of the labels of the lines. So the same lines make the same log again after a kill. If the clock is set
//! back, the bucket gets nothing for that time; if it is set forward, it is full.

use crate::logdir::restraint::Rate;
use crate::tai64n::Label;

/// What a token is counted in: at a rate of one line per second, a nanosecond adds one.
const TOKEN: u64 = 1_000_000_000;

/// The length of an encoded bucket.
pub const BUCKET_BYTES: usize = 8 + 1 + 12 + 1;

/// The tokens of one directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// In parts of a token.
    level: u64,
    /// `None` at the start, when it is about to be full.
    filled_at: Option<Label>,
    /// A line got no token, and there are not enough of them yet.
    is_dry: bool,
}

impl Bucket {
    /// Adds what a rate gives until a moment.
    pub fn fill(&mut self, rate: Rate, now: Label) {
        let most = rate.burst.saturating_mul(TOKEN);
        let added = match self.filled_at {
            None => most,
            Some(before) => nanoseconds_between(before, now).saturating_mul(rate.lines),
        };
        self.level = self.level.saturating_add(added).min(most);
        self.filled_at = Some(now);
    }

    /// Tells whether a line may be written.
    #[must_use]
    pub fn has_token(&self, rate: Rate) -> bool {
        let least = if self.is_dry { rate.lines.min(rate.burst) } else { 1 };
        self.level >= least.saturating_mul(TOKEN)
    }

    /// A line is written.
    pub fn take(&mut self) {
        self.level = self.level.saturating_sub(TOKEN);
        self.is_dry = false;
    }

    /// A line came for which there was no token.
    pub fn refuse(&mut self) {
        self.is_dry = true;
    }

    /// Writes it to the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.level.to_le_bytes());
        bytes.push(u8::from(self.filled_at.is_some()));
        bytes.extend(self.filled_at.map_or([0; 12], Label::to_bytes));
        bytes.push(u8::from(self.is_dry));
    }

    /// Reads what [`Bucket::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8; BUCKET_BYTES]) -> Option<Bucket> {
        let label = || Label::from_bytes(bytes[9..21].try_into().expect("these are twelve")).ok();
        Some(Bucket {
            level: u64::from_le_bytes(bytes[..8].try_into().expect("these are eight")),
            filled_at: if bytes[8] == 0 { None } else { Some(label()?) },
            is_dry: bytes[21] != 0,
        })
    }
}

/// 0 if the clock was set back.
fn nanoseconds_between(before: Label, now: Label) -> u64 {
    let nanoseconds = |label: Label| i128::from(label.unix_seconds()) * 1_000_000_000 + i128::from(label.nanoseconds());
    let passed = nanoseconds(now) - nanoseconds(before);
    if passed < 0 { 0 } else { u64::try_from(passed).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::UnixTime;

    fn at(seconds: i64, nanoseconds: u32) -> Label {
        Label::from(UnixTime { seconds, nanoseconds })
    }

    /// How many lines a bucket gives at a moment.
    fn lines(bucket: &mut Bucket, rate: Rate, now: Label) -> u64 {
        bucket.fill(rate, now);
        let mut count = 0;
        while bucket.has_token(rate) {
            bucket.take();
            count += 1;
        }
        bucket.refuse();
        count
    }

    #[test]
    fn a_burst_and_then_the_rate_once_a_second() {
        let rate = Rate { lines: 10, burst: 25 };
        let mut bucket = Bucket::default();
        assert_eq!(lines(&mut bucket, rate, at(100, 0)), 25);
        assert_eq!(lines(&mut bucket, rate, at(100, 900_000_000)), 0, "there are the tokens of nine lines");
        assert_eq!(lines(&mut bucket, rate, at(101, 0)), 10);
        assert_eq!(lines(&mut bucket, rate, at(102, 500_000_000)), 15);
        assert_eq!(lines(&mut bucket, rate, at(900, 0)), 25);
    }

    #[test]
    fn a_small_burst_is_waited_for() {
        let rate = Rate { lines: 10, burst: 2 };
        let mut bucket = Bucket::default();
        assert_eq!(lines(&mut bucket, rate, at(100, 0)), 2);
        assert_eq!(lines(&mut bucket, rate, at(100, 100_000_000)), 0);
        assert_eq!(lines(&mut bucket, rate, at(100, 200_000_000)), 2);
    }

    #[test]
    fn a_rate_that_is_kept_leaves_nothing_out() {
        let rate = Rate { lines: 10, burst: 1 };
        let mut bucket = Bucket::default();
        for tenth in 0..100 {
            bucket.fill(rate, at(100 + tenth / 10, u32::try_from(tenth % 10).unwrap() * 100_000_000));
            assert!(bucket.has_token(rate), "after {tenth} tenths");
            bucket.take();
        }
    }

    #[test]
    fn a_clock_that_is_set_does_no_harm() {
        let rate = Rate { lines: Rate::LINES_MAX, burst: Rate::LINES_MAX };
        let mut bucket = Bucket::default();
        for now in [at(i64::MAX / 4, 0), at(-1_000_000, 0), at(0, 0)] {
            bucket.fill(rate, now);
            assert!(bucket.has_token(rate));
        }
        let slow = Rate { lines: 1, burst: 3 };
        let mut bucket = Bucket::default();
        assert_eq!(lines(&mut bucket, slow, at(1000, 0)), 3);
        assert_eq!(lines(&mut bucket, slow, at(500, 0)), 0);
        assert_eq!(lines(&mut bucket, slow, at(501, 0)), 1);
    }

    #[test]
    fn a_bucket_is_read_as_it_was_written() {
        let mut bucket = Bucket::default();
        for _ in 0..2 {
            let mut bytes = Vec::new();
            bucket.encode(&mut bytes);
            assert_eq!(Bucket::decode(bytes[..].try_into().unwrap()), Some(bucket));
            bucket.fill(Rate { lines: 7, burst: 9 }, at(5, 6));
            bucket.refuse();
        }
    }
}
