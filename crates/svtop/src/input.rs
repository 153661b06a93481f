//! A thread that waits for keys.

use std::sync::mpsc::SyncSender;
use std::thread;

use logyard::cli::Exit;
use logyard::sys::process::pidfd;
use logyard::sys::signal::{self, Signal};
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};

use crate::event::Event;

/// Reads keys from now on.
pub(crate) fn start(events: SyncSender<Event>) {
    thread::spawn(move || {
        loop {
            let event = match event::read() {
                Ok(event::Event::Key(key)) if key.kind == KeyEventKind::Release => continue,
                Ok(event::Event::Key(key))
                    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) =>
                {
                    // As without raw mode. It ends the program even if the loop waits for a disk.
                    let _ = signal::send(pidfd::own(), Signal::SIGINT);
                    continue;
                }
                Ok(event::Event::Key(key)) => Event::Key(key),
                Ok(event::Event::Resize(..)) => Event::Resized,
                Ok(_) => continue,
                Err(_) => Event::Exit(Exit::TROUBLE),
            };
            let is_end = matches!(event, Event::Exit(_));
            if events.send(event).is_err() || is_end {
                return;
            }
        }
    });
}
