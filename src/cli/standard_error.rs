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

use crate::cli::outlet::{Kind, Outlet, Slot, Waiting};
use crate::cli::{Program, message};
use crate::sys;
use crate::sys::prompt::Prompt;
use crate::sys::signal::{self, Signal};

pub use crate::cli::outlet::{Threads, shorten_waits};

/// What prints without blocking; empty in a program that may wait.
static OUTLET: Slot = Slot::new();

/// From now on this program, `program`, never blocks on standard error. SIGPIPE is ignored: a reader that is gone is an
/// error of the write.
pub fn never_block(program: Program, threads: Threads) {
    // If it cannot be ignored, a reader that goes away ends the program.
    let _ = signal::ignore(Signal::SIGPIPE);
    *OUTLET.lock() = Some(Outlet::new(program, "standard error", Prompt::new(sys::fd::stderr()), threads));
    message::print_by(print_message);
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
    if let Some(outlet) = &mut *OUTLET.lock() {
        outlet.report();
    }
}

fn print(text: &[u8], kind: Kind) {
    let mut outlet = OUTLET.lock();
    match &mut *outlet {
        Some(outlet) => {
            outlet.print(text, kind, Waiting::Bounded);
            outlet.watch_for_room(&OUTLET);
        }
        None => {
            drop(outlet);
            // Nobody is left to be told when standard error is gone.
            let _ = sys::fd::write_all(sys::fd::stderr(), text);
        }
    }
}
