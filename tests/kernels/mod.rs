//! Old kernels and sandboxes: every program of this package where the system refuses a call.

// multilog: lines, processors, kills, TERM.
mod loggers;
// The filters, the chain-loading tools, setup, splogger.
mod programs;
// svscan, supervise and the tools that steer them.
mod services;

/// What `Refusal::command` starts.
#[test]
#[ignore = "the launcher of other tests"]
fn launch() {
    testkit::kernels::launch();
}
