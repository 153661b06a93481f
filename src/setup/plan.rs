//! The plan: which resources are missing, and in which order they are made.

use crate::setup::error::{Error, text};
use crate::setup::manifest::{ASIDE, HOME, Manifest, ManifestEntry};
use crate::setup::programs::Programs;
use crate::setup::report::Report;
use crate::setup::resource::{Resource, ResourceState};
use crate::setup::whole_file::split;
use crate::sys::root_dir::Tree;

/// The host, and the programs that it gets.
#[derive(Clone, Copy, Debug)]
pub struct Host<'h> {
    /// Its files.
    pub tree: &'h Tree,
    /// The programs that are copied.
    pub programs: &'h Programs,
}

/// The steps, in order.
#[derive(Debug)]
pub struct Plan(Vec<PlanStep>);

/// One resource to create.
#[derive(Debug)]
struct PlanStep {
    thing: Resource,
    /// A foreign file or link is in its place and must be moved aside first.
    moves_aside: bool,
}

impl Plan {
    /// Checks everything, and changes nothing.
    pub fn new(host: Host<'_>, things: Vec<Resource>, record: &Manifest, replace: bool) -> Result<Plan, String> {
        let mut steps = Vec::new();
        for thing in with_parents(things) {
            let bytes = host.programs.bytes(&thing)?;
            match thing.find(host.tree, record.has(thing.path()), &bytes).map_err(text)? {
                ResourceState::Ready => {}
                ResourceState::Absent | ResourceState::Outdated => steps.push(PlanStep { thing, moves_aside: false }),
                ResourceState::Foreign if replace => steps.push(PlanStep { thing, moves_aside: true }),
                ResourceState::Foreign => {
                    let path = thing.path();
                    return Err(format!(
                        "unable to make {path}: something else exists there (--replace moves it aside)"
                    ));
                }
            }
        }
        Ok(Plan(steps))
    }

    /// Carries it out, or only prints it. Each step is recorded in the manifest first.
    pub fn carry_out(&self, host: Host<'_>, mut record: Manifest, report: &mut Report) -> Result<(), String> {
        if !report.is_dry && !self.0.is_empty() {
            // The directory of the manifest must exist before the manifest can be written.
            for PlanStep { thing, .. } in self.0.iter().filter(|step| step.leads_home()) {
                report.say(thing);
                thing.make(host.tree, &[]).map_err(text)?;
            }
            self.enter_in(&mut record);
            record.write(host.tree).map_err(text)?;
        }
        for step in &self.0 {
            if report.is_dry || !step.leads_home() {
                step.carry_out(host, report)?;
            }
        }
        Ok(())
    }

    fn enter_in(&self, record: &mut Manifest) {
        for PlanStep { thing, moves_aside } in &self.0 {
            if *moves_aside {
                record.enter(ManifestEntry::Moved(thing.path().to_owned()));
            }
            record.enter(thing.entry());
        }
    }
}

impl PlanStep {
    /// Whether it creates the directory of the manifest, or a parent of it.
    fn leads_home(&self) -> bool {
        let path = self.thing.path();
        matches!(self.thing, Resource::Directory { .. })
            && !self.moves_aside
            && (path == HOME || HOME.starts_with(&format!("{path}/")))
    }

    fn carry_out(&self, host: Host<'_>, report: &mut Report) -> Result<(), String> {
        let PlanStep { thing, moves_aside } = self;
        let path = thing.path();
        if *moves_aside {
            report.say(format_args!("move {path} to {path}{ASIDE}"));
            if !report.is_dry {
                let (parent, name) = split(path);
                let moved =
                    host.tree.dir(parent).and_then(|dir| dir.rename_to_new(name, &[name, ASIDE.as_bytes()].concat()));
                moved.map_err(|errno| text(Error::at("move", path)(errno)))?;
            }
        }
        report.say(thing);
        if report.is_dry {
            return Ok(());
        }
        thing.make(host.tree, &host.programs.bytes(thing)?).map_err(text)
    }
}

/// Adds the parent directories of the resources, each once and before its contents.
fn with_parents(things: Vec<Resource>) -> Vec<Resource> {
    let mut all: Vec<Resource> = Vec::new();
    for thing in things {
        for (at, _) in thing.path().match_indices('/').skip(1) {
            let parent = Resource::directory(thing.path()[..at].to_owned());
            if !all.contains(&parent) {
                all.push(parent);
            }
        }
        all.push(thing);
    }
    all
}
