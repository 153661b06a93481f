//! What the threads that wait have to say.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use logyard::cli::Exit;
use ratatui::crossterm::event::KeyEvent;

/// More events than these wait in their threads.
const WAITING_MAX: usize = 256;

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// The process was stopped and continued: the terminal may have other settings.
    Continued,
    /// The program is to exit.
    Exit(Exit),
    /// Lines of the log that is followed. The number says which one it is, of all that were followed.
    Lines(u64, Vec<Vec<u8>>),
    /// The log is followed no longer.
    LinesEnded(u64),
}

/// The way from the threads to the loop.
pub(crate) fn queue() -> (SyncSender<Event>, Receiver<Event>) {
    sync_channel(WAITING_MAX)
}
