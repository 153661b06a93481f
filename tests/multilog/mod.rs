//! multilog as its users see it, beside 0.76's multilog.
//!
//! | behaviour | file |
//! |---|---|
//! | error messages and exit codes; nothing is changed by a script that cannot run; the lock | [`messages`] |
//! | the same files as 0.76 from random scripts and inputs (made by [`cases`]): selectors, `s`, `n`, `!`, `e`, `=`; lines longer than 1000 bytes; where files end | [`differential`] |
//! | `=file` | [`status_file`] |
//! | `!processor`: what it gets, its state, failures, retries; `n` | [`processor`] |
//! | TERM, ALRM, SIGBUS | [`signals`] |
//! | one logger after the other on one pipe, ended by TERM | [`handover`] |
//! | recovery: every disk state of `doc/logdir.md`; loggers killed while a processor runs | [`takeover`] |
//! | recovery by the journal: killed loggers, other scripts, failed fsyncs; a journal of another boot | [`successor`] |
//! | the journal cannot be created, or only later; network file systems | [`journal`] |
//! | the pipe is resized, holds packets, or has other readers | [`shared_pipe`] |
//! | lines are the same however the input is cut into reads | [`reads`] |
//! | standard error is full and nobody reads it: dropped alerts | [`unread`] |
//! | links, FIFOs and other files that somebody puts into the log directory | [`planted_files`] |
//! | preallocated space is freed | [`preallocation`] |
//! | limits on archives by bytes, age and free space | [`retention`] |
//! | rotation by age, at local hours and at midnight | [`rotation_by_time`] |
//! | the metrics file | [`metrics`] |
//! | memory: of an idle and of a busy logger; too little of it | [`memory`] |
//! | the number of system calls | [`system_calls`] |
//!
//! Kills under load, full disks, file systems, processors that hang and damaged journals: `torture`. Refused system calls: `kernels`.
#![allow(unreachable_pub)]

mod cases;
mod differential;
mod handover;
mod journal;
mod memory;
mod messages;
mod metrics;
mod planted_files;
mod preallocation;
mod processor;
mod reads;
mod retention;
mod rotation_by_time;
pub mod shared_pipe;
mod signals;
mod status_file;
mod successor;
mod system_calls;
mod takeover;
mod unread;
