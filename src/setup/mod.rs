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
//! - What is there already is not made again, and belongs to whoever made it: `--remove` leaves it.
//! - What is in the way is refused before anything is changed, or moved aside (`--replace`) and put back by `--remove`.
//! - No process is signalled and nothing is started unless `--now` is said.
//! - Every file is replaced at once; two runs wait for each other.
#![forbid(unsafe_code)]

pub mod boot;
pub mod config_line;
pub mod error;
pub mod layout;
pub mod manifest;
pub mod options;
pub mod pages;
pub mod plan;
pub mod programs;
pub mod report;
pub mod resource;
pub mod script;
pub mod uninstall;
pub mod whole_file;

use std::fmt::Display;

use crate::cli::{Exit, Program, Shown, cause};
use crate::sys::program::Arguments;
use crate::sys::root_dir::Tree;
use crate::sys::signal::{self, Signal};
use crate::sys::{dir, fd};

use boot::Method;
use manifest::Manifest;
use options::{Options, SYNOPSIS};
use plan::Work;
use programs::Programs;
use report::Report;

const SETUP: Program = Program("logyard-setup");

/// Files are made with the modes that are asked for, whatever the parent's mask.
const UMASK: u32 = 0o022;

/// What is put behind the name of something that was in the way.
const ASIDE: &str = ".before-logyard";

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    dir::set_umask(UMASK);
    // `logyard-setup | head` must not end it half way; where this fails, that is all there is to it.
    let _ = signal::ignore(Signal::SIGPIPE);
    let Some(options) = Options::parse(arguments.get(1..).unwrap_or_default()) else {
        return SETUP.usage(SYNOPSIS);
    };
    let done = Tree::open(&options.root).and_then(|tree| {
        let lock = tree.lock()?;
        Ok((tree, lock))
    });
    let (tree, _lock) = match done {
        Ok(opened) => opened,
        Err(errno) => {
            let root = Shown(options.root.to_bytes());
            return SETUP.fatal(format_args!("unable to lock directory {root}: {}", cause(errno)));
        }
    };
    let mut report = Report { is_dry: options.dry_run, did_anything: false };
    let done = if options.remove {
        uninstall::remove(&tree, &options, &mut report)
    } else {
        install(&tree, &options, arguments, &mut report)
    };
    match done {
        Ok(()) => {
            report.end();
            Exit::OK
        }
        Err(text) => SETUP.fatal(text),
    }
}

fn install(tree: &Tree, options: &Options, arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let programs = Programs::beside(arguments)?;
    let method = options.boot.unwrap_or_else(|| Method::of_host(tree));
    let mut things = layout::things(|command| programs.has(command));
    things.extend(method.things(tree));
    let record = Manifest::read(tree).map_err(text)?;
    let work = Work::plan(tree, things, &programs, &record, options.replace)?;
    work.carry_out(tree, &programs, record, report)?;
    if options.now {
        report.say(format_args!("start svscan now ({method})"));
        if !options.dry_run {
            method.start().map_err(|command| format!("unable to start svscan: {command} failed"))?;
        }
    } else if report.did_anything
        && let Some(words) = method.start_words()
    {
        report.note(format_args!("svscan starts at the next boot ({method}); to start it now: {words}"));
    }
    Ok(())
}

fn text(error: impl Display) -> String {
    error.to_string()
}
