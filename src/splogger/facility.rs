//! The facilities of syslog, by name and by number.

use std::fmt;

use crate::cli::Shown;

/// A facility, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

/// The names, each in the place of its number. Numbers 12 to 15 have none that all systems share.
const NAMES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "",
    "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// What is no facility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<'a>(&'a [u8]);

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unknown facility {}, using user", Shown(self.0))
    }
}

impl Facility {
    /// What qmail's splogger uses when nothing is said.
    pub const MAIL: Facility = Facility(2);
    /// What the C library uses for messages that do not say what they are.
    pub const USER: Facility = Facility(1);

    /// Reads a number below 24, or a name. As in the C library, 0 is not the kernel's but that of users.
    ///
    /// ```
    /// use logyard::splogger::facility::Facility;
    /// assert_eq!(Facility::parse(b"3"), Facility::parse(b"daemon"));
    /// assert!(Facility::parse(b"24").is_err());
    /// ```
    pub fn parse(text: &[u8]) -> Result<Facility, Unknown<'_>> {
        let by_name = NAMES.iter().position(|name| !name.is_empty() && name.as_bytes() == text);
        let by_number = || std::str::from_utf8(text).ok()?.parse().ok();
        match by_name.or_else(by_number) {
            Some(0) => Ok(Facility::USER),
            Some(number @ 1..24) => Ok(Facility(u8::try_from(number).expect("below 24"))),
            _ if text == b"security" => Facility::parse(b"auth"),
            _ => Err(Unknown(text)),
        }
    }

    /// The number that stands before a message of this facility.
    #[must_use]
    pub fn priority(self, severity: u8) -> u8 {
        self.0 << 3 | severity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_is_a_number_or_a_name() {
        for (text, number) in [("2", 2), ("mail", 2), ("03", 3), ("local0", 16), ("23", 23), ("security", 4), ("0", 1)]
        {
            assert_eq!(Facility::parse(text.as_bytes()), Ok(Facility(number)), "{text}");
        }
        for text in ["", "24", "-1", "Mail", "mail.info", "256"] {
            let unknown = Facility::parse(text.as_bytes()).expect_err("no facility");
            assert_eq!(unknown.to_string(), format!("unknown facility {text}, using user"));
        }
    }
}
