//! The services of a directory, as they come and go.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use logyard::sys::clock::{self, UnixTime};
use logyard::sys::dir::Dir;
use logyard::sys::stat::FileId;
use logyard::sys::{Errno, Result};

use crate::look::Look;
use crate::service::Service;
use crate::unit::Unit;
use crate::watches::Watches;

/// The directory is listed at least once in so many looks.
const BETWEEN_LISTINGS: usize = 30;
/// File systems note times some milliseconds late. A directory that changed less than so long ago is listed again.
const TIME_IS_SHARP_SECONDS: i64 = 2;

/// A directory of services.
#[derive(Debug)]
pub(crate) struct Services {
    /// Its path.
    pub(crate) path: Vec<u8>,
    /// Which directory was listed, and when it had changed.
    listed: Option<(FileId, UnixTime)>,
    pub(crate) all: Vec<Service>,
    /// Why the directory cannot be listed.
    pub(crate) error: Option<Errno>,
    looks: usize,
    watches: Watches,
    /// When the next logger will count as blocked, if it goes on waiting as it does.
    pub(crate) next_due: Option<Instant>,
}

/// What the order of the rows needs of all services, also of those that are not on the screen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) pipes: bool,
    pub(crate) disk: bool,
}

impl Services {
    /// The services in a directory. Nothing is looked at yet.
    pub(crate) fn new(path: Vec<u8>) -> Services {
        Services { path, listed: None, all: Vec::new(), error: None, looks: 0, watches: Watches::new(), next_due: None }
    }

    /// Looks at all services. `is_on_screen` is asked with a place in `all`.
    pub(crate) fn look(&mut self, now: Instant, is_on_screen: impl Fn(usize) -> bool, needs: Needs) {
        self.looks = self.looks.wrapping_add(1);
        let on_screen: HashSet<FileId> =
            (0..self.all.len()).filter(|&i| is_on_screen(i)).map(|i| self.all[i].identity).collect();
        self.watches.collect();
        self.error = self.list(now).err();
        self.next_due = None;
        for i in 0..self.all.len() {
            let is_on_screen = on_screen.contains(&self.all[i].identity);
            let look = Look::due(i.wrapping_add(self.looks), is_on_screen, needs.pipes);
            if look.is_thorough && self.all[i].unit.dir.is_err() {
                let path = self.path_of(&self.all[i].name);
                self.all[i].unit = Unit::new(Dir::reach(&path[..]), &self.watches);
            }
            let service = &mut self.all[i];
            service.look(look, &self.watches, now);
            self.next_due = earlier(self.next_due, service.blocked_at());
            if (needs.disk || look.is_thorough)
                && let Some(log) = &mut service.log
            {
                log.files.look_at_disk(now);
            }
        }
    }

    /// Looks at the loggers that may count as blocked by now: nobody is to wait for that until the next look.
    pub(crate) fn look_at_due(&mut self, now: Instant) {
        self.next_due = None;
        for service in &mut self.all {
            if service.blocked_at().is_some_and(|due| due <= now) {
                service.look(Look::DUE, &self.watches, now);
            }
            self.next_due = earlier(self.next_due, service.blocked_at());
        }
    }

    /// Lists the directory, if it may have changed: services that are new are added, and what is gone is removed.
    fn list(&mut self, now: Instant) -> Result<()> {
        let dir = match Dir::open(&self.path[..]) {
            Ok(dir) => dir,
            Err(errno) => {
                if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
                    self.all.clear();
                }
                self.listed = None;
                return Err(errno);
            }
        };
        let seen = (dir.stat_self()?.identity, dir.changed()?);
        let is_sharp = clock::now().seconds - seen.1.seconds > TIME_IS_SHARP_SECONDS;
        // A link may lead elsewhere although no name has changed.
        let is_turn = self.looks.is_multiple_of(BETWEEN_LISTINGS);
        if self.listed == Some(seen) && is_sharp && !is_turn {
            return Ok(());
        }
        let mut known: HashMap<Vec<u8>, Service> =
            std::mem::take(&mut self.all).into_iter().map(|service| (service.name.clone(), service)).collect();
        let mut names: Vec<Vec<u8>> = dir.names()?.into_iter().map(|(name, _)| name).collect();
        names.retain(|name| !name.starts_with(b"."));
        names.sort_unstable();
        for name in names {
            let Some(target) = dir.target(&name).ok().flatten().filter(|target| target.is_directory) else { continue };
            let service = known.remove(&name).filter(|service| service.identity == target.identity);
            let found = || Service::new(name.clone(), target.identity, dir.reach_dir(&name), &self.watches, now);
            self.all.push(service.unwrap_or_else(found));
        }
        self.listed = Some(seen);
        Ok(())
    }

    /// The path of a service.
    pub(crate) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let slash: &[u8] = if self.path.ends_with(b"/") { b"" } else { b"/" };
        [&self.path, slash, name].concat()
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Workdir;

    fn names(services: &mut Services) -> Vec<String> {
        services.look(Instant::now(), |_| true, Needs::default());
        services.all.iter().map(|service| service.shown.clone()).collect()
    }

    #[test]
    fn services_come_and_go() {
        let dir = Workdir::new();
        let mut services = Services::new(dir.join("sv").into_os_string().into_encoded_bytes());
        assert!(names(&mut services).is_empty() && services.error == Some(Errno::ENOENT));
        std::fs::create_dir(dir.join("sv")).unwrap();
        assert!(names(&mut services).is_empty() && services.error.is_none());
        for name in ["b", "a", ".hidden", "c\u{1b}[1m"] {
            std::fs::create_dir(dir.join("sv").join(name)).unwrap();
        }
        std::fs::write(dir.join("sv/file"), "").unwrap();
        std::os::unix::fs::symlink(dir.join("nowhere"), dir.join("sv/dangling")).unwrap();
        assert_eq!(names(&mut services), ["a", "b", "c\\x1b[1m"]);
        std::fs::remove_dir(dir.join("sv/a")).unwrap();
        std::os::unix::fs::symlink(dir.join("sv/b"), dir.join("sv/d")).unwrap();
        assert_eq!(names(&mut services), ["b", "c\\x1b[1m", "d"]);
        std::fs::rename(dir.join("sv"), dir.join("away")).unwrap();
        assert!(names(&mut services).is_empty());
        std::fs::create_dir_all(dir.join("sv/again")).unwrap();
        assert_eq!(names(&mut services), ["again"]);
    }

    #[test]
    fn a_service_that_is_replaced_under_its_name_is_another_one() {
        let dir = Workdir::new();
        for name in ["one", "two", "sv"] {
            std::fs::create_dir(dir.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(dir.join("one"), dir.join("sv/a")).unwrap();
        let mut services = Services::new(dir.join("sv").into_os_string().into_encoded_bytes());
        names(&mut services);
        let before = services.all[0].identity;
        std::fs::remove_file(dir.join("sv/a")).unwrap();
        std::os::unix::fs::symlink(dir.join("two"), dir.join("sv/a")).unwrap();
        names(&mut services);
        assert_ne!(services.all[0].identity, before);
    }
}
