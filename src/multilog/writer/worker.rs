//! The worker: a thread that finishes files, so that neither the disk nor a processor holds up the input.
//!
//! It is started at the first rotation. Where no thread can be had (old run scripts allow little memory) the files are
//! finished by the engine itself, which then waits for disk and processor as 0.76 does.
//!
//! Between two files it makes the [spare](crate::multilog::writer::preallocated), if one is wanted, and removes what archives are still too many.
//!
//! One file is finished at a time. Whoever wants to rotate before that waits for [`Worker::under_way`]; whoever wants to leave
//! says [`Worker::hurry`]: a processor is ended, or not run again, its file becomes an unfinished archive as it was before,
//! and another step that fails is tried once more.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;

use crossbeam_channel::TryRecvError;

use crate::lines::worker_thread::{Inbox, WorkerThread};
use crate::logdir::logger_state::Task;
use crate::multilog::error::Error;
use crate::multilog::name::PROGRAM;
use crate::multilog::pace::{Pace, failed_task};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::preallocated::Preallocated;
use crate::multilog::writer::trim::Shelf;
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
    Trim(Shelf),
}

/// The file in hand.
#[derive(Debug)]
pub struct UnderWay<'w> {
    /// Becomes readable when the file is finished, or when the task is another one. It may also do so in vain.
    pub done: BorrowedFd<'w>,
    /// What is being done with the file.
    pub task: Task,
}

/// What the engine and the thread both see.
#[derive(Debug)]
struct Shared {
    /// A file has been finished, or left.
    is_done: AtomicBool,
    /// How many jobs have nothing left to do.
    settled: AtomicU64,
    /// Wakes whoever waits for either; it may also wake in vain.
    done: Event,
    /// The logger leaves.
    hurry: Event,
    is_hurried: AtomicBool,
    /// A file could not be finished, and is still `previous` or `processed`.
    has_left_file: AtomicBool,
    /// What the thread does with the file in hand.
    task: Mutex<Task>,
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
    pub fn start<D>(finisher: Finisher<D>, spare: Arc<Preallocated<D>>) -> Result<Worker<F>, Box<Finisher<D>>>
    where
        D: Directory<File = F>,
    {
        let (Ok(done), Ok(hurry)) = (Event::new(), Event::new()) else { return Err(Box::new(finisher)) };
        let [is_done, is_hurried, has_left_file] = [const { AtomicBool::new(false) }; 3];
        let settled = AtomicU64::new(0);
        let task = Mutex::new(finisher.task());
        let shared = Arc::new(Shared { is_done, settled, done, hurry, is_hurried, has_left_file, task });
        let run = {
            let shared = Arc::clone(&shared);
            move |finisher, inbox, _| work(finisher, &spare, &inbox, shared)
        };
        match WorkerThread::start_loop(STACK_BYTES, JOBS_MAX, finisher, run) {
            Ok(thread) => Ok(Worker { thread, shared, is_busy: false, given: 0 }),
            Err((finisher, error)) => {
                // Too little memory is what old run scripts ask for; a refusal is news, once.
                let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
                if !matches!(errno, Errno::EAGAIN | Errno::ENOMEM) {
                    let say = || PROGRAM.warn(Error::new("unable to start a thread, waiting for each file", errno));
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
    pub fn trim(&mut self, shelf: Shelf) {
        self.give(Job::Trim(shelf));
    }

    fn give(&mut self, job: Job<F>) {
        self.given += 1;
        self.thread.give(job);
    }

    /// The file in hand; `None` if none is.
    pub fn under_way(&mut self) -> Option<UnderWay<'_>> {
        if self.is_busy {
            self.shared.done.clear();
            self.is_busy = !self.shared.is_done.swap(false, Ordering::AcqRel);
        }
        // Asked for after the event was cleared, so that a change behind this is not missed.
        self.is_busy.then(|| UnderWay { done: self.shared.done.as_fd(), task: self.shared.task() })
    }

    /// What becomes readable when nothing is left to do, no archive to remove either; `None` if nothing is.
    pub fn settled(&mut self) -> Option<BorrowedFd<'_>> {
        self.shared.done.clear();
        (self.shared.settled.load(Ordering::Acquire) < self.given).then(|| self.shared.done.as_fd())
    }

    /// Tells whether a file was left that the next start must put right.
    #[must_use]
    pub fn has_left_file(&self) -> bool {
        self.shared.has_left_file.load(Ordering::Acquire)
    }

    /// The logger leaves: what takes long is given up.
    pub fn hurry(&self) {
        self.shared.is_hurried.store(true, Ordering::Release);
        self.shared.hurry.happen();
    }
}

impl Shared {
    fn task(&self) -> Task {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the thread does, and wakes the engine if that is something else.
    fn set_task(&self, task: Task) {
        let before = std::mem::replace(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner), task);
        if before != self.task() {
            self.done.happen();
        }
    }
}

fn work<D: Directory>(
    mut finisher: Finisher<D>,
    spare: &Preallocated<D>,
    inbox: &Inbox<Job<D::File>>,
    shared: Arc<Shared>,
) {
    let mut patience = Unhurried { shared, pace: Pace::default() };
    let mut next = inbox.wait();
    while let Some(job) = next.take() {
        match job {
            Job::Finish(previous) => {
                finisher.accept(previous);
                // When patience ends the logger leaves: then no processor is run any more, and its file can be an archive at
                // once.
                let ended = patience.retry(|patience| finisher.finish(patience));
                if ended.or_else(|_| finisher.finish(&mut patience)).is_err() {
                    finisher.leave();
                    patience.shared.has_left_file.store(true, Ordering::Release);
                }
                patience.shared.is_done.store(true, Ordering::Release);
                patience.shared.done.happen();
                // The file that was finished is out of the way, and the next one is still filling.
                spare.prepare();
            }
            Job::Trim(shelf) => finisher.take_over(shelf),
        }
        next = trim_until_job(&mut finisher, inbox, &mut patience);
        patience.shared.settled.fetch_add(1, Ordering::AcqRel);
        patience.shared.done.happen();
        next = next.or_else(|| inbox.wait());
    }
}

/// Removes what archives are too many, until there is another job; `None` if all are gone, or have to stay.
fn trim_until_job<D: Directory>(
    finisher: &mut Finisher<D>,
    inbox: &Inbox<Job<D::File>>,
    patience: &mut Unhurried,
) -> Option<Job<D::File>> {
    while finisher.has_excess() && !patience.is_hurried() {
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
struct Unhurried {
    shared: Arc<Shared>,
    pace: Pace,
}

impl Patience for Unhurried {
    fn pause(&mut self, trouble: Error) -> Result<(), Error> {
        self.shared.set_task(failed_task(&trouble, self.shared.task().activity));
        let pause = self.pace.announce(&trouble);
        match poll::readable([self.shared.hurry.as_fd()], Some(pause)) {
            _ if self.is_hurried() => Err(trouble),
            Ok(_) => Ok(()),
            Err(_) => {
                thread::sleep(pause);
                Ok(())
            }
        }
    }

    fn complain(&mut self, trouble: &Error) {
        PROGRAM.warn(trouble);
    }

    fn begin(&mut self, task: Task) {
        self.shared.set_task(task);
    }

    fn is_hurried(&self) -> bool {
        self.shared.is_hurried.load(Ordering::Acquire)
    }

    fn hurry(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.hurry.as_fd())
    }
}
