//! Old kernels and sandboxes: every program of this package where the system refuses a call.
//!
//! | behaviour | file |
//! |---|---|
//! | multilog: rotation, processors, a kill and a successor, TERM | [`loggers`] |
//! | svscan, supervise, svscanboot, svc, svwait, svok, svstat with a service | [`services`] |
//! | svscan and supervise are replaced by new programs | [`replacement`] |
//! | every other command, run to its end | [`programs`] |
//!
//! The fixture is `testkit::kernels`. `LOGYARD_REFUSAL='tee ENOSYS'` chooses one refusal.

mod loggers;
mod programs;
mod replacement;
mod services;

/// What `Refusal::command` starts.
#[test]
#[ignore = "the launcher of other tests"]
fn launch() {
    testkit::kernels::launch();
}
