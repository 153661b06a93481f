//! The finisher: takes `previous` to its archive.
//!
//! ```text
//! Sync      fsync previous                                      its bytes are on the disk
//! Mark      chmod previous 0744
//! Process   run the processor, if there is one; fsync processed and newstate, chmod processed 0744
//! Keep      fsync the directory, unlink previous, rename newstate to state
//! Archive   link to @label.s, fsync the directory, unlink the first name; trim
//! ```
//!
//! After an fsync that failed the next one proves nothing, so it is not tried again: the file is copied, and the copy
//! brought to the disk. If that fails too the file becomes `@label.u`.

use std::ffi::CString;
use std::time::Duration;

use crate::logdir::archive_name::Code;
use crate::logdir::names::{MODE_DONE, MODE_OPEN, NEWSTATE, PREVIOUS, PROCESSED, REWRITTEN, STATE};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{archive, archive_on};
use crate::multilog::writer::copy::copy;
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::{Place, SharedPlace};
use crate::multilog::writer::trim::Shelf;
use crate::sys::process::ended::Ended;
use crate::sys::{Errno, Result};

/// What remains to be done with `previous`, by the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Sync,
    Mark(Code),
    Process,
    Keep,
    Archive(&'static str, Code),
}

/// What was `current`.
#[derive(Debug)]
pub struct Previous<F> {
    /// The file.
    pub file: F,
    /// An fsync of it has failed before.
    pub is_doubtful: bool,
}

/// Finishes one file after another.
#[derive(Debug)]
pub struct Finisher<D: Directory> {
    place: SharedPlace<D>,
    shelf: Shelf,
    processor: Option<CString>,
    /// The file that is being finished: what was `current` and is `previous` now.
    job: Option<(Previous<D::File>, Step)>,
    /// How often the processor failed in a row.
    failures: u32,
}

/// The longest time that a failing processor is left alone.
const PROCESSOR_PAUSE_MAX: Duration = Duration::from_secs(60);

impl<D: Directory> Finisher<D> {
    /// A finisher that keeps `files_max` files, `current` included.
    pub fn new(place: SharedPlace<D>, files_max: u64, processor: Option<CString>) -> Finisher<D> {
        Finisher { place, shelf: Shelf::new(files_max), processor, job: None, failures: 0 }
    }

    /// Takes over a file that has just become `previous`. The one before it is finished, or was given up: then the
    /// rotation has made it an archive.
    pub fn accept(&mut self, previous: Previous<D::File>) {
        self.job = Some((previous, Step::Sync));
    }

    /// Goes on with what is to be done, from the step that failed last time.
    pub fn finish(&mut self, patience: &mut impl Patience) -> std::result::Result<(), Error> {
        while let Some((file, step)) = &mut self.job {
            match take_step(&self.place, file, *step, &mut self.shelf, self.processor.as_ref(), patience) {
                Ok(next) => {
                    match next {
                        Some(next) => *step = next,
                        None => self.job = None,
                    }
                    self.failures = 0;
                }
                Err(trouble) if matches!(step, Step::Process) => {
                    // A processor that fails is asked again after 1, 2, 4 … 60 seconds.
                    let pause = Duration::from_secs(1 << self.failures.min(6)).min(PROCESSOR_PAUSE_MAX);
                    self.failures += 1;
                    return Err(trouble.with_pause(pause));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// Leaves the file that is being finished as it is: whoever needs its name archives it, or the next start does.
    pub fn leave(&mut self) {
        self.job = None;
    }

    /// Tells whether more archives are left than asked for.
    #[must_use]
    pub fn has_excess(&self) -> bool {
        self.shelf.has_excess()
    }

    /// Removes some of the archives that are too many.
    pub fn trim(&mut self, patience: &mut impl Patience) -> std::result::Result<(), Error> {
        self.shelf.trim(&self.place, patience)
    }

    /// Takes over a directory in which more archives were left than asked for.
    pub fn take_over(&mut self, shelf: Shelf) {
        self.shelf = shelf;
    }

    /// Tells whether a file is being finished.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }
}

/// Takes a step, and says which is next.
fn take_step<D: Directory>(
    place: &Place<D>,
    previous: &mut Previous<D::File>,
    step: Step,
    shelf: &mut Shelf,
    processor: Option<&CString>,
    patience: &mut impl Patience,
) -> std::result::Result<Option<Step>, Error> {
    let Place { name: shown, directory, .. } = place;
    let unable = |what: &str, errno: Errno| Error::new(format_args!("unable to {what}"), errno);
    match step {
        Step::Sync => {
            find_previous(place, &previous.file, shelf.files_max(), patience)?;
            let answer = match previous.is_doubtful {
                false => previous.file.sync(),
                true => Err(Errno::EIO),
            };
            let Err(errno) = answer else { return Ok(Some(Step::Mark(Code::Safe))) };
            if !previous.is_doubtful {
                patience.complain(&unable(&format!("write {shown}/current to disk"), errno));
            }
            // Another fsync of the same file would prove nothing. A copy may fare better.
            match rewrite(place, &previous.file) {
                Ok(copy) => {
                    previous.file = copy;
                    Ok(Some(Step::Mark(Code::Safe)))
                }
                Err(_) => Ok(Some(Step::Mark(Code::Unfinished))),
            }
        }
        Step::Mark(code) => {
            if code == Code::Safe {
                previous
                    .file
                    .set_mode(MODE_DONE)
                    .map_err(|errno| unable(&format!("set mode of {shown}/previous"), errno))?;
            }
            let next = if processor.is_some() { Step::Process } else { Step::Archive(PREVIOUS, code) };
            Ok(Some(next))
        }
        Step::Process => {
            // Complete or not, what the processor made counts no more: the file is not to be archived twice.
            let leave_as_it_was = || match directory.unlink(PROCESSED.as_bytes()) {
                Ok(()) | Err(Errno::ENOENT) => Ok(Some(Step::Archive(PREVIOUS, Code::Unfinished))),
                Err(errno) => Err(unable(&format!("remove {shown}/processed"), errno)),
            };
            let Some(command) = processor.filter(|_| !patience.is_hurried()) else { return leave_as_it_was() };
            match directory.process(command, patience.hurry()) {
                Ok(Some(Ended::Exited(0))) => {
                    seal_output(place, PROCESSED, MODE_DONE)?;
                    seal_output(place, NEWSTATE, MODE_OPEN)?;
                    Ok(Some(Step::Keep))
                }
                Ok(Some(Ended::Exited(_))) => Err(Error::unexplained(format_args!("processor failed in {shown}"))),
                Ok(Some(Ended::Killed(_))) => Err(Error::unexplained(format_args!("processor crashed in {shown}"))),
                // The logger leaves.
                Ok(None) => leave_as_it_was(),
                Err(errno) => Err(unable(&format!("fork for processor in {shown}"), errno)),
            }
        }
        Step::Keep => {
            directory.sync().map_err(|errno| unable(&format!("write {shown} to disk"), errno))?;
            match directory.unlink(PREVIOUS.as_bytes()) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(unable(&format!("remove {shown}/previous"), errno)),
            }
            match directory.rename(NEWSTATE, STATE) {
                // Renamed before a failure that came later.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => {
                    return Err(unable(&format!("rename newstate to state in directory {shown}"), errno));
                }
            }
            Ok(Some(Step::Archive(PROCESSED, Code::Safe)))
        }
        Step::Archive(file, code) => archive_on(shelf, place, file, code, patience).map(|()| None),
    }
}

/// Makes sure that `previous` in the directory is the file in hand: if somebody removed it, what the descriptor reaches is
/// copied; what somebody put in its place becomes an archive.
fn find_previous<D: Directory>(
    place: &Place<D>,
    file: &D::File,
    files_max: u64,
    patience: &mut impl Patience,
) -> std::result::Result<(), Error> {
    let shown = &place.name;
    let unable = |errno| Error::new(format_args!("unable to create {shown}/previous"), errno);
    let identity = file.stat().map_err(unable)?.identity;
    match place.directory.stat(PREVIOUS).map_err(unable)? {
        Some(stat) if stat.identity == identity => return Ok(()),
        Some(_) => archive(place, PREVIOUS, Code::Unfinished, files_max, patience)?,
        None => {}
    }
    copy(place, file, PREVIOUS).map(drop).map_err(unable)
}

/// Puts a copy of `previous` in its place, once the copy is on the disk.
fn rewrite<D: Directory>(place: &Place<D>, file: &D::File) -> Result<D::File> {
    let rewrite = || {
        let copy = copy(place, file, REWRITTEN)?;
        copy.sync()?;
        place.directory.rename(REWRITTEN, PREVIOUS)?;
        Ok(copy)
    };
    rewrite().inspect_err(|_| {
        // It may be as long as a log, on a disk that is full.
        let _ = place.directory.unlink(REWRITTEN.as_bytes());
    })
}

/// Brings what the processor wrote to the disk, then says so by its mode, and brings that to the disk too: once
/// `previous` is gone, the mode is all that tells a finished file from a half-written one.
fn seal_output<D: Directory>(place: &Place<D>, name: &str, mode: u32) -> std::result::Result<(), Error> {
    let Place { name: shown, directory, .. } = place;
    let unable = |what: &str, errno| Error::new(format_args!("unable to {what}"), errno);
    let file = directory.append_to(name, MODE_OPEN).map_err(|errno| unable(&format!("read {shown}/{name}"), errno))?;
    let sync = || file.sync().map_err(|errno| unable(&format!("write {shown}/{name} to disk"), errno));
    sync()?;
    file.set_mode(mode).map_err(|errno| unable(&format!("set mode of {shown}/{name}"), errno))?;
    if mode == MODE_DONE { sync() } else { Ok(()) }
}
