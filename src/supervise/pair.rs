//! The pairing rule: when a service is joined to a log service by a pipe.
//!
//! 0.76 pairs a service when `log` exists, daemontools before 0.70 and many texts to this day when the service
//! directory is sticky. Either is accepted here. A `log` that exists when svscan first sees the service counts, as in
//! 0.76. One that is created later counts when it is complete, that is when `log/run` can be executed, so that an
//! unfinished directory does not cause a useless restart.
//!
//! So a sticky bit that is set on a running service without a log restarts nothing: svscan prints a warning (in
//! [`WatchedService::review`](crate::supervise::service::WatchedService::review)), and joins the two when `log/run` exists.

use std::fmt;

use crate::sys::dir::Dir;

/// The log service, within the service directory.
pub const LOG: &[u8] = b"log";
const LOG_RUN: &[u8] = b"log/run";

/// How complete a log service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// No directory `log`.
    Missing,
    /// A directory, and no `log/run` in it that can be executed.
    Incomplete,
    /// It can be started.
    Complete,
}

/// The parts of a service directory that decide about pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether the directory has the sticky bit.
    pub is_sticky: bool,
    /// How complete its log service is.
    pub log: Log,
}

impl Seen {
    /// Looks at a service directory.
    #[must_use]
    pub fn of(service: &Dir) -> Seen {
        let is_sticky = matches!(service.target(b"."), Ok(Some(target)) if target.is_sticky);
        let log = match service.target(LOG) {
            Ok(Some(target)) if target.is_directory => {
                if service.is_executable(LOG_RUN) {
                    Log::Complete
                } else {
                    Log::Incomplete
                }
            }
            // Anything else cannot be supervised: a pipe to it would fill and stop the service.
            _ => Log::Missing,
        };
        Seen { is_sticky, log }
    }
}

/// Where a service's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// To svscan's own output.
    Alone,
    /// To a log service that does not exist yet: the service is not started.
    Awaiting,
    /// To the log service.
    Paired,
}

impl Pairing {
    /// The pairing of a new service.
    #[must_use]
    pub fn at_first_sight(seen: Seen) -> Pairing {
        match (seen.log, seen.is_sticky) {
            (Log::Complete | Log::Incomplete, _) => Pairing::Paired,
            (Log::Missing, true) => Pairing::Awaiting,
            (Log::Missing, false) => Pairing::Alone,
        }
    }

    /// The pairing of a known service that is checked again.
    #[must_use]
    pub fn then(self, seen: Seen) -> Pairing {
        match (self, seen.log, seen.is_sticky) {
            // Its pipe may hold lines.
            (Pairing::Paired, _, _) | (_, Log::Complete, _) => Pairing::Paired,
            (Pairing::Alone, Log::Missing | Log::Incomplete, _) => Pairing::Alone,
            (Pairing::Awaiting, Log::Missing, false) => Pairing::Alone,
            (Pairing::Awaiting, Log::Missing | Log::Incomplete, _) => Pairing::Awaiting,
        }
    }
}

/// How svscan would treat such a service.
impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match (self.log, self.is_sticky) {
            (Log::Complete, _) => "paired with its log",
            (Log::Incomplete, _) => "paired with its log, whose run cannot be executed yet",
            (Log::Missing, true) => "sticky, and waits for its log",
            (Log::Missing, false) => "alone, without a log",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGS: [Log; 3] = [Log::Missing, Log::Incomplete, Log::Complete];

    fn all_seen() -> impl Iterator<Item = Seen> {
        LOGS.into_iter().flat_map(|log| [false, true].map(|is_sticky| Seen { is_sticky, log }))
    }

    #[test]
    fn a_log_or_the_sticky_bit_pairs_at_first_sight() {
        for seen in all_seen() {
            let expected = match (seen.log != Log::Missing, seen.is_sticky) {
                (true, _) => Pairing::Paired,
                (false, true) => Pairing::Awaiting,
                (false, false) => Pairing::Alone,
            };

            assert_eq!(Pairing::at_first_sight(seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn a_pair_stays_a_pair() {
        for seen in all_seen() {
            assert_eq!(Pairing::Paired.then(seen), Pairing::Paired, "{seen:?}");
        }
    }

    #[test]
    fn what_comes_later_counts_when_it_is_complete() {
        for before in [Pairing::Alone, Pairing::Awaiting] {
            for seen in all_seen() {
                let is_paired = before.then(seen) == Pairing::Paired;

                assert_eq!(is_paired, seen.log == Log::Complete, "{before:?} {seen:?}");
            }
        }
    }

    #[test]
    fn a_service_that_runs_is_never_made_to_wait_and_one_that_waits_can_be_let_go() {
        for seen in all_seen() {
            assert_ne!(Pairing::Alone.then(seen), Pairing::Awaiting, "{seen:?}");
        }
        assert_eq!(Pairing::Awaiting.then(Seen { is_sticky: false, log: Log::Missing }), Pairing::Alone);
    }
}
