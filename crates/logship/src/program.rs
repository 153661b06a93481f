//! The program: from the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use logyard::cli::{Exit, Shown, cause};
use logyard::sys::program::Arguments;
use logyard::sys::signal::{self, Signal};
use logyard::sys::{Errno, fd, limit};
use tokio::sync::Semaphore;

use crate::arguments::{self, Compact, Parsed, Request, Ship, Task};
use crate::compaction::Compaction;
use crate::identity::{Identity, Wanted};
use crate::log_dir::LogDir;
use crate::mark::Marks;
use crate::metrics::Metrics;
use crate::patience::Patience;
use crate::report;
use crate::shipment::Shipping;
use crate::store::{Access, Store};
use crate::{get, listing, ship, stay, verify};

/// About what a batch of rows takes. Measured: a fifth of the processor time went into mapping the same memory again.
const KEPT_BYTES: i32 = 24 << 20;

/// Runs `logship`.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    fd::occupy_standard();
    // A thread of its own encodes; a second pool of memory would double what it keeps.
    logyard::sys::memory::use_one_arena();
    logyard::sys::memory::keep_freed(KEPT_BYTES);
    let words = arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_os_string());
    let request = match arguments::parse(words.collect::<Vec<OsString>>()) {
        Parsed::Request(request) => *request,
        Parsed::Text(text) => {
            return match fd::write_all(fd::stdout(), &text) {
                Ok(()) | Err(Errno::EPIPE) => Exit::OK,
                Err(errno) => report::fatal(format_args!("unable to write output: {}", cause(errno))),
            };
        }
        Parsed::Usage(problem) => {
            report::say(problem);
            return report::usage(
                "logship ship|verify|ls|get|compact [options] [dir ...] store (logship --help tells more)",
            );
        }
    };
    // The number is that of the supervisor's descriptor as long as this process has opened nothing.
    let ready = match request.ready_fd().map(ready_descriptor).transpose() {
        Ok(ready) => ready,
        Err(problem) => return report::fatal(problem),
    };
    // A connection that the store resets must not end the process.
    if let Err(errno) = signal::ignore(Signal::SIGPIPE) {
        return report::fatal(format_args!("unable to ignore SIGPIPE: {}", cause(errno)));
    }
    // If the limit cannot be raised, what cannot be opened is reported.
    let _ = limit::raise_descriptors();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report::fatal(format_args!("unable to wait for events: {error}")),
    };
    runtime.block_on(carry_out(request, ready))
}

async fn carry_out(request: Request, ready: Option<OwnedFd>) -> Exit {
    let store = match Store::open(&request.store, &request.access) {
        Ok(store) => Arc::new(store),
        Err(problem) => return report::fatal(problem),
    };
    match request.task {
        Task::Ship(ship) => carry_out_ship(store, &request.store, ship, &request.access, ready).await,
        Task::Verify { directories, wanted, format, reads_content, compacted } => {
            let opened = open_compacted(compacted.as_deref(), &request.access)
                .and_then(|compacted| Ok((compacted, open(&directories, &wanted, false)?)));
            match opened {
                Ok((compacted, log_dirs)) => {
                    verify::verify(&store, compacted.as_ref(), &log_dirs, format, reads_content).await
                }
                Err(problem) => report::fatal(problem),
            }
        }
        Task::Compact(compact) if compact.into == request.store => {
            report::fatal(format_args!("unable to compact {} into itself: name another prefix", request.store))
        }
        Task::Compact(compact) => carry_out_compact(&store, compact, &request.access).await,
        Task::Ls => listing::ls(&store).await,
        Task::Get(query) => get::get(&store, &query).await,
    }
}

async fn carry_out_ship(store: Arc<Store>, url: &str, ship: Ship, access: &Access, ready: Option<OwnedFd>) -> Exit {
    let opened = open_compacted(ship.compacted.as_deref(), access)
        .and_then(|compacted| Ok((compacted, open(&ship.directories, &ship.wanted, !ship.is_dry)?)));
    let (compacted, log_dirs) = match opened {
        Ok(opened) => opened,
        Err(problem) => return report::fatal(problem),
    };
    let metrics = Metrics::new(ship.metrics);
    let marks = if ship.has_marks && !ship.is_dry {
        let store = access.endpoint.as_ref().map_or_else(|| url.to_owned(), |endpoint| format!("{url} at {endpoint}"));
        Marks::new(&log_dirs, &store, ship.format)
    } else {
        Marks::default()
    };
    let shipping = Shipping {
        store,
        compacted,
        format: ship.format,
        level: ship.level,
        archive_bytes_max: ship.archive_bytes_max,
        is_dry: ship.is_dry,
        patience: Patience::new(ship.retry_limit, ship.is_once, &metrics),
        metrics: &metrics,
        marks,
        encoders: Semaphore::new(1),
    };
    if ship.is_once {
        ship::once(&shipping, &log_dirs, ship.parallel, ship.is_quiet).await
    } else {
        stay::stay(&shipping, &log_dirs, ship.parallel, ready).await
    }
}

async fn carry_out_compact(raw: &Store, compact: Compact, access: &Access) -> Exit {
    let compacted = match Store::open(&compact.into, access) {
        Ok(store) => store,
        Err(problem) => return report::fatal(problem),
    };
    let metrics = Metrics::new(None);
    let compaction = Compaction {
        raw,
        compacted,
        before: compact.before,
        object_bytes_max: compact.object_bytes_max,
        level: compact.level,
        is_dry: compact.is_dry,
        patience: Patience::new(compact.retry_limit, true, &metrics),
    };
    compaction.run(compact.is_quiet).await
}

/// Opens the store with merged objects, if one is named.
fn open_compacted(url: Option<&str>, access: &Access) -> Result<Option<Store>, String> {
    url.map(|url| Store::open(url, access)).transpose()
}

/// Opens the directories, and finds the names that each is shipped under.
fn open(paths: &[Vec<u8>], wanted: &Wanted, fixes_names: bool) -> Result<Vec<Arc<LogDir>>, String> {
    let mut log_dirs: Vec<Arc<LogDir>> = Vec::new();
    for path in paths {
        let dir = LogDir::open(path)?;
        let identity = Identity::of(&dir, path, wanted, fixes_names)?;
        if let Some(other) = log_dirs.iter().find(|other| other.identity == identity) {
            let (other, path, Identity { host, service }) = (Shown(&other.path), Shown(path), &identity);
            return Err(format!(
                "{other} and {path} have the same names: host {host}, service {service} (--host, --service)"
            ));
        }
        log_dirs.push(Arc::new(LogDir { path: path.clone(), dir, identity }));
    }
    Ok(log_dirs)
}

/// The descriptor that a supervisor gave.
fn ready_descriptor(number: i32) -> Result<OwnedFd, String> {
    fd::inherited(number).map_err(|errno| format!("unable to use descriptor {number}: {}", cause(errno)))
}
