//! Limits how often a service is started: tells when the next start is due.
//!
//! A service that ends is started again at most once a second; one that somebody asks for is started immediately. With a
//! file `restart-delay-max`, the time between the starts of one that keeps failing doubles from one second up to that,
//! and is a second again after it has stayed up for as long.

use std::time::Duration;

use crate::supervise::handed_state::{Rejection, StateReader, StateWriter};

/// The minimum time between two starts of any service.
pub const BETWEEN_STARTS: Duration = Duration::from_secs(1);
/// The longest wait for the system to allow another process.
const FORK_DELAY_MAX: Duration = Duration::from_secs(60);

/// The times of starts. Moments are durations since any fixed moment.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    last_start: Option<Duration>,
    /// How often in a row the service has failed.
    failures: u32,
    /// Until the next start, from the last one.
    delay: Duration,
    /// Until the next attempt to make a process, after one that failed.
    fork_delay: Duration,
    /// When an attempt may be made after one that failed.
    retry: Option<Duration>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { last_start: None, failures: 0, delay: BETWEEN_STARTS, fork_delay: BETWEEN_STARTS, retry: None }
    }
}

impl Throttle {
    /// Writes the times to a state that is handed on.
    pub fn write(&self, out: &mut StateWriter) {
        out.put_time("last-start", self.last_start);
        out.put("failures", self.failures);
        out.put_time("delay", Some(self.delay));
        out.put_time("fork-delay", Some(self.fork_delay));
        out.put_time("retry", self.retry);
    }

    /// Reads them from there.
    pub fn read(from: &mut StateReader<'_>) -> Result<Throttle, Rejection> {
        Ok(Throttle {
            last_start: from.time_if("last-start")?,
            failures: from.value("failures")?,
            delay: from.time("delay")?,
            fork_delay: from.time("fork-delay")?,
            retry: from.time_if("retry")?,
        })
    }

    /// When the service may be started.
    #[must_use]
    pub fn due(&self) -> Duration {
        let by_start = self.last_start.map_or(Duration::ZERO, |last| last.saturating_add(self.delay));
        by_start.max(self.retry.unwrap_or(Duration::ZERO))
    }

    /// It has been started.
    pub fn started(&mut self, now: Duration) {
        *self = Throttle { last_start: Some(now), fork_delay: BETWEEN_STARTS, retry: None, ..*self };
    }

    /// No process could be made. Returns how long the next attempt waits.
    pub fn not_started(&mut self, now: Duration) -> Duration {
        let wait = self.fork_delay;
        self.retry = Some(now.saturating_add(wait));
        self.fork_delay = (wait * 2).min(FORK_DELAY_MAX);
        wait
    }

    /// The administrator asks for a start: it is due immediately. Only restarts without a request are limited.
    pub fn start_at_once(&mut self) {
        self.last_start = None;
        self.retry = None;
    }

    /// It has ended; `is_failure` unless somebody asked for that. `delay_max` is what `restart-delay-max` says.
    pub fn ended(&mut self, now: Duration, is_failure: bool, delay_max: Option<Duration>) {
        let delay_max = delay_max.unwrap_or(BETWEEN_STARTS).max(BETWEEN_STARTS);
        let stayed_up = self.last_start.is_some_and(|last| now.saturating_sub(last) >= delay_max);
        self.failures = if is_failure && !stayed_up { self.failures.saturating_add(1) } else { 0 };
        let doublings = self.failures.saturating_sub(1).min(30);
        self.delay = BETWEEN_STARTS.saturating_mul(1 << doublings).min(delay_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Option<Duration> = Some(Duration::from_secs(10));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lets a service fail at once, again and again, and says how long each start waited.
    fn delays(throttle: &mut Throttle, count: usize, delay_max: Option<Duration>) -> Vec<u64> {
        let mut now = throttle.due();
        let mut delays = Vec::new();
        for _ in 0..count {
            throttle.started(now);
            throttle.ended(now, true, delay_max);
            delays.push((throttle.due() - now).as_secs());
            now = throttle.due();
        }
        delays
    }

    #[test]
    fn the_first_start_is_due_at_once() {
        assert_eq!(Throttle::default().due(), Duration::ZERO);
    }

    #[test]
    fn without_the_file_starts_are_a_second_apart_for_ever() {
        assert_eq!(delays(&mut Throttle::default(), 5, None), [1; 5]);
    }

    #[test]
    fn with_the_file_the_delay_grows_up_to_it() {
        assert_eq!(delays(&mut Throttle::default(), 6, MAX), [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn a_service_that_stayed_up_or_was_asked_to_end_begins_anew() {
        let mut throttle = Throttle::default();
        delays(&mut throttle, 4, MAX);
        let start = throttle.due();
        throttle.started(start);
        throttle.ended(start + seconds(10), true, MAX);
        assert_eq!(throttle.due(), start + seconds(1));

        delays(&mut throttle, 4, MAX);
        let start = throttle.due();
        throttle.started(start);
        throttle.ended(start, false, MAX);
        assert_eq!(throttle.due(), start + seconds(1));
    }

    #[test]
    fn what_somebody_asks_for_is_due_at_once() {
        let mut throttle = Throttle::default();
        delays(&mut throttle, 4, MAX);

        throttle.start_at_once();

        assert_eq!(throttle.due(), Duration::ZERO);
    }

    #[test]
    fn the_system_is_asked_for_a_process_less_and_less_often() {
        let mut throttle = Throttle::default();

        let waits: Vec<u64> = (0..8).map(|_| throttle.not_started(seconds(5)).as_secs()).collect();

        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(throttle.due(), seconds(65));
        throttle.start_at_once();
        assert_eq!(throttle.due(), Duration::ZERO);
    }
}
