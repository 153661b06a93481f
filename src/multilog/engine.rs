//! The engine: wait, look, decide, write, consume; and in the end, seal.
//!
//! What was shown is in `current` before the engine waits again. It has no timer and holds nothing back but the beginning
//! of a line. A batch is noted in the journal before it is written and consumed when it is, so that a successor can go on
//! exactly where a killed engine was.

use std::time::{Duration, Instant};

use crate::cli::Exit;
use crate::multilog::batch::{Batch, OpenLine, Window};
use crate::multilog::input::{Intake, Wake};
use crate::multilog::journal::{Journal, Origin, Record};
use crate::multilog::logdir::{Directory, JOURNAL, LogDir, Patience, Trouble};
use crate::multilog::pausing::Pausing;
use crate::multilog::reader::{Reader, Taken};
use crate::multilog::script::Script;
use crate::multilog::status::StatusFile;
use crate::multilog::{PROGRAM, alert};
use crate::sys::Result;
use crate::tai64n::Label;

/// How long the rest of a line is waited for once TERM has come.
const LINE_PATIENCE: Duration = Duration::from_secs(1);

/// Why the engine stops before its input ends.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// TERM came while a step was failing: what is not written is still in the input.
    GivenUp,
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
    journal: Option<(Journal<D::Memory>, Origin)>,
    /// TERM has come, and everybody has been told to hurry.
    is_leaving: bool,
}

impl<D: Directory, I: Intake> Engine<D, I> {
    /// An engine at the beginning of its input, with what the script names opened in the script's order. `open_line` is
    /// what a predecessor was in the middle of.
    pub fn new(
        script: Script,
        input: I,
        directories: Vec<LogDir<D>>,
        statuses: Vec<StatusFile>,
        journal: Option<(Journal<D::Memory>, Origin)>,
        open_line: Option<OpenLine>,
    ) -> Engine<D, I> {
        let mut batch = Batch::new(&script);
        let mut reader = Reader::default();
        if let Some(line) = open_line {
            batch.resume(line);
            reader.resume_in_line();
        }
        Engine { script, input, reader, batch, directories, statuses, journal, is_leaving: false }
    }

    /// Logs until the input ends or TERM comes.
    pub fn run(mut self) -> Exit {
        let exit = match self.log() {
            Ok(Ok(())) => Exit::OK,
            Ok(Err(Stop::GivenUp)) => Exit::TROUBLE,
            Err(errno) => PROGRAM.fatal(Trouble::new("unable to read standard input", errno)),
        };
        if self.seal() { exit } else { Exit::TROUBLE }
    }

    /// Reads and writes until nothing more is to be read.
    fn log(&mut self) -> Result<std::result::Result<(), Stop>> {
        let end = loop {
            match self.input.wait(None) {
                Ok(Wake::Alarm) => {
                    if let Err(stop) = self.rotate_all() {
                        return Ok(Err(stop));
                    }
                }
                Ok(Wake::Terminate) => {
                    self.leave();
                    break self.complete_line();
                }
                Ok(Wake::Timeout) => {}
                Ok(Wake::Input) => match self.reader.fill(&mut self.input, Label::now) {
                    Ok(Taken::End) => break Ok(Ok(())),
                    Ok(Taken::Bytes(_)) => match self.write_window() {
                        Ok(Ok(())) => {}
                        stop => return stop,
                    },
                    Err(errno) => break Err(errno),
                },
                Err(errno) => break Err(errno),
            }
        };
        if end == Ok(Err(Stop::GivenUp)) {
            return end;
        }
        // The line that the input broke off in is a line, also where it broke off with an error.
        self.reader.end_line();
        match (self.write_window()?, end) {
            (Ok(()), end) => end,
            (stop, _) => Ok(stop),
        }
    }

    /// Waits a while for the end of the line that has been begun, if one has, and takes not a byte more: the rest is the
    /// next logger's. Where the input keeps what is not consumed, only a line that is partly written is waited for.
    fn complete_line(&mut self) -> Result<std::result::Result<(), Stop>> {
        let deadline = Instant::now() + LINE_PATIENCE;
        loop {
            let keeps_rest = self.input.keeps_rest();
            let is_open = if keeps_rest { self.reader.is_in_line() } else { self.reader.has_open_line() };
            let left = deadline.saturating_duration_since(Instant::now());
            if !is_open || left.is_zero() {
                if keeps_rest {
                    self.reader.leave_rest();
                }
                return Ok(Ok(()));
            }
            if self.input.wait(Some(left))? != Wake::Input {
                continue;
            }
            let taken = if keeps_rest {
                self.reader.fill(&mut self.input, Label::now)?
            } else {
                self.reader.fill_one(&mut self.input, Label::now)?
            };
            if taken == Taken::End {
                return Ok(Ok(()));
            }
            while self.reader.is_in_line() || !keeps_rest {
                match self.write_batch()? {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(stop) => return Ok(Err(stop)),
                }
            }
        }
    }

    /// Writes all whole lines at hand, batch by batch.
    fn write_window(&mut self) -> Result<std::result::Result<(), Stop>> {
        loop {
            match self.write_batch()? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(stop) => return Ok(Err(stop)),
            }
        }
    }

    /// Writes a batch of what is at hand, and rotates what it used up; false if there is nothing to write.
    fn write_batch(&mut self) -> Result<std::result::Result<bool, Stop>> {
        let Some(window) = self.reader.window() else { return Ok(Ok(false)) };
        let rooms = self.directories.iter().map(LogDir::room);
        self.batch.plan(&self.script, window, &self.reader.stamps(), rooms);
        let input_bytes = self.batch.input_bytes();
        let adds_newline = self.reader.has_added_newline() && input_bytes == window.bytes.len();
        let consumed_bytes = input_bytes - usize::from(adds_newline);
        if consumed_bytes > 0
            && let Some((journal, origin)) = &mut self.journal
        {
            journal.begin(&Record {
                origin: *origin,
                input_bytes: consumed_bytes as u64,
                adds_newline,
                last_byte: window.bytes[consumed_bytes - 1],
                labels: self.reader.labels(),
                open_lines: self.batch.open_lines().map(OpenLine::clone),
                currents: self.directories.iter().map(|one| (one.identity(), one.room().filled_bytes)).collect(),
            });
        }
        announce(&self.batch, &mut self.statuses);
        let before: Vec<u64> = self.directories.iter().map(|one| one.room().filled_bytes).collect();
        for (number, directory) in self.directories.iter_mut().enumerate() {
            let mut rest = self.batch.output(number, window);
            while !rest.is_empty() {
                match Pausing(&mut self.input).retry(|_| directory.append(rest)) {
                    Ok(written) => rest = &rest[written..],
                    Err(_) => return self.give_up(&before).map(Err),
                }
            }
        }
        let used_up: Vec<usize> =
            (0..self.directories.len()).filter(|&directory| self.batch.uses_up(directory, window)).collect();
        self.settle_batch(input_bytes)?;
        for directory in used_up {
            if let Err(stop) = self.rotate(directory) {
                return Ok(Err(stop));
            }
        }
        Ok(Ok(true))
    }

    /// Consumes a batch that is written.
    fn settle_batch(&mut self, input_bytes: usize) -> Result<()> {
        self.batch.commit();
        self.reader.mark_written(input_bytes);
        let mut nowhere = [0];
        let landing = match &mut self.journal {
            Some((journal, _)) => journal.landing(),
            None => &mut nowhere,
        };
        self.reader.consume_written(&mut self.input, landing)
    }

    /// Leaves a batch that cannot be written: what all directories have of it, in whole lines, is consumed, the rest is
    /// taken back and stays in the input.
    fn give_up(&mut self, before: &[u64]) -> Result<Stop> {
        let Some(window) = self.reader.window() else { return Ok(Stop::GivenUp) };
        let written: Vec<u64> =
            self.directories.iter().zip(before).map(|(one, before)| one.room().filled_bytes - before).collect();
        let stamps = self.reader.stamps();
        let is_continued = self.batch.open_lines()[0].is_open;
        let mut ends: Vec<usize> = match is_continued {
            // Of a line that goes on, any part may be consumed.
            true => (0..=window.bytes.len()).collect(),
            false => memchr::memchr_iter(b'\n', window.bytes).map(|newline| newline + 1).collect(),
        };
        ends.insert(0, 0);
        let mut fits = |end: usize| {
            if end == 0 {
                return true;
            }
            let part = Window { bytes: &window.bytes[..end], is_open: window.bytes[end - 1] != b'\n' };
            let rooms = self.directories.iter().zip(before).map(|(one, &filled_bytes)| one.room().at(filled_bytes));
            self.batch.plan(&self.script, part, &stamps, rooms);
            self.batch.input_bytes() == end
                && (0..written.len()).all(|number| self.batch.output(number, part).len() as u64 <= written[number])
        };
        let fitting = ends.partition_point(|&end| fits(end)).max(1);
        let end = ends[fitting - 1];
        let kept: Vec<u64> = if end > 0 && fits(end) {
            let part = Window { bytes: &window.bytes[..end], is_open: window.bytes[end - 1] != b'\n' };
            (0..written.len()).map(|number| self.batch.output(number, part).len() as u64).collect()
        } else {
            vec![0; written.len()]
        };
        for ((directory, before), kept) in self.directories.iter_mut().zip(before).zip(kept) {
            if let Err(trouble) = directory.take_back(before + kept) {
                // The journal still tells the next start what is there.
                PROGRAM.warn(trouble);
                return Ok(Stop::GivenUp);
            }
        }
        if let Some((journal, _)) = &mut self.journal {
            journal.clear();
        }
        if end > 0 {
            self.settle_batch(end)?;
        }
        self.reader.leave_rest();
        Ok(Stop::GivenUp)
    }

    /// Rotates every directory that has something in current.
    fn rotate_all(&mut self) -> std::result::Result<(), Stop> {
        for directory in 0..self.directories.len() {
            if self.directories[directory].room().filled_bytes > 0 {
                self.rotate(directory)?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self, directory: usize) -> std::result::Result<(), Stop> {
        self.wait_until_finished(directory);
        let directory = &mut self.directories[directory];
        Pausing(&mut self.input).retry(|patience| directory.rotate(patience)).map_err(|_| Stop::GivenUp)
    }

    /// Waits until the file in hand is finished; TERM shortens it.
    fn wait_until_finished(&mut self, directory: usize) {
        while let Some(done) = self.directories[directory].under_way() {
            let is_done = if self.is_leaving {
                crate::sys::poll::readable([done], None).is_ok()
            } else {
                self.input.wait_for(done).unwrap_or(true)
            };
            if !is_done {
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
        let mut is_sealed = true;
        for number in 0..self.directories.len() {
            self.wait_until_finished(number);
            let directory = &mut self.directories[number];
            is_sealed &= Pausing(&mut self.input).retry(|patience| directory.seal(patience)).is_ok();
        }
        if is_sealed && self.journal.take().is_some() {
            let _ = self.directories[0].place().directory.unlink(JOURNAL.as_bytes());
        }
        is_sealed
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
