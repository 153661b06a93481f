//! `supervise/last-exit`: how `./run` last ended.

use std::fmt;

/// How `./run` last ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastExit {
    /// With this code.
    Exit(i32),
    /// Killed by this signal.
    Signal(i32),
    /// The system did not report it.
    Unknown,
}

impl LastExit {
    /// Reads the file's text.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<LastExit> {
        match std::str::from_utf8(text).ok()?.trim_end().split_once(' ') {
            Some(("exit", code)) => code.parse().ok().map(LastExit::Exit),
            Some(("signal", signal)) => signal.parse().ok().map(LastExit::Signal),
            Some(_) => None,
            None => (text.trim_ascii_end() == b"unknown").then_some(LastExit::Unknown),
        }
    }
}

impl fmt::Display for LastExit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LastExit::Exit(code) => write!(out, "exit {code}"),
            LastExit::Signal(signal) => write!(out, "signal {signal}"),
            LastExit::Unknown => out.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_exit_survives_its_text() {
        for exit in [LastExit::Exit(0), LastExit::Exit(255), LastExit::Signal(9), LastExit::Unknown] {
            assert_eq!(LastExit::parse(format!("{exit}\n").as_bytes()), Some(exit));
        }
        for text in ["", "exit", "exit x", "left 1", "unknown 1"] {
            assert_eq!(LastExit::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
