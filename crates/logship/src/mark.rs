//! The mark: how far a log directory is shipped. A logger whose script has the action `H` keeps archives until then.
//!
//! The mark is the file `shipped` in the log directory. Its first line is a label: each archive up to this one is in the store,
//! or was refused by name. Its second line says in which store, and under which names.
//!
//! A listing may show an archive and not the one before it, if both appear while it is made. Therefore a mark goes no further
//! than the newest archive of an earlier listing: all archives before that one were there when the later listing began.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use logyard::cli::{Shown, cause};
use logyard::logdir::names::SHIPPED;
use logyard::logdir::shipping;
use logyard::sys::file::File;
use logyard::sys::replace::Replacement;
use logyard::sys::{Errno, Result};
use logyard::tai64n::Label;

use crate::identity::Identity;
use crate::key::Format;
use crate::log_dir::{Archive, LogDir};
use crate::report;

/// The logger of another user reads it. If the system crashes, an older mark only holds archives longer.
const REPLACEMENT: Replacement = Replacement { suffix: b".new", mode: 0o644, overrides_umask: true, is_durable: false };

/// The marks of all directories.
#[derive(Debug, Default)]
pub(crate) struct Marks(RefCell<Vec<Mark>>);

#[derive(Debug)]
struct Mark {
    log_dir: Arc<LogDir>,
    /// The second line.
    target: String,
    /// The label that the file has.
    written: Option<Label>,
    /// The archives of the last listing, the oldest first.
    listed: Vec<(Label, String)>,
    /// Those of them that are not shipped.
    waiting: BTreeSet<String>,
    /// The mark goes no further.
    bound: Option<Label>,
    /// The last attempt to write the file failed, and a message said so.
    is_failing: bool,
}

impl Marks {
    /// Marks of directories that are shipped to this store. One for another store is removed.
    pub(crate) fn new(log_dirs: &[Arc<LogDir>], store: &str, format: Format) -> Marks {
        let mark = |log_dir: &Arc<LogDir>| {
            let Identity { host, service } = &log_dir.identity;
            let target = format!("to {store} as host {host}, service {service}, {format:?}");
            let mut mark = Mark {
                log_dir: Arc::clone(log_dir),
                target,
                written: None,
                listed: Vec::new(),
                waiting: BTreeSet::new(),
                bound: None,
                is_failing: false,
            };
            mark.begin();
            mark
        };
        Marks(RefCell::new(log_dirs.iter().map(mark).collect()))
    }

    /// The newest archive that is there, for a listing that follows; `None` if there are no marks.
    pub(crate) fn newest(&self, log_dir: &Arc<LogDir>) -> Option<Label> {
        if self.0.borrow().is_empty() {
            return None;
        }
        Some(log_dir.archives().ok()?.last()?.name.label)
    }

    /// A directory was listed. Of `all` its archives, some wait to be shipped. `bound` is the newest one that was there before.
    pub(crate) fn note_listing(
        &self,
        log_dir: &Arc<LogDir>,
        all: &[Archive],
        waiting: &[Archive],
        bound: Option<Label>,
    ) {
        self.change(log_dir, |mark| {
            mark.listed = all.iter().map(|archive| (archive.name.label, archive.name.to_string())).collect();
            mark.waiting = waiting.iter().map(|archive| archive.name.to_string()).collect();
            mark.bound = bound;
        });
    }

    /// An archive is in the store, or cannot be shipped.
    pub(crate) fn note_done(&self, archive: &Archive) {
        self.change(&archive.log_dir, |mark| {
            mark.waiting.remove(&archive.name.to_string());
        });
    }

    fn change(&self, log_dir: &Arc<LogDir>, change: impl FnOnce(&mut Mark)) {
        let mut marks = self.0.borrow_mut();
        if let Some(mark) = marks.iter_mut().find(|mark| Arc::ptr_eq(&mark.log_dir, log_dir)) {
            change(mark);
            mark.advance();
        }
    }
}

impl Mark {
    /// Reads the mark of an earlier run.
    fn begin(&mut self) {
        match self.read() {
            Ok((written, target)) if target == self.target => self.written = written,
            Err(Errno::ENOENT) => {}
            Ok(_) | Err(_) => match self.log_dir.dir.unlink(SHIPPED.as_bytes()) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => self.complain(errno),
            },
        }
    }

    /// The label and the second line of the file.
    fn read(&self) -> Result<(Option<Label>, String)> {
        let mut room = [0; 8192];
        let file = self.log_dir.dir.open_to_read(SHIPPED.as_bytes()).and_then(File::if_plain)?;
        let length = file.read_at(0, &mut room)?;
        let target = String::from_utf8_lossy(&room[..length]).lines().nth(1).unwrap_or_default().to_owned();
        Ok((shipping::parse_shipped(&room[..length]), target))
    }

    /// Writes the mark if it goes further than the one that is there.
    fn advance(&mut self) {
        let first_waiting = self.waiting.first();
        let is_shipped = |(label, _): &&(Label, String)| {
            Some(*label) <= self.bound
                && first_waiting.is_none_or(|first| label.to_text()[..] < first.as_bytes()[..Label::TEXT_BYTES])
        };
        let Some(label) = self.listed.iter().take_while(is_shipped).last().map(|(label, _)| *label) else { return };
        if self.written.is_some_and(|written| label <= written) {
            return;
        }
        // Another shipper of this directory may be ahead.
        if let Ok((written, target)) = self.read()
            && target == self.target
            && written.is_some_and(|written| label <= written)
        {
            self.written = written;
            return;
        }
        let text = format!("{label}\n{}\n", self.target);
        match REPLACEMENT.carry_out(&self.log_dir.dir, SHIPPED.as_bytes(), text.as_bytes()) {
            Ok(()) => {
                self.written = Some(label);
                self.is_failing = false;
            }
            Err((_, errno)) => self.complain(errno),
        }
    }

    fn complain(&mut self, errno: Errno) {
        if !self.is_failing {
            self.is_failing = true;
            report::warn(format_args!("unable to write {}/{SHIPPED}: {}", Shown(&self.log_dir.path), cause(errno)));
        }
    }
}
