//! The integration tests: the programs as their users meet them, and the peers beside them.
//!
//! One binary, a module for each subject; the crate `testkit` holds what all crates' tests share.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

// The process-state tools: what they say, what they change, and what they hand on.
mod chain;
// The samples and what is stated of them.
mod corpus;
// The logger, alone and beside 0.76's.
mod multilog;
// Setup, syslog, manual pages, examples: what makes an installation of the programs.
mod service;
// Services that are kept running, steered, paired with loggers, and stopped.
mod supervise;
// Every program where the system refuses a call.
mod kernels;
// The filters that write and read labels.
mod tai64n;
// Loggers that are killed, starved and robbed of their files.
mod torture;
