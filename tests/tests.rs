//! The integration tests: the programs as their users see them, beside the programs of daemontools 0.76.
//!
//! They are one test binary with a module for each subject. Each module begins with a table: which behaviour is tested in which
//! file. `cargo test --test tests -- multilog::signals` runs the tests of one file.
//!
//! | subject | module |
//! |---|---|
//! | multilog | [`multilog`] |
//! | multilog that is killed, starved, and robbed of its files; power cuts; TERM in every state | [`torture`] |
//! | svscan, supervise, svc, svstat, svok, svwait, svscanboot | [`supervise`] |
//! | tai64n, tai64nlocal | [`tai64n`] |
//! | setuidgid, envuidgid, envdir, setlock, softlimit, fghack, pgrphack, readproctitle | [`chain`] |
//! | logyard-setup, splogger, manual pages, examples, whole systems | [`service`] |
//! | every program where the system refuses a call | [`kernels`] |
//! | the logs in `corpus/` are what `corpus/manifest` says | [`corpus`] |
//!
//! readlog, logpack and logbench have their tests in `crates/*/tests`. `crates/testkit` has the fixtures of all crates.
//! `tests/architecture.rs` checks the imports between modules.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod chain;
mod corpus;
mod kernels;
mod multilog;
mod service;
mod supervise;
mod tai64n;
mod torture;
