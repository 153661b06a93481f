//! Where files are finished: in a thread if one can be started, and in the engine otherwise. The thread is started when there
//! is something to do, and ended when there has been nothing for a while: a host has hundreds of loggers, and most are idle.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::cli::Messages;
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::preallocated::Preallocated;
use crate::multilog::writer::trim::Trimmer;
use crate::multilog::writer::worker::{UnderWay, Worker};
use crate::sys::memory;

/// The finisher, wherever it runs.
#[derive(Debug)]
pub(super) enum Finishing<D: Directory> {
    /// In the engine.
    InEngine(Finisher<D>),
    /// In a thread.
    InThread(Worker<D>),
    /// While the finisher moves from the engine to the thread.
    Moving,
}

impl<D: Directory> Finishing<D> {
    /// Takes over a file that has just become `previous`.
    pub(super) fn accept(&mut self, previous: Previous<D::File>, next: &Arc<Preallocated<D>>, messages: Messages) {
        self.start_thread(next, messages);
        match self {
            Finishing::InEngine(finisher) => finisher.accept(previous),
            Finishing::InThread(worker) => worker.accept(previous),
            Finishing::Moving => unreachable!("there is always somebody"),
        }
    }

    /// Begins to remove the surplus archives of a predecessor.
    pub(super) fn trim(&mut self, trimmer: Trimmer, next: &Arc<Preallocated<D>>, messages: Messages) {
        self.start_thread(next, messages);
        match self {
            Finishing::InEngine(finisher) => finisher.take_over(trimmer),
            Finishing::InThread(worker) => worker.trim(trimmer),
            Finishing::Moving => {}
        }
    }

    /// Looks whether a limit on archives is exceeded. Where there is no thread, some of what is too much is removed now; the
    /// answer is true if there is more.
    pub(super) fn check_limits(&mut self, next: &Arc<Preallocated<D>>, patience: &mut impl Patience) -> bool {
        self.start_thread(next, patience.messages());
        match self {
            Finishing::InEngine(finisher) => {
                let answer = if finisher.has_excess() { finisher.trim(patience) } else { finisher.check(patience) };
                if let Err(error) = &answer {
                    patience.complain(error);
                }
                answer.is_ok() && finisher.has_excess()
            }
            Finishing::InThread(worker) => {
                worker.check_limits();
                false
            }
            Finishing::Moving => false,
        }
    }

    /// Starts the thread, if there is to be one.
    fn start_thread(&mut self, next: &Arc<Preallocated<D>>, messages: Messages) {
        *self = match std::mem::replace(self, Finishing::Moving) {
            Finishing::InEngine(finisher) if D::FINISHES_IN_THREAD && !memory::is_scarce() => {
                match Worker::start(finisher, Arc::clone(next), messages) {
                    Ok(worker) => Finishing::InThread(worker),
                    Err(finisher) => Finishing::InEngine(*finisher),
                }
            }
            other => other,
        };
    }

    /// Ends the thread if it has nothing to do; the answer is false if it has.
    pub(super) fn end_idle_thread(&mut self) -> bool {
        if let Finishing::InThread(worker) = self {
            let Some(finisher) = worker.retire() else { return false };
            *self = Finishing::InEngine(finisher);
        }
        true
    }

    /// Without a thread: finishes the current file, and prepares the next one.
    pub(super) fn finish_here(&mut self, next: &Preallocated<D>, patience: &mut impl Patience) -> Result<(), Error> {
        let Finishing::InEngine(finisher) = self else { return Ok(()) };
        let had_excess = finisher.has_excess();
        finisher.finish(patience)?;
        finisher.close_finished();
        if had_excess && finisher.has_excess() && !patience.is_exiting() {
            // Some of the surplus archives that were left last time. One that cannot be removed is no reason to wait.
            match finisher.trim(patience) {
                Err(error) if !error.is_interruption() => patience.complain(&error),
                Ok(()) | Err(_) => {}
            }
        }
        next.prepare();
        Ok(())
    }

    /// The file that is being finished; `None` if there is none.
    pub(super) fn under_way(&mut self) -> Option<UnderWay<'_>> {
        match self {
            Finishing::InThread(worker) => worker.under_way(),
            Finishing::InEngine(_) | Finishing::Moving => None,
        }
    }

    /// The logger exits: gives up whatever takes long.
    pub(super) fn exit_soon(&self) {
        if let Finishing::InThread(worker) = self {
            worker.exit_soon();
        }
    }

    /// Becomes readable when no surplus archive is left; `None` if none is. Without a thread, this call removes some.
    pub(super) fn trimming(&mut self, patience: &mut impl Patience) -> Option<BorrowedFd<'_>> {
        match self {
            Finishing::InThread(worker) => worker.all_done(),
            Finishing::InEngine(finisher) => {
                while finisher.has_excess() && !patience.is_interrupted() {
                    match finisher.trim(patience) {
                        Ok(()) => {}
                        Err(error) if error.is_interruption() => break,
                        Err(error) => {
                            patience.complain(&error);
                            break;
                        }
                    }
                }
                None
            }
            Finishing::Moving => None,
        }
    }

    /// Tells whether the thread gave up a file when the logger began to exit.
    pub(super) fn has_given_up_file(&self) -> bool {
        matches!(self, Finishing::InThread(worker) if worker.has_given_up_file())
    }

    /// Tells whether a file is unfinished: being finished, or given up.
    pub(super) fn has_unfinished_file(&self) -> bool {
        match self {
            Finishing::InEngine(finisher) => finisher.is_busy(),
            Finishing::InThread(worker) => worker.has_given_up_file(),
            Finishing::Moving => false,
        }
    }
}
