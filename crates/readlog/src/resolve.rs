//! The log directory that a path or the name of a service means.
//!
//! A service stands for its log: `/service/NAME` and `/service/NAME/log` for `/service/NAME/log/main`, or for the only log
//! directory in `/service/NAME/log`. Any other directory is an error: it would look like a log without lines. A file of a log
//! directory, such as one archive, stands for itself.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::files::archive_label;
use crate::hosts::address::Address;
use logyard::cli::Shown;
use logyard::logdir::names::{CURRENT, LOCK, PREVIOUS, PROCESSED};
use logyard::sys::Errno;
use logyard::sys::dir::Dir;

/// The file that every service directory has.
const RUN: &[u8] = b"run";
/// The directory of a service's log service.
const LOG: &[u8] = b"log";
/// The usual log directory of a log service.
const MAIN: &[u8] = b"main";

/// Where services are, by custom. The first directory that has a service of the name is meant.
const SERVICES: [&[u8]; 4] = [b"/service", b"/etc/service", b"/var/service", b"/var/log"];
/// The variable that names another such directory, as runit has it.
const SERVICES_VARIABLE: &str = "SVDIR";

/// What the user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A directory or a file.
    Path(Vec<u8>),
    /// A service, by its name.
    Service(Vec<u8>),
    /// A path on another host.
    Host(Address),
}

impl Operand {
    /// The path that is meant, on whatever host.
    pub(super) fn path(&self) -> Vec<u8> {
        match self {
            Operand::Path(path) => path.clone(),
            Operand::Host(address) => address.path.clone(),
            Operand::Service(name) if name.contains(&b'/') => name.clone(),
            Operand::Service(name) => {
                let paths: Vec<Vec<u8>> = service_places().iter().map(|services| join(services, name)).collect();
                // Where there is none, -f waits in the usual place.
                paths.iter().find(|path| as_path(path).exists()).unwrap_or(&paths[0]).clone()
            }
        }
    }

    /// The message for a service that is in no directory of services.
    pub(super) fn missing(&self) -> Option<String> {
        match self {
            Operand::Service(name) if !name.contains(&b'/') && !as_path(&self.path()).exists() => {
                let places: Vec<String> = service_places().iter().map(|path| Shown(path).to_string()).collect();
                Some(format!("unable to find the service {}: not in {}", Shown(name), places.join(", ")))
            }
            _ => None,
        }
    }
}

/// The directories of services, in the order in which a name is looked up.
fn service_places() -> Vec<Vec<u8>> {
    match std::env::var_os(SERVICES_VARIABLE) {
        Some(services) => vec![services.as_bytes().to_vec()],
        None => SERVICES.map(<[u8]>::to_vec).into(),
    }
}

/// The services that have a log, in the first directory of services that exists.
pub(super) fn all_services() -> Vec<Operand> {
    let services = service_places();
    let names = |services: &Vec<u8>| Dir::open(&services[..]).and_then(|dir| dir.names()).ok();
    let Some((services, names)) = services.iter().find_map(|services| Some((services, names(services)?))) else {
        return Vec::new();
    };
    let paths = names.into_iter().filter(|(name, _)| !name.starts_with(b".")).map(|(name, _)| join(services, &name));
    let has_log =
        |path: &Vec<u8>| as_path(path).is_dir() && matches!(resolve(path), Resolved::Log(_) | Resolved::Unclear(_));
    let mut paths: Vec<Vec<u8>> = paths.filter(has_log).collect();
    paths.sort_unstable();
    paths.into_iter().map(Operand::Path).collect()
}

/// The meaning of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// This log directory; or a directory that does not exist, or may not be read, as opening it will show.
    Log(Vec<u8>),
    /// This file of a directory.
    File { directory: Vec<u8>, name: Vec<u8> },
    /// No log directory. One may appear at `path`. `is_unlogged` if this is a service that has no log service.
    Nothing { path: Vec<u8>, warning: String, is_unlogged: bool },
    /// More than one log directory, or a file that is not of a log directory. The text is a warning.
    Unclear(String),
}

/// Finds the log directory that a path means.
pub(super) fn resolve(path: &[u8]) -> Resolved {
    if let Some((directory, name)) = log_file(path) {
        return Resolved::File { directory, name };
    }
    if as_path(path).metadata().is_ok_and(|stat| !stat.is_dir()) {
        let (shown, log_files) = (Shown(path), "current, previous, processed or @label.s");
        return Resolved::Unclear(format!(
            "unable to open directory {shown}: not a directory, nor a plain file of one ({log_files})"
        ));
    }
    if holds_log(path) != Some(false) {
        return Resolved::Log(path.to_vec());
    }
    let base = if is_there(&join(path, LOG)) { join(path, LOG) } else { path.to_vec() };
    let main = join(&base, MAIN);
    for candidate in [&base, &main] {
        // If it may not be read, a warning says so later.
        if is_there(candidate) && holds_log(candidate) != Some(false) {
            return Resolved::Log(candidate.clone());
        }
    }
    let logs = logs_in(&base);
    if let [only] = &logs[..] {
        return Resolved::Log(join(&base, only));
    }
    let shown = Shown(&base).to_string();
    if !logs.is_empty() {
        let names: Vec<String> = logs.iter().map(|name| Shown(name).to_string()).collect();
        return Resolved::Unclear(format!("several logs in {shown}, name one of them: {}", names.join(", ")));
    }
    let warning = format!("no log in {shown}: it has neither current nor archives");
    let is_unlogged = base == path && has(path, RUN) && !is_log_service(path);
    let path = if is_unlogged {
        join(&join(path, LOG), MAIN)
    } else if base != path || has(path, RUN) {
        main
    } else {
        base
    };
    Resolved::Nothing { path, warning, is_unlogged }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

/// Tells whether a path leads to a directory, even to one that may not be read.
fn is_there(path: &[u8]) -> bool {
    !matches!(Dir::open(path), Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
}

fn has(path: &[u8], name: &[u8]) -> bool {
    Dir::open(path).is_ok_and(|directory| matches!(directory.stat(name), Ok(Some(_))))
}

/// Tells whether a service directory is that of a log service: it has the name of one, or is in another service directory.
fn is_log_service(path: &[u8]) -> bool {
    as_path(path).file_name().is_some_and(|name| name.as_bytes() == LOG) || has(&join(path, b".."), RUN)
}

/// Tells whether a directory is one that a logger writes to; `None` if it cannot be read.
fn holds_log(path: &[u8]) -> Option<bool> {
    let directory = Dir::open(path).ok()?;
    // A service may keep a file of such a name beside its run script.
    let is_service = directory.stat(b"run").ok()?.is_some();
    let names: &[&str] = if is_service { &[CURRENT] } else { &[CURRENT, LOCK, PREVIOUS] };
    for name in names {
        if directory.stat(name.as_bytes()).ok()?.is_some() {
            return Some(true);
        }
    }
    Some(directory.names().ok()?.iter().any(|(name, _)| archive_label(name).is_some()))
}

/// The log directories in a directory, in the order of their names. Links are not followed.
fn logs_in(path: &[u8]) -> Vec<Vec<u8>> {
    let Ok(names) = Dir::open(path).and_then(|directory| directory.names()) else { return Vec::new() };
    let is_link =
        |name: &[u8]| std::fs::symlink_metadata(as_path(&join(path, name))).is_ok_and(|stat| stat.is_symlink());
    let is_other = |name: &[u8]| matches!(name, b"supervise" | b"env" | b"event") || name.starts_with(b".");
    let mut logs: Vec<Vec<u8>> = names.into_iter().map(|(name, _)| name).collect();
    logs.retain(|name| !is_other(name) && !is_link(name) && holds_log(&join(path, name)) == Some(true));
    logs.sort_unstable();
    logs
}

/// The directory and the name of a file that has the name of a log file.
fn log_file(path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let slash = path.iter().rposition(|&byte| byte == b'/');
    let (directory, name) = match slash {
        Some(0) => (&b"/"[..], &path[1..]),
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&b"."[..], path),
    };
    let is_log_file =
        archive_label(name).is_some() || [CURRENT, PREVIOUS, PROCESSED].iter().any(|log| log.as_bytes() == name);
    // What is not there, or not a plain file, is reported as a directory that cannot be opened.
    (is_log_file && std::fs::symlink_metadata(as_path(path)).is_ok_and(|stat| stat.is_file()))
        .then(|| (directory.to_vec(), name.to_vec()))
}

fn as_path(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}
