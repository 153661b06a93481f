//! `splogger [tag [facility]]`: reads lines and sends them to syslog, with the name and the behaviour of qmail's program,
//! so that a script which says `| splogger pop3d 3 &` runs as it is.
//!
//! - [`facility`]: which of syslog's 24 kinds a message is of, by number or by name.
//! - [`fold`]: lines cut into messages: their priority, their moment, their printable text.
//! - [`message`]: a message as `/dev/log` takes it (RFC 3164).
//! - [`link`]: the way to the syslog daemon, which may go away and come back.
//!
//! # Promises
//!
//! - While the daemon is away, nothing more is read: the line in hand waits, and the rest waits in the pipe.
//! - syslog confirms nothing. What was handed to a daemon that went away before it had read it is lost; how much that is
//!   at most, standard error says.
//! - On TERM nothing more is read. What was read is sent within a second, or it is said how much was not.
#![forbid(unsafe_code)]

pub mod facility;
pub mod fold;
pub mod link;
pub mod message;
pub mod program;
