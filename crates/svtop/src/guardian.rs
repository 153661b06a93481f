//! A thread that waits for signals, and for the end of the terminal.
//!
//! It tells the loop to exit. If the loop does not, because it waits for a disk or for a terminal that does not take what is
//! drawn, the thread restores the terminal and exits by itself.

use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use logyard::cli::Exit;
use logyard::sys::signal::{Signal, SignalQueue};
use logyard::sys::{Errno, fd, poll};
use std::os::fd::AsFd;

use crate::event::Event;
use crate::terminal;

/// How long the loop may take to exit.
const PATIENCE: Duration = Duration::from_millis(500);

/// The signals that are waited for.
const SIGNALS: [Signal; 5] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCONT];

/// Starts the thread. No other thread may have been started before: these signals are for this one.
pub(crate) fn start(events: SyncSender<Event>) -> Result<(), Errno> {
    let mut signals = SignalQueue::new(&SIGNALS)?;
    let errno = |error: io::Error| error.raw_os_error().map_or(Errno::EAGAIN, Errno::from_raw);
    let thread = thread::Builder::new().spawn(move || {
        let code = loop {
            let Ok([_, is_hung_up]) = poll::readable_or_hung_up(signals.as_fd(), fd::stdin()) else { continue };
            match signals.take() {
                // If the loop has much to do, it draws again anyway.
                Some(Signal::SIGCONT) => drop(events.try_send(Event::Continued)),
                Some(signal) => break 128 + signal as i32,
                None if is_hung_up => break 128 + Signal::SIGHUP as i32,
                None => {}
            }
        };
        let _ = events.try_send(Event::Exit(Exit(code)));
        thread::sleep(PATIENCE);
        terminal::restore();
        std::process::exit(code);
    });
    thread.map(drop).map_err(errno)
}
