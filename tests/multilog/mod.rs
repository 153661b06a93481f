//! multilog as its users meet it, and 0.76's beside it.
//!
//! - [`ahead`]: room that is taken ahead is given back.
//! - [`calls`]: what logging costs in system calls.
//! - [`differential`]: random scripts and inputs, made by [`cases`], through both: what they leave must be the same.
//! - [`handover`]: many loggers in turn on one pipe.
//! - [`journal`]: a journal that cannot be made, and that can be later.
//! - [`legacy`]: loggers that are killed, and successors with the same script or another.
//! - [`memory`]: what a logger holds while nothing comes, and what it does when it may hold little.
//! - [`messages`]: what is said when something is wrong, and that nothing is touched then.
//! - [`planted`]: what others put into a log directory, and signals that others send.
//! - [`processor`]: what processors are given, and what becomes of those that fail.
//! - [`reads`]: how the input is cut into reads does not matter.
//! - [`shared_pipe`]: what others who share the pipe may do to it.
//! - [`signals`]: TERM and ALRM, at any moment.
//! - [`takeover`]: what a logger that was killed leaves, and what the next one makes of it.
//! - [`unread`]: a standard error that nobody reads.
#![allow(unreachable_pub)]

mod cases;
mod differential;
mod handover;
mod journal;
mod memory;
mod messages;
mod planted_files;
mod preallocation;
mod processor;
mod reads;
pub mod shared_pipe;
mod signals;
mod successor;
mod system_calls;
mod takeover;
mod unread;
