//! Where a logger logs to: the directories in its arguments, and how large they may become.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use logyard::logdir::destination::Destination;
use logyard::logdir::names::CURRENT;
use logyard::logdir::script_file::with_actions;
use logyard::multilog::script::Script;
use logyard::supervise::logger::reach;
use logyard::sys::Result;
use logyard::sys::dir::Dir;
use logyard::sys::process::pid::Pid;
use logyard::sys::process::pidfd;
use logyard::sys::program::Arguments;
use logyard::sys::stat::Stat;

use crate::disk_use::DiskUse;
use crate::last_line::LastLine;

/// Where a log service logs to by custom.
const MAIN: &[u8] = b"main";
/// If the arguments have this many bytes, the system may have cut them off.
const ARGUMENTS_BYTES_MAX: usize = 4000;

/// Command lines, by the arguments as the system tells them.
type Kept = HashMap<Vec<Vec<u8>>, &'static Arguments>;

/// The directories of a logger.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// Whose arguments were read.
    process: Option<Pid>,
    /// The arguments.
    arguments: Vec<Vec<u8>>,
    directories: Vec<Directory>,
    pub(crate) last_line: LastLine,
    looked_at: Option<Instant>,
}

#[derive(Debug)]
struct Directory {
    dir: Dir,
    /// The name in the arguments.
    name: Vec<u8>,
    bound_bytes: Option<u64>,
    disk_use: DiskUse,
}

impl LogFiles {
    /// Finds the directories of a log service, if its logger is another one than before; a thorough look asks in any case.
    pub(crate) fn find(&mut self, log: &Dir, process: Option<Pid>, is_thorough: bool) {
        let Some(process) = process else {
            if self.directories.is_empty() {
                self.directories.extend(directory(log.reach_dir(MAIN).ok(), MAIN, None));
            }
            return;
        };
        if self.process == Some(process) && !is_thorough {
            return;
        }
        let arguments = with_actions(pidfd::arguments(process), || {
            // Another user may not look where a process works.
            Dir::of_process(process).or_else(|_| log.reach_dir(b"."))
        });
        let is_same = self.process.replace(process) == Some(process) && self.arguments == arguments;
        if is_same && !self.directories.is_empty() {
            return;
        }
        self.directories.clear();
        for (name, bound_bytes) in destinations(&arguments) {
            self.directories.extend(directory(reach(log, process, &name), &name, bound_bytes));
        }
        if self.directories.is_empty() {
            self.directories.extend(directory(log.reach_dir(MAIN).ok(), MAIN, None));
        }
        self.arguments = arguments;
        self.last_line = LastLine::default();
    }

    /// Adds up the room that the directories take.
    pub(crate) fn look_at_disk(&mut self, now: Instant) {
        for directory in &mut self.directories {
            directory.disk_use.look(&directory.dir, current_in(&directory.dir), now);
        }
    }

    /// Reads what only the rows on the screen show; nothing if that was done at this look.
    pub(crate) fn look_closer(&mut self, now: Instant) {
        if self.looked_at.replace(now) == Some(now) {
            return;
        }
        for (place, directory) in self.directories.iter_mut().enumerate() {
            let current = current_in(&directory.dir);
            directory.disk_use.look(&directory.dir, current, now);
            if place == 0 {
                self.last_line.look(&directory.dir, current);
            }
        }
    }

    /// The room that all directories take.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.directories
            .iter()
            .map(|directory| directory.disk_use.bytes())
            .sum::<Option<u64>>()
            .filter(|_| self.is_found())
    }

    /// How much room they can take; `None` if there is no bound, or none is known.
    pub(crate) fn bound_bytes(&self) -> Option<u64> {
        let bounds = self.directories.iter().map(|directory| directory.bound_bytes);
        bounds.sum::<Option<u64>>().filter(|_| self.is_found())
    }

    fn is_found(&self) -> bool {
        !self.directories.is_empty()
    }

    /// The path of the first directory, for other programs; `service` is the path of the service.
    pub(crate) fn path(&self, service: &[u8]) -> Option<Vec<u8>> {
        let first = self.directories.first()?;
        if first.name.starts_with(b"/") {
            return Some(first.name.clone());
        }
        let name = first.name.strip_prefix(b"./").filter(|name| !name.is_empty()).unwrap_or(&first.name);
        let path = [service, b"/log/", name].concat();
        let is_there = Dir::reach(&path[..]).and_then(|dir| dir.stat_self()).ok().map(|stat| stat.identity);
        let is_same = is_there.is_some() && first.dir.stat_self().ok().map(|stat| stat.identity) == is_there;
        match self.process {
            // Its run script has changed the directory.
            Some(process) if !is_same => Some([format!("/proc/{process}/cwd/").as_bytes(), &first.name].concat()),
            _ => Some(path),
        }
    }
}

/// The file that is being written in a log directory, if there is one.
fn current_in(dir: &Dir) -> Result<Option<Stat>> {
    Ok(dir.stat(CURRENT.as_bytes())?.filter(|stat| stat.is_plain))
}

fn directory(dir: Option<Dir>, name: &[u8], bound_bytes: Option<u64>) -> Option<Directory> {
    Some(Directory { dir: dir?, name: name.to_vec(), bound_bytes, disk_use: DiskUse::default() })
}

/// The directories in the arguments of a logger, and how large each may become.
fn destinations(arguments: &[Vec<u8>]) -> Vec<(Vec<u8>, Option<u64>)> {
    let Some((program, rest)) = arguments.split_first() else { return Vec::new() };
    let is_whole = arguments.iter().map(|argument| argument.len() + 1).sum::<usize>() <= ARGUMENTS_BYTES_MAX;
    if program.rsplit(|&byte| byte == b'/').next() == Some(b"multilog") && is_whole {
        let script = Script::parse(kept(rest));
        return script.directories.iter().map(|one| (one.path.to_bytes().to_vec(), Some(bound(one)))).collect();
    }
    // Most loggers name their directory in this way.
    let named = rest.iter().find(|argument| argument.starts_with(b"./") || argument.starts_with(b"/"));
    named.map(|name| (name.clone(), None)).into_iter().collect()
}

/// How large a directory may become.
fn bound(destination: &Destination) -> u64 {
    let of_number = destination.limits.files_max.saturating_mul(destination.size_max_bytes);
    let archives = destination.limits.archive_bytes_max;
    archives.map_or(of_number, |archives| archives.saturating_add(destination.size_max_bytes).min(of_number))
}

/// The arguments in the form of a command line, which lives as long as the process. Each is kept once, so that a logger that is
/// restarted for days takes no memory.
fn kept(arguments: &[Vec<u8>]) -> &'static Arguments {
    static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.entry(arguments.to_vec()).or_insert_with(|| {
        let keep = |argument: &Vec<u8>| -> Option<&'static CStr> {
            Some(Box::leak(CString::new(argument.clone()).ok()?.into_boxed_c_str()))
        };
        Box::leak(arguments.iter().filter_map(keep).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arguments: &[&str]) -> Vec<(String, Option<u64>)> {
        let arguments: Vec<Vec<u8>> = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
        destinations(&arguments).into_iter().map(|(name, bound)| (String::from_utf8(name).unwrap(), bound)).collect()
    }

    #[test]
    fn the_directories_and_bounds_are_those_of_the_script() {
        let main = |bound| vec![("./main".to_owned(), bound)];
        assert_eq!(found(&["/usr/bin/multilog", "t", "./main"]), main(Some(999_990)));
        assert_eq!(found(&["multilog", "t", "s1000000", "n7", "./main"]), main(Some(7_000_000)));
        assert_eq!(found(&["multilog", "s1000000", "n7", "S3M", "./main"]), main(Some(3 << 20)));
        assert_eq!(found(&["svlogd", "-tt", "./main"]), main(None));
        assert_eq!(found(&["sh", "./run"]), [("./run".to_owned(), None)]);
        assert_eq!(found(&["cat"]), []);
        assert_eq!(found(&[]), []);
        assert_eq!(
            found(&["multilog", "s5000", "n2", "./a", "s6000", "/b"]),
            [("./a".to_owned(), Some(10_000)), ("/b".to_owned(), Some(12_000))]
        );
    }
}
