//! Supervision: keeps services running, controls them by name, and pairs each with a logger through a pipe that loses
//! nothing.
//!
//! ```text
//! svscan ──┬── supervise sub ────── sub/run ──▶ sub/supervise/logpipe ──▶ sub/log/run
//!          └── supervise sub/log ───────────────────────────────────────────┘
//! svc ──▶ sub/supervise/control      svstat, svwait ◀── sub/supervise/status      svok ──▶ sub/supervise/ok
//! ```
//!
//! One supervisor for each directory:
//!
//! - [`state`] is its policy, a function: it decides the effects of an event, such as a letter of `svc`. [`throttle`]
//!   says when the next start is due.
//! - [`supervise`] is the daemon that carries out the effects.
//! - [`files`], [`status`], [`control`], [`record`], [`last_exit`]: what is in `supervise`, and what it means;
//!   [`error`](mod@error): why a file in it cannot be used.
//! - [`fdstore`]: descriptors that the service gives to its supervisor and gets back when it is started again.
//! - [`options`]: the optional files beside `run`.
//!
//! One svscan for all of them:
//!
//! - [`svscan`] is its loop; [`service`] one service; [`supervisor_process`] one supervisor; [`limits`]: the
//!   limits of the system that it reaches.
//! - [`pair`] is the rule that joins a service to its log; [`logpipe`] the pipe between them.
//! - [`announcement`]: who is told that the services have been started.
//! - [`svscanboot`]: svscan for a whole system.
//!
//! And the tools: [`svc`], which sends [`commands`](mod@commands), [`svok`], [`svstat`], [`svwait`]; the last two look through [`report`], and
//! svstat also at the [`logger`]; [`snapshot`] is all of that at one moment.
//!
//! # Promises
//!
//! - There are never two copies of a service, whichever process is killed: a supervisor knows the process of its
//!   predecessor.
//! - No line is lost between a service and its logger as long as one of them, their supervisors or svscan is left.
//! - Commands take effect immediately, in every state.
//! - An idle system runs no timers and no scans.
//! - In a service directory, only `supervise` itself may be a link, and nothing outside is changed.
#![forbid(unsafe_code)]

pub mod announcement;
pub mod commands;
pub mod control;
pub mod error;
pub mod fdstore;
pub mod files;
pub mod last_exit;
pub mod limits;
pub mod logger;
pub mod logpipe;
pub mod options;
pub mod pair;
pub mod record;
pub mod report;
pub mod service;
pub mod snapshot;
pub mod state;
pub mod status;
#[allow(clippy::module_inception)] // The file of a program has the name of the program.
pub mod supervise;
pub mod supervisor_process;
pub mod svc;
pub mod svok;
pub mod svscan;
pub mod svscanboot;
pub mod svstat;
pub mod svwait;
pub mod throttle;
