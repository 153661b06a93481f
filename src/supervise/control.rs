//! The bytes that `svc` writes to `supervise/control`, and what each asks for.

use crate::sys::signal::Signal;

/// What a supervisor is asked to do, one byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `u`: keep the service up.
    Up,
    /// `d`: stop the service and keep it down.
    Down,
    /// `o`: start it if it is down, and do not start it again.
    Once,
    /// `x`: exit as soon as the service is down.
    Exit,
    /// `p`: pause it.
    Pause,
    /// `c`: continue it.
    Continue,
    /// `h a i t k`, and `q 1 2 w`, which 0.76 does not have: send a signal, and nothing more.
    Send(Signal),
    /// `e`: execute the program of the supervisor anew.
    Execute,
    /// `l`, which svscan writes and `svc` cannot: standard output is the log pipe from now on.
    Join,
}

/// Each byte and what it asks for.
const MEANINGS: [(u8, Control); 17] = [
    (b'u', Control::Up),
    (b'd', Control::Down),
    (b'o', Control::Once),
    (b'x', Control::Exit),
    (b'p', Control::Pause),
    (b'c', Control::Continue),
    (b'h', Control::Send(Signal::SIGHUP)),
    (b'a', Control::Send(Signal::SIGALRM)),
    (b'i', Control::Send(Signal::SIGINT)),
    (b't', Control::Send(Signal::SIGTERM)),
    (b'k', Control::Send(Signal::SIGKILL)),
    (b'q', Control::Send(Signal::SIGQUIT)),
    (b'1', Control::Send(Signal::SIGUSR1)),
    (b'2', Control::Send(Signal::SIGUSR2)),
    (b'w', Control::Send(Signal::SIGWINCH)),
    (b'e', Control::Execute),
    (b'l', Control::Join),
];

impl Control {
    /// What a byte asks for; `None`: nothing, it is ignored.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Control> {
        MEANINGS.iter().find(|(known, _)| *known == byte).map(|(_, control)| *control)
    }

    /// The byte of this command; `None` for a signal without a letter.
    #[must_use]
    pub fn to_byte(self) -> Option<u8> {
        MEANINGS.iter().find(|(_, control)| *control == self).map(|(byte, _)| *byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_every_meaning_is_listed_once() {
        for (byte, control) in MEANINGS {
            assert_eq!(Control::from_byte(byte), Some(control));
            assert_eq!(control.to_byte(), Some(byte));
        }
    }

    #[test]
    fn unknown_bytes_ask_for_nothing() {
        for byte in [b'U', b'z', b'\n', 0, 255] {
            assert_eq!(Control::from_byte(byte), None);
        }
    }
}
