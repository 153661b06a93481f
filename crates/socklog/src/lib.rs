//! `socklog`: receives syslog messages, and writes one line for each to the log pipe.
//!
//! - [`arguments`]: the command line. [`program`]: carries it out.
//! - [`priority`], [`line`](mod@line), [`frame`]: a message as text: its facility and severity, its line, its end in a stream.
//! - [`ring`]: the memory through which every message passes. It outlives the process.
//! - [`sockets`], [`store`]: the sockets, which outlive the process too: its supervisor keeps them.
//! - [`server`]: receives, formats, writes; [`connection`]: one sender that is connected. [`output`]: standard output.
//! - [`ucspi`]: one connection on standard input.
//!
//! # Promises
//!
//! - One message, one line, whatever bytes it has.
//! - If the process is killed and started again by a supervisor with a descriptor store, each datagram of a unix socket is
//!   written exactly once.
//! - Datagrams that the kernel drops are counted, and the count is written.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod connection;
pub mod frame;
pub mod line;
pub mod output;
pub mod priority;
pub mod program;
pub mod ring;
pub mod server;
pub mod sockets;
pub mod store;
pub mod ucspi;

pub use program::run;
