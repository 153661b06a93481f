//! Other packages that run services on the host: Debian's daemontools-run and runit-run, and logyard-run.

use crate::setup::boot::is_there;
use crate::setup::whole_file::{read_all, split};
use crate::sys::root_dir::Tree;

/// The table of init, in which these packages mark their lines.
const INITTAB: &str = "/etc/inittab";
/// The directory of services of all of them.
const SERVICES: &str = "/etc/service";

/// What runs services in `/etc/service`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// A svscan, which this package starts: the programs in `/command` are its own from its next start on.
    Svscan(&'static str),
    /// The package runit-run.
    Runit,
    /// There is only the directory.
    Directory,
}

impl Neighbour {
    /// Looks for one.
    #[must_use]
    pub fn of_host(tree: &Tree) -> Option<Neighbour> {
        let (parent, name) = split(INITTAB);
        let table = tree.dir(parent).and_then(|dir| read_all(&dir, name)).unwrap_or_default();
        let is_installed = |package: &str, unit: &str| {
            let marker = format!("#-- {package} begin");
            let unit = ["/lib/systemd/system/", unit, ".service"].concat();
            let files = [["/usr", &unit].concat(), unit, ["/usr/share/doc/", package].concat()];
            table.split(|&byte| byte == b'\n').any(|line| line == marker.as_bytes())
                || files.iter().any(|file| is_there(tree, file))
        };
        let svscan = ["daemontools-run", "logyard-run"].into_iter().find(|package| is_installed(package, package));
        if let Some(package) = svscan {
            Some(Neighbour::Svscan(package))
        } else if is_installed("runit-run", "runit") {
            Some(Neighbour::Runit)
        } else {
            is_there(tree, SERVICES).then_some(Neighbour::Directory)
        }
    }

    /// What was found, and what follows from it. `is_alone`: no svscan of ours is started.
    #[must_use]
    pub fn words(self, is_alone: bool) -> String {
        match self {
            Neighbour::Svscan(package) if is_alone => format!(
                "found {package}, which runs the services in /etc/service: no second svscan is started, and /service is \
                 not made (--boot does both); from its next start on, {package} uses the programs in /command"
            ),
            Neighbour::Svscan(package) => format!(
                "found {package}, which runs the services in /etc/service: a second svscan runs those in /service; from \
                 its next start on, {package} uses the programs in /command"
            ),
            Neighbour::Runit => {
                "found runit-run, which runs the services in /etc/service: svscan runs only those in /service"
                    .to_owned()
            }
            Neighbour::Directory => "found /etc/service: svscan runs only the services in /service".to_owned(),
        }
    }
}
