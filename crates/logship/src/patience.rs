//! Repeats what a store did not do, for as long as it is away.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::metrics::Metrics;
use crate::report;
use crate::store::StoreError;

/// The pauses between attempts: the first, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Repeats what a store did not do.
#[derive(Debug)]
pub(crate) struct Patience<'m> {
    /// How long a store may be away; `None`: for ever.
    limit: Option<Duration>,
    /// Whether a refusal is final. A program that stays waits until somebody puts the permissions right.
    gives_up_if_refused: bool,
    /// When the store was first found to be away, and not reached since.
    away_since: Cell<Option<Instant>>,
    metrics: &'m Metrics,
}

impl<'m> Patience<'m> {
    pub(crate) fn new(limit: Option<Duration>, gives_up_if_refused: bool, metrics: &'m Metrics) -> Patience<'m> {
        Patience { limit, gives_up_if_refused, away_since: Cell::new(None), metrics }
    }

    /// Does something until the store does it. It says once that the store is away, and once that it is back.
    pub(crate) async fn persist<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match attempt().await {
                Ok(done) => {
                    if let Some(since) = self.away_since.take() {
                        report::warn(format_args!("the store is back after {} s", since.elapsed().as_secs()));
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            let is_final = match error {
                StoreError::Damaged(_) => true,
                StoreError::Refused(_) => self.gives_up_if_refused,
                StoreError::Away(_) => self.limit.is_some_and(|limit| start.elapsed() + pause > limit),
            };
            if is_final {
                return Err(error);
            }
            self.metrics.retried();
            if self.away_since.get().is_none() {
                self.away_since.set(Some(start));
                report::warn(format_args!("{error}, retrying"));
            }
            sleep(pause.mul_f64(jitter())).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// From 0.5 to 1, by the clock: a thousand hosts must not come back at the same moment.
fn jitter() -> f64 {
    0.5 + f64::from(logyard::tai64n::Label::now().nanoseconds() / 1000 % 1000) / 2000.0
}
