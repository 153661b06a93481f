//! The program from outside: what it writes, what it survives.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod clients;
mod daemons;
mod formats;
mod hostile;
mod kills;
mod network;
mod receiver;
mod store;
mod tcp_restart;
