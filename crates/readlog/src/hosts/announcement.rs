//! What readlog at the other end says on standard error besides warnings: that it has begun, and with `-f`, that it has printed
//! what was there when it began. Standard output is for lines alone.

use logyard::cli::Messages;

/// What stands before a message.
const READLOG: &[u8] = b"readlog: ";
const BEGUN: &str = "begun";
const CAUGHT_UP: &str = "caught up at ";

/// What one line on standard error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announcement {
    /// The login is over, and readlog runs.
    Begun,
    /// After this many bytes of output, readlog waits for lines that are not written yet.
    CaughtUp(u64),
}

impl Announcement {
    /// Reads a line; `None` if it is a message for the user.
    pub(super) fn parse(line: &[u8]) -> Option<Announcement> {
        let line = std::str::from_utf8(line.strip_prefix(READLOG)?).ok()?;
        match line.strip_prefix(CAUGHT_UP) {
            Some(bytes) => bytes.parse().ok().map(Announcement::CaughtUp),
            None => (line == BEGUN).then_some(Announcement::Begun),
        }
    }
}

/// Says that readlog runs.
pub(crate) fn announce_begun(announcements: Messages) {
    announcements.say(BEGUN);
}

/// Says that what was there has been printed.
pub(crate) fn announce_caught_up(announcements: Messages, bytes_written: u64) {
    announcements.say(format_args!("{CAUGHT_UP}{bytes_written}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_told_from_messages() {
        for (line, announcement) in [
            (&b"readlog: begun"[..], Some(Announcement::Begun)),
            (b"readlog: caught up at 0", Some(Announcement::CaughtUp(0))),
            (b"readlog: caught up at 123456789012", Some(Announcement::CaughtUp(123_456_789_012))),
            (b"readlog: caught up at", None),
            (b"readlog: caught up at x", None),
            (b"readlog: begun ", None),
            (b"readlog: warning: no log in x", None),
            (b"\xff", None),
        ] {
            assert_eq!(Announcement::parse(line), announcement, "{}", line.escape_ascii());
        }
    }
}
