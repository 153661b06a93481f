//! The engine: wait, look, decide, write, consume; and in the end, seal.
//!
//! What was shown is in `current` before the engine waits again, and it holds nothing back but the beginning of a line. A
//! batch is noted in the journal before it is written and consumed when it is, so that a successor can go on exactly where
//! a killed engine was.

use std::time::{Duration, Instant};

use memchr::memchr_iter;

use crate::cli::Exit;
use crate::lines::reader::{Reader, Taken};
use crate::logdir::names::JOURNAL;
use crate::multilog::alert;
use crate::multilog::batch::Batch;
use crate::multilog::error::Error;
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::journal_file::{self, Journal};
use crate::multilog::journal::record::{Heading, Record, samples};
use crate::multilog::name::PROGRAM;
use crate::multilog::open_line::OpenLine;
use crate::multilog::partial::PartlyWritten;
use crate::multilog::patience::Patience;
use crate::multilog::pausing::{Interruptible, Pausing};
use crate::multilog::script::Script;
use crate::multilog::status::StatusFile;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::extent::Extent;
use crate::multilog::writer::log_dir::LogDir;
use crate::sys::{Errno, memory, poll};
use crate::tai64n::Label;

/// How long the rest of a line is waited for once TERM has come.
///
/// What else has to be waited for then is to fit into the same second.
const LINE_PATIENCE: Duration = Duration::from_millis(500);

/// Why the engine stops before its input ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// TERM came while a step was failing: what is not written is still in the input, if that keeps it.
    GivenUp,
    /// The input can be neither read nor waited for.
    Unreadable(Errno),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Unreadable(errno)
    }
}

/// What carries out a script.
#[derive(Debug)]
pub struct Engine<D: Directory, I> {
    script: Script,
    input: I,
    reader: Reader,
    batch: Batch,
    directories: Vec<LogDir<D>>,
    statuses: Vec<StatusFile>,
    journal: Option<Journal<D::Memory>>,
    /// What a journal says once; `None` if none is kept for this input.
    heading: Option<Heading>,
    /// TERM has come, and everybody has been told to hurry.
    is_leaving: bool,
    /// Nothing more comes.
    has_ended: bool,
}

impl<D: Directory, I: Input> Engine<D, I> {
    /// An engine at the beginning of its input, with what the script names opened in the script's order. `open_line` is
    /// what a predecessor was in the middle of.
    pub fn new(
        script: Script,
        input: I,
        directories: Vec<LogDir<D>>,
        statuses: Vec<StatusFile>,
        heading: Option<Heading>,
        open_line: Option<OpenLine>,
    ) -> Engine<D, I> {
        let mut batch = Batch::new(&script);
        let mut reader = Reader::default();
        if let Some(line) = open_line {
            batch.resume(line);
            reader.resume_in_line();
        }
        Engine {
            script,
            input,
            reader,
            batch,
            directories,
            statuses,
            journal: None,
            heading,
            is_leaving: false,
            has_ended: false,
        }
    }

    /// Takes over from the loggers before: a journal that speaks of every `current` replaces theirs, and then each
    /// `current` is marked as a file that is being written. `reserved` is that journal, if it could be made; `old` tells
    /// which directories hold one.
    pub fn take_over(&mut self, reserved: Option<Journal<D::Memory>>, old: &[bool]) -> Result<(), Error> {
        if self.heading.is_some() {
            let first = self.snapshot();
            self.journal = reserved.and_then(|journal| journal.publish(self.directories.first()?.place(), &first));
            // Theirs says nothing any more that is true; one of a directory that is no longer the first would stay.
            let is_replaced = usize::from(self.journal.is_some());
            for (directory, _) in self.directories.iter().zip(old).skip(is_replaced).filter(|(_, has_old)| **has_old) {
                let _ = directory.place().directory.unlink(JOURNAL.as_bytes());
            }
        }
        for number in 0..self.directories.len() {
            if let Err(trouble) = self.directories[number].mark_open() {
                // What was in good order is left so.
                for directory in &mut self.directories[..number] {
                    let _ = directory.seal(&mut Pausing(&mut self.input));
                }
                return Err(trouble);
            }
        }
        Ok(())
    }

    /// Logs until the input ends or TERM comes.
    pub fn run(mut self) -> Exit {
        let mut end = self.log();
        if matches!(end, Err(Stop::Unreadable(_))) && self.input.keeps_rest() {
            // Whoever reads it next may be luckier.
            self.reader.leave_rest();
        } else if self.is_leaving && self.leaves_line() {
            // The rest is in the pipe, and the journal says where it belongs.
        } else if end != Err(Stop::GivenUp) {
            // The line that the input broke off in is a line, also where it broke off with an error.
            self.reader.end_line();
            end = self.write_window().and(end);
        }
        let is_all_kept = self.account_for_rest();
        let is_sealed = self.seal() && is_all_kept;
        match end {
            Ok(()) | Err(Stop::GivenUp) if is_sealed => Exit::OK,
            Ok(()) | Err(Stop::GivenUp) => Exit::TROUBLE,
            Err(Stop::Unreadable(errno)) => PROGRAM.fatal(Error::new("unable to read standard input", errno)),
        }
    }

    /// Tells whether a line is partly written whose rest the next logger will find, and know of.
    fn leaves_line(&self) -> bool {
        self.reader.is_in_line() && !self.has_ended && self.journal.is_some() && self.input.keeps_rest()
    }

    /// Puts back what was read and not written, or says how much of it is lost; false if anything is. In an input that
    /// keeps it, it waits for the next logger.
    fn account_for_rest(&mut self) -> bool {
        let rest = self.input.removed(self.reader.unwritten());
        if rest.is_empty() {
            return true;
        }
        let line_count = memchr_iter(b'\n', rest).count() + usize::from(rest.last() != Some(&b'\n'));
        let bytes = rest.len();
        let is_back = self.input.put_back(bytes);
        if is_back {
            PROGRAM.warn(format_args!(
                "leaving, what could not be written is left in standard input: {line_count} lines, {bytes} bytes"
            ));
        } else {
            PROGRAM.warn(format_args!("leaving, what could not be written is lost: {line_count} lines, {bytes} bytes"));
        }
        is_back
    }

    /// Reads and writes until nothing more is to be read.
    fn log(&mut self) -> Result<(), Stop> {
        loop {
            match self.input.wait(self.due_in())? {
                Wake::Alarm => self.rotate_all()?,
                Wake::Terminate => {
                    self.leave();
                    return self.complete_line();
                }
                Wake::Input => match self.reader.fill(&mut self.input, Label::now)? {
                    Taken::End => {
                        self.has_ended = true;
                        return Ok(());
                    }
                    Taken::Bytes(_) => self.write_window()?,
                },
                Wake::Timeout => {}
            }
            self.keep_up()?;
        }
    }

    /// How long until a directory wants something done; `None` if none will until it is written to.
    fn due_in(&self) -> Option<Duration> {
        let due = self.directories.iter().filter_map(LogDir::due_at).min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Does what is due: that written lines are on the disk, and that `current` and the journal are where they should be.
    fn keep_up(&mut self) -> Result<(), Stop> {
        if self.due_in() != Some(Duration::ZERO) {
            return Ok(());
        }
        // This comes now and then, and last when the input has been quiet for a while.
        self.batch.shrink();
        self.reader.shrink();
        self.input.shrink();
        memory::give_back();
        let now = Instant::now();
        for number in 0..self.directories.len() {
            if self.directories[number].is_sync_due(now) {
                // Until it has succeeded: killed before its answer is known, it may have failed.
                self.note_doubt(number, true);
            }
            let directory = &mut self.directories[number];
            Pausing(&mut self.input).retry(|patience| directory.keep_up(now, patience)).map_err(|_| Stop::GivenUp)?;
            self.note_doubt(number, self.directories[number].is_doubtful());
        }
        self.note_currents();
        self.keep_journal();
        Ok(())
    }

    /// Makes a new journal where the one that is kept went away or is damaged, or where none could be made: as often as
    /// directories are looked after, so that an idle logger is not woken.
    fn keep_journal(&mut self) {
        let Some(heading) = &self.heading else { return };
        let first = self.directories[0].place();
        if self.journal.as_ref().is_some_and(|journal| !journal.is_lost() && journal_file::is_in(first, heading)) {
            return;
        }
        let heading = heading.next();
        // A process maps one file at a time.
        let is_missing = self.journal.take().is_none();
        let snapshot = self.snapshot();
        self.journal = if is_missing {
            journal_file::make_again(first, &heading, &snapshot)
        } else {
            journal_file::reserve(first, &heading).and_then(|journal| journal.publish(first, &snapshot))
        };
        self.heading = Some(heading);
    }

    /// Waits a while for the end of the line that has been begun, if one has, and takes not a byte more: the rest is the
    /// next logger's. What of a line nobody has written stays in an input that keeps it.
    fn complete_line(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + LINE_PATIENCE;
        while self.reader.has_open_line() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.input.wait(Some(left))? != Wake::Input {
                continue;
            }
            let taken = if self.input.keeps_rest() {
                self.reader.fill(&mut self.input, Label::now)?
            } else {
                self.reader.fill_one(&mut self.input, Label::now)?
            };
            if taken == Taken::End {
                self.has_ended = true;
                return Ok(());
            }
            if self.input.keeps_rest() {
                self.reader.leave_other_lines();
            }
            self.write_window()?;
        }
        while self.input.has_stray() {
            // No successor finds it in the pipe.
            self.reader.fill(&mut self.input, Label::now)?;
            self.write_window()?;
        }
        if self.input.keeps_rest() {
            self.reader.leave_rest();
        }
        Ok(())
    }

    /// Writes all whole lines at hand, batch by batch.
    fn write_window(&mut self) -> Result<(), Stop> {
        while self.write_batch()? {}
        Ok(())
    }

    /// Writes a batch of what is at hand, and rotates what it used up; false if there is nothing to write.
    fn write_batch(&mut self) -> Result<bool, Stop> {
        let Some(window) = self.reader.window() else { return Ok(false) };
        let rooms = self.directories.iter().map(LogDir::room);
        self.batch.plan(&self.script, window, &self.reader.stamps(), rooms);
        let input_bytes = self.batch.input_bytes();
        let before: Vec<u64> = self.directories.iter().map(|one| one.room().filled_bytes).collect();
        let is_noted = self.note_batch(&before);
        announce(&self.batch, &mut self.statuses);
        let window = self.reader.window().expect("nothing has been taken from it");
        for number in 0..self.directories.len() {
            let mut rest = self.batch.output(number, window);
            while !rest.is_empty() {
                let directories = &mut self.directories;
                let append = |one: &mut LogDir<D>| one.append(rest);
                match Pausing(&mut self.input).retry(|_| making_room(directories, number, append)) {
                    Ok(written) => rest = &rest[written..],
                    Err(_) => return self.give_up(&before, is_noted).and(Err(Stop::GivenUp)),
                }
            }
        }
        let used_up: Vec<usize> =
            (0..self.directories.len()).filter(|&directory| self.batch.uses_up(directory, window)).collect();
        self.consume_batch(input_bytes)?;
        for directory in used_up {
            self.rotate(directory)?;
        }
        Ok(true)
    }

    /// Notes in the journal the batch that is planned, with how long each `current` was before it. False if it was not
    /// noted: no journal is kept, or nothing of the batch comes from the input but the newline that the last line lacks.
    fn note_batch(&mut self, before: &[u64]) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let Some(window) = self.reader.window() else { return false };
        let input_bytes = self.batch.input_bytes();
        let adds_newline = self.reader.has_added_newline() && input_bytes == window.bytes.len();
        let Some(last) = (input_bytes - usize::from(adds_newline)).checked_sub(1) else { return false };
        let extents = self.directories.iter().zip(before).enumerate().map(|(number, (directory, &offset_bytes))| {
            directory.extent(offset_bytes, self.batch.output(number, window).len() as u64)
        });
        journal.begin(&Record {
            input_bytes: last as u64 + 1,
            adds_newline,
            last_byte: window.bytes[last],
            samples: samples(&window.bytes[..=last]),
            labels: self.reader.labels(),
            open_lines: self.batch.open_lines().map(OpenLine::clone),
            extents: extents.collect(),
        });
        true
    }

    /// The state between two batches.
    fn snapshot(&self) -> Record {
        let [open_line, _] = self.batch.open_lines();
        Record {
            input_bytes: 0,
            adds_newline: false,
            last_byte: 0,
            samples: samples(b""),
            labels: self.reader.labels(),
            open_lines: [open_line.clone(), open_line.clone()],
            extents: self.directories.iter().map(|one| one.extent(one.room().filled_bytes, 0)).collect(),
        }
    }

    /// Notes in the journal what every `current` is now, if it is not what the last batch left.
    fn note_currents(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        // A batch that is not settled is what a successor must know.
        let Some((record, true)) = journal.told() else { return };
        let is_same_line = record.open_lines[1] == *self.batch.open_lines()[0];
        let mut extents = self.directories.iter().zip(&record.extents);
        let is_as_told = |(directory, told): (&LogDir<D>, &Extent)| {
            told.after() == Some(directory.extent(directory.room().filled_bytes, 0))
        };
        if is_same_line && extents.all(is_as_told) {
            return;
        }
        let state = self.snapshot();
        self.journal.as_mut().expect("it was there").begin(&state);
    }

    /// Notes in the journal whether the disk may lack some of a directory's `current`.
    fn note_doubt(&mut self, number: usize, is_doubtful: bool) {
        if let Some(journal) = &mut self.journal {
            journal.amend(|record| {
                if let Some(extent) = record.extents.get_mut(number) {
                    extent.is_doubtful = is_doubtful;
                }
            });
        }
    }

    /// Consumes a batch that is written.
    fn consume_batch(&mut self, input_bytes: usize) -> Result<(), Stop> {
        self.batch.commit();
        self.reader.mark_written(input_bytes);
        let (reader, input) = (&mut self.reader, &mut self.input);
        match &mut self.journal {
            Some(journal) => journal.land(|last| reader.consume_written(input, last))?,
            None => reader.consume_written(input, &mut [0])?,
        }
        Ok(())
    }

    /// Leaves a batch that cannot be written: of what all directories have, whole lines are consumed; the rest is taken
    /// back and stays in the input. `is_noted` tells that the journal speaks of the batch.
    fn give_up(&mut self, before: &[u64], is_noted: bool) -> Result<(), Stop> {
        let Some(window) = self.reader.window() else { return Ok(()) };
        let written: Vec<u64> =
            self.directories.iter().zip(before).map(|(one, before)| one.room().filled_bytes - before).collect();
        let rooms: Vec<_> = self.directories.iter().zip(before).map(|(one, &bytes)| one.room().at(bytes)).collect();
        let stamps = self.reader.stamps();
        let partly_written = PartlyWritten { script: &self.script, window, stamps, rooms: &rooms, written: &written };
        let end = partly_written.fitting_bytes(&mut self.batch);
        for (number, directory) in self.directories.iter_mut().enumerate() {
            let kept = if end > 0 { self.batch.output(number, window).len() as u64 } else { 0 };
            if let Err(trouble) = directory.take_back(before[number] + kept) {
                // The journal still tells the next start what is there.
                PROGRAM.warn(trouble);
                return Ok(());
            }
        }
        if end > 0 {
            self.note_batch(before);
            self.consume_batch(end)?;
        } else if let Some(journal) = self.journal.as_mut().filter(|_| is_noted) {
            journal.retract();
        }
        if self.input.keeps_rest() {
            self.reader.leave_rest();
        }
        Ok(())
    }

    /// Rotates every directory that has something in current.
    fn rotate_all(&mut self) -> Result<(), Stop> {
        for directory in 0..self.directories.len() {
            if self.directories[directory].room().filled_bytes > 0 {
                self.rotate(directory)?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self, directory: usize) -> Result<(), Stop> {
        self.wait_until_finished(directory);
        let directories = &mut self.directories;
        Pausing(&mut self.input)
            .retry(|patience| making_room(directories, directory, |one| one.rotate(patience)))
            .map_err(|_| Stop::GivenUp)?;
        self.note_currents();
        Ok(())
    }

    /// Waits until the file in hand is finished; TERM shortens it.
    fn wait_until_finished(&mut self, directory: usize) {
        while let Some(done) = self.directories[directory].under_way() {
            let may_go_on = if self.is_leaving {
                poll::readable([done], None).is_ok()
            } else {
                self.input.wait_for(done).unwrap_or(true)
            };
            if !may_go_on {
                self.leave();
            }
        }
    }

    /// Waits at the end of the input until no archive is left that has to be removed; TERM ends that.
    fn wait_until_trimmed(&mut self, directory: usize) {
        while !self.is_leaving
            && let Some(settled) = self.directories[directory].trimming(&mut Interruptible(&mut self.input))
        {
            if !self.input.wait_for(settled).unwrap_or(true) {
                self.leave();
            }
        }
    }

    /// TERM has come: nobody waits for a processor or for the disk to recover.
    fn leave(&mut self) {
        self.is_leaving = true;
        self.directories.iter().for_each(LogDir::hurry);
    }

    /// Seals every directory; false if one was left to the next start.
    fn seal(&mut self) -> bool {
        // A line whose beginning is written, and of which nobody will know: the next start must not append to it.
        let is_torn = self.reader.is_in_line() && self.journal.is_none();
        let mut is_sealed = true;
        for number in 0..self.directories.len() {
            self.wait_until_finished(number);
            if is_torn {
                is_sealed = false;
                continue;
            }
            self.wait_until_trimmed(number);
            // Until it is known that the disk has it.
            self.note_doubt(number, true);
            let directory = &mut self.directories[number];
            is_sealed &= Pausing(&mut self.input).retry(|patience| directory.seal(patience)) == Ok(true);
            self.note_doubt(number, self.directories[number].is_doubtful());
        }
        self.note_currents();
        if is_sealed && self.journal.take().is_some_and(|journal| !journal.is_needed()) {
            let _ = self.directories[0].place().directory.unlink(JOURNAL.as_bytes());
        }
        is_sealed
    }
}

/// Does something in one directory. If there is no room, it is tried once more with what all of them have taken ahead.
fn making_room<D: Directory, T>(
    directories: &mut [LogDir<D>],
    number: usize,
    mut act: impl FnMut(&mut LogDir<D>) -> Result<T, Error>,
) -> Result<T, Error> {
    match act(&mut directories[number]) {
        Err(trouble) if trouble.is_want_of_room() => {
            // All of them: each holds room for itself.
            let had_any = directories.iter_mut().fold(false, |had_any, one| one.give_back() | had_any);
            if had_any { act(&mut directories[number]) } else { Err(trouble) }
        }
        answer => answer,
    }
}

/// Carries out what a batch does apart from logging. A successor that writes it again repeats this.
fn announce(batch: &Batch, statuses: &mut [StatusFile]) {
    alert::write(batch.alerts());
    for (number, file) in statuses.iter_mut().enumerate() {
        if let Some(record) = batch.status(number)
            && let Err(trouble) = file.replace(record)
        {
            PROGRAM.warn(trouble);
        }
    }
}
