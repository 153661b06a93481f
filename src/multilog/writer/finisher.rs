//! The finisher: makes `previous` an archive, step by step.
//!
//! ```text
//! Sync      fsync previous                                      its bytes are on the disk
//! Mark      chmod previous 0744
//! Process   run the processor, if there is one; fsync processed and newstate, chmod processed 0744
//! Keep      fsync the directory, unlink previous, rename newstate to state
//! Archive   link to @label.s, fsync the directory, unlink the first name; trim
//! ```
//!
//! A processor starts at once, and `previous` is fsynced only if it takes long: the output of a quick one is on the disk as soon as
//! `previous` would be, and with a processor that compresses the disk has a tenth as much to write.
//!
//! Once an fsync has failed, a later one proves nothing. The finisher therefore copies the file and fsyncs the copy. If
//! that fails too, the file becomes `@label.u`.

use std::ffi::CStr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::logdir::archive_name::Code;
use crate::logdir::logger_state::{Activity, Task};
use crate::logdir::names::{DONE_BIT, MODE_DONE, MODE_OPEN, NEWSTATE, PREVIOUS, PROCESSED, REWRITTEN, STATE};
use crate::multilog::error::{Error, ResultExt};
use crate::multilog::patience::Patience;
use crate::multilog::writer::archive::{Candidate, archive, archive_on};
use crate::multilog::writer::copy::copy;
use crate::multilog::writer::directory::{Directory, LogFile, Processor};
use crate::multilog::writer::place::{Place, SharedPlace};
use crate::multilog::writer::trim::Trimmer;
use crate::sys::process::ended::Ended;
use crate::sys::{Errno, Result};

/// The next step for `previous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FinishStep {
    /// With `is_due`, it does not wait for a processor.
    Sync {
        is_due: bool,
    },
    Mark(Code),
    Process {
        is_synced: bool,
    },
    Keep,
    Archive(Candidate),
}

/// What was `current`.
#[derive(Debug)]
pub struct Previous<F> {
    /// The file.
    pub file: F,
    /// An fsync of it has failed before.
    pub is_doubtful: bool,
}

/// A file that is being finished.
#[derive(Debug)]
struct Job<F> {
    /// What was `current` and is `previous` now.
    previous: Previous<F>,
    /// The next step.
    step: FinishStep,
}

/// Finishes one file after another.
#[derive(Debug)]
pub struct Finisher<D: Directory> {
    place: SharedPlace<D>,
    trimmer: Trimmer,
    job: Option<Job<D::File>>,
    /// The file that was finished last, until [`Finisher::close_finished`].
    finished: Option<D::File>,
    /// How many times in a row the processor failed.
    failures: u32,
}

/// A processor that has ended by then is quick.
const QUICK: Duration = Duration::from_millis(100);
/// The longest time between two runs of a failing processor.
const PROCESSOR_PAUSE_MAX: Duration = Duration::from_secs(60);

impl<D: Directory> Finisher<D> {
    /// A finisher of a directory's files.
    pub fn new(place: SharedPlace<D>) -> Finisher<D> {
        Finisher { place, trimmer: Trimmer::default(), job: None, finished: None, failures: 0 }
    }

    /// Takes over a file that has just become `previous`. The file before it is finished; or it was given up, and the
    /// rotation has archived it.
    pub fn accept(&mut self, previous: Previous<D::File>) {
        self.job = Some(Job { previous, step: FinishStep::Sync { is_due: false } });
    }

    /// Continues with the step that failed last time. To be followed by [`Finisher::close_finished`].
    pub fn finish(&mut self, patience: &mut impl Patience) -> std::result::Result<(), Error> {
        while self.job.is_some() {
            patience.begin(self.task());
            let Some(mut job) = self.job.take() else { break };
            match self.take_step(&mut job, patience) {
                Ok(next) => {
                    self.failures = 0;
                    match next {
                        Some(step) => self.job = Some(Job { step, ..job }),
                        None => self.finished = Some(job.previous.file),
                    }
                }
                Err(error) => {
                    let is_processor = matches!(job.step, FinishStep::Process { .. });
                    if job.step == (FinishStep::Process { is_synced: false }) {
                        job.step = FinishStep::Sync { is_due: true };
                    }
                    self.job = Some(job);
                    return Err(if is_processor { self.with_processor_pause(error) } else { error });
                }
            }
        }
        Ok(())
    }

    /// A processor that fails is run again after 1, 2, 4 … 60 seconds.
    fn with_processor_pause(&mut self, error: Error) -> Error {
        let pause = Duration::from_secs(1 << self.failures.min(6)).min(PROCESSOR_PAUSE_MAX);
        self.failures += 1;
        error.with_pause(pause)
    }

    /// Gives up the current file: the next rotation or the next start archives it.
    pub fn give_up(&mut self) {
        self.job = None;
    }

    /// Tells whether there are more archives than the script allows.
    #[must_use]
    pub fn has_excess(&self) -> bool {
        self.trimmer.has_excess()
    }

    /// Removes some of the surplus archives.
    pub fn trim(&mut self, patience: &mut impl Patience) -> std::result::Result<(), Error> {
        self.trimmer.trim(&self.place, patience)
    }

    /// Looks whether archives have to go although no file was finished, and removes some of them.
    pub fn check(&mut self, patience: &mut impl Patience) -> std::result::Result<(), Error> {
        self.trimmer.check(&self.place, patience)
    }

    /// Takes over a directory that holds more archives than the script allows.
    pub fn take_over(&mut self, trimmer: Trimmer) {
        self.trimmer = trimmer;
    }

    /// What the next step is, for those who ask what the logger waits for.
    #[must_use]
    pub fn task(&self) -> Task {
        let name = &self.place.name;
        match &self.job {
            Some(Job { step: FinishStep::Process { .. }, .. }) if self.place.rules().processor.is_some() => {
                Task::new(Activity::Processing, &format!("the processor runs in {name}"))
            }
            _ => Task::new(Activity::Finishing, &format!("{name}/previous is being written to disk")),
        }
    }

    /// Closes the file that was finished last. If a processor has made another of it, its space is free after this.
    pub fn close_finished(&mut self) {
        self.finished = None;
    }

    /// Tells whether a file is being finished.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }
}

/// The steps.
impl<D: Directory> Finisher<D> {
    /// Takes the next step of a job, and returns the one after it; `None` when the file is an archive.
    fn take_step(
        &mut self,
        job: &mut Job<D::File>,
        patience: &mut impl Patience,
    ) -> std::result::Result<Option<FinishStep>, Error> {
        match job.step {
            FinishStep::Sync { is_due } => self.sync(&mut job.previous, is_due, patience).map(Some),
            FinishStep::Mark(code) => self.mark(&job.previous.file, code).map(Some),
            FinishStep::Process { is_synced } => self.process(&mut job.previous, is_synced, patience).map(Some),
            FinishStep::Keep => self.keep().map(Some),
            FinishStep::Archive(candidate) => {
                archive_on(&mut self.trimmer, &self.place, candidate, patience).map(|()| None)
            }
        }
    }

    fn sync(
        &self,
        previous: &mut Previous<D::File>,
        is_due: bool,
        patience: &mut impl Patience,
    ) -> std::result::Result<FinishStep, Error> {
        let place = &*self.place;
        find_previous(place, &previous.file, patience)?;
        if !is_due && !previous.is_doubtful && !patience.is_exiting() && place.rules().may_sync_output_only() {
            return Ok(FinishStep::Process { is_synced: false });
        }
        if !previous.is_doubtful {
            match previous.file.sync() {
                Ok(()) => return Ok(FinishStep::Mark(Code::Safe)),
                Err(errno) => self.doubt(previous, errno, patience),
            }
        }
        // Another fsync of the same file would prove nothing. A copy may succeed.
        match rewrite(place, &previous.file) {
            Ok(copy) => {
                previous.file = copy;
                Ok(FinishStep::Mark(Code::Safe))
            }
            Err(_) => Ok(FinishStep::Mark(Code::Unfinished)),
        }
    }

    /// Something of the file may not have reached the disk.
    fn doubt(&self, previous: &mut Previous<D::File>, errno: Errno, patience: &mut impl Patience) {
        patience.complain(&Error::unable(format_args!("write {}/current to disk", self.place.name), errno));
        previous.is_doubtful = true;
    }

    fn mark(&self, previous: &D::File, code: Code) -> std::result::Result<FinishStep, Error> {
        if code == Code::Safe {
            self.place
                .directory
                .set_mode(previous, MODE_DONE)
                .or_unable(format_args!("set mode of {}/previous", self.place.name))?;
        }
        Ok(match self.place.rules().processor {
            Some(_) => FinishStep::Process { is_synced: true },
            None => FinishStep::Archive(Candidate { file: PREVIOUS, code }),
        })
    }

    fn process(
        &self,
        previous: &mut Previous<D::File>,
        is_synced: bool,
        patience: &mut impl Patience,
    ) -> std::result::Result<FinishStep, Error> {
        let place = &*self.place;
        let Place { name: shown, directory, .. } = place;
        let processor = place.rules().processor;
        if !is_synced && (processor.is_none() || patience.is_exiting()) {
            return Ok(FinishStep::Sync { is_due: true });
        }
        // The output of the processor, complete or not, is discarded, so that the file is not archived twice.
        let skip_processor = || {
            place.remove(PROCESSED).or_unable(format_args!("remove {shown}/processed"))?;
            Ok(FinishStep::Archive(Candidate::unfinished(PREVIOUS)))
        };
        if processor.is_none() && !patience.is_exiting() {
            // A new script has taken it away.
            place.remove(PROCESSED).or_unable(format_args!("remove {shown}/processed"))?;
            let stat = directory.stat(PREVIOUS).or_unable(format_args!("stat {shown}/{PREVIOUS}"))?;
            let is_safe = stat.is_some_and(|stat| stat.mode & DONE_BIT != 0);
            let code = if is_safe { Code::Safe } else { Code::Unfinished };
            return Ok(FinishStep::Archive(Candidate { file: PREVIOUS, code }));
        }
        let Some(command) = processor.filter(|_| !patience.is_exiting()) else {
            return skip_processor();
        };
        place.processor_runs.fetch_add(1, Ordering::Relaxed);
        let answer = self.run_processor(&command, previous, is_synced, patience);
        if !matches!(answer, Ok(Some(Ended::Exited(0)) | None)) {
            place.processor_failures.fetch_add(1, Ordering::Relaxed);
        }
        if previous.is_doubtful && !is_synced {
            // It may have read what never reached the disk. A copy is made, and processed.
            return Ok(FinishStep::Sync { is_due: true });
        }
        match answer {
            Ok(Some(Ended::Exited(0))) => {
                seal_output(place, PROCESSED, MODE_DONE)?;
                seal_output(place, NEWSTATE, MODE_OPEN)?;
                Ok(FinishStep::Keep)
            }
            Ok(Some(Ended::Exited(_))) => Err(Error::unexplained(format_args!("processor failed in {shown}"))),
            Ok(Some(Ended::Killed(_))) => Err(Error::unexplained(format_args!("processor crashed in {shown}"))),
            // The logger exits.
            Ok(None) => skip_processor(),
            Err(errno) => Err(Error::unable(format_args!("fork for processor in {shown}"), errno)),
        }
    }

    /// Runs the processor, and says how it ended; `None` if the logger exits. Unless it is quick and succeeds, `previous` is on the
    /// disk then, or doubtful.
    fn run_processor(
        &self,
        command: &CStr,
        previous: &mut Previous<D::File>,
        is_synced: bool,
        patience: &mut impl Patience,
    ) -> Result<Option<Ended>> {
        let directory = &self.place.directory;
        let running = directory.start_processor(command)?;
        if is_synced {
            return running.wait(patience.exit_request());
        }
        let quick = running.wait_for(QUICK, patience.exit_request())?;
        let answer = match quick {
            // The disk may have refused what the system has written of its own accord.
            Some(Ended::Exited(0)) => previous.file.check_writeback(),
            _ => previous.file.sync(),
        };
        match answer {
            // Recovery does not look at the mode, so that a failure does no harm.
            Ok(()) if quick.is_none() => drop(directory.set_mode(&previous.file, MODE_DONE)),
            Ok(()) => {}
            Err(errno) => self.doubt(previous, errno, patience),
        }
        match quick {
            None => running.wait(patience.exit_request()),
            ended => Ok(ended),
        }
    }

    fn keep(&self) -> std::result::Result<FinishStep, Error> {
        let Place { name: shown, directory, .. } = &*self.place;
        directory.sync().or_unable(format_args!("write {shown} to disk"))?;
        self.place.remove(PREVIOUS).or_unable(format_args!("remove {shown}/previous"))?;
        match directory.rename(NEWSTATE, STATE) {
            // It does not exist if it was renamed before a later failure.
            Ok(()) | Err(Errno::ENOENT) => Ok(FinishStep::Archive(Candidate::safe(PROCESSED))),
            Err(errno) => Err(Error::unable(format_args!("rename newstate to state in directory {shown}"), errno)),
        }
    }
}

/// Makes sure that the name `previous` leads to the current file. If it was removed, the file is copied from its
/// descriptor. If another file has the name, that file becomes an archive.
fn find_previous<D: Directory>(
    place: &Place<D>,
    file: &D::File,
    patience: &mut impl Patience,
) -> std::result::Result<(), Error> {
    let to_do = format_args!("create {}/previous", place.name);
    let identity = file.stat().or_unable(to_do)?.identity;
    match place.directory.stat(PREVIOUS).or_unable(to_do)? {
        Some(stat) if stat.identity == identity => return Ok(()),
        Some(_) => archive(place, Candidate::unfinished(PREVIOUS), patience)?,
        None => {}
    }
    copy(place, file, PREVIOUS).map(drop).or_unable(to_do)
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

/// Fsyncs the output of the processor, sets its mode to 0744, and fsyncs again: once `previous` is gone, only the mode
/// tells a finished file from a half-written one.
fn seal_output<D: Directory>(place: &Place<D>, name: &str, mode: u32) -> std::result::Result<(), Error> {
    let Place { name: shown, directory, .. } = place;
    let file = directory.append_to(name, MODE_OPEN).or_unable(format_args!("read {shown}/{name}"))?;
    let sync = || file.sync().or_unable(format_args!("write {shown}/{name} to disk"));
    sync()?;
    directory.set_mode(&file, mode).or_unable(format_args!("set mode of {shown}/{name}"))?;
    if mode == MODE_DONE { sync() } else { Ok(()) }
}
