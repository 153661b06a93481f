//! Reloading: the engine goes on by another script, at a HUP.
//!
//! It reads the script between two batches, when every line that has been begun has been ended: the old script holds for
//! whole lines, and so does the new one. First everything that can fail is done: the script is read, its status files are
//! opened, its new directories are locked and repaired, a journal is made. If any of this fails, nothing has changed for the old script, and it
//! stays. Then the engine goes on by the new one:
//!
//! ```text
//! directories in both scripts     keep their files, and get their new settings
//! a new journal                   replaces the old one: from here on a successor knows the new directories
//! directories of the old one      are finished, sealed and unlocked; the input does not wait for their processors
//! ```
//!
//! A logger that is killed on the way leaves one of the two journals. All that it has taken from the pipe is written by then.

use std::ffi::CStr;
use std::fmt;
use std::time::{Duration, Instant};

use super::Engine;
use crate::cli::{Messages, standard_output};
use crate::logdir::destination::Destination;
use crate::logdir::names::JOURNAL;
use crate::multilog::batch::Batch;
use crate::multilog::error::Error;
use crate::multilog::input::Input;
use crate::multilog::journal::journal_file::Journal;
use crate::multilog::journal::layout::file_bytes;
use crate::multilog::journal::publish::{discard_unfinished, publish, reserve};
use crate::multilog::journal::record::Heading;
use crate::multilog::journal::replay::{Legacy, find_legacy};
use crate::multilog::local_zone::local_zone;
use crate::multilog::metrics::Metrics;
use crate::multilog::name::PROGRAM;
use crate::multilog::open_line::OpenLine;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::{Interruptible, Pausing};
use crate::multilog::script::Script;
use crate::multilog::status::StatusFile;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::locked_directory::LockedDirectory;
use crate::multilog::writer::log_dir::LogDir;
use crate::multilog::writer::worker::UnderWay;
use crate::sys::poll;

/// How often a directory that leaves is asked whether its last file is finished.
const LEAVING_CHECK: Duration = Duration::from_millis(100);

/// Where a new script comes from.
pub trait ScriptSource<D: Directory>: fmt::Debug {
    /// Reads the script again. It is an error if any part of it would be ignored.
    fn read(&mut self) -> Result<Script, Error>;
    /// Makes a directory if it is not there, opens it and locks it.
    fn lock(&self, destination: &Destination) -> Result<LockedDirectory<D>, Error>;
}

/// A directory that the script no longer names, until its last file is finished.
#[derive(Debug)]
pub(super) struct Leaving<D: Directory> {
    destination: Destination,
    directory: LogDir<D>,
    /// When it is looked at again.
    due_at: Instant,
}

impl<D: Directory> Leaving<D> {
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    pub(super) fn exit_soon(&self) {
        self.directory.exit_soon();
    }

    /// Seals the directory if nothing is being done in it. The answer is whether it can go.
    fn finish(&mut self, now: Instant, input: &mut impl Input, messages: Messages) -> bool {
        self.due_at = now + LEAVING_CHECK;
        let mut patience = Interruptible(Pausing::impatient(input, messages));
        if self.directory.under_way().is_some() || self.directory.trimming(&mut patience).is_some() {
            return false;
        }
        drop(patience);
        match self.directory.seal(&mut Pausing::impatient(input, messages)) {
            // Where it could not be sealed, its next logger repairs it.
            Ok(_) => true,
            Err(error) => {
                messages.warn(error.pausing());
                self.due_at = now + error.pause();
                false
            }
        }
    }
}

/// The new directories and status files of a script, opened: nothing of it can fail any more.
struct Opened<D: Directory> {
    /// Where each directory of the new script is among those of the old one, those that leave, and the new ones behind them.
    places: Vec<usize>,
    new: Vec<LogDir<D>>,
    statuses: Vec<StatusFile>,
    legacy: Legacy,
}

impl<D: Directory, I: Input> Engine<D, I> {
    /// At a HUP, the script is read again from here.
    pub fn set_source(&mut self, source: Box<dyn ScriptSource<D>>) {
        self.source = Some(source);
    }

    /// Reads the script again if HUP has come, and goes on by it; not within a line.
    pub(super) fn reload_if_wanted(&mut self) {
        let is_ending = self.is_exiting || self.has_ended;
        if !self.wants_reload || is_ending || self.batch.open_lines()[0].is_open {
            return;
        }
        self.wants_reload = false;
        // What the old script counts is said by it.
        if self.report().is_err() {
            return;
        }
        let Some(mut source) = self.source.take() else { return };
        let answer = self.reload(&mut *source);
        self.source = Some(source);
        if let Err(error) = answer {
            self.messages.warn(format_args!("keeping the old script: {error}"));
        }
    }

    fn reload(&mut self, source: &mut dyn ScriptSource<D>) -> Result<(), Error> {
        let script = source.read()?;
        if script == self.script {
            return Ok(());
        }
        if script.directories.is_empty() && !self.script.directories.is_empty() {
            return Err(Error::unexplained("the new script names no log directory"));
        }
        let mut opened = self.open_new(&script, source)?;
        match self.replace_journal(&script, &opened) {
            Ok(old_home) => {
                self.go_on_by(script, opened, old_home.as_ref());
                Ok(())
            }
            Err(error) => {
                self.seal_unused(&mut opened.new);
                Err(error)
            }
        }
    }

    /// Opens what is new in a script. An error leaves everything as it was. A directory is known by its path.
    fn open_new(&mut self, script: &Script, source: &dyn ScriptSource<D>) -> Result<Opened<D>, Error> {
        let mut statuses = Vec::new();
        for path in &script.statuses {
            statuses.push(StatusFile::open(path)?);
        }
        let leaving = self.leaving.iter().map(|leaving| &leaving.destination);
        let known: Vec<&CStr> = self.script.directories.iter().chain(leaving).map(|one| one.path).collect();
        let (mut places, mut locked) = (Vec::new(), Vec::new());
        for destination in &script.directories {
            match known.iter().position(|path| *path == destination.path).filter(|place| !places.contains(place)) {
                Some(place) => places.push(place),
                // If the script names it twice, locking it shows that it is in use.
                None => {
                    places.push(known.len() + locked.len());
                    locked.push(source.lock(destination)?);
                }
            }
        }
        let legacy = find_legacy(self.input.origin(), &locked);
        let mut new: Vec<LogDir<D>> = Vec::new();
        for (number, directory) in locked.into_iter().enumerate() {
            let _ = discard_unfinished(directory.place());
            directory.share(self.messages);
            let mut patience = Interruptible(Pausing::impatient(&mut self.input, self.messages));
            let opened = directory.prepare(legacy.is_whole[number], legacy.is_torn(number), &mut patience);
            let opened = opened.and_then(|directory| directory.mark_open().map(|()| directory));
            drop(patience);
            match opened {
                Ok(directory) => new.push(directory),
                Err(error) => {
                    self.seal_unused(&mut new);
                    return Err(error);
                }
            }
        }
        Ok(Opened { places, new, statuses, legacy })
    }

    /// Seals directories that were opened for a script that is not carried out.
    fn seal_unused(&mut self, directories: &mut [LogDir<D>]) {
        for directory in directories {
            // Where that fails, the next logger repairs the directory.
            let _ = directory.seal(&mut Pausing::impatient(&mut self.input, self.messages));
        }
    }

    /// Keeps a journal for the directories of a new script. Returns the name of the directory that held the old one. An
    /// error leaves the old one.
    fn replace_journal(&mut self, script: &Script, opened: &Opened<D>) -> Result<Option<String>, Error> {
        let last_number = self.heading.as_ref().map_or(0, |heading| heading.number).max(opened.legacy.last_number);
        let origin = self.input.origin().filter(|_| !script.directories.is_empty());
        let heading = origin.map(|origin| Heading::new(origin, last_number, script));
        let old_home = self.directories.first().map(|first| first.place().name.clone());
        // A process maps one file at a time.
        let had_journal = self.journal.take().is_some();
        if let Some(heading) = &heading {
            let directories = self.in_new_order(opened);
            let first = directories[0].place();
            let no_line = OpenLine { is_open: false, goes_to: vec![false; directories.len()], is_copied: false };
            let snapshot = self.snapshot_of(&no_line, &directories);
            let made = reserve(first, heading).and_then(|journal| publish(journal, first, &snapshot));
            match made {
                Ok(journal) => self.journal = Some(journal),
                // As at the start.
                Err(error) if !had_journal => self.messages.warn(error),
                Err(error) => {
                    self.journal = self.old_journal();
                    return Err(error);
                }
            }
        }
        self.heading = heading;
        Ok(old_home)
    }

    /// The journal that this logger has kept until now, once more.
    fn old_journal(&self) -> Option<Journal<D::Memory>> {
        let (heading, first) = (self.heading.as_ref()?, self.directories.first()?);
        // Where that fails, a new one is made at the next look.
        let memory = first.place().directory.memory(JOURNAL, file_bytes(heading)).ok()?;
        Journal::reopen(memory, heading)
    }

    /// The directories of a new script, wherever they are now.
    fn in_new_order<'d>(&'d self, opened: &'d Opened<D>) -> Vec<&'d LogDir<D>> {
        let leaving = self.leaving.iter().map(|leaving| &leaving.directory);
        let all: Vec<_> = self.directories.iter().chain(leaving).chain(&opened.new).collect();
        opened.places.iter().map(|&place| all[place]).collect()
    }

    /// Goes on by a script of which everything is open.
    fn go_on_by(&mut self, script: Script, opened: Opened<D>, old_home: Option<&String>) {
        let Opened { places, new, statuses, legacy } = opened;
        let found = self.directories.len() + self.leaving.len();
        self.statuses = statuses;
        self.take_directories(&script, &places, new);
        self.batch = Batch::new(&script);
        self.report_since = None;
        self.metrics = script.metrics.map(|file| {
            let names: Vec<&str> = self.directories.iter().map(|directory| directory.place().name.as_str()).collect();
            let metrics = Metrics::new(file, &names);
            Box::new(match &self.metrics {
                Some(before) => metrics.carried_over(before),
                None => metrics,
            })
        });
        if script.head.is_local() && self.zone.is_none() {
            self.zone = Some(local_zone(self.messages));
        }
        if !script.copies.is_empty() {
            standard_output::open(PROGRAM, script.waits_for_reader);
        }
        self.script = script;
        if let Some(journal) = &mut self.journal {
            journal.show(&self.state);
        }
        self.remove_old_journals(old_home, &places, found, &legacy);
        self.finish_leaving(Instant::now());
    }

    /// Puts the directories in the order of the new script. Those that it does not name leave.
    fn take_directories(&mut self, script: &Script, places: &[usize], new: Vec<LogDir<D>>) {
        let due_at = Instant::now();
        let mut all = Vec::new();
        for (destination, directory) in self.script.directories.iter().zip(std::mem::take(&mut self.directories)) {
            all.push(Some(Leaving { destination: destination.clone(), directory, due_at }));
        }
        all.extend(std::mem::take(&mut self.leaving).into_iter().map(Some));
        let mut new = new.into_iter();
        for (destination, &place) in script.directories.iter().zip(places) {
            let directory = match all.get_mut(place).and_then(Option::take) {
                Some(Leaving { destination: before, mut directory, .. }) => {
                    let mut patience = Pausing::impatient(&mut self.input, self.messages);
                    directory.change(&before, destination, &mut patience);
                    Some(directory)
                }
                None => new.next(),
            };
            self.directories.push(directory.expect("each that is new was opened"));
        }
        self.leaving.extend(all.into_iter().flatten());
    }

    /// Removes the journals that are out of date: those in directories that are new, and the old one. The first `found`
    /// directories are not new.
    fn remove_old_journals(&self, old_home: Option<&String>, places: &[usize], found: usize, legacy: &Legacy) {
        let leaving = self.leaving.iter().map(|leaving| &leaving.directory);
        for (number, directory) in self.directories.iter().chain(leaving).enumerate() {
            let is_new_home = number == 0 && self.journal.is_some();
            let new_number = places.get(number).and_then(|place| place.checked_sub(found));
            let has_found = new_number.is_some_and(|number| legacy.has_journal[number]);
            if !is_new_home && (has_found || Some(&directory.place().name) == old_home) {
                let _ = directory.place().directory.unlink(JOURNAL.as_bytes());
            }
        }
    }

    /// Unlocks the directories that have left and whose last file is finished.
    pub(super) fn finish_leaving(&mut self, now: Instant) {
        let (input, messages) = (&mut self.input, self.messages);
        self.leaving.retain_mut(|leaving| leaving.due_at > now || !leaving.finish(now, input, messages));
    }

    /// Finishes at the end what leaves; false if the next logger must repair one of the directories.
    pub(super) fn finish_all_leaving(&mut self) -> bool {
        let mut is_sealed = true;
        for mut leaving in std::mem::take(&mut self.leaving) {
            while let Some(UnderWay { done, .. }) = leaving.directory.under_way() {
                if self.is_exiting {
                    let _ = poll::readable([done], None);
                } else if !self.input.wait_for(done).unwrap_or(true) {
                    self.begin_exit();
                    leaving.exit_soon();
                }
            }
            let mut patience = Pausing::new(&mut self.input, self.messages);
            is_sealed &= patience.retry(|patience| leaving.directory.seal(patience)) == Ok(true);
        }
        is_sealed
    }
}
