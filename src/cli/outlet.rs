//! An outlet: a descriptor that is written to, whether or not anybody reads what is printed.
//!
//! [`standard_error`](crate::cli::standard_error) says what becomes of texts that nobody takes;
//! [`standard_output`](crate::cli::standard_output) is a second outlet, for lines.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::Program;
use crate::sys::prompt::{ATOMIC_BYTES, Prompt};
use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, poll, small_thread};

/// How long a reader may take nothing before what is printed is dropped.
const PATIENCE_MAX: Duration = Duration::from_millis(300);
/// What each byte that was taken adds to the patience: a reader that takes 100 kB per second never uses it up.
const PATIENCE_PER_BYTE: Duration = Duration::from_micros(10);
/// What part of the time adds to the patience, so that an early delay is not held against a reader for ever.
const PATIENCE_TIME_PART: u32 = 16;
/// How long a reader is waited for once TERM has come, in all.
const PATIENCE_AFTER_TERM: Duration = Duration::from_millis(100);
/// Less than this is no wait.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// How often it is asked, during a wait, whether TERM has come.
const LOOK_FOR_TERM: Duration = Duration::from_millis(20);
/// Between two attempts to write to a file on a full disk.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(100);
/// Between two attempts of the thread, where there is room and yet the warning does not fit.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// Little is needed: a warning is put together and written.
const STACK_BYTES: usize = 128 * 1024;

/// TERM has come: the program exits.
static IS_EXITING: AtomicBool = AtomicBool::new(false);

/// Whether a program may start a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// It has others, and expects them.
    Allowed,
    /// It copies itself, which needs it to have one only.
    None,
}

/// TERM has been taken: nobody waits for a slow reader any more.
pub fn shorten_waits() {
    IS_EXITING.store(true, Ordering::Release);
}

fn is_exiting() -> bool {
    IS_EXITING.load(Ordering::Acquire) || signal::is_waiting(Signal::SIGTERM)
}

/// Where an outlet is kept; `None` in a program that has none.
#[derive(Debug)]
pub(super) struct Slot(Mutex<Option<Outlet>>);

impl Slot {
    /// A slot without an outlet.
    pub(super) const fn new() -> Slot {
        Slot(Mutex::new(None))
    }

    /// The outlet, for this thread alone.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Outlet>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text, however many lines it has.
    Message,
    /// Lines, each of which counts.
    Alert,
    /// The same, with another name.
    Line,
}

/// Whether a slow reader is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    No,
    /// As long as there is patience.
    Bounded,
    /// As long as TERM does not come.
    UntilTerm,
}

/// How long a slow reader may still be waited for.
#[derive(Debug)]
struct Patience {
    left: Duration,
    left_after_term: Duration,
    counted_at: Instant,
}

impl Patience {
    fn new() -> Patience {
        Patience { left: PATIENCE_MAX, left_after_term: PATIENCE_AFTER_TERM, counted_at: Instant::now() }
    }

    fn left(&mut self) -> Duration {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.counted_at);
        self.counted_at = now;
        self.add(passed / PATIENCE_TIME_PART);
        if is_exiting() { self.left.min(self.left_after_term) } else { self.left }
    }

    fn add(&mut self, time: Duration) {
        self.left = (self.left + time).min(PATIENCE_MAX);
    }

    fn note_taken(&mut self, bytes: usize) {
        self.add(PATIENCE_PER_BYTE * u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    fn note_wait(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
        // Time that is spent waiting adds nothing.
        self.counted_at = Instant::now();
        if is_exiting() {
            self.left_after_term = self.left_after_term.saturating_sub(time);
        }
    }
}

/// What could not be printed.
#[derive(Debug, Default)]
struct Dropped {
    messages: u64,
    alerts: u64,
    lines: u64,
}

impl Dropped {
    fn is_nothing(&self) -> bool {
        self.messages == 0 && self.alerts == 0 && self.lines == 0
    }

    fn add(&mut self, rest: &[u8], kind: Kind) {
        let lines = || memchr::memchr_iter(b'\n', rest).count() as u64;
        match kind {
            Kind::Message => self.messages += 1,
            Kind::Alert => self.alerts += lines(),
            Kind::Line => self.lines += lines(),
        }
    }

    /// `standard error was full: 3 alerts dropped`.
    fn text(&self, outlet: &str) -> String {
        let count = |number: u64, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let parts = [count(self.lines, "line"), count(self.alerts, "alert"), count(self.messages, "message")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let or_closed = if self.lines > 0 { " or closed" } else { "" };
        format!("{outlet} was full{or_closed}: {} dropped", parts.join(" and "))
    }
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Printed {
    All,
    /// So many bytes; there is no room for the others.
    Some(usize),
    /// Nobody can read it any more.
    Gone,
}

/// A descriptor, written to without blocking.
#[derive(Debug)]
pub(super) struct Outlet {
    program: Program,
    /// `standard error`.
    name: &'static str,
    sink: Prompt,
    patience: Patience,
    /// Nothing is waited for while anything is here.
    dropped: Dropped,
    /// What was printed last lacks its end.
    is_torn: bool,
    /// Why nobody can read it.
    failure: Option<Errno>,
    threads: Threads,
    /// A thread waits until there is room.
    is_watched: bool,
}

impl Outlet {
    pub(super) fn new(program: Program, name: &'static str, sink: Prompt, threads: Threads) -> Outlet {
        let (patience, dropped) = (Patience::new(), Dropped::default());
        Outlet { program, name, sink, patience, dropped, is_torn: false, failure: None, threads, is_watched: false }
    }

    /// Prints a text, or counts what of it is dropped. Returns how much is done: less than all only if it waits until TERM.
    pub(super) fn print(&mut self, text: &[u8], kind: Kind, waiting: Waiting) -> usize {
        if !self.report() {
            self.dropped.add(text, kind);
            return text.len();
        }
        let mut rest = text;
        while !rest.is_empty() {
            let end = match kind {
                Kind::Message => rest.len(),
                // Whole lines together, as far as they stay in one piece beside other writers' lines.
                Kind::Alert | Kind::Line => {
                    let piece = &rest[..rest.len().min(ATOMIC_BYTES)];
                    memchr::memrchr(b'\n', piece).map_or(piece.len(), |newline| newline + 1)
                }
            };
            let printed = self.write(&rest[..end], waiting);
            match printed {
                Printed::All => rest = &rest[end..],
                Printed::Some(count) => {
                    rest = &rest[count..];
                    self.is_torn = count > 0 && text[text.len() - rest.len() - 1] != b'\n';
                    if waiting == Waiting::UntilTerm {
                        return text.len() - rest.len();
                    }
                    self.dropped.add(rest, kind);
                    break;
                }
                Printed::Gone => {
                    self.count_dropped(rest, kind);
                    break;
                }
            }
        }
        text.len()
    }

    /// Counts a text that is not printed. Nobody is told of lost messages where nobody can read.
    pub(super) fn count_dropped(&mut self, text: &[u8], kind: Kind) {
        if kind == Kind::Line {
            self.dropped.add(text, kind);
        }
    }

    /// Why nobody can read it.
    pub(super) fn failure(&self) -> Option<Errno> {
        self.failure
    }

    /// What was dropped and has not been said: `standard output was full: 3 lines dropped`.
    pub(super) fn unsaid(&self) -> Option<String> {
        (!self.dropped.is_nothing()).then(|| self.dropped.text(self.name))
    }

    /// Says what was dropped, if anything was and there is room; false if there is none.
    pub(super) fn report(&mut self) -> bool {
        if self.dropped.is_nothing() {
            return true;
        }
        let Program(program) = self.program;
        let mut warning = format!("{program}: warning: {}\n", self.dropped.text(self.name));
        if self.is_torn {
            warning.insert(0, '\n');
        }
        match self.write(warning.as_bytes(), Waiting::No) {
            Printed::Some(count) => {
                self.is_torn |= count > 1;
                false
            }
            // A reader may come later.
            Printed::Gone if self.dropped.lines > 0 => false,
            Printed::All | Printed::Gone => {
                self.dropped = Dropped::default();
                self.is_torn = false;
                true
            }
        }
    }

    /// Writes bytes.
    fn write(&mut self, bytes: &[u8], waiting: Waiting) -> Printed {
        let mut written = 0;
        while written < bytes.len() {
            match self.sink.write(&bytes[written..]) {
                Ok(0) => return self.gone(Errno::EIO),
                Ok(count) => {
                    written += count;
                    self.failure = None;
                    self.patience.note_taken(count);
                }
                Err(Errno::EAGAIN) if waiting == Waiting::Bounded && self.wait() => {}
                // A file on a disk that is full may have room later.
                Err(errno @ (Errno::EAGAIN | Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => {
                    if waiting != Waiting::UntilTerm || !self.wait_until_term(errno) {
                        return Printed::Some(written);
                    }
                }
                Err(errno) => return self.gone(errno),
            }
        }
        Printed::All
    }

    fn gone(&mut self, errno: Errno) -> Printed {
        self.failure = Some(errno);
        Printed::Gone
    }

    /// Waits until there is room; false if that takes too long.
    fn wait(&mut self) -> bool {
        loop {
            let left = self.patience.left();
            if left < WAIT_MIN {
                return false;
            }
            let start = Instant::now();
            let has_room = self.sink.wait(Some(left.min(LOOK_FOR_TERM))).unwrap_or(false);
            // Room that somebody else takes each time must not keep us here.
            self.patience.note_wait(start.elapsed().max(Duration::from_micros(10)));
            if has_room {
                return true;
            }
        }
    }

    /// Waits until there may be room, and after TERM no longer than others.
    fn wait_until_term(&mut self, errno: Errno) -> bool {
        while !is_exiting() {
            if errno != Errno::EAGAIN {
                thread::sleep(FULL_DISK_PAUSE);
                return true;
            }
            if self.sink.wait(Some(LOOK_FOR_TERM)).unwrap_or(true) {
                return true;
            }
        }
        errno == Errno::EAGAIN && self.wait()
    }

    /// Has a thread wait for room, if anything was dropped.
    pub(super) fn watch_for_room(&mut self, slot: &'static Slot) {
        // A thread that does not block TERM would be ended by it, and the program with it.
        let is_wanted = !self.dropped.is_nothing()
            && self.failure.is_none()
            && self.sink.can_wait()
            && signal::is_collected(Signal::SIGTERM);
        if !is_wanted || self.is_watched || self.threads == Threads::None {
            return;
        }
        // Where no thread can be had, the next message says what was dropped.
        let sink = self.sink.descriptor();
        let watching = move || watch(slot, sink);
        self.is_watched = small_thread::start(STACK_BYTES, Box::new(watching)).is_ok();
    }
}

/// Waits until there is room, and says what was dropped.
fn watch(slot: &'static Slot, sink: BorrowedFd<'static>) {
    loop {
        let _ = poll::writable(sink, None);
        if let Some(outlet) = &mut *slot.lock()
            && (outlet.report() || outlet.failure.is_some())
        {
            outlet.is_watched = false;
            return;
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    const PROGRAM: Program = Program("program");

    /// An outlet to a socket, and the socket's other end.
    fn outlet_and_reader() -> (Outlet, UnixStream) {
        let (reader, writer) = UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        // The outlet lasts as long as the process.
        let writer: &'static UnixStream = Box::leak(Box::new(writer));
        (Outlet::new(PROGRAM, "standard error", Prompt::new(writer.as_fd()), Threads::None), reader)
    }

    fn read(reader: &mut UnixStream) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = reader.read_to_end(&mut all);
        all
    }

    #[test]
    fn a_text_that_was_cut_is_ended_before_the_next() {
        let (mut outlet, mut reader) = outlet_and_reader();

        outlet.print(&[b'x'; 4_000_000], Kind::Message, Waiting::Bounded);
        outlet.print(b"two\nthree\n", Kind::Alert, Waiting::Bounded);
        let cut = read(&mut reader);
        outlet.print(b"four\n", Kind::Alert, Waiting::Bounded);

        assert!(cut.len() > 1 && cut.iter().all(|&byte| byte == b'x'));
        let warning = "\nprogram: warning: standard error was full: 2 alerts and 1 message dropped\nfour\n";
        assert_eq!(String::from_utf8(read(&mut reader)).unwrap(), warning);
    }

    #[test]
    fn nobody_waits_again_until_there_is_room() {
        let (mut outlet, mut reader) = outlet_and_reader();
        outlet.print(&[b'x'; 4_000_000], Kind::Message, Waiting::Bounded);

        let start = Instant::now();
        for _ in 0..1000 {
            outlet.print(b"no room\n", Kind::Alert, Waiting::Bounded);
        }

        assert!(start.elapsed() < PATIENCE_MAX * 100, "each of them waited");
        assert_eq!(outlet.dropped.alerts, 1000);
        read(&mut reader);
        assert!(outlet.report());
        assert!(outlet.dropped.is_nothing());
    }

    #[test]
    fn a_reader_that_is_gone_is_not_waited_for() {
        let (mut outlet, reader) = outlet_and_reader();
        drop(reader);

        outlet.print(b"one\n", Kind::Alert, Waiting::Bounded);

        assert!(outlet.dropped.is_nothing());
    }

    #[test]
    fn what_a_reader_takes_gives_it_time() {
        let mut patience = Patience::new();
        patience.note_wait(PATIENCE_MAX);
        assert!(patience.left() < WAIT_MIN);

        patience.note_taken(10_000);

        let left = patience.left();
        assert!((Duration::from_millis(100)..Duration::from_millis(200)).contains(&left), "{left:?}");
    }
}
