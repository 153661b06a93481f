//! The policy of a supervisor, a pure function: from a state and an event to the next state and the effects.
//!
//! Nothing here reads a clock, a file or a process; the [`supervisor`](crate::supervise::supervise) carries out the
//! effects and reports back what became of them. The [`throttle`](crate::supervise::throttle) decides when a start is due.
//!
//! ```text
//!            u, o                Due → Started
//!   Down ────────────▶ Delayed ─────────────────▶ Up ──── Ended ───▶ Finishing (with ./finish)
//!    ▲                    │  ▲                     │                     │
//!    │          d         │  │       want up        │ Ended               │ Ended
//!    ├────────────────────┘  └──────────────────────┤                     │
//!    └────────────── want down, once ───────────────┴─────────────────────┘
//! ```

use crate::supervise::control::Control;
use crate::sys::signal::Signal;

/// What the administrator wants of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It must run, and is restarted whenever it ends.
    Up,
    /// It must not run.
    Down,
    /// It may run, and is not restarted when it ends.
    Once,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing runs, and nothing will be started.
    Down,
    /// Nothing runs; the next start waits for its time.
    Delayed,
    /// `./run` runs.
    Up,
    /// `./finish` runs, after `./run` has ended.
    Finishing,
}

/// The state of a service between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Where the service is in its life.
    pub phase: Phase,
    /// What the administrator wants.
    pub want: Want,
    /// Whether the process was told to pause.
    pub is_paused: bool,
    /// Whether the supervisor exits when the service is down.
    pub is_exiting: bool,
}

/// What happens to a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command has come.
    Asked(Control),
    /// The next start is due.
    Due,
    /// `./run`, or `./finish`, has been started.
    Started,
    /// The process could not be created.
    NotStarted,
    /// The process that was running has ended. `finishes`: there is a `./finish` to run after a `./run`.
    Ended {
        /// Whether `./finish` is there.
        finishes: bool,
    },
    /// The service has not ended in time.
    Overdue,
}

/// What a supervisor is to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write the status file.
    Announce,
    /// Start `./run`, and report [`Event::Started`] or [`Event::NotStarted`].
    Start,
    /// Start `./finish`, and report the same.
    Finish,
    /// Send the process a signal.
    Send(Signal),
    /// Ask the process to end, and report [`Event::Overdue`] if it takes too long.
    Stop,
    /// Cancel that deadline.
    Forbear,
    /// Make the log pipe standard output; then, if it was not that before, do what [`Effect::Stop`] does.
    Join,
    /// Execute the supervisor's program anew, once all that has been asked for is done.
    Execute,
    /// Exit.
    Exit,
}

impl ServiceState {
    /// The initial state. `is_wanted` is false if there is a file `down`.
    #[must_use]
    pub fn new(is_wanted: bool) -> ServiceState {
        let (phase, want) = if is_wanted { (Phase::Delayed, Want::Up) } else { (Phase::Down, Want::Down) };
        ServiceState { phase, want, is_paused: false, is_exiting: false }
    }

    /// Whether a process runs.
    #[must_use]
    pub fn has_process(&self) -> bool {
        matches!(self.phase, Phase::Up | Phase::Finishing)
    }

    /// The next state once the process, and `./finish`, have ended.
    fn rest(self, effects: &mut Vec<Effect>) -> ServiceState {
        // As in 0.76, a supervisor that was told to exit does so when the service ends, wanted up or not.
        if self.is_exiting {
            effects.push(Effect::Exit);
            return ServiceState { phase: Phase::Down, ..self };
        }
        match self.want {
            Want::Up => ServiceState { phase: Phase::Delayed, ..self },
            Want::Down | Want::Once => ServiceState { phase: Phase::Down, ..self },
        }
    }
}

/// The policy: what follows from an event.
#[must_use]
pub fn step(state: ServiceState, event: Event) -> (ServiceState, Vec<Effect>) {
    let mut effects = Vec::new();
    let next = match (state.phase, event) {
        (_, Event::Asked(control)) => obey(state, control, &mut effects),

        (Phase::Delayed, Event::Due) => {
            effects.push(Effect::Start);
            state
        }
        // The delay was over before the start was cancelled.
        (Phase::Down | Phase::Up | Phase::Finishing, Event::Due) => state,

        (Phase::Delayed, Event::Started) => {
            effects.push(Effect::Announce);
            ServiceState { phase: Phase::Up, is_paused: false, ..state }
        }
        (Phase::Finishing, Event::Started) => {
            effects.push(Effect::Announce);
            ServiceState { is_paused: false, ..state }
        }
        // A process runs already, or none was wanted.
        (Phase::Down | Phase::Up, Event::Started) => state,

        // The throttle says when to try again.
        (Phase::Delayed, Event::NotStarted) => state,
        (Phase::Finishing, Event::NotStarted) => {
            effects.push(Effect::Announce);
            state.rest(&mut effects)
        }
        (Phase::Down | Phase::Up, Event::NotStarted) => state,

        (Phase::Up, Event::Ended { finishes: true }) => {
            effects.extend([Effect::Forbear, Effect::Finish]);
            ServiceState { phase: Phase::Finishing, is_paused: false, ..state }
        }
        (Phase::Up, Event::Ended { finishes: false }) | (Phase::Finishing, Event::Ended { .. }) => {
            effects.extend([Effect::Forbear, Effect::Announce]);
            ServiceState { is_paused: false, ..state }.rest(&mut effects)
        }
        // Nothing ran.
        (Phase::Down | Phase::Delayed, Event::Ended { .. }) => state,

        (Phase::Up | Phase::Finishing, Event::Overdue) => {
            effects.push(Effect::Send(Signal::SIGKILL));
            state
        }
        (Phase::Down | Phase::Delayed, Event::Overdue) => state,
    };
    (next, effects)
}

fn obey(state: ServiceState, control: Control, effects: &mut Vec<Effect>) -> ServiceState {
    match (control, state.phase) {
        (Control::Up, Phase::Down | Phase::Delayed) => {
            effects.push(Effect::Announce);
            ServiceState { want: Want::Up, phase: Phase::Delayed, ..state }
        }
        (Control::Up, Phase::Up) => {
            effects.extend([Effect::Announce, Effect::Forbear]);
            ServiceState { want: Want::Up, ..state }
        }
        (Control::Up, Phase::Finishing) => {
            effects.push(Effect::Announce);
            ServiceState { want: Want::Up, ..state }
        }
        (Control::Once, Phase::Down | Phase::Delayed) => {
            effects.push(Effect::Announce);
            ServiceState { want: Want::Once, phase: Phase::Delayed, ..state }
        }
        (Control::Once, Phase::Up) => {
            effects.extend([Effect::Announce, Effect::Forbear]);
            ServiceState { want: Want::Once, ..state }
        }
        (Control::Once, Phase::Finishing) => {
            effects.push(Effect::Announce);
            ServiceState { want: Want::Once, ..state }
        }
        (Control::Down, Phase::Down | Phase::Delayed) => {
            effects.push(Effect::Announce);
            let state = ServiceState { want: Want::Down, phase: Phase::Down, ..state };
            if state.is_exiting {
                effects.push(Effect::Exit);
            }
            state
        }
        (Control::Down, Phase::Up) => {
            effects.extend([Effect::Stop, Effect::Announce]);
            ServiceState { want: Want::Down, is_paused: false, ..state }
        }
        // `./finish`, which cleans up after the service, is not interrupted.
        (Control::Down, Phase::Finishing) => {
            effects.push(Effect::Announce);
            ServiceState { want: Want::Down, ..state }
        }
        (Control::Exit, Phase::Down) => begin_exit(state, effects),
        (Control::Exit, Phase::Delayed) => match state.want {
            Want::Up | Want::Down => begin_exit(state, effects),
            // `svc -ox` asks for one more run first: so a logger writes what is left in its pipe.
            Want::Once => {
                effects.push(Effect::Announce);
                ServiceState { is_exiting: true, ..state }
            }
        },
        (Control::Exit, Phase::Up | Phase::Finishing) => {
            effects.push(Effect::Announce);
            ServiceState { is_exiting: true, ..state }
        }
        (Control::Pause, Phase::Up | Phase::Finishing) => {
            effects.extend([Effect::Announce, Effect::Send(Signal::SIGSTOP)]);
            ServiceState { is_paused: true, ..state }
        }
        (Control::Continue, Phase::Up | Phase::Finishing) => {
            effects.extend([Effect::Announce, Effect::Send(Signal::SIGCONT)]);
            ServiceState { is_paused: false, ..state }
        }
        // As 0.76, announces this, and shows no pause of a service that does not run.
        (Control::Pause | Control::Continue, Phase::Down | Phase::Delayed) => {
            effects.push(Effect::Announce);
            state
        }
        (Control::Send(signal), Phase::Up | Phase::Finishing) => {
            effects.push(Effect::Send(signal));
            state
        }
        (Control::Send(_), Phase::Down | Phase::Delayed) => state,
        (Control::Execute, _) => {
            effects.push(Effect::Execute);
            state
        }
        (Control::Join, _) => {
            effects.push(Effect::Join);
            state
        }
    }
}

fn begin_exit(state: ServiceState, effects: &mut Vec<Effect>) -> ServiceState {
    effects.extend([Effect::Announce, Effect::Exit]);
    ServiceState { phase: Phase::Down, is_exiting: true, ..state }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 4] = [Phase::Down, Phase::Delayed, Phase::Up, Phase::Finishing];
    const WANTS: [Want; 3] = [Want::Up, Want::Down, Want::Once];

    fn states() -> impl Iterator<Item = ServiceState> {
        PHASES.into_iter().flat_map(|phase| {
            WANTS.into_iter().flat_map(move |want| {
                [(false, false), (false, true), (true, false), (true, true)]
                    .map(|(is_paused, is_exiting)| ServiceState { phase, want, is_paused, is_exiting })
            })
        })
    }

    fn controls() -> impl Iterator<Item = Control> {
        (0..=255).filter_map(Control::from_byte)
    }

    fn events() -> impl Iterator<Item = Event> {
        controls().map(Event::Asked).chain([
            Event::Due,
            Event::Started,
            Event::NotStarted,
            Event::Ended { finishes: true },
            Event::Ended { finishes: false },
            Event::Overdue,
        ])
    }

    fn all() -> impl Iterator<Item = (ServiceState, Event, ServiceState, Vec<Effect>)> {
        states().flat_map(|state| {
            events().map(move |event| {
                let (next, effects) = step(state, event);
                (state, event, next, effects)
            })
        })
    }

    #[test]
    fn only_a_due_start_starts_and_only_an_end_finishes() {
        for (state, event, _, effects) in all() {
            let starts = effects.contains(&Effect::Start);
            let finishes = effects.contains(&Effect::Finish);

            assert_eq!(starts, state.phase == Phase::Delayed && event == Event::Due, "{state:?} {event:?}");
            let ends = state.phase == Phase::Up && event == Event::Ended { finishes: true };
            assert_eq!(finishes, ends, "{state:?} {event:?}");
        }
    }

    #[test]
    fn nothing_is_sent_to_a_process_that_is_not_there() {
        for (state, event, _, effects) in all() {
            let sends = effects.iter().any(|effect| matches!(effect, Effect::Send(_) | Effect::Stop));

            assert!(!sends || state.has_process(), "{state:?} {event:?}");
        }
    }

    #[test]
    fn a_supervisor_leaves_only_when_nothing_runs() {
        for (state, event, next, effects) in all() {
            if effects.contains(&Effect::Exit) {
                assert!(next.is_exiting && !next.has_process(), "{state:?} {event:?}");
                assert_eq!(effects.last(), Some(&Effect::Exit));
            }
        }
    }

    #[test]
    fn a_process_appears_and_goes_only_with_started_and_ended() {
        for (state, event, next, _) in all() {
            let changes = match (state.phase, event) {
                (Phase::Delayed, Event::Started) | (Phase::Finishing, Event::NotStarted) => true,
                (Phase::Up, Event::Ended { finishes }) => !finishes,
                (Phase::Finishing, Event::Ended { .. }) => true,
                _ => false,
            };

            assert_eq!(state.has_process() != next.has_process(), changes, "{state:?} {event:?}");
        }
    }

    #[test]
    fn what_is_wanted_changes_only_by_u_d_and_o() {
        for (state, event, next, effects) in all() {
            let wanted = match event {
                Event::Asked(Control::Up) => Want::Up,
                Event::Asked(Control::Down) => Want::Down,
                Event::Asked(Control::Once) => Want::Once,
                _ => state.want,
            };

            assert_eq!(next.want, wanted, "{state:?} {event:?}");
            assert!(next == state || state.phase != next.phase || effects.contains(&Effect::Announce));
        }
    }

    #[test]
    fn every_change_that_the_status_shows_is_announced() {
        for (state, event, next, effects) in all() {
            let shows = |state: ServiceState| (state.want, state.is_paused, state.phase == Phase::Up);
            if shows(state) != shows(next) {
                let is_announced = effects.iter().any(|effect| matches!(effect, Effect::Announce | Effect::Finish));
                assert!(is_announced, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_service_wanted_up_is_started_again_and_others_are_not() {
        for want in WANTS {
            let state = ServiceState { phase: Phase::Up, want, is_paused: false, is_exiting: false };

            let (next, _) = step(state, Event::Ended { finishes: false });

            assert_eq!(next.phase, if want == Want::Up { Phase::Delayed } else { Phase::Down });
        }
    }

    #[test]
    fn down_asks_the_process_to_end_and_takes_back_the_pause() {
        let state = ServiceState { phase: Phase::Up, want: Want::Up, is_paused: true, is_exiting: false };

        let (next, effects) = step(state, Event::Asked(Control::Down));

        assert_eq!((next.want, next.is_paused), (Want::Down, false));
        assert_eq!(effects, [Effect::Stop, Effect::Announce]);
    }

    #[test]
    fn a_process_is_killed_only_when_overdue_or_asked_to() {
        for (state, event, _, effects) in all() {
            if effects.contains(&Effect::Send(Signal::SIGKILL)) {
                assert!(matches!(event, Event::Overdue | Event::Asked(Control::Send(Signal::SIGKILL))), "{state:?}");
            }
        }
    }

    #[test]
    fn one_more_run_comes_before_leaving_when_asked_for() {
        let down = ServiceState { phase: Phase::Down, want: Want::Down, is_paused: false, is_exiting: false };

        let (once, _) = step(down, Event::Asked(Control::Once));
        let (leaving, effects) = step(once, Event::Asked(Control::Exit));
        let (up, _) = step(leaving, Event::Started);
        let (_, last) = step(up, Event::Ended { finishes: false });

        assert_eq!(effects, [Effect::Announce]);
        assert_eq!(last.last(), Some(&Effect::Exit));
    }
}
