//! Standard error of a program that must go on, whether or not anybody reads what it prints.
//!
//! Most programs wait for the reader of their standard error, as programs do. One that keeps others running calls
//! [`never_block`] first. From then on nothing here waits for long:
//!
//! - A reader that is slower than the program is waited for, within a bound: one that takes 100 kB per second
//!   gets everything.
//! - When the bound is used up, what does not fit is dropped and counted, and nobody waits again until there is room.
//! - When there is room again, one warning says what was dropped; then printing goes on. In a program that has threads one
//!   waits for that moment, so that an idle program says it too and is not woken in vain; in others it is looked for with
//!   the next message.
//! - Once TERM has come, all waits together last no longer than a tenth of a second.
//!
//! Standard error itself stays as it is: other processes share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Program, message};
use crate::sys::prompt::{ATOMIC_BYTES, Prompt};
use crate::sys::signal::{self, Signal};
use crate::sys::{self, Errno};

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
/// Between two attempts of the thread, where there is room and yet the warning does not fit.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// Little is needed: a warning is put together and written.
const STACK_BYTES: usize = 128 * 1024;

/// What prints without blocking; `None` in a program that may wait.
static OUTLET: Mutex<Option<Outlet>> = Mutex::new(None);
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

/// From now on this program, `program`, never blocks on standard error. SIGPIPE is ignored: a reader that is gone is an
/// error of the write.
pub fn never_block(program: Program, threads: Threads) {
    // If it cannot be ignored, a reader that goes away ends the program.
    let _ = signal::ignore(Signal::SIGPIPE);
    *outlet() = Some(Outlet::new(program, Prompt::new(sys::fd::stderr()), threads));
    message::print_by(print_message);
}

/// TERM has been taken: nobody waits for a slow reader any more.
pub fn shorten_waits() {
    IS_EXITING.store(true, Ordering::Release);
}

/// Prints one message.
fn print_message(message: &[u8]) {
    print(message, Kind::Message);
}

/// Prints lines that were asked for with `e`.
pub fn print_alerts(alerts: &[u8]) {
    print(alerts, Kind::Alert);
}

/// Says what was dropped, if anything was and there is room now.
pub fn report_dropped() {
    if let Some(outlet) = &mut *outlet() {
        outlet.report();
    }
}

fn print(text: &[u8], kind: Kind) {
    let mut outlet = outlet();
    match &mut *outlet {
        Some(outlet) => {
            outlet.print(text, kind);
            outlet.watch_for_room();
        }
        None => {
            drop(outlet);
            // Nobody is left to be told when standard error is gone.
            let _ = sys::fd::write_all(sys::fd::stderr(), text);
        }
    }
}

fn outlet() -> MutexGuard<'static, Option<Outlet>> {
    OUTLET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One text, however many lines it has.
    Message,
    /// Lines, each of which counts.
    Alert,
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
        let is_exiting = IS_EXITING.load(Ordering::Acquire) || signal::is_waiting(Signal::SIGTERM);
        if is_exiting { self.left.min(self.left_after_term) } else { self.left }
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
        if IS_EXITING.load(Ordering::Acquire) || signal::is_waiting(Signal::SIGTERM) {
            self.left_after_term = self.left_after_term.saturating_sub(time);
        }
    }
}

/// What could not be printed.
#[derive(Debug, Default)]
struct Dropped {
    messages: u64,
    alerts: u64,
}

impl Dropped {
    fn is_nothing(&self) -> bool {
        self.messages == 0 && self.alerts == 0
    }

    fn add(&mut self, rest: &[u8], kind: Kind) {
        match kind {
            Kind::Message => self.messages += 1,
            Kind::Alert => self.alerts += memchr::memchr_iter(b'\n', rest).count() as u64,
        }
    }

    fn warning(&self, program: Program) -> String {
        let count = |number: u64, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let parts = [count(self.alerts, "alert"), count(self.messages, "message")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{}: warning: standard error was full: {} dropped\n", program.0, parts.join(" and "))
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

/// Standard error, written to without blocking.
#[derive(Debug)]
struct Outlet {
    program: Program,
    sink: Prompt,
    patience: Patience,
    /// Nothing is waited for while anything is here.
    dropped: Dropped,
    /// What was printed last lacks its end.
    is_torn: bool,
    threads: Threads,
    /// A thread waits until there is room.
    is_watched: bool,
}

impl Outlet {
    fn new(program: Program, sink: Prompt, threads: Threads) -> Outlet {
        let (patience, dropped) = (Patience::new(), Dropped::default());
        Outlet { program, sink, patience, dropped, is_torn: false, threads, is_watched: false }
    }

    /// Prints a text, or counts what of it is dropped.
    fn print(&mut self, text: &[u8], kind: Kind) {
        if !self.report() {
            self.dropped.add(text, kind);
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let end = match kind {
                Kind::Message => rest.len(),
                // Whole lines together, as far as they stay in one piece beside other writers' lines.
                Kind::Alert => {
                    let piece = &rest[..rest.len().min(ATOMIC_BYTES)];
                    memchr::memrchr(b'\n', piece).map_or(piece.len(), |newline| newline + 1)
                }
            };
            match self.write(&rest[..end], true) {
                Printed::All => rest = &rest[end..],
                Printed::Some(count) => {
                    rest = &rest[count..];
                    self.is_torn = count > 0 && text[text.len() - rest.len() - 1] != b'\n';
                    self.dropped.add(rest, kind);
                    return;
                }
                Printed::Gone => return,
            }
        }
    }

    /// Says what was dropped, if anything was and there is room; false if there is none.
    fn report(&mut self) -> bool {
        if self.dropped.is_nothing() {
            return true;
        }
        let mut warning = self.dropped.warning(self.program);
        if self.is_torn {
            warning.insert(0, '\n');
        }
        match self.write(warning.as_bytes(), false) {
            Printed::Some(count) => {
                self.is_torn |= count > 1;
                false
            }
            Printed::All | Printed::Gone => {
                self.dropped = Dropped::default();
                self.is_torn = false;
                true
            }
        }
    }

    /// Writes bytes, waiting for a slow reader if that `may_wait`.
    fn write(&mut self, bytes: &[u8], may_wait: bool) -> Printed {
        let mut written = 0;
        while written < bytes.len() {
            match self.sink.write(&bytes[written..]) {
                Ok(0) => return Printed::Gone,
                Ok(count) => {
                    written += count;
                    self.patience.note_taken(count);
                }
                Err(Errno::EAGAIN) if may_wait && self.wait() => {}
                // A file on a disk that is full may have room later.
                Err(Errno::EAGAIN | Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => return Printed::Some(written),
                Err(_) => return Printed::Gone,
            }
        }
        Printed::All
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

    /// Has a thread wait for room, if anything was dropped.
    fn watch_for_room(&mut self) {
        // A thread that does not block TERM would be ended by it, and the program with it.
        let is_wanted = !self.dropped.is_nothing() && self.sink.can_wait() && signal::is_collected(Signal::SIGTERM);
        if !is_wanted || self.is_watched || self.threads == Threads::None {
            return;
        }
        // Where no thread can be had, the next message says what was dropped.
        self.is_watched = thread::Builder::new().stack_size(STACK_BYTES).spawn(watch).is_ok();
    }
}

/// Waits until there is room, and says what was dropped.
fn watch() {
    loop {
        let _ = sys::poll::writable(sys::fd::stderr(), None);
        if let Some(outlet) = &mut *outlet()
            && outlet.report()
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
        (Outlet::new(PROGRAM, Prompt::new(writer.as_fd()), Threads::None), reader)
    }

    fn read(reader: &mut UnixStream) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = reader.read_to_end(&mut all);
        all
    }

    #[test]
    fn a_text_that_was_cut_is_ended_before_the_next() {
        let (mut outlet, mut reader) = outlet_and_reader();

        outlet.print(&[b'x'; 4_000_000], Kind::Message);
        outlet.print(b"two\nthree\n", Kind::Alert);
        let cut = read(&mut reader);
        outlet.print(b"four\n", Kind::Alert);

        assert!(cut.len() > 1 && cut.iter().all(|&byte| byte == b'x'));
        let warning = "\nprogram: warning: standard error was full: 2 alerts and 1 message dropped\nfour\n";
        assert_eq!(String::from_utf8(read(&mut reader)).unwrap(), warning);
    }

    #[test]
    fn nobody_waits_again_until_there_is_room() {
        let (mut outlet, mut reader) = outlet_and_reader();
        outlet.print(&[b'x'; 4_000_000], Kind::Message);

        let start = Instant::now();
        (0..1000).for_each(|_| outlet.print(b"no room\n", Kind::Alert));

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

        outlet.print(b"one\n", Kind::Alert);

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
