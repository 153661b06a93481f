//! The number in angle brackets at the beginning of a message, and the names that stand for it.

/// The facilities, each in the place of its number. Those from 12 to 15 have no name that all systems share.
const FACILITIES: [&str; 25] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "",
    "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", "mark",
];
/// The severities, each in the place of its number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
/// The facility of a number that has no name.
const UNKNOWN: &str = "unknown";
/// More digits are no priority.
const DIGITS_MAX: usize = 3;

/// What a message is about, and how grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// The name of the facility.
    pub facility: &'static str,
    /// The name of the severity.
    pub severity: &'static str,
    /// How many bytes of the message the names stand for; 0 if the facility has no name.
    pub length: usize,
}

/// Reads the priority of a message; `None` if it has none.
///
/// ```
/// use socklog::priority;
/// let priority = priority::parse(b"<13>hello").unwrap();
/// assert_eq!((priority.facility, priority.severity, priority.length), ("user", "notice", 4));
/// assert_eq!(priority::parse(b"hello"), None);
/// ```
#[must_use]
pub fn parse(message: &[u8]) -> Option<Priority> {
    let rest = message.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > DIGITS_MAX || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let number = rest[..digits].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    let severity = SEVERITIES[number % SEVERITIES.len()];
    let name = FACILITIES.get(number / SEVERITIES.len()).copied().filter(|name| !name.is_empty());
    Some(match name {
        Some(facility) => Priority { facility, severity, length: digits + 2 },
        None => Priority { facility: UNKNOWN, severity, length: 0 },
    })
}
