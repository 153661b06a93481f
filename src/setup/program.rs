//! The program: reads the options, checks the host, and creates what is missing or removes what it created.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cli::{Exit, Messages, Program, Shown, cause};
use crate::setup::error::text;
use crate::setup::{layout, syslog, uninstall};
use crate::sys::program::Arguments;
use crate::sys::root_dir::Tree;
use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, dir, fd};

use crate::setup::boot::Method;
use crate::setup::layout::SERVICE;
use crate::setup::manifest::Manifest;
use crate::setup::neighbour::Neighbour;
use crate::setup::options::{Options, SYNOPSIS};
use crate::setup::plan::{Host, Plan};
use crate::setup::programs::Programs;
use crate::setup::report::Report;

/// The name in messages.
const PROGRAM: Program = Program("logyard-setup");

/// Sets the modes of new files, whatever umask the parent had.
const UMASK: u32 = 0o022;

/// Runs the program.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    dir::set_umask(UMASK);
    // `logyard-setup | head` must not kill it half-way. A failure to ignore the signal is harmless.
    let _ = signal::ignore(Signal::SIGPIPE);
    let Some(options) = Options::parse(arguments.get(1..).unwrap_or_default()) else {
        return PROGRAM.usage(SYNOPSIS);
    };
    let root = Shown(options.root.to_bytes());
    let tree = match Tree::open(&options.root) {
        Ok(tree) => tree,
        // A directory that was made for a wrong name would look like a system that has been prepared.
        Err(Errno::ENOENT) => {
            return PROGRAM
                .fatal(format_args!("unable to open root directory {root}: it does not exist, create it first"));
        }
        Err(errno) => {
            return PROGRAM.fatal(format_args!("unable to open root directory {root}: {}", cause(errno)));
        }
    };
    let _lock = match tree.lock() {
        Ok(lock) => lock,
        Err(errno) => return PROGRAM.fatal(format_args!("unable to lock directory {root}: {}", cause(errno))),
    };
    let mut report = Report { is_dry: options.dry_run, did_anything: false };
    let done = if options.remove {
        uninstall::remove(&tree, &options, &mut report, Messages::of(PROGRAM))
    } else {
        install(&tree, &options, arguments, &mut report)
    };
    match done {
        Ok(()) => {
            report.end();
            Exit::OK
        }
        Err(text) => PROGRAM.fatal(text),
    }
}

fn install(tree: &Tree, options: &Options, arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let programs = Programs::beside(arguments)?;
    let record = Manifest::read(tree).map_err(text)?;
    let neighbour = Neighbour::of_host(tree);
    // What an earlier run has prepared is kept up to date.
    let is_prepared =
        Method::of_record(&record) != Method::None || record.latest_first().any(|entry| entry.path() == SERVICE);
    let is_alone = matches!(neighbour, Some(Neighbour::Svscan(_))) && options.boot.is_none() && !is_prepared;
    let method = if is_alone { Method::None } else { options.boot.unwrap_or_else(|| Method::of_host(tree)) };
    let mut things = layout::things(|command| programs.has(command));
    things.retain(|thing| !is_alone || thing.path() != SERVICE);
    things.extend(method.things(tree));
    if let Some(neighbour) = neighbour {
        report.note(neighbour.words(is_alone));
    }
    if options.syslog && is_alone {
        return Err("unable to install the syslog service: no svscan runs the services in /service (see --boot)".into());
    }
    if options.syslog {
        // If an earlier run has installed the service, it is what reads the socket.
        if !record.has(syslog::LINK) {
            let root = Path::new(OsStr::from_bytes(options.root.to_bytes()));
            syslog::check(tree, root, programs.has("socklog"))?;
        }
        things.extend(syslog::things());
    }
    let host = Host { tree, programs: &programs };
    let plan = Plan::new(host, things, &record, options.replace)?;
    plan.carry_out(host, record, report)?;
    if options.now && !is_alone {
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
