//! logyard: a log-processing toolkit with daemontools' names and manners.
//!
//! The family, each a thin executable in `src/bin` that calls one module of this library:
//!
//! - [`multilog`] writes what arrives on standard input to automatically rotated log directories.
//! - [`supervise`] keeps services running, each with its logger.
//! - [`splogger`] hands lines to syslog, for scripts that have not been moved.
//! - [`setup`] prepares a host for all of them.
//! - [`chain`] holds the process-state tools, which change one thing about a process and run another program in it.
//!
//! What they share:
//!
//! - [`tai64n`]: labels, the moments written as `@` and 24 hexadecimal digits.
//! - [`cli`]: messages in the family's grammar, exit codes 0, 100 and 111, options.
//! - [`sys`]: every system call, and all the `unsafe` there is.
//! - [`aside`]: a thread that writes while its owner reads on.
//! - [`page_buffer`]: memory for what is read from pipes.

pub mod chain;
pub mod cli;
pub mod filters;
pub mod lines;
pub mod logdir;
pub mod multilog;
pub mod setup;
pub mod splogger;
pub mod supervise;
pub mod sys;
pub mod tai64n;
