//! `logyard-setup`: installs the programs on a host, or in a root directory (`--root`), and removes them (`--remove`).
//!
//! ```text
//! layout + boot ──▶ Things ──find──▶ those that are not there ──▶ entered in the record ──▶ made, one by one
//! the record ──▶ its entries, the last one first ──▶ taken away
//! ```
//!
//! - [`options`]: the command line.
//! - [`layout`]: the commands, links and pages of an installation; [`pages`]: the pages themselves.
//! - [`syslog`]: the syslog service, and whether another program is in its place.
//! - [`neighbour`]: other packages that run services on the host.
//! - [`boot`]: what starts svscan: a unit, a script, a line in a table.
//! - [`resource`]: how each resource is detected and created; [`config_line`]: lines in files of the administrator;
//!   [`script`]: what a shell script runs.
//! - [`plan`]: what to do; [`programs`]: what is copied; [`report`]: what is printed.
//! - [`manifest`]: what was created; [`uninstall`]: removes it.
//!
//! # Promises
//!
//! - A resource that exists already is not created, and `--remove` does not remove it.
//! - If another file is in the way, setup refuses before it changes anything, or moves the file aside (`--replace`) and
//!   `--remove` restores it.
//! - No process is signalled or started without `--now`. If svscan runs, it starts the syslog service that is installed.
//! - Every file is replaced atomically, and a second run waits for the first.
#![forbid(unsafe_code)]

pub mod boot;
pub mod config_line;
pub mod error;
pub mod layout;
pub mod manifest;
pub mod neighbour;
pub mod options;
pub mod pages;
pub mod plan;
pub mod program;
pub mod programs;
pub mod report;
pub mod resource;
pub mod script;
pub mod syslog;
pub mod uninstall;
pub mod whole_file;
