//! The word for a service in the table, and how urgent it is.

/// How urgent a state is, the least urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Good,
    /// Down, and meant to be.
    Quiet,
    /// The permission is missing to find out.
    Unknown,
    /// It works, but somebody should look.
    Warning,
    /// It does not work, or is not logged.
    Critical,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// At most nine characters.
    pub(crate) word: &'static str,
    pub(crate) level: Level,
}

impl State {
    pub(crate) const UP: State = State { word: "up", level: Level::Good };
    /// Down, with a file `down`, or by `svc -o`.
    pub(crate) const QUIET: State = State { word: "down", level: Level::Quiet };
    /// Up, and has not reported that it is ready.
    pub(crate) const NOT_READY: State = State { word: "not ready", level: Level::Quiet };
    pub(crate) const UNKNOWN: State = State { word: "unknown", level: Level::Unknown };
    /// Stopped with `svc -p`.
    pub(crate) const PAUSED: State = State { word: "paused", level: Level::Warning };
    /// Started again a moment ago after it had failed.
    pub(crate) const FLAPPING: State = State { word: "flapping", level: Level::Warning };
    /// The same of the log service.
    pub(crate) const LOG_FLAPPING: State = State { word: "log flaps", level: Level::Warning };
    /// More than three quarters of the log pipe are full.
    pub(crate) const BEHIND: State = State { word: "behind", level: Level::Warning };
    pub(crate) const DOWN: State = State { word: "down", level: Level::Critical };
    pub(crate) const LOG_DOWN: State = State { word: "log down", level: Level::Critical };
    /// No supervisor runs, or what it says cannot be read.
    pub(crate) const UNMANAGED: State = State { word: "unmanaged", level: Level::Critical };
    pub(crate) const BLOCKED: State = State { word: "blocked", level: Level::Critical };

    /// Tells whether somebody should look.
    pub(crate) fn is_problem(self) -> bool {
        self.level > Level::Quiet
    }
}
