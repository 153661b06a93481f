//! The descriptor store: what the service sends, what a killed supervisor kept, what the next process gets.

use std::os::fd::BorrowedFd;

use super::{PROGRAM, Running, Supervisor};
use crate::cli::Shown;
use crate::supervise::error::Error;
use crate::supervise::fdstore::{DESCRIPTORS, FdStore};
use crate::supervise::files::STORED;
use crate::supervise::options::Options;
use crate::supervise::record::ServiceScript;
use crate::sys::process::pid::Pid;
use crate::sys::process::pidfd::Pidfd;
use crate::sys::process::spawn;

impl Supervisor {
    pub(super) fn open_store(&mut self) {
        match FdStore::open(&self.files) {
            Ok(store) => self.store = store,
            // A warning about an unguarded directory has been printed.
            Err(Error::Foreign | Error::Writable) => {}
            Err(error) => self.warn("make", "supervise/fdstore", &error),
        }
    }

    /// Takes the messages of the service, which add descriptors to the store or remove them.
    pub(super) fn take_stored(&mut self) {
        let is_service = |running: &&Running| {
            let is_replaced = running.adopted.as_ref().is_some_and(Pidfd::has_been_replaced);
            running.script == ServiceScript::Run && !is_replaced
        };
        let process = self.running.as_ref().filter(is_service).map(|running| running.process);
        let most = self.option(Options::fdstore_max).unwrap_or(DESCRIPTORS);
        let outcome = self.store.take_messages(process, most);
        if let Some(is_ready) = outcome.ready {
            self.set_ready(is_ready);
        }
        if outcome.has_changed {
            self.write(STORED, self.store.list().as_bytes());
        }
        if outcome.refused > 0 && !std::mem::replace(&mut self.has_refused, true) {
            let (name, count) = (Shown(&self.name), outcome.refused);
            PROGRAM.warn(format_args!("unable to store {count} descriptors for {name}: fdstore-max is {most}"));
        }
    }

    /// Duplicates the descriptors that the killed supervisor kept. The service still has them.
    pub(super) fn take_back_stored(&mut self, held: &Pidfd, process: Pid) {
        let list = self.files.believed().ok().and_then(|left| self.heed(STORED, left.stored()));
        let Some(list) = list else { return };
        let missing = self.store.take_back(&list, held, process);
        if missing > 0 {
            let name = Shown(&self.name);
            PROGRAM.warn(format_args!("unable to take {missing} stored descriptors of {name} from process {process}"));
        }
        self.write(STORED, self.store.list().as_bytes());
    }

    /// The stored descriptors that a script is started with.
    pub(super) fn stored_for(&self, script: ServiceScript, notification: Option<i32>) -> Vec<BorrowedFd<'_>> {
        let stored = self.store.descriptors();
        if script != ServiceScript::Run || stored.is_empty() {
            return Vec::new();
        }
        let taken = spawn::FIRST_STORED..spawn::FIRST_STORED + i32::try_from(stored.len()).unwrap_or(i32::MAX);
        if let Some(number) = notification.filter(|number| taken.contains(number)) {
            let (name, end) = (Shown(&self.name), taken.end);
            PROGRAM.warn(format_args!(
                "not passing stored descriptors to {name}: notification-fd is {number}, and must be {end} or more"
            ));
            return Vec::new();
        }
        stored
    }
}
