//! Work aside: a thread that does one thing after the other while its owner goes on.
//!
//! What is handed over is owned by the thread until it is taken back; jobs are done and taken back in order. Nobody depends on the thread:
//! where none can be had (old run scripts allow little memory), or where there is one processor alone, the owner does the
//! work itself.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Little is needed: jobs are system calls.
const STACK_BYTES: usize = 64 * 1024;

/// A thread, with jobs going to it and coming back.
#[derive(Debug)]
pub struct BackgroundWriter<J> {
    jobs: Sender<J>,
    done: Receiver<J>,
    /// The jobs that have not been taken back.
    under_way: usize,
}

impl<J: Send + 'static> BackgroundWriter<J> {
    /// Starts a thread; `None` if there is no use in it, or none can be had.
    pub fn start(mut work: impl FnMut(&mut J) + Send + 'static) -> Option<BackgroundWriter<J>> {
        if thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
            return None;
        }
        let (jobs, inbox) = channel::<J>();
        let (outbox, done) = channel();
        let run = move || {
            while let Ok(mut job) = inbox.recv() {
                work(&mut job);
                if outbox.send(job).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().stack_size(STACK_BYTES).spawn(run).ok()?;
        Some(BackgroundWriter { jobs, done, under_way: 0 })
    }

    /// Hands over a job.
    pub fn hand_over(&mut self, job: J) {
        self.jobs.send(job).expect("the thread lives as long as its owner");
        self.under_way += 1;
    }

    /// Waits until at most `most` jobs are under way. Takes back the first that is done; `None` if none is.
    pub fn take_back(&mut self, most: usize) -> Option<J> {
        let job = if self.under_way > most { self.done.recv().ok() } else { self.done.try_recv().ok() };
        self.under_way -= usize::from(job.is_some());
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_in_order_and_come_back() {
        let Some(mut aside) = BackgroundWriter::start(|number: &mut u32| *number *= 2) else { return };
        assert_eq!(aside.take_back(0), None);
        let mut back = Vec::new();
        for number in 0..100 {
            aside.hand_over(number);
            back.extend(aside.take_back(3));
        }
        while let Some(number) = aside.take_back(0) {
            back.push(number);
        }
        assert_eq!(back, (0..100).map(|number| 2 * number).collect::<Vec<_>>());
    }
}
