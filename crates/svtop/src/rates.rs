//! How much a logger logs per second: over the last seconds, so that the figures can be read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use logyard::logdir::logger_state::Counts;

/// The time over which rates are taken.
const WINDOW: Duration = Duration::from_secs(5);
/// More looks than these are not kept.
const SAMPLES_MAX: usize = 64;

/// Counts at several moments.
#[derive(Debug, Default)]
pub(crate) struct Rates(VecDeque<(Instant, Counts)>);

impl Rates {
    /// Notes counts; returns whether something was logged since the last time.
    pub(crate) fn note(&mut self, now: Instant, counts: Counts) -> bool {
        let last = self.0.back().map(|(_, last)| *last);
        // Another logger counts from zero.
        if last.is_some_and(|last| last.lines > counts.lines || last.bytes > counts.bytes) {
            self.0.clear();
        }
        while self.0.len() >= SAMPLES_MAX || self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back((now, counts));
        last.is_some_and(|last| last.bytes != counts.bytes)
    }

    /// Notes that nothing was logged since the last time.
    pub(crate) fn note_again(&mut self, now: Instant) {
        if let Some((_, counts)) = self.0.back().copied() {
            self.note(now, counts);
        }
    }

    /// Forgets what was noted: another logger has begun.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Lines per second; `None` if nothing is known of two moments.
    pub(crate) fn lines(&self) -> Option<f64> {
        self.rate(|counts| counts.lines)
    }

    /// Bytes of input per second.
    pub(crate) fn bytes(&self) -> Option<f64> {
        self.rate(|counts| counts.bytes)
    }

    fn rate(&self, of: impl Fn(&Counts) -> u64) -> Option<f64> {
        let ((from, first), (to, last)) = (self.0.front()?, self.0.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        (seconds > 0.0).then(|| of(last).saturating_sub(of(first)) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lines: u64) -> Counts {
        Counts { lines, bytes: lines * 10, last_came: None }
    }

    #[test]
    fn the_last_seconds_count() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.lines(), None);
        for second in 0..20 {
            let lines = if second < 10 { second * 1000 } else { 10_000 + (second - 10) * 10 };
            rates.note(start + Duration::from_secs(second), counts(lines));
        }

        assert_eq!((rates.lines(), rates.bytes()), (Some(10.0), Some(100.0)));
    }

    #[test]
    fn a_logger_that_begins_again_has_no_negative_rate() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        rates.note(start, counts(500));
        assert!(rates.note(start + Duration::from_secs(1), counts(3)));

        assert_eq!(rates.lines(), None);
        rates.note(start + Duration::from_secs(2), counts(5));
        assert_eq!(rates.lines(), Some(2.0));
    }
}
