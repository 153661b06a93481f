//! A thread that runs jobs for its owner, in order and in the background.
//!
//! A job belongs to the thread from [`WorkerThread::hand_over`] on; its result belongs to the owner from
//! [`WorkerThread::take_back`] on. Both ways are bounded channels. The thread ends when its owner drops the handle, or
//! asks for its end.
//!
//! The thread parks while it has no job. A channel's own `recv` yields the processor a few times before it sleeps, and Linux
//! then schedules the thread late when the next job wakes it: measured on a file system, multilog lost a fifth of its speed.
//!
//! No owner depends on the thread: old run scripts allow little memory, so a start may fail. Then the owner gets its
//! arguments back, and does the work itself.

use std::io;
use std::thread::{self, Thread};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::sys::small_thread;

/// A thread, with jobs going to it and results coming back.
#[derive(Debug)]
pub struct WorkerThread<J, R> {
    /// `None` once the owner has gone.
    jobs: Option<Sender<J>>,
    results: Receiver<R>,
    thread: Thread,
    /// The jobs whose results have not been taken back.
    under_way: usize,
    capacity: usize,
}

impl<J: Send + 'static, R: Send + 'static> WorkerThread<J, R> {
    /// Starts a thread that calls `work` for each job and sends its result back. At most `capacity` jobs are under way at
    /// once.
    pub fn start(
        stack_bytes: usize,
        capacity: usize,
        mut work: impl FnMut(J) -> R + Send + 'static,
    ) -> io::Result<WorkerThread<J, R>> {
        let run = move |(), inbox: Inbox<J>, outbox: Sender<R>| {
            while let Some(job) = inbox.wait() {
                if outbox.send(work(job)).is_err() {
                    return;
                }
            }
        };
        WorkerThread::start_loop(stack_bytes, capacity, (), run).map_err(|(_, error)| error)
    }

    /// Starts a thread that takes its jobs itself, with a state that belongs to it. Gives the state back if no thread can be
    /// had.
    pub fn start_loop<S: Send + 'static>(
        stack_bytes: usize,
        capacity: usize,
        state: S,
        run: impl FnOnce(S, Inbox<J>, Sender<R>) + Send + 'static,
    ) -> Result<WorkerThread<J, R>, (S, io::Error)> {
        let (jobs, inbox) = bounded(capacity);
        let (outbox, results) = bounded(capacity);
        // The state is sent once the thread runs: a thread that does not start drops its closure.
        let (give, receive) = bounded(1);
        let begin = move || {
            if let Ok(state) = receive.recv() {
                run(state, Inbox(inbox), outbox);
            }
        };
        match small_thread::start(stack_bytes, Box::new(begin)) {
            Ok(handle) => {
                // The thread waits for this state.
                let _ = give.send(state);
                let thread = handle.thread().clone();
                Ok(WorkerThread { jobs: Some(jobs), results, thread, under_way: 0, capacity })
            }
            Err(error) => Err((state, error)),
        }
    }

    /// How many jobs were handed over whose results have not been taken back.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Hands over a job. Fewer than `capacity` may be under way.
    pub fn hand_over(&mut self, job: J) {
        debug_assert!(self.under_way < self.capacity, "a thread and its owner must not wait for each other");
        self.under_way += 1;
        self.give(job);
    }

    /// Hands over a job that has no result, to a thread that runs a loop of its own. Waits while `capacity` jobs are
    /// waiting.
    pub fn give(&self, job: J) {
        if let Some(jobs) = &self.jobs {
            // A thread that has panicked takes no job and sends no result.
            let _ = jobs.send(job);
            self.thread.unpark();
        }
    }

    /// Takes no more jobs, waits until the thread has ended, and returns its last result. Only for a thread that has nothing
    /// to do: it may take as long as the jobs that are left.
    pub fn end(&mut self) -> Option<R> {
        self.dismiss();
        self.results.iter().last()
    }

    /// Waits until at most `most` jobs are under way. Takes back the first result; `None` if there is none.
    pub fn take_back(&mut self, most: usize) -> Option<R> {
        let result = if self.under_way > most { self.results.recv().ok() } else { self.results.try_recv().ok() };
        self.under_way -= usize::from(result.is_some());
        result
    }
}

impl<J, R> WorkerThread<J, R> {
    /// Lets the thread end when it has done what it was given.
    fn dismiss(&mut self) {
        // In this order: a thread that is woken first would see that there is an owner, and park again.
        self.jobs = None;
        self.thread.unpark();
    }
}

impl<J, R> Drop for WorkerThread<J, R> {
    fn drop(&mut self) {
        self.dismiss();
    }
}

/// The jobs of a thread, on its side.
#[derive(Debug)]
pub struct Inbox<J>(Receiver<J>);

impl<J> Inbox<J> {
    /// Waits for the next job; `None` if the owner has gone.
    #[must_use]
    pub fn wait(&self) -> Option<J> {
        loop {
            match self.poll() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                // An unpark between the look and this lets it return at once.
                Err(TryRecvError::Empty) => thread::park(),
            }
        }
    }

    /// The next job, if there is one.
    pub fn poll(&self) -> Result<J, TryRecvError> {
        self.0.try_recv()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_in_order_and_come_back() {
        let Ok(mut thread) = WorkerThread::start(64 * 1024, 4, |number: u32| number * 2) else { return };
        assert_eq!(thread.take_back(0), None);
        let mut back = Vec::new();
        for number in 0..100 {
            thread.hand_over(number);
            back.extend(thread.take_back(3));
        }
        while let Some(number) = thread.take_back(0) {
            back.push(number);
        }
        assert_eq!(back, (0..100).map(|number| 2 * number).collect::<Vec<_>>());
    }

    #[test]
    fn a_thread_that_is_ended_does_its_jobs_and_gives_its_state_back() {
        let add = |mut sum: u32, inbox: Inbox<u32>, outbox: Sender<u32>| {
            while let Some(number) = inbox.wait() {
                sum += number;
            }
            let _ = outbox.send(sum);
        };
        let Ok(mut thread) = WorkerThread::start_loop(64 * 1024, 2, 1, add) else { return };
        thread.give(10);
        thread.give(100);

        assert_eq!(thread.end(), Some(111));
        assert_eq!(thread.end(), None);
    }

    #[test]
    fn a_state_comes_back_if_no_thread_can_be_had() {
        // No address space is large enough for the stack.
        let refused = WorkerThread::<(), ()>::start_loop(usize::MAX / 4, 1, "state", |_, _, _| {});

        assert_eq!(refused.map_err(|(state, _)| state).err(), Some("state"));
    }
}
