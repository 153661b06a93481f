//! Standard output, which is the log pipe: waits while it is full.

use std::os::fd::AsFd;
use std::time::Duration;

use logyard::sys::signal::SignalQueue;
use logyard::sys::{Errno, clock, fd, poll, socket};

use crate::ring::{Record, Ring};

/// Between two looks where nothing tells of a change.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// How long the output may be blocked after TERM, if nobody keeps what is not written.
const GRACE: Duration = Duration::from_secs(1);

/// Why nothing more is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process was asked to end.
    Asked,
    /// Standard output cannot be written.
    Failed(Errno),
}

/// What is written to, with everything that is watched while it is full.
#[derive(Debug)]
pub struct Output {
    /// TERM.
    signals: SignalQueue,
    /// The supervisor keeps the memory and the sockets.
    is_kept: bool,
    discards_after: Option<Duration>,
    /// When the process has to end.
    leaves_at: Option<Duration>,
    /// Since when the output is blocked.
    blocked_since: Option<Duration>,
}

impl Output {
    /// Writes to standard output from now on.
    #[must_use]
    pub fn new(signals: SignalQueue, is_kept: bool, discards_after: Option<Duration>) -> Output {
        Output { signals, is_kept, discards_after, leaves_at: None, blocked_since: None }
    }

    /// What can be read when TERM has come.
    #[must_use]
    pub fn signals(&self) -> std::os::fd::BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// Takes TERM if it has come.
    pub fn take_signals(&mut self) {
        while self.signals.take().is_some() {
            self.leaves_at.get_or_insert(clock::uptime() + GRACE);
        }
    }

    /// Tells whether TERM has come.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.leaves_at.is_some()
    }

    /// Tells whether what is in the sockets is lost when the process ends.
    #[must_use]
    pub fn must_empty_sockets(&self) -> bool {
        !self.is_kept && self.leaves_at.is_some_and(|moment| clock::uptime() < moment)
    }

    /// Writes lines, and notes in the same step what `change` says. Waits while the output is full; meanwhile what
    /// arrives in `sockets` may be discarded.
    pub fn put(
        &mut self,
        ring: &mut Ring,
        sockets: &[impl AsFd],
        lines: &[u8],
        change: impl FnOnce(&mut Record),
    ) -> Result<(), Stop> {
        self.flush(ring, sockets)?;
        while !ring.make_room(lines.len(), fd::stdout()) {
            self.wait(ring, sockets, false)?;
        }
        ring.commit(lines, change);
        self.flush(ring, sockets)
    }

    /// Writes what is in the memory.
    pub fn flush(&mut self, ring: &mut Ring, sockets: &[impl AsFd]) -> Result<(), Stop> {
        while ring.unsent() > 0 {
            match ring.send(fd::stdout()) {
                Ok(()) => self.blocked_since = None,
                Err(Errno::EAGAIN) => self.wait(ring, sockets, true)?,
                Err(errno) => return Err(Stop::Failed(errno)),
            }
        }
        Ok(())
    }

    fn wait(&mut self, ring: &mut Ring, sockets: &[impl AsFd], tells_of_room: bool) -> Result<(), Stop> {
        let now = clock::uptime();
        let since = *self.blocked_since.get_or_insert(now);
        let discards_at = self.discards_after.map(|time| since + time);
        let discards = discards_at.is_some_and(|moment| moment <= now);
        if discards {
            for socket in sockets {
                while socket::drop_one(socket).is_ok() {
                    ring.count_discarded();
                }
            }
        }
        let timeouts = [
            discards_at.map(|moment| moment.saturating_sub(now).max(BETWEEN_LOOKS)),
            self.leaves_at.map(|moment| moment.saturating_sub(now)),
            (!tells_of_room).then_some(BETWEEN_LOOKS),
        ];
        let timeout = timeouts.into_iter().flatten().min();
        let signals = self.signals.as_fd();
        let waited = match tells_of_room {
            true => poll::writable_or_readable(fd::stdout(), signals, timeout).map(drop),
            false => poll::wait([signals], timeout).map(drop),
        };
        waited.map_err(Stop::Failed)?;
        self.take_signals();
        let is_over =
            self.is_ending() && (self.is_kept || self.leaves_at.is_some_and(|moment| moment <= clock::uptime()));
        if is_over { Err(Stop::Asked) } else { Ok(()) }
    }
}
