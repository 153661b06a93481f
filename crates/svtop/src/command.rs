//! The commands of svc, and how they reach a service.

use logyard::cli::cause;
use logyard::supervise::commands::{Error, Patience, send};
use logyard::sys::Errno;
use logyard::sys::dir::Dir;

/// A command that waits for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The name of the service.
    pub(crate) name: Vec<u8>,
    pub(crate) letter: u8,
    /// Whether it goes to the log service.
    pub(crate) is_for_log: bool,
}

/// The letters of svc and what they do, as the confirmation says. Each is also its key, but for QUIT, which is `Q`.
pub(crate) const MEANINGS: [(u8, &str); 15] = [
    (b'u', "start it, and keep it up"),
    (b'd', "stop it, and keep it down"),
    (b'o', "start it once"),
    (b'x', "let its supervise exit"),
    (b't', "send TERM, which restarts it"),
    (b'k', "send KILL"),
    (b'p', "pause it by STOP"),
    (b'c', "send CONT"),
    (b'h', "send HUP"),
    (b'a', "send ALRM"),
    (b'i', "send INT"),
    (b'q', "send QUIT"),
    (b'1', "send USR1"),
    (b'2', "send USR2"),
    (b'w', "send WINCH"),
];

/// The letter of svc that a key stands for.
pub(crate) fn letter_of(key: char) -> Option<u8> {
    let letter = match key {
        'Q' => b'q',
        // It quits svtop.
        'q' => return None,
        key => u8::try_from(key).ok()?,
    };
    MEANINGS.iter().any(|(known, _)| *known == letter).then_some(letter)
}

impl Command {
    /// What it does.
    pub(crate) fn meaning(&self) -> &'static str {
        MEANINGS.iter().find(|(letter, _)| *letter == self.letter).map_or("", |(_, meaning)| meaning)
    }

    /// Sends it to the supervisor of a service directory. The error is a sentence.
    pub(crate) fn send(&self, dir: Result<&Dir, Errno>) -> Result<(), String> {
        let dir = dir.map_err(|errno| format!("unable to chdir: {}", cause(errno)))?;
        send(dir, &[self.letter], Patience::GivesUp).map_err(|error| match error {
            Error::Write(errno) => format!("error writing commands: {}", cause(errno)),
            error => format!("unable to control it: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_letters_of_svc() {
        assert_eq!(letter_of('t'), Some(b't'));
        assert_eq!(letter_of('Q'), Some(b'q'));
        for key in ['q', 'f', 's', 'r', 'b', '/', 'T', 'ü', '\u{161}'] {
            assert_eq!(letter_of(key), None, "{key}");
        }
        for (letter, _) in MEANINGS {
            assert!(logyard::supervise::control::Control::from_byte(letter).is_some());
        }
    }
}
