//! The input: a pipe that outlives its readers.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faults::{Calls, lock};
use crate::lines::reader::{Source, Taken};
use crate::multilog::input::{Input, Wake};
use crate::multilog::journal::record::Origin;
use crate::sys::Result;
use crate::sys::stat::FileId;

/// A pipe to which nobody writes any more, with what was written.
#[derive(Clone, Debug)]
pub(super) struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    pub(super) fn new(bytes: &[u8]) -> Pipe {
        Pipe(Arc::new(Mutex::new(bytes.to_vec())))
    }

    /// Somebody writes more.
    pub(super) fn write(&self, bytes: &[u8]) {
        lock(&self.0).extend(bytes);
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        lock(&self.0).clone()
    }
}

/// A process's look into the pipe.
#[derive(Debug)]
pub(super) struct PipeInput {
    pub(super) pipe: Pipe,
    pub(super) calls: Calls,
    /// What one look shows at most.
    pub(super) look_bytes: usize,
    pub(super) ahead_bytes: usize,
    /// Which run of the machine this is.
    pub(super) boot: u128,
    /// TERM comes with the first pause.
    pub(super) terms_at_pause: bool,
}

impl Source for PipeInput {
    fn take(&mut self, held: &[u8], room: &mut [u8]) -> Result<Option<Taken>> {
        self.ahead_bytes = held.len();
        // A look that fails is the input's error, which has tests of its own.
        let _ = self.calls.call();
        let pipe = lock(&self.pipe.0);
        let new = pipe.len().saturating_sub(self.ahead_bytes).min(room.len()).min(self.look_bytes);
        if new == 0 {
            drop(pipe);
            self.calls.idle();
            return Ok(Some(Taken::End));
        }
        room[..new].copy_from_slice(&pipe[self.ahead_bytes..][..new]);
        self.ahead_bytes += new;
        Ok(Some(Taken::Bytes(new)))
    }

    fn consume(&mut self, logged: &[u8], last: &mut [u8]) -> Result<bool> {
        let _ = self.calls.call();
        // The kernel does both in one call.
        let mut pipe = lock(&self.pipe.0);
        last[0] = pipe[logged.len() - 1];
        assert_eq!(&pipe[..logged.len()], logged);
        pipe.drain(..logged.len());
        self.ahead_bytes -= logged.len();
        Ok(true)
    }

    fn piece_bytes(&self) -> usize {
        self.look_bytes * 4
    }
}

impl Input for PipeInput {
    fn wait(&mut self, _timeout: Option<Duration>) -> Result<Wake> {
        Ok(Wake::Input)
    }

    fn rest(&mut self, _time: Duration) -> bool {
        self.calls.pause();
        !self.terms_at_pause
    }

    fn wait_for(&mut self, _other: BorrowedFd<'_>) -> Result<bool> {
        Ok(true)
    }

    fn keeps_rest(&self) -> bool {
        true
    }

    fn removed<'r>(&'r self, _unwritten: &'r [u8]) -> &'r [u8] {
        &[]
    }

    fn put_back(&mut self, _bytes: usize) -> bool {
        false
    }

    fn origin(&self) -> Option<Origin> {
        Some(Origin { pipe: FileId::new(0, Arc::as_ptr(&self.pipe.0) as u64), boot: self.boot })
    }

    fn peek_again(&mut self, bytes: usize) -> Result<Vec<u8>> {
        let pipe = lock(&self.pipe.0);
        let shown = pipe[..bytes.min(pipe.len())].to_vec();
        self.ahead_bytes = shown.len();
        Ok(shown)
    }

    fn look_anew(&mut self) {
        self.ahead_bytes = 0;
    }
}
