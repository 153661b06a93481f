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
//! - [`thing`]: how each thing is found and made; [`line`]: the lines in files of others.
//! - [`record`]: what was made.
//!
//! # Promises
//!
//! - What is there already is not made again, and belongs to whoever made it: `--remove` leaves it.
//! - What is in the way is refused before anything is changed, or moved aside (`--replace`) and put back by `--remove`.
//! - No process is signalled and nothing is started unless `--now` is said.
//! - Every file is replaced at once; two runs wait for each other.
#![forbid(unsafe_code)]

pub mod boot;
pub mod layout;
pub mod line;
pub mod options;
pub mod pages;
pub mod record;
pub mod removal;
pub mod thing;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::cli::{Exit, Program, Shown, cause};
use crate::sys::program::{Arguments, own_path};
use crate::sys::tree::Tree;
use crate::sys::{dir, fd};

use boot::Method;
use options::{Options, SYNOPSIS};
use record::{Entry, Record};
use thing::{Content, State, Thing, split};

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
        removal::remove(&tree, &options, &mut report)
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
    let mut record = Record::read(tree).map_err(text)?;
    let work = Work::plan(tree, with_parents(things), &programs, &record, options.replace)?;
    work.done(&mut record);
    if !options.dry_run && !work.0.is_empty() {
        // The record needs its place before it can be kept there.
        for Step { thing, .. } in &work.0 {
            if matches!(thing, Thing::Directory { path } if layout::HOME.starts_with(path.as_str())) {
                report.say(thing);
                thing.make(tree, &[]).map_err(text)?;
            }
        }
        record.write(tree).map_err(text)?;
    }
    for step in &work.0 {
        step.carry_out(tree, &programs, report)?;
    }
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

/// What there is to do, in order.
#[derive(Debug)]
struct Work(Vec<Step>);

/// One thing to be made.
#[derive(Debug)]
struct Step {
    thing: Thing,
    /// What is there has to be moved aside first.
    moves_aside: bool,
}

impl Work {
    /// Looks at everything, and changes nothing.
    fn plan(
        tree: &Tree,
        things: Vec<Thing>,
        programs: &Programs,
        record: &Record,
        replace: bool,
    ) -> Result<Work, String> {
        let mut steps = Vec::new();
        for thing in things {
            let bytes = programs.bytes(&thing)?;
            match thing.find(tree, record.has(thing.path()), &bytes).map_err(text)? {
                State::Ready => {}
                State::Absent | State::Outdated => steps.push(Step { thing, moves_aside: false }),
                State::Foreign if replace => steps.push(Step { thing, moves_aside: true }),
                State::Foreign => {
                    let path = thing.path();
                    return Err(format!("unable to make {path}: something else is there (--replace moves it aside)"));
                }
            }
        }
        Ok(Work(steps))
    }

    /// Enters what will be done.
    fn done(&self, record: &mut Record) {
        for Step { thing, moves_aside } in &self.0 {
            if *moves_aside {
                record.enter(Entry::Moved(thing.path().to_owned()));
            }
            record.enter(thing.entry());
        }
    }
}

impl Step {
    fn carry_out(&self, tree: &Tree, programs: &Programs, report: &mut Report) -> Result<(), String> {
        let Step { thing, moves_aside } = self;
        let path = thing.path();
        if !report.is_dry && matches!(thing, Thing::Directory { .. }) && tree.dir(path).is_ok() {
            // The place of the record: made and said already.
            return Ok(());
        }
        if *moves_aside {
            report.say(format_args!("move {path} to {path}{ASIDE}"));
            if !report.is_dry {
                let (parent, name) = split(path);
                let moved =
                    tree.dir(parent).and_then(|dir| dir.rename_to_new(name, &[name, ASIDE.as_bytes()].concat()));
                moved.map_err(|errno| text(thing::Error::at("move", path)(errno)))?;
            }
        }
        report.say(thing);
        if report.is_dry {
            return Ok(());
        }
        thing.make(tree, &programs.bytes(thing)?).map_err(text)
    }
}

/// Adds the directories that things are in, each once and before what is in it.
fn with_parents(things: Vec<Thing>) -> Vec<Thing> {
    let mut all: Vec<Thing> = Vec::new();
    for thing in things {
        for (at, _) in thing.path().match_indices('/').skip(1) {
            let parent = Thing::directory(thing.path()[..at].to_owned());
            if !all.contains(&parent) {
                all.push(parent);
            }
        }
        all.push(thing);
    }
    all
}

/// The programs to be copied: those beside this one.
#[derive(Debug)]
struct Programs(PathBuf);

impl Programs {
    fn beside(arguments: &Arguments) -> Result<Programs, String> {
        use std::os::unix::ffi::OsStrExt;
        let called = arguments.first().map(|name| name.to_bytes().to_vec());
        let path = own_path().or(called).filter(|path| path.contains(&b'/'));
        let path = path.ok_or("unable to find the programs: without /proc, call logyard-setup by its path")?;
        let directory = Path::new(std::ffi::OsStr::from_bytes(&path)).parent();
        Ok(Programs(directory.expect("there is a slash in it").to_owned()))
    }

    fn has(&self, command: &str) -> bool {
        self.0.join(command).exists()
    }

    /// What a thing is to hold.
    fn bytes(&self, thing: &Thing) -> Result<Vec<u8>, String> {
        match thing {
            Thing::File { content: Content::Text(text), .. } => Ok(text.as_bytes().to_vec()),
            Thing::File { content: Content::Program(name), .. } => {
                let path = self.0.join(name);
                std::fs::read(&path).map_err(|error| {
                    let errno = crate::sys::Errno::from_raw(error.raw_os_error().unwrap_or(0));
                    format!("unable to read {}: {}", path.display(), cause(errno))
                })
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Says on standard output what is done, or would be.
#[derive(Debug)]
pub struct Report {
    is_dry: bool,
    did_anything: bool,
}

impl Report {
    fn say(&mut self, what: impl Display) {
        self.did_anything = true;
        self.note(format_args!("{}{what}", if self.is_dry { "would " } else { "" }));
    }

    fn note(&self, what: impl Display) {
        // Whoever closed standard output does not want to know.
        let _ = fd::write_all(fd::stdout(), format!("{what}\n").as_bytes());
    }

    fn end(&self) {
        if !self.did_anything {
            self.note("nothing to do");
        }
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
