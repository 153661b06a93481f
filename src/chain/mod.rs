//! The process-state tools: each changes one thing about its process and then becomes the program that the rest of its
//! command line names. A run script strings them together:
//!
//! ```sh
//! exec setlock -n lock setuidgid qmaill envdir ./env softlimit -m 3000000 server
//! ```
//!
//! | program | what it changes |
//! |---|---|
//! | [`setuidgid`] | user and groups |
//! | [`envuidgid`] | the variables `UID` and `GID` |
//! | [`envdir`] | variables, from the files of a directory |
//! | [`softlimit`] | soft resource limits |
//! | [`setlock`] | a lock is held |
//! | [`pgrphack`] | its own session and process group |
//! | [`fghack`] | nothing: it waits for a program that puts itself in the background |
//! | [`readproctitle`] | shows what it reads in the process list; runs nothing |
//!
//! `next` is the end they share, `account` says who an account is.
//!
//! What they do not change they hand on as it was inherited: signal mask and dispositions, descriptors, and among these
//! 0, 1 and 2 where they are closed. That is why no descriptor of ours may take one of those numbers and stay.
//!
//! 0.76 has options in two of them only ([`softlimit`], [`setlock`]); the others take even `--` as an argument.
#![forbid(unsafe_code)]

mod account;
pub mod envdir;
pub mod envuidgid;
pub mod fghack;
mod next;
pub mod pgrphack;
pub mod readproctitle;
pub mod setlock;
pub mod setuidgid;
pub mod softlimit;
