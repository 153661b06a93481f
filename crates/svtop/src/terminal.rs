//! The terminal: taken when svtop begins to draw, restored however it ends.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logyard::sys::{Errno, fd, poll};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{Command, queue};
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal as Drawing};

/// Whether the terminal is in our hands.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// How long a terminal may take to accept the bytes that restore it.
const PATIENCE: Duration = Duration::from_millis(200);

/// The terminal while svtop draws.
#[derive(Debug)]
pub(crate) struct Terminal(Drawing<CrosstermBackend<Output>>);

impl Terminal {
    /// Takes the terminal.
    pub(crate) fn take() -> io::Result<Terminal> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
            // Another thread must not go on without its terminal.
            std::process::exit(101);
        }));
        enter()?;
        let drawing = Drawing::new(CrosstermBackend::new(Output::default()));
        drawing.map(Terminal).inspect_err(|_| restore())
    }

    /// Draws what differs from the last drawing.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }

    /// Takes the terminal again after other programs had it, and draws everything at the next time.
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        // What was kept as the former mode may have changed.
        let _ = disable_raw_mode();
        enter()?;
        // Clearing would ask the terminal for the cursor, and read keys in the place of the thread that does.
        let size = self.0.size()?;
        self.0.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Restores the terminal.
    pub(crate) fn give_back(self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    IS_TAKEN.store(true, Ordering::SeqCst);
    let mut output = Output::default();
    queue!(output, EnterAlternateScreen, Hide)?;
    output.flush().inspect_err(|_| restore())
}

/// Restores the terminal, if it was taken. It waits a moment at most for a terminal that takes no bytes.
pub(crate) fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _ = LeaveAlternateScreen.write_ansi(&mut text).and_then(|()| Show.write_ansi(&mut text));
    if poll::writable(fd::stdout(), Some(PATIENCE)) == Ok(true) {
        let _ = fd::write(fd::stdout(), text.as_bytes());
    }
    let _ = disable_raw_mode();
}

/// Standard output. A drawing is written in one piece.
#[derive(Debug, Default)]
struct Output(Vec<u8>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.0);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match fd::write(fd::stdout(), rest) {
                Ok(length) => rest = &rest[length..],
                // Another program made it so that writing does not wait.
                Err(Errno::EAGAIN) => drop(poll::writable(fd::stdout(), None)?),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}
