//! The engine: waits for input, plans a batch, writes it and consumes it; and in the end it seals every directory.
//!
//! - This file: what the engine holds, its start, and its loop. `writing`: batches and rotations.
//! - [`reloading`]: how it goes on by another script. `reports`: what it says of lines that the log does not have. `notes`: what it
//!   notes in the journal. `ending`: how it ends, and how it waits for a file that is being finished
//!   (a rotation waits too).
//!
//! The engine writes everything it has read to `current` before it waits for more, except the beginning of a line. It
//! notes a batch in the journal before it writes it, and consumes it from the input afterwards, so that a successor can
//! continue exactly where a killed engine stopped.

use std::time::Instant;

use crate::cli::{Exit, Messages};
use crate::lines::reader::{Reader, Taken};
use crate::logdir::logger_state::LoggerState;
use crate::logdir::names::JOURNAL;
use crate::multilog::batch::Batch;
use crate::multilog::engine::reloading::{Leaving, ScriptSource};
use crate::multilog::error::Error;
use crate::multilog::input::ledger::Told;
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::journal_file::Journal;
use crate::multilog::journal::publish::publish;
use crate::multilog::journal::record::{Heading, Record};
use crate::multilog::journal::showing::{Showing, own_state};
use crate::multilog::local_zone::local_zone;
use crate::multilog::metrics::Metrics;
use crate::multilog::open_line::OpenLine;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::Pausing;
use crate::multilog::script::Script;
use crate::multilog::script::head_rule::Arrival;
use crate::multilog::status::StatusFile;
use crate::multilog::withheld::state::Withheld;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::log_dir::LogDir;
use crate::sys::Errno;
use crate::tai64n::{Label, Zone};

mod ending;
mod notes;
pub mod reloading;
mod reports;
mod writing;

/// Why the engine ends before its input does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EarlyEnd {
    /// TERM came while a step was failing. The unwritten bytes are still in the input, if it keeps them.
    GivenUp,
    /// The input can be neither read nor waited for.
    Unreadable(Errno),
}

impl From<Errno> for EarlyEnd {
    fn from(errno: Errno) -> EarlyEnd {
        EarlyEnd::Unreadable(errno)
    }
}

/// The parts of an engine: everything that the script names, opened.
#[derive(Debug)]
pub struct EngineParts<D: Directory, I> {
    /// The script.
    pub script: Script,
    /// The input, at its beginning.
    pub input: I,
    /// The log directories, in the script's order.
    pub directories: Vec<LogDir<D>>,
    /// The status files, in the script's order.
    pub statuses: Vec<StatusFile>,
    /// What a journal says once; `None` if none is kept for this input.
    pub heading: Option<Heading>,
    /// The line that a predecessor has begun.
    pub open_line: Option<OpenLine>,
    /// What predecessors have counted and not said, for each directory.
    pub withheld: Vec<Withheld>,
    /// How much the log counts of what was ever dropped.
    pub told: Option<Told>,
    /// A predecessor was killed in this boot.
    pub has_predecessor: bool,
    /// Where warnings go.
    pub messages: Messages,
}

/// Carries out a script.
#[derive(Debug)]
pub struct Engine<D: Directory, I> {
    script: Script,
    input: I,
    reader: Reader,
    batch: Batch,
    directories: Vec<LogDir<D>>,
    statuses: Vec<StatusFile>,
    journal: Option<Journal<D::Memory>>,
    /// The batch that was noted last, for the next one to be written over.
    noted: Record,
    /// How long each `current` was before the batch; kept from batch to batch.
    lengths_before: Vec<u64>,
    /// What the journal shows to other programs.
    state: LoggerState,
    /// What a journal says once; `None` if none is kept for this input.
    heading: Option<Heading>,
    messages: Messages,
    /// The local zone; `None` if no line gets local time.
    zone: Option<Zone>,
    /// `None` if the script asks for none.
    metrics: Option<Box<Metrics>>,
    /// Since when the log does not count every line that it does not have; `None` if it does.
    report_since: Option<Instant>,
    /// How much the log counts, or is about to count, of what was ever dropped.
    told: Option<Told>,
    /// A predecessor was killed in this boot.
    has_predecessor: bool,
    /// TERM has come, and every directory gives up whatever takes long.
    is_exiting: bool,
    /// The input has ended.
    has_ended: bool,
    /// Where HUP takes a new script from; `None` if the script cannot change.
    source: Option<Box<dyn ScriptSource<D>>>,
    /// HUP has come, and the script has not been read again yet.
    wants_reload: bool,
    /// The directories that the script no longer names.
    leaving: Vec<Leaving<D>>,
}

impl<D: Directory, I: Input> Engine<D, I> {
    /// An engine at the beginning of its input.
    pub fn new(parts: EngineParts<D, I>) -> Engine<D, I> {
        let EngineParts {
            script,
            input,
            directories,
            statuses,
            heading,
            open_line,
            withheld,
            told,
            has_predecessor,
            messages,
        } = parts;
        let mut batch = Batch::new(&script);
        let mut reader = Reader::default();
        if let Some(line) = open_line {
            batch.resume(line);
            reader.resume_in_line();
        }
        if withheld.iter().any(|state| *state != Withheld::default()) {
            batch.take_over(&script, withheld);
        }
        let metrics = script.metrics.map(|file| {
            let names: Vec<&str> = directories.iter().map(|directory| directory.place().name.as_str()).collect();
            Box::new(Metrics::new(file, &names))
        });
        let zone = script.head.is_local().then(|| local_zone(messages));
        let report_since = batch.report_delay().map(|_| Instant::now());
        Engine {
            script,
            input,
            reader,
            batch,
            directories,
            statuses,
            journal: None,
            noted: Record::empty(),
            lengths_before: Vec::new(),
            state: own_state(),
            heading,
            messages,
            zone,
            metrics,
            report_since,
            told,
            has_predecessor,
            is_exiting: false,
            has_ended: false,
            source: None,
            wants_reload: false,
            leaving: Vec::new(),
        }
    }

    /// Takes over from the previous loggers: replaces their journals with one that describes every `current`, and then
    /// marks each `current` as a file that is being written. `reserved` is the new journal, if it could be created;
    /// `old` tells which directories hold an old one.
    pub fn take_over(&mut self, reserved: Option<Journal<D::Memory>>, old: &[bool]) -> Result<(), Error> {
        if self.heading.is_some() {
            let first = self.snapshot();
            self.journal = reserved.and_then(|journal| {
                let published = publish(journal, self.directories.first()?.place(), &first);
                published.inspect_err(|error| self.messages.warn(error)).ok()
            });
            if let Some(journal) = &mut self.journal {
                journal.show(&self.state);
            }
            // The old journals are out of date. One in a directory that is no longer the first would not be replaced.
            let is_replaced = usize::from(self.journal.is_some());
            for (directory, _) in self.directories.iter().zip(old).skip(is_replaced).filter(|(_, has_old)| **has_old) {
                let _ = directory.place().directory.unlink(JOURNAL.as_bytes());
            }
        }
        for number in 0..self.directories.len() {
            if let Err(error) = self.directories[number].mark_open() {
                // The directories before it were clean, and stay so.
                for directory in &mut self.directories[..number] {
                    let _ = directory.seal(&mut Pausing::new(&mut self.input, self.messages));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Seals directories of a predecessor that this script does not name, once their part of its batch is complete.
    pub fn seal_left_behind(&mut self, directories: &mut [LogDir<D>]) {
        for directory in directories {
            let mut patience = Pausing::new(&mut self.input, self.messages);
            // If TERM interrupts this, the next logger there repairs the directory.
            let _ = patience.retry(|patience| directory.seal(patience));
            let _ = directory.place().directory.unlink(JOURNAL.as_bytes());
        }
    }

    /// Logs until the input ends or TERM comes.
    pub fn run(mut self) -> Exit {
        let mut end = self.log();
        if matches!(end, Err(EarlyEnd::Unreadable(_))) && self.input.keeps_rest() {
            // The next logger may be able to read it.
            self.reader.leave_rest();
        } else if self.is_exiting && self.leaves_open_line() {
            // The rest is in the pipe, and the journal says where it belongs.
        } else if end != Err(EarlyEnd::GivenUp) {
            // An unfinished line at the end of the input counts as a line, even if the input ended with an error.
            self.reader.end_line();
            end = self.write_window().and(end);
        }
        self.count_gaps();
        if end != Err(EarlyEnd::GivenUp) && self.report().is_err() {
            end = Err(EarlyEnd::GivenUp);
        }
        let is_all_kept = self.account_for_rest();
        let is_sealed = self.seal() && is_all_kept;
        self.write_metrics();
        match end {
            Ok(()) | Err(EarlyEnd::GivenUp) if is_sealed => Exit::OK,
            Ok(()) | Err(EarlyEnd::GivenUp) => Exit::TROUBLE,
            Err(EarlyEnd::Unreadable(errno)) => self.messages.fatal(Error::new("unable to read standard input", errno)),
        }
    }

    /// When the lines at hand came.
    fn arrivals(&self) -> [Arrival; 2] {
        self.script.head.arrivals(self.reader.labels(), self.zone.as_ref())
    }

    /// Reads and writes until the input ends or TERM comes.
    fn log(&mut self) -> Result<(), EarlyEnd> {
        self.begin_relief();
        loop {
            // The first time too: limits on archives may be new, or may have been exceeded while no logger ran.
            let mut due = self.due_at();
            // Asked after that: what is due at once is due at the moment of that call.
            let mut now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                self.keep_up(now)?;
                due = self.due_at();
                // That may have waited for the disk, and what is due next must not wait as long once more.
                now = Instant::now();
            }
            match self.input.wait(due.map(|due| due.saturating_duration_since(now)))? {
                Wake::Alarm => self.rotate_all()?,
                Wake::Reload => self.wants_reload = true,
                Wake::Terminate => {
                    self.begin_exit();
                    return self.complete_line();
                }
                Wake::Input => match self.fill()? {
                    Taken::End => {
                        self.has_ended = true;
                        return Ok(());
                    }
                    Taken::Bytes(_) => self.write_window()?,
                },
                Wake::Timeout => {}
            }
            self.reload_if_wanted();
        }
    }

    /// Takes what has come. What was dropped before it is said first.
    fn fill(&mut self) -> Result<Taken, EarlyEnd> {
        self.report_gap()?;
        Ok(self.reader.fill(&mut self.input, Label::now)?)
    }

    /// When a directory has something due, or the metrics file; `None` if nothing is due before the next write.
    fn due_at(&self) -> Option<Instant> {
        let metrics = self.metrics.as_ref().map(|metrics| metrics.due_at());
        let leaving = self.leaving.iter().map(Leaving::due_at);
        let others = metrics.into_iter().chain(leaving).chain(self.report_due_at());
        self.directories.iter().filter_map(LogDir::due_at).chain(others).min()
    }

    /// Does what is due by now: fsyncs written lines, checks that `current` and the journal are in place, and replaces the
    /// metrics file.
    fn keep_up(&mut self, now: Instant) -> Result<(), EarlyEnd> {
        // This runs regularly, the last time after the input has been quiet for a while.
        self.batch.shrink();
        self.reader.shrink();
        // Last, because it gives back to the system what the others have freed.
        self.input.shrink();
        for number in 0..self.directories.len() {
            if self.directories[number].is_sync_due(now) {
                // Noted before the fsync: if the logger is killed before the fsync returns, it may have failed.
                self.note_doubt(number, true);
            }
            let directory = &mut self.directories[number];
            let showing = Showing::new(&mut self.journal, &mut self.state);
            Pausing::new(&mut self.input, self.messages)
                .showing(showing)
                .retry(|patience| directory.keep_up(now, patience))
                .map_err(|_| EarlyEnd::GivenUp)?;
            self.note_doubt(number, self.directories[number].is_doubtful());
        }
        self.rotate_on_time(None)?;
        if self.report_due_at().is_some_and(|due| now >= due) {
            self.report()?;
        }
        self.note_currents();
        self.keep_journal();
        self.finish_leaving(now);
        if self.metrics.as_ref().is_some_and(|metrics| now >= metrics.due_at()) {
            self.write_metrics();
        }
        Ok(())
    }

    /// Replaces the metrics file, if there is one.
    fn write_metrics(&mut self) {
        let Some(metrics) = &mut self.metrics else { return };
        if let Err(error) = metrics.replace(&self.directories, &self.input) {
            self.messages.warn(error);
        }
    }
}
