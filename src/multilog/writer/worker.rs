//! The worker: a thread that finishes files, so that neither the disk nor a processor holds up the input.
//!
//! It is started at the first rotation. Where no thread can be had (old run scripts allow little memory) the files are
//! finished by the engine itself, which then waits for disk and processor as 0.76 does.
//!
//! Between two files it makes the [preallocated](crate::multilog::writer::preallocated), if one is wanted, and removes what archives are still too many.
//!
//! One file is finished at a time. Whoever wants to rotate before that waits for [`Worker::done`]; whoever wants to leave
//! says [`Worker::exit_soon`]: a processor is ended, or not run again, its file becomes an unfinished archive as it was before,
//! and another step that fails is tried once more.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use crossbeam_channel::TryRecvError;

use crate::cli::Messages;
use crate::lines::worker_thread::{Inbox, WorkerThread};
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::preallocated::Preallocated;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::eventfd::Event;
use crate::sys::{Errno, poll};

/// Little is needed: the finisher does not recurse.
const STACK_BYTES: usize = 128 * 1024;
/// How many jobs can wait: a file that was finished, and what a predecessor left.
const JOBS_MAX: usize = 2;

/// That no thread can be had has been said.
static REFUSED: Once = Once::new();

/// What the thread is to do.
#[derive(Debug)]
enum Job<F> {
    /// A file has become `previous`.
    Finish(Previous<F>),
    /// A predecessor left more archives than asked for.
    Trim(Trimmer),
}

/// What the engine and the thread both see.
#[derive(Debug)]
struct Shared {
    /// A file has been finished, or left.
    is_done: AtomicBool,
    /// How many jobs have nothing left to do.
    finished_jobs: AtomicU64,
    /// Wakes whoever waits for either; it may also wake in vain.
    done: Event,
    /// The logger leaves.
    exit_request: Event,
    is_exiting: AtomicBool,
    /// A file could not be finished, and is still `previous` or `processed`.
    has_given_up_file: AtomicBool,
}

/// A thread that finishes files.
#[derive(Debug)]
pub struct Worker<F> {
    thread: WorkerThread<Job<F>, ()>,
    shared: Arc<Shared>,
    is_busy: bool,
    /// How many jobs there have been.
    given: u64,
}

impl<F: Send + 'static> Worker<F> {
    /// Starts the thread; gives the finisher back if that is not possible.
    pub fn start<D>(
        finisher: Finisher<D>,
        preallocated: Arc<Preallocated<D>>,
        messages: Messages,
    ) -> Result<Worker<F>, Box<Finisher<D>>>
    where
        D: Directory<File = F>,
    {
        let (Ok(done), Ok(exit_request)) = (Event::new(), Event::new()) else { return Err(Box::new(finisher)) };
        let [is_done, is_exiting, has_given_up_file] = [const { AtomicBool::new(false) }; 3];
        let finished_jobs = AtomicU64::new(0);
        let shared = Arc::new(Shared { is_done, finished_jobs, done, exit_request, is_exiting, has_given_up_file });
        let run = {
            let shared = Arc::clone(&shared);
            move |finisher, inbox, _| work(finisher, &preallocated, &inbox, WorkerPatience { shared, messages })
        };
        match WorkerThread::start_loop(STACK_BYTES, JOBS_MAX, finisher, run) {
            Ok(thread) => Ok(Worker { thread, shared, is_busy: false, given: 0 }),
            Err((finisher, error)) => {
                // Too little memory is what old run scripts ask for; a refusal is news, once.
                let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
                if !matches!(errno, Errno::EAGAIN | Errno::ENOMEM) {
                    let say = || messages.warn(Error::new("unable to start a thread, waiting for each file", errno));
                    REFUSED.call_once(say);
                }
                Err(Box::new(finisher))
            }
        }
    }

    /// Hands over a file that has just become `previous`; the one before it must be done.
    pub fn accept(&mut self, previous: Previous<F>) {
        debug_assert!(!self.is_busy, "one previous at a time");
        self.is_busy = true;
        self.give(Job::Finish(previous));
    }

    /// Hands over a directory in which a predecessor left more archives than asked for.
    pub fn trim(&mut self, trimmer: Trimmer) {
        self.give(Job::Trim(trimmer));
    }

    fn give(&mut self, job: Job<F>) {
        self.given += 1;
        self.thread.give(job);
    }

    /// What becomes readable when the file in hand is done; `None` if none is in hand.
    pub fn done(&mut self) -> Option<BorrowedFd<'_>> {
        if self.is_busy {
            self.shared.done.clear();
            self.is_busy = !self.shared.is_done.swap(false, Ordering::AcqRel);
        }
        self.is_busy.then(|| self.shared.done.as_fd())
    }

    /// What becomes readable when nothing is left to do, no archive to remove either; `None` if nothing is.
    pub fn all_done(&mut self) -> Option<BorrowedFd<'_>> {
        self.shared.done.clear();
        (self.shared.finished_jobs.load(Ordering::Acquire) < self.given).then(|| self.shared.done.as_fd())
    }

    /// Tells whether a file was left that the next start must put right.
    #[must_use]
    pub fn has_given_up_file(&self) -> bool {
        self.shared.has_given_up_file.load(Ordering::Acquire)
    }

    /// The logger leaves: what takes long is given up.
    pub fn exit_soon(&self) {
        self.shared.is_exiting.store(true, Ordering::Release);
        self.shared.exit_request.notify();
    }
}

fn work<D: Directory>(
    mut finisher: Finisher<D>,
    preallocated: &Preallocated<D>,
    inbox: &Inbox<Job<D::File>>,
    mut patience: WorkerPatience,
) {
    let mut next = inbox.wait();
    while let Some(job) = next.take() {
        match job {
            Job::Finish(previous) => {
                finisher.accept(previous);
                // When patience ends the logger leaves: then no processor is run any more, and its file can be an archive at
                // once.
                let ended = patience.retry(|patience| finisher.finish(patience));
                if ended.or_else(|_| finisher.finish(&mut patience)).is_err() {
                    finisher.give_up();
                    patience.shared.has_given_up_file.store(true, Ordering::Release);
                }
                patience.shared.is_done.store(true, Ordering::Release);
                patience.shared.done.notify();
                // The file that was finished is out of the way, and the next one is still filling.
                preallocated.prepare();
            }
            Job::Trim(trimmer) => finisher.take_over(trimmer),
        }
        next = trim_until_job(&mut finisher, inbox, &mut patience);
        patience.shared.finished_jobs.fetch_add(1, Ordering::AcqRel);
        patience.shared.done.notify();
        next = next.or_else(|| inbox.wait());
    }
}

/// Removes what archives are too many, until there is another job; `None` if all are gone, or have to stay.
fn trim_until_job<D: Directory>(
    finisher: &mut Finisher<D>,
    inbox: &Inbox<Job<D::File>>,
    patience: &mut WorkerPatience,
) -> Option<Job<D::File>> {
    while finisher.has_excess() && !patience.is_exiting() {
        match inbox.poll() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if let Err(trouble) = finisher.trim(patience) {
            // They go after the next rotation.
            patience.complain(&trouble);
            return None;
        }
    }
    None
}

/// The patience of the thread: it ends when the logger leaves.
#[derive(Debug)]
struct WorkerPatience {
    shared: Arc<Shared>,
    messages: Messages,
}

impl Patience for WorkerPatience {
    fn pause(&mut self, trouble: Error) -> Result<(), Error> {
        self.messages.warn(trouble.pausing());
        match poll::readable([self.shared.exit_request.as_fd()], Some(trouble.pause())) {
            _ if self.is_exiting() => Err(trouble),
            Ok(_) => Ok(()),
            Err(_) => {
                thread::sleep(trouble.pause());
                Ok(())
            }
        }
    }

    fn complain(&mut self, trouble: &Error) {
        self.messages.warn(trouble);
    }

    fn messages(&self) -> Messages {
        self.messages
    }

    fn is_exiting(&self) -> bool {
        self.shared.is_exiting.load(Ordering::Acquire)
    }

    fn exit_request(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.exit_request.as_fd())
    }
}
