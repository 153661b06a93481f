//! Shows other programs what the logger waits for.

use std::fmt;

use crate::logdir::logger_state::{Activity, Counts, LoggerState, Task};
use crate::logdir::memory::Memory;
use crate::multilog::journal::journal_file::Journal;
use crate::sys::process::pidfd;
use crate::tai64n::Label;

/// The state of this process, at its start.
#[must_use]
pub fn own_state() -> LoggerState {
    let process = pidfd::own();
    LoggerState {
        process,
        start_time: pidfd::start_time(process).unwrap_or(0),
        task: Task::new(Activity::Logging, ""),
        since: Label::now(),
        counts: Counts::default(),
    }
}

/// Where the state is shown.
pub trait Display: fmt::Debug {
    /// Shows what the logger does.
    fn show_task(&mut self, state: &LoggerState);
}

impl<M: Memory + fmt::Debug> Display for Journal<M> {
    fn show_task(&mut self, state: &LoggerState) {
        Journal::show_task(self, state);
    }
}

/// Shows a task until it is dropped, and then what was shown before.
#[derive(Debug)]
pub struct Showing<'e> {
    display: Option<&'e mut dyn Display>,
    state: &'e mut LoggerState,
    /// What is shown again; `None` until something is shown.
    before: Option<(Task, Label)>,
}

impl<'e> Showing<'e> {
    /// Shows nothing yet. `journal` is where the state is kept, if one is.
    pub fn new<M: Memory + fmt::Debug>(journal: &'e mut Option<Journal<M>>, state: &'e mut LoggerState) -> Showing<'e> {
        let display = journal.as_mut().map(|journal| journal as &mut dyn Display);
        Showing { display, state, before: None }
    }

    /// What is shown.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.state.task.activity
    }

    /// Shows a task. The first one begins now, and so do those that replace it.
    pub fn show(&mut self, task: Task) {
        if self.before.is_some() && self.state.task == task {
            return;
        }
        let since = if self.before.is_none() { Label::now() } else { self.state.since };
        let before = (std::mem::replace(&mut self.state.task, task), std::mem::replace(&mut self.state.since, since));
        self.before.get_or_insert(before);
        self.store();
    }

    fn store(&mut self) {
        if let Some(display) = &mut self.display {
            display.show_task(self.state);
        }
    }
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        // What a logger was waiting for when it died stays.
        if let Some((task, since)) = self.before.take().filter(|_| !std::thread::panicking()) {
            (self.state.task, self.state.since) = (task, since);
            self.store();
        }
    }
}
