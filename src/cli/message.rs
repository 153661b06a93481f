//! Messages: `program: class: text`, on standard error, one write each.
//!
//! A program that keeps a log must not die of a closed standard error, so a message that cannot be written is dropped.

use std::fmt::{self, Display, Write};
use std::sync::OnceLock;

use crate::cli::Exit;
use crate::sys::fd;

/// What prints messages in a program that must not wait for their reader. Programs that may wait are smaller without it.
static PRINTER: OnceLock<fn(&[u8])> = OnceLock::new();

/// The program that speaks.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

impl Program {
    /// Prints a warning: `multilog: warning: …`.
    pub fn warn(self, text: impl Display) {
        say(format_args!("{}: warning: {text}\n", self.0));
    }

    /// Prints what the program did: `logship: …`.
    pub fn say(self, text: impl Display) {
        say(format_args!("{}: {text}\n", self.0));
    }

    /// Prints why the program cannot go on, and returns the code to exit with: `multilog: fatal: …`, exit 111.
    #[must_use]
    pub fn fatal(self, text: impl Display) -> Exit {
        say(format_args!("{}: fatal: {text}\n", self.0));
        Exit::TROUBLE
    }

    /// Prints how the program is called, and returns the code to exit with: `svok: usage: svok dir`, exit 100.
    #[must_use]
    pub fn usage(self, synopsis: impl Display) -> Exit {
        say(format_args!("{}: usage: {synopsis}\n", self.0));
        Exit::USAGE
    }
}

/// Where a part of a program sends its messages. The program creates it and decides what happens to them; the parts do not print.
#[derive(Clone, Copy, Debug)]
pub struct Messages(Option<Program>);

impl Messages {
    /// Messages are dropped. For tests and benchmarks.
    pub const DROPPED: Messages = Messages(None);

    /// Messages are printed as those of a program.
    #[must_use]
    pub fn of(program: Program) -> Messages {
        Messages(Some(program))
    }

    /// Sends a warning.
    pub fn warn(self, text: impl Display) {
        if let Some(program) = self.0 {
            program.warn(text);
        }
    }

    /// Sends a text that is no warning.
    pub fn say(self, text: impl Display) {
        if let Some(Program(name)) = self.0 {
            say(format_args!("{name}: {text}\n"));
        }
    }

    /// Sends the reason why the program cannot continue, and returns the code to exit with.
    #[must_use]
    pub fn fatal(self, text: impl Display) -> Exit {
        self.0.map_or(Exit::TROUBLE, |program| program.fatal(text))
    }
}

/// Writes a finished text to standard error in one call.
pub fn say(text: fmt::Arguments<'_>) {
    let message = text.to_string();
    match PRINTER.get() {
        Some(print) => print(message.as_bytes()),
        // Nobody is left to be told when standard error is gone.
        None => drop(fd::write_all(fd::stderr(), message.as_bytes())),
    }
}

/// From now on messages go to `printer`.
pub(super) fn print_by(printer: fn(&[u8])) {
    // The first one stays.
    let _ = PRINTER.set(printer);
}

/// Shows bytes that came from outside: control characters and what is not UTF-8 appear as `\xNN`.
///
/// Names are the administrator's, or an attacker's: a message must not carry an escape sequence to a terminal.
///
/// ```
/// # use logyard::cli::Shown;
/// assert_eq!(Shown(b"./main").to_string(), "./main");
/// assert_eq!(Shown(b"a\x1b[1m\xff").to_string(), "a\\x1b[1m\\xff");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    let mut utf8 = [0; 4];
                    show_bytes(out, character.encode_utf8(&mut utf8).as_bytes())?;
                } else {
                    out.write_char(character)?;
                }
            }
            show_bytes(out, chunk.invalid())?;
        }
        Ok(())
    }
}

fn show_bytes(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))
}
