//! `logyard-setup`: prepares a host for the family, or the root directory of one (`--root`), and clears it away again
//! (`--remove`).
//!
//! ```text
//! layout + boot ──▶ Things ──find──▶ those that are not there ──▶ entered in the record ──▶ made, one by one
//! the record ──▶ its entries, the last one first ──▶ taken away
//! ```
//!
//! - [`options`]: the command line.
//! - [`layout`]: which commands, links and pages a host is to have; [`pages`]: the pages themselves.
//! - [`boot`]: what starts svscan: a unit, a script, a line in a table.
//! - [`resource`]: how each thing is found and made; [`config_line`]: the lines in files of others;
//!   [`script`]: what a shell script comes to.
//! - [`plan`]: what there is to do; [`programs`]: what is copied; [`report`]: what is said.
//! - [`manifest`]: what was made; [`uninstall`]: how it is undone.
//!
//! # Promises
//!
//! - What exists already is not made again, and `--remove` does not remove it.
//! - What is in the way is refused before anything is changed, or moved aside (`--replace`) and put back by `--remove`.
//! - No process is signalled and nothing is started unless `--now` is said.
//! - Every file is replaced in one step; two runs wait for each other.
#![forbid(unsafe_code)]

pub mod boot;
pub mod config_line;
pub mod error;
pub mod layout;
pub mod manifest;
pub mod options;
pub mod pages;
pub mod plan;
pub mod program;
pub mod programs;
pub mod report;
pub mod resource;
pub mod script;
pub mod uninstall;
pub mod whole_file;
