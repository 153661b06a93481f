//! The engine: wait, read, decide, write; and in the end, seal.
//!
//! What was read is in `current` before the engine waits again. It has no timer and holds nothing back but the beginning
//! of a line.

use std::time::Duration;

use crate::cli::Exit;
use crate::multilog::batch::{Batch, Window};
use crate::multilog::input::{Input, Wake};
use crate::multilog::logdir::{Directory, LogDir, Patience, Trouble};
use crate::multilog::reader::Reader;
use crate::multilog::script::Script;
use crate::multilog::status::StatusFile;
use crate::multilog::{PROGRAM, alert};
use crate::sys::Result;
use crate::tai64n::Label;

/// How long a step that failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Announces trouble, waits, and never gives up: the data waits too.
#[derive(Debug)]
pub struct Pausing<'i>(pub &'i Input);

impl Patience for Pausing<'_> {
    fn pause(&mut self, trouble: Trouble) -> std::result::Result<(), Trouble> {
        PROGRAM.warn(trouble.pausing());
        self.0.rest(PAUSE);
        Ok(())
    }

    fn complain(&mut self, trouble: &Trouble) {
        PROGRAM.warn(trouble);
    }
}

/// What carries out a script.
#[derive(Debug)]
pub struct Engine<D: Directory> {
    script: Script,
    input: Input,
    reader: Reader,
    batch: Batch,
    directories: Vec<LogDir<D>>,
    statuses: Vec<StatusFile>,
}

impl<D: Directory> Engine<D> {
    /// An engine at the beginning of its input, with what the script names opened in the script's order.
    pub fn new(script: Script, input: Input, directories: Vec<LogDir<D>>, statuses: Vec<StatusFile>) -> Engine<D> {
        let batch = Batch::new(&script);
        Engine { script, input, reader: Reader::default(), batch, directories, statuses }
    }

    /// Logs until the input ends or TERM comes.
    pub fn run(mut self) -> Exit {
        let exit = match self.log() {
            Ok(()) => Exit::OK,
            Err(errno) => PROGRAM.fatal(Trouble::new("unable to read standard input", errno)),
        };
        self.reader.end_line();
        self.write_window();
        for directory in &mut self.directories {
            // Pausing never gives up.
            let _ = Pausing(&self.input).retry(|patience| directory.seal(patience));
        }
        exit
    }

    /// Reads and writes until nothing more is to be read.
    fn log(&mut self) -> Result<()> {
        loop {
            match self.input.wait()? {
                Wake::Alarm => self.rotate_all(),
                Wake::Terminate => return self.complete_line(),
                Wake::Input => {
                    if self.reader.fill(&mut self.input, Label::now)? == 0 {
                        return Ok(());
                    }
                    self.write_window();
                }
            }
        }
    }

    /// Reads to the end of the line that has been begun, if one has, and not a byte more: the rest is the next logger's.
    fn complete_line(&mut self) -> Result<()> {
        while self.reader.has_open_line() {
            if self.reader.fill_one(&mut self.input, Label::now)? == 0 {
                return Ok(());
            }
            self.write_window();
        }
        Ok(())
    }

    /// Writes all whole lines at hand, batch by batch.
    fn write_window(&mut self) {
        while let Some(window) = self.reader.window() {
            let rooms = self.directories.iter().map(LogDir::room);
            self.batch.plan(&self.script, window, &self.reader.stamps(), rooms);
            write_batch(&self.batch, window, &mut self.directories, &mut self.statuses, &self.input);
            let used_up: Vec<usize> =
                (0..self.directories.len()).filter(|&directory| self.batch.uses_up(directory, window)).collect();
            self.reader.mark_written(self.batch.input_bytes());
            // A source that cannot forget says so when it is asked for more.
            let _ = self.reader.consume_written(&mut self.input);
            for directory in used_up {
                rotate(&mut self.directories[directory], &self.input);
            }
        }
    }

    /// Rotates every directory that has something in current.
    fn rotate_all(&mut self) {
        for directory in &mut self.directories {
            if directory.room().filled_bytes > 0 {
                rotate(directory, &self.input);
            }
        }
    }
}

fn rotate<D: Directory>(directory: &mut LogDir<D>, input: &Input) {
    // Pausing never gives up.
    let _ = Pausing(input).retry(|patience| directory.rotate(patience));
}

/// Writes a batch to where it goes.
fn write_batch<D: Directory>(
    batch: &Batch,
    window: Window<'_>,
    directories: &mut [LogDir<D>],
    statuses: &mut [StatusFile],
    input: &Input,
) {
    alert::write(batch.alerts());
    for (number, file) in statuses.iter_mut().enumerate() {
        if let Some(record) = batch.status(number)
            && let Err(trouble) = file.replace(record)
        {
            PROGRAM.warn(trouble);
        }
    }
    for (number, directory) in directories.iter_mut().enumerate() {
        let mut rest = batch.output(number, window);
        while !rest.is_empty() {
            // Pausing never gives up, so each turn writes something.
            if let Ok(written) = Pausing(input).retry(|_| directory.append(rest)) {
                rest = &rest[written..];
            }
        }
    }
}
