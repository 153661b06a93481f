//! Where files are finished: in the engine until the first rotation, then in a thread if there can be one.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::directory::Directory;
use crate::multilog::writer::finisher::{Finisher, Previous};
use crate::multilog::writer::preallocated::Preallocated;
use crate::multilog::writer::trim::Shelf;
use crate::multilog::writer::worker::{UnderWay, Worker};
use crate::sys::memory;

/// The finisher, wherever it runs.
#[derive(Debug)]
pub(super) enum Finishing<D: Directory> {
    /// In the engine.
    Here(Finisher<D>),
    /// In a thread.
    Aside(Worker<D::File>),
    /// For the moment in which one becomes the other.
    Nobody,
}

impl<D: Directory> Finishing<D> {
    /// Takes over a file that has just become `previous`.
    pub(super) fn accept(&mut self, previous: Previous<D::File>, next: &Arc<Preallocated<D>>) {
        self.start_thread(next);
        match self {
            Finishing::Here(finisher) => finisher.accept(previous),
            Finishing::Aside(worker) => worker.accept(previous),
            Finishing::Nobody => unreachable!("there is always somebody"),
        }
    }

    /// Begins to remove the archives that a predecessor left and that are too many.
    pub(super) fn trim(&mut self, shelf: Shelf, next: &Arc<Preallocated<D>>) {
        self.start_thread(next);
        match self {
            Finishing::Here(finisher) => finisher.take_over(shelf),
            Finishing::Aside(worker) => worker.trim(shelf),
            Finishing::Nobody => {}
        }
    }

    /// Starts the thread, if there is to be one.
    fn start_thread(&mut self, next: &Arc<Preallocated<D>>) {
        *self = match std::mem::replace(self, Finishing::Nobody) {
            Finishing::Here(finisher) if D::FINISHES_ASIDE && !memory::is_scarce() => {
                match Worker::start(finisher, Arc::clone(next)) {
                    Ok(worker) => Finishing::Aside(worker),
                    Err(finisher) => Finishing::Here(*finisher),
                }
            }
            other => other,
        };
    }

    /// Where there is no thread: finishes the file in hand, and prepares the next one.
    pub(super) fn finish_here(&mut self, next: &Preallocated<D>, patience: &mut impl Patience) -> Result<(), Error> {
        let Finishing::Here(finisher) = self else { return Ok(()) };
        let had_excess = finisher.has_excess();
        finisher.finish(patience)?;
        if had_excess && finisher.has_excess() && !patience.is_hurried() {
            // Some of what was left the last time.
            finisher.trim(patience)?;
        }
        next.prepare();
        Ok(())
    }

    /// The file in hand; `None` if none is.
    pub(super) fn under_way(&mut self) -> Option<UnderWay<'_>> {
        match self {
            Finishing::Aside(worker) => worker.under_way(),
            Finishing::Here(_) | Finishing::Nobody => None,
        }
    }

    /// The logger exits: gives up what takes long.
    pub(super) fn hurry(&self) {
        if let Finishing::Aside(worker) = self {
            worker.hurry();
        }
    }

    /// What becomes readable when no archive is left that has to be removed; `None` if none is. Where there is no thread
    /// some are removed now.
    pub(super) fn trimming(&mut self, patience: &mut impl Patience) -> Option<BorrowedFd<'_>> {
        match self {
            Finishing::Aside(worker) => worker.settled(),
            Finishing::Here(finisher) => {
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
            Finishing::Nobody => None,
        }
    }

    /// Tells whether the thread gave up a file when the logger began to exit.
    pub(super) fn has_left_file(&self) -> bool {
        matches!(self, Finishing::Aside(worker) if worker.has_left_file())
    }

    /// Tells whether a file is unfinished, in hand or given up.
    pub(super) fn has_unfinished_file(&self) -> bool {
        match self {
            Finishing::Here(finisher) => finisher.is_busy(),
            Finishing::Aside(worker) => worker.has_left_file(),
            Finishing::Nobody => false,
        }
    }
}
