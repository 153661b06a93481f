//! How a step that failed is announced and shown, and how soon it is tried again.

use std::time::{Duration, Instant};

use crate::cli::Messages;
use crate::logdir::logger_state::{Activity, Task};
use crate::multilog::error::Error;

/// How long a step is left alone that found no room: a write that fails costs little, and the service may be waiting.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// How often the same failure is announced, and how soon its step is tried again.
#[derive(Debug, Default)]
pub struct Pace {
    /// What was announced last, and when.
    announced: Option<(String, Instant)>,
}

impl Pace {
    /// Announces a failure, unless it was announced a moment ago. Returns how long to wait.
    pub fn announce(&mut self, error: &Error, messages: Messages) -> Duration {
        if !error.is_want_of_room() {
            messages.warn(error.pausing());
            return error.pause();
        }
        let text = error.to_string();
        let is_news = |(last, at): &(String, Instant)| *last != text || at.elapsed() >= error.pause();
        if self.announced.as_ref().is_none_or(is_news) {
            messages.warn(error.pausing());
            self.announced = Some((text, Instant::now()));
        }
        ROOM_PAUSE
    }
}

/// The task of a logger in which a step has failed while it was doing `activity`.
#[must_use]
pub fn failed_task(error: &Error, activity: Activity) -> Task {
    let activity = if activity == Activity::Processing { activity } else { Activity::Retrying };
    Task { activity, errno: error.errno(), text: error.to_string().into_bytes() }
}
