//! `host:/path`: logs of other hosts, and of this one, merged by time.
//!
//! readlog at the other end selects the lines, so that only what is wanted travels. It prints them with their labels, which is
//! what the files hold. Directories of this host are read by another readlog too, as if they came from a host.
//!
//! - [`address`]: which arguments are hosts.
//! - [`command`]: what is run, and with which arguments.
//! - [`announcement`]: what readlog at the other end says on standard error besides warnings.
//! - [`incoming`]: the bytes of one host as groups.
//! - [`connection`]: a command that runs, and its output.
//! - [`reader`]: all connections, and the order of their groups.
//! - [`printing`]: the lines as they are shown, or the last of them.
//!
//! The other end stops when its standard input does: the pipe ends with this process, however that ends.

pub(super) mod address;
pub(super) mod announcement;
mod command;
mod connection;
mod incoming;
pub(super) mod printing;
pub(super) mod reader;
