//! `logship ship` without `--once`: ships all archives, and then each new one as it appears.

use std::collections::{BTreeSet, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use logyard::cli::{Exit, Shown, cause};
use logyard::logdir::archive_name::Name;
use logyard::sys::inotify::{Event, Notification, Notifier, Watch};
use logyard::sys::{Errno, fd, poll};

use crate::log_dir::{Archive, LogDir};
use crate::probe::probe;
use crate::report::{self, Report};
use crate::ship::{list, ship_all};
use crate::shipment::Shipping;

/// The directories that are watched, and what of them has been dealt with.
struct Watched {
    notifier: Arc<Notifier>,
    directories: Vec<(Watch, Arc<LogDir>, HashSet<String>)>,
    /// Archives that appeared since the directories were read.
    appeared: Vec<(Watch, String)>,
}

/// Ships until the process is ended.
pub(crate) async fn stay(
    shipping: &Shipping<'_>,
    log_dirs: &[Arc<LogDir>],
    parallel: usize,
    ready: Option<OwnedFd>,
) -> Exit {
    // Watched before they are read: what comes between is seen twice, not missed.
    let mut watched = match Watched::new(log_dirs) {
        Ok(watched) => watched,
        Err(errno) => return report::fatal(format_args!("unable to watch the directories: {}", cause(errno))),
    };
    if let Err(error) = probe(&shipping.store, &shipping.patience).await {
        return report::fatal(error);
    }
    if let Some(ready) = ready {
        // A supervisor that has gone needs to know nothing.
        let _ = fd::write_all(&ready, b"\n");
    }
    let report = Report::default();
    loop {
        let archives = watched.new_archives(shipping, &report);
        shipping.metrics.waiting(archives.len());
        watched.try_again(&ship_all(shipping, archives, parallel, &report).await);
        logyard::sys::memory::give_back();
        if let Err(end) = watched.wait().await {
            return report::fatal(end);
        }
    }
}

impl Watched {
    fn new(log_dirs: &[Arc<LogDir>]) -> Result<Watched, Errno> {
        let notifier = Notifier::new()?;
        let mut directories = Vec::new();
        for log_dir in log_dirs {
            let watch = notifier.watch_arrivals(&log_dir.path[..])?;
            directories.push((watch, Arc::clone(log_dir), HashSet::new()));
        }
        Ok(Watched { notifier: Arc::new(notifier), directories, appeared: Vec::new() })
    }

    /// The archives that have not been dealt with. Those that appeared and are gone are counted.
    fn new_archives(&mut self, shipping: &Shipping<'_>, report: &Report) -> Vec<Archive> {
        let mut archives = Vec::new();
        let appeared = std::mem::take(&mut self.appeared);
        for (watch, log_dir, dealt_with) in &mut self.directories {
            let newest = shipping.marks.newest(log_dir);
            let all = list(log_dir, report);
            let names: HashSet<String> = all.iter().map(|archive| archive.name.to_string()).collect();
            let is_new = |archive: &&Archive| !dealt_with.contains(&archive.name.to_string());
            let new: Vec<Archive> = all.iter().filter(is_new).cloned().collect();
            shipping.marks.note_listing(log_dir, &all, &new, newest);
            archives.extend(new);
            let of_this = appeared.iter().filter(|(one, _)| one == watch).map(|(_, name)| name);
            let lost: BTreeSet<&String> =
                of_this.filter(|name| !names.contains(*name) && !dealt_with.contains(*name)).collect();
            for name in lost {
                shipping.metrics.lost();
                report.warn(format_args!("{}/{name} was removed before it was shipped", Shown(&log_dir.path)));
            }
            // Those that were trimmed need not be remembered.
            *dealt_with = names;
        }
        archives
    }

    /// The next time, these archives are new again.
    fn try_again(&mut self, archives: &[Archive]) {
        for archive in archives {
            let of_this = self.directories.iter_mut().filter(|(_, log_dir, _)| Arc::ptr_eq(log_dir, &archive.log_dir));
            of_this.for_each(|(_, _, dealt_with)| {
                dealt_with.remove(&archive.name.to_string());
            });
        }
    }

    /// Waits until an archive appears.
    async fn wait(&mut self) -> Result<(), String> {
        let unable = |errno| format!("unable to wait for archives: {}", cause(errno));
        loop {
            let notifier = Arc::clone(&self.notifier);
            // In another thread: this one goes on with what connections need.
            let wait = tokio::task::spawn_blocking(move || poll::readable([notifier.as_fd()], None));
            wait.await.unwrap_or(Err(Errno::EINTR)).map_err(unable)?;
            let happened = self.notifier.take().map_err(unable)?;
            let mut has_come = false;
            for notification in happened {
                match notification {
                    Notification::Overflow => has_come = true,
                    Notification::Of(watch, Event::Came(name)) => {
                        if let Some(name) = Name::of_file(&name) {
                            self.appeared.push((watch, name.to_string()));
                            has_come = true;
                        }
                    }
                    Notification::Of(watch, Event::Lost) => return Err(self.lost(watch)),
                    Notification::Of(..) => {}
                }
            }
            if has_come {
                return Ok(());
            }
        }
    }

    fn lost(&self, watch: Watch) -> String {
        let path = self.directories.iter().find(|(one, ..)| *one == watch).map(|(_, log_dir, _)| &log_dir.path[..]);
        format!("directory {} was moved or removed", Shown(path.unwrap_or_default()))
    }
}
