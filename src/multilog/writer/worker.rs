//! The worker: a thread that finishes files, so that neither a slow disk nor a processor delays the input.
//!
//! It is started at the first rotation. If no thread can be started (old run scripts allow little memory), the engine
//! finishes the files itself and waits for the disk and the processor, as 0.76 does.
//!
//! Between two files it [preallocates](crate::multilog::writer::preallocated) the next file, if that is wanted, and
//! removes surplus archives.
//!
//! The thread does not stay while there is nothing to finish: [`Worker::retire`].
//!
//! One file is finished at a time. The engine waits for [`Worker::under_way`] before it rotates again. When the logger
//! exits, the engine calls [`Worker::exit_soon`]: the worker kills a processor that runs and starts no other, and the
//! unprocessed file becomes an unfinished archive. Any other step that fails is retried once.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;

use crossbeam_channel::{Sender, TryRecvError};

use crate::cli::Messages;
use crate::lines::worker_thread::{Inbox, WorkerThread};
use crate::logdir::logger_state::Task;
use crate::multilog::error::Error;
use crate::multilog::pace::{Pace, failed_task};
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::preallocated::Preallocated;
use crate::multilog::writer::trim::Trimmer;
use crate::sys::eventfd::Event;
use crate::sys::{Errno, poll};

/// The finisher does not recurse, so a small stack is enough.
const STACK_BYTES: usize = 128 * 1024;
/// How many jobs can wait: the rotated file, and the surplus archives of a predecessor.
const JOBS_MAX: usize = 2;

/// Makes the warning that no thread can be started appear once.
static REFUSED: Once = Once::new();

/// A job for the thread.
#[derive(Debug)]
enum Job<F> {
    /// A file has become `previous`.
    Finish(Previous<F>),
    /// A predecessor left more archives than the script allows.
    Trim(Trimmer),
    /// A limit on archives may be exceeded although nothing is rotated.
    CheckLimits,
}

/// The file that is being finished.
#[derive(Debug)]
pub struct UnderWay<'w> {
    /// Becomes readable when the file is finished, or when the task changes; spurious wake-ups are possible.
    pub done: BorrowedFd<'w>,
    /// What is being done with the file.
    pub task: Task,
}

/// State that the engine and the thread share.
#[derive(Debug)]
struct Shared {
    /// A file has been finished, or given up.
    is_done: AtomicBool,
    /// How many jobs are finished.
    finished_jobs: AtomicU64,
    /// Wakes the engine when one of the two changes; spurious wake-ups are possible.
    done: Event,
    /// The logger exits.
    exit_request: Event,
    is_exiting: AtomicBool,
    /// A file could not be finished, and is still `previous` or `processed`.
    has_given_up_file: AtomicBool,
    /// What the thread does with the current file.
    task: Mutex<Task>,
}

/// A thread that finishes files.
#[derive(Debug)]
pub struct Worker<D: Directory> {
    thread: WorkerThread<Job<D::File>, Finisher<D>>,
    shared: Arc<Shared>,
    is_busy: bool,
    /// How many jobs were given to the thread.
    given: u64,
}

impl<D: Directory> Worker<D> {
    /// Starts the thread; returns the finisher if no thread can be started.
    pub fn start(
        finisher: Finisher<D>,
        preallocated: Arc<Preallocated<D>>,
        messages: Messages,
    ) -> Result<Worker<D>, Box<Finisher<D>>> {
        let (Ok(done), Ok(exit_request)) = (Event::new(), Event::new()) else { return Err(Box::new(finisher)) };
        let [is_done, is_exiting, has_given_up_file] = [const { AtomicBool::new(false) }; 3];
        let finished_jobs = AtomicU64::new(0);
        let task = Mutex::new(finisher.task());
        let shared =
            Arc::new(Shared { is_done, finished_jobs, done, exit_request, is_exiting, has_given_up_file, task });
        let run = {
            let shared = Arc::clone(&shared);
            move |finisher, inbox, outbox: Sender<Finisher<D>>| {
                let patience = WorkerPatience { shared, messages, pace: Pace::default() };
                // Nobody takes it where the logger exits.
                let _ = outbox.send(work(finisher, &preallocated, &inbox, patience));
            }
        };
        match WorkerThread::start_loop(STACK_BYTES, JOBS_MAX, finisher, run) {
            Ok(thread) => Ok(Worker { thread, shared, is_busy: false, given: 0 }),
            Err((finisher, error)) => {
                // Old run scripts limit memory on purpose. Any other refusal is reported once.
                let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
                if !matches!(errno, Errno::EAGAIN | Errno::ENOMEM) {
                    let say = || messages.warn(Error::new("unable to start a thread, waiting for each file", errno));
                    REFUSED.call_once(say);
                }
                Err(Box::new(finisher))
            }
        }
    }

    /// Hands over a file that has just become `previous`; the previous one must be finished.
    pub fn accept(&mut self, previous: Previous<D::File>) {
        debug_assert!(!self.is_busy, "one previous at a time");
        self.is_busy = true;
        self.give(Job::Finish(previous));
    }

    /// Hands over a directory in which a predecessor left more archives than the script allows.
    pub fn trim(&mut self, trimmer: Trimmer) {
        self.give(Job::Trim(trimmer));
    }

    /// Looks whether a limit on archives is exceeded, unless there is still something to do: that ends with such a look.
    pub fn check_limits(&mut self) {
        if self.shared.finished_jobs.load(Ordering::Acquire) == self.given {
            self.give(Job::CheckLimits);
        }
    }

    fn give(&mut self, job: Job<D::File>) {
        self.given += 1;
        self.thread.give(job);
    }

    /// The file that is being finished; `None` if there is none.
    pub fn under_way(&mut self) -> Option<UnderWay<'_>> {
        if self.is_busy {
            self.shared.done.clear();
            self.is_busy = !self.shared.is_done.swap(false, Ordering::AcqRel);
        }
        // The task is read after the event was cleared, so that no later change is missed.
        self.is_busy.then(|| UnderWay { done: self.shared.done.as_fd(), task: self.shared.task() })
    }

    /// Becomes readable when all jobs are finished and no surplus archive is left; `None` if that is so already.
    pub fn all_done(&mut self) -> Option<BorrowedFd<'_>> {
        self.shared.done.clear();
        (self.shared.finished_jobs.load(Ordering::Acquire) < self.given).then(|| self.shared.done.as_fd())
    }

    /// Ends the thread if it has nothing to do, and returns the finisher; `None` if it has.
    pub fn retire(&mut self) -> Option<Finisher<D>> {
        if self.under_way().is_some() || self.all_done().is_some() || self.shared.is_exiting.load(Ordering::Acquire) {
            return None;
        }
        self.thread.end()
    }

    /// Tells whether a file was given up, so that the next start must repair the directory.
    #[must_use]
    pub fn has_given_up_file(&self) -> bool {
        self.shared.has_given_up_file.load(Ordering::Acquire)
    }

    /// The logger exits: the thread gives up whatever takes long.
    pub fn exit_soon(&self) {
        self.shared.is_exiting.store(true, Ordering::Release);
        self.shared.exit_request.notify();
    }
}

impl Shared {
    fn task(&self) -> Task {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the thread does, and wakes the engine if that has changed.
    fn set_task(&self, task: Task) {
        let before = std::mem::replace(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner), task);
        if before != self.task() {
            self.done.notify();
        }
    }
}

fn work<D: Directory>(
    mut finisher: Finisher<D>,
    preallocated: &Preallocated<D>,
    inbox: &Inbox<Job<D::File>>,
    mut patience: WorkerPatience,
) -> Finisher<D> {
    let mut next = inbox.wait();
    while let Some(job) = next.take() {
        match job {
            Job::Finish(previous) => {
                finisher.accept(previous);
                // The patience ends when the logger exits. The finisher then runs no processor, so the file can become
                // an archive at once.
                let ended = patience.retry(|patience| finisher.finish(patience));
                if ended.or_else(|_| finisher.finish(&mut patience)).is_err() {
                    finisher.give_up();
                    patience.shared.has_given_up_file.store(true, Ordering::Release);
                }
                patience.shared.is_done.store(true, Ordering::Release);
                patience.shared.done.notify();
                // Now there is time: the finished file is an archive, and the next one is still filling. Where a processor has
                // replaced the file, its space is freed now: of 16 MB in 1.4 ms, which the engine need not wait for.
                finisher.close_finished();
                preallocated.prepare();
            }
            Job::Trim(trimmer) => finisher.take_over(trimmer),
            Job::CheckLimits => {
                if let Err(error) = finisher.check(&mut patience) {
                    patience.complain(&error);
                }
            }
        }
        next = trim_until_job(&mut finisher, inbox, &mut patience);
        patience.shared.finished_jobs.fetch_add(1, Ordering::AcqRel);
        patience.shared.done.notify();
        next = next.or_else(|| inbox.wait());
    }
    finisher
}

/// Removes surplus archives until there is another job; `None` if none is left, or the rest cannot be removed now.
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
            // They are removed after the next rotation.
            patience.complain(&trouble);
            return None;
        }
    }
    None
}

/// The patience of the thread: it ends when the logger exits.
#[derive(Debug)]
struct WorkerPatience {
    shared: Arc<Shared>,
    messages: Messages,
    pace: Pace,
}

impl Patience for WorkerPatience {
    fn pause(&mut self, trouble: Error) -> Result<(), Error> {
        self.shared.set_task(failed_task(&trouble, self.shared.task().activity));
        let pause = self.pace.announce(&trouble, self.messages);
        match poll::readable([self.shared.exit_request.as_fd()], Some(pause)) {
            _ if self.is_exiting() => Err(trouble),
            Ok(_) => Ok(()),
            Err(_) => {
                thread::sleep(pause);
                Ok(())
            }
        }
    }

    fn complain(&mut self, trouble: &Error) {
        self.messages.warn(trouble);
    }

    fn begin(&mut self, task: Task) {
        self.shared.set_task(task);
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
