//! The names of host and service that a log directory is shipped under.
//!
//! They are in every key, so they must not change by themselves: a host that is renamed would ship everything again. The first
//! run writes them to the file `shipped-as` in the log directory, and all later runs read them there.

use logyard::cli::{Shown, cause};
use logyard::sys::dir::Dir;
use logyard::sys::replace::Replacement;
use logyard::sys::{Errno, fd};

use crate::key;

/// The file in a log directory.
const SHIPPED_AS: &[u8] = b"shipped-as";
/// It is no longer than this.
const BYTES_MAX: usize = 4096;
const REPLACEMENT: Replacement = Replacement { suffix: b".new", mode: 0o644, overrides_umask: false, is_durable: true };

/// The names that a log directory is shipped under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) host: String,
    pub(crate) service: String,
}

/// What the command line says about the names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The host, if it is given.
    pub(crate) host: Option<String>,
    /// The service, if it is given.
    pub(crate) service: Option<String>,
    /// Whether the names in the file may change.
    pub(crate) may_change: bool,
}

impl Identity {
    /// The names of a directory: those in its file, or else those that are wanted, or else those of this host and the path.
    /// `fixes` says whether they are written to the file.
    pub(crate) fn of(dir: &Dir, path: &[u8], wanted: &Wanted, fixes: bool) -> Result<Identity, String> {
        let Some(fixed) = read(dir, path)? else {
            let identity = found(path, wanted)?;
            return if fixes { identity.fix(dir, path) } else { Ok(identity) };
        };
        let asked = Identity {
            host: wanted.host.clone().unwrap_or_else(|| fixed.host.clone()),
            service: wanted.service.clone().unwrap_or_else(|| fixed.service.clone()),
        };
        if asked == fixed {
            return Ok(fixed);
        }
        if !wanted.may_change {
            let (path, Identity { host, service }) = (Shown(path), &fixed);
            return Err(format!(
                "unable to ship {path} under other names: it is shipped as host {host}, service {service} (--change-names)"
            ));
        }
        let asked = asked.checked(path)?;
        if fixes {
            REPLACEMENT
                .carry_out(dir, SHIPPED_AS, &asked.to_text())
                .map_err(|(_, errno)| unable_to_write(path, errno))?;
        }
        Ok(asked)
    }

    /// Writes the names, unless another shipper has done so meanwhile: then these are the names.
    fn fix(self, dir: &Dir, path: &[u8]) -> Result<Identity, String> {
        let write = || {
            let file = dir.make_nameless(REPLACEMENT.mode)?;
            fd::write_all(&file, &self.to_text())?;
            file.sync()?;
            dir.give_name(&file, SHIPPED_AS)?;
            dir.sync()
        };
        match write() {
            Ok(()) => Ok(self),
            Err(Errno::EEXIST) => match read(dir, path)? {
                Some(identity) => Ok(identity),
                None => Err(unable_to_write(path, Errno::ENOENT)),
            },
            // A file system without nameless files, or no /proc.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT) => {
                let replaced = REPLACEMENT.carry_out(dir, SHIPPED_AS, &self.to_text());
                replaced.map_err(|(_, errno)| unable_to_write(path, errno))?;
                Ok(self)
            }
            Err(errno) => Err(unable_to_write(path, errno)),
        }
    }

    fn to_text(&self) -> Vec<u8> {
        format!("host {}\nservice {}\n", self.host, self.service).into_bytes()
    }

    fn checked(self, path: &[u8]) -> Result<Identity, String> {
        for (kind, name) in [("host", &self.host), ("service", &self.service)] {
            if !key::is_name(name) {
                let (path, name) = (Shown(path), Shown(name.as_bytes()));
                return Err(format!("unable to ship {path}: '{name}' cannot be the name of a {kind}, use --{kind}"));
            }
        }
        Ok(self)
    }
}

/// The names in a directory's file; `None` if there is no such file.
fn read(dir: &Dir, path: &[u8]) -> Result<Option<Identity>, String> {
    let mut room = [0; BYTES_MAX];
    let file = dir.open_to_read(SHIPPED_AS).and_then(logyard::sys::file::File::if_plain);
    let length = match file.and_then(|file| file.read_at(0, &mut room)) {
        Ok(length) => length,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(format!("unable to read {}/shipped-as: {}", Shown(path), cause(errno))),
    };
    let text = String::from_utf8_lossy(&room[..length]);
    let value =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    match (value("host"), value("service")) {
        (Some(host), Some(service)) if key::is_name(&host) && key::is_name(&service) => {
            Ok(Some(Identity { host, service }))
        }
        _ => Err(format!("unable to read {}/shipped-as: bad format", Shown(path))),
    }
}

/// The names of a directory that has not been shipped before.
fn found(path: &[u8], wanted: &Wanted) -> Result<Identity, String> {
    let host = match &wanted.host {
        Some(host) => host.clone(),
        None => {
            let name =
                nix::unistd::gethostname().map_err(|errno| format!("unable to get the host name: {}", cause(errno)))?;
            name.to_string_lossy().into_owned()
        }
    };
    let service = match &wanted.service {
        Some(service) => service.clone(),
        None => String::from_utf8_lossy(&readlog::log_dir::service_name(path)).into_owned(),
    };
    Identity { host, service }.checked(path)
}

fn unable_to_write(path: &[u8], errno: Errno) -> String {
    format!("unable to write {}/shipped-as: {}", Shown(path), cause(errno))
}
