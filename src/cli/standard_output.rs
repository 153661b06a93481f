//! Standard output of a program that copies lines to it and must go on, whether or not anybody reads them.
//!
//! The rules are those of [`standard_error`](crate::cli::standard_error), with two differences:
//!
//! - Lines that are dropped because nobody can read, as after the end of the reader, are counted too. The first such failure is
//!   reported on standard error.
//! - If the program asks for it, a slow reader is waited for until TERM comes, and nothing is dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::outlet::{Kind, Outlet, Slot, Threads, Waiting};
use crate::cli::{Messages, Program, cause};
use crate::sys::fd;
use crate::sys::prompt::{ATOMIC_BYTES, Prompt};

/// What prints lines; empty in a program that prints none.
static OUTLET: Slot = Slot::new();

/// A slow reader is waited for until TERM.
static WAITS: AtomicBool = AtomicBool::new(false);

/// The name in messages.
const NAME: &str = "standard output";

/// From now on this program prints lines, as before if it has been, and waits for a slow reader if it `waits`. SIGPIPE must be ignored.
pub fn open(program: Program, waits: bool) {
    WAITS.store(waits, Ordering::Release);
    OUTLET.lock().get_or_insert_with(|| Outlet::new(program, NAME, Prompt::new(fd::stdout()), Threads::Allowed));
}

/// Prints lines, in pieces that stay whole beside other writers' lines if they are not longer than a pipe allows. Returns how
/// many bytes are done: printed, or dropped and counted. These are fewer than all only if a slow reader is waited for and TERM
/// has come.
pub fn print(lines: &[u8], messages: Messages) -> usize {
    if lines.is_empty() {
        return 0;
    }
    let mut slot = OUTLET.lock();
    let Some(outlet) = &mut *slot else { return lines.len() };
    let had_failed = outlet.failure().is_some();
    let waiting = if WAITS.load(Ordering::Acquire) { Waiting::UntilTerm } else { Waiting::Bounded };
    let done = outlet.print(lines, Kind::Line, waiting);
    outlet.watch_for_room(&OUTLET);
    let failure = outlet.failure().filter(|_| !had_failed);
    drop(slot);
    if let Some(errno) = failure {
        messages.warn(format_args!("unable to write to {NAME}, dropping lines: {}", cause(errno)));
    }
    done
}

/// The same for lines that a killed process may have printed in part.
pub fn print_again(lines: &[u8], messages: Messages) -> usize {
    if lines.split_inclusive(|&byte| byte == b'\n').any(|line| line.len() > ATOMIC_BYTES) {
        // It may have been killed within this line, which is printed in pieces.
        print(b"\n", messages);
    }
    print(lines, messages)
}

/// Drops lines, and counts them.
pub fn drop_lines(lines: &[u8]) {
    if let Some(outlet) = &mut *OUTLET.lock() {
        outlet.count_dropped(lines, Kind::Line);
    }
}

/// Says what was dropped, if anything was: there if there is room now, and otherwise on standard error.
pub fn report_dropped(messages: Messages) {
    let unsaid = OUTLET.lock().as_mut().and_then(|outlet| (!outlet.report()).then(|| outlet.unsaid()).flatten());
    if let Some(text) = unsaid {
        messages.warn(text);
    }
}
