//! What is read: the log directories, and files of them, that the arguments mean.

use crate::arguments::Request;
use crate::context::Context;
use crate::resolve::{Operand, Resolved, resolve};
use logyard::cli::Shown;

/// A log directory that is read, or some of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The path of the directory.
    pub(super) directory: Vec<u8>,
    /// The files, if not all are read.
    pub(super) only: Option<Vec<Vec<u8>>>,
    /// No message says that the directory does not exist yet.
    pub(super) is_optional: bool,
}

impl Source {
    /// Reads what another source names too.
    pub(super) fn join(&mut self, other: Option<Vec<Vec<u8>>>) {
        self.only = match (self.only.take(), other) {
            (Some(mut one), Some(other)) => {
                one.extend(other);
                Some(one)
            }
            _ => None,
        };
    }
}

/// Finds what the arguments mean, and warns of those that mean no log. With `-f`, a directory need not exist yet.
///
/// Services that have no log service are left out if another argument means a log: `/service/*` names them all, and nothing is
/// missing from the output.
pub(super) fn find(request: &Request, context: &Context) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut unlogged = Vec::new();
    for operand in &request.operands {
        if !is_found(operand, request, context) {
            continue;
        }
        let path = operand.path();
        let (directory, only, is_optional) = match resolve(&path) {
            Resolved::Log(path) => (path, None, false),
            Resolved::File { .. } if request.follows || request.cursor.is_some() => {
                let option = if request.follows { "-f" } else { "--cursor" };
                let path = Shown(&path);
                context.warnings.warn(format_args!("unable to read {path} with {option}: name its directory"));
                continue;
            }
            Resolved::File { directory, name } => (directory, Some(vec![name]), false),
            Resolved::Nothing { path, is_unlogged, .. } if request.follows => (path, None, is_unlogged),
            Resolved::Nothing { warning, is_unlogged: true, .. } => {
                unlogged.push(warning);
                continue;
            }
            Resolved::Nothing { warning, .. } | Resolved::Unclear(warning) => {
                context.warnings.warn(warning);
                continue;
            }
        };
        match sources.iter_mut().find(|source| source.directory == directory) {
            Some(source) => source.join(only),
            None => sources.push(Source { directory, only, is_optional }),
        }
    }
    if sources.is_empty() {
        unlogged.iter().for_each(|warning| context.warnings.warn(warning));
    }
    if sources.iter().all(|source| source.is_optional) {
        sources.iter_mut().for_each(|source| source.is_optional = false);
    }
    sources
}

/// Warns if a service is in none of the places of services. With `-f`, it is waited for.
fn is_found(operand: &Operand, request: &Request, context: &Context) -> bool {
    match operand.missing() {
        Some(problem) if !request.follows => {
            context.warnings.warn(problem);
            false
        }
        Some(problem) => {
            context.warnings.announce(problem);
            true
        }
        None => true,
    }
}
